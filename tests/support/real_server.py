# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run a Particle-compatible server by other authors (npm package: @brewskey/spark-server) in a separate process.

Tests with this server show that the collection works with a server that was not written for the collection. The server
is not a specification of the Particle cloud.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from support.paths import REAL_SERVER_MODULES, TESTS
from support.processes import ChildProcess, ProcessFailed, running

ADMIN_USERNAME = "__admin__"
ADMIN_PASSWORD = "adminPassword"

PACKAGE = REAL_SERVER_MODULES / "@brewskey" / "spark-server"
REQUEST_TIMEOUT = 120.0
READY_SECONDS = 120.0
FIRST_ANSWER_SECONDS = 60.0
START_ATTEMPTS = 3
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class RealServer:
    """A running server. Its folder `data_dir` is removed when the server ends."""

    url: str
    data_dir: Path
    process: ChildProcess

    def create_user(self, username: str, password: str) -> None:
        """Create an account."""
        answer = requests.post(
            f"{self.url}/v1/users",
            data={"username": username, "password": password},
            timeout=REQUEST_TIMEOUT,
        )
        assert answer.status_code == 200, f"cannot create the account {username}: {answer.status_code} {answer.text}"


@contextmanager
def running_real_server(package: Path = PACKAGE) -> Iterator[RealServer]:
    """Run a new server on free loopback ports until the end of the block.

    :param package: the folder of the npm package.
    :raises ProcessFailed: if the package is not installed, or the server does not become ready.
    """
    if not (package / "dist" / "main.js").is_file():
        raise ProcessFailed(
            "The compatible cloud is not installed. Run `make test` or `make integration`, which need Node.js with npm."
        )
    with ExitStack() as stack:
        yield _start_until_ready(package, stack)


def _start_until_ready(package: Path, stack: ExitStack) -> RealServer:
    """Start the server, and start it again if it does not become ready. The server hung once on a busy machine.

    :param stack: the stack that ends the returned server when the stack is closed.
    :raises ProcessFailed: if no start was successful.
    """
    for _unused in range(START_ATTEMPTS):
        with ExitStack() as attempt:
            server = attempt.enter_context(_running_once(package))
            if _wait_for_administrator(server.url):
                stack.push(attempt.pop_all())
                return server
            printed = server.process.output
    raise ProcessFailed(
        f"The compatible cloud created no administrator within {READY_SECONDS:g} s, "
        f"in {START_ATTEMPTS} starts. The last one printed:\n{printed or '(nothing)'}"
    )


@contextmanager
def _running_once(package: Path) -> Iterator[RealServer]:
    with tempfile.TemporaryDirectory(prefix="real-server-", ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder)
        port_file = data_dir / "port"
        env = {
            "HOME": folder,
            "LOG_LEVEL": "warn",
            "NODE_PATH": str(package.parents[1]),
            "PATH": os.environ["PATH"],
            "PORT_FILE": str(port_file),
        }
        launcher = TESTS / "real_server" / "launcher.js"
        with running(["node", launcher], cwd=data_dir, env=env) as process:
            yield RealServer(f"http://127.0.0.1:{process.wait_for_port(port_file)}", data_dir, process)


def _wait_for_administrator(url: str) -> bool:
    """Wait until the administrator can log in, and return True. Return False after a timeout.

    An open port is not enough: the server accepts connections before logins work.
    """
    form = {"grant_type": "password", "username": ADMIN_USERNAME, "password": ADMIN_PASSWORD}
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):  # the server does not listen yet
            answer = requests.post(
                f"{url}/oauth/token", data=form, auth=("particle", "particle"), timeout=FIRST_ANSWER_SECONDS
            )
            if answer.ok:
                return True
        time.sleep(POLL_SECONDS)
    return False
