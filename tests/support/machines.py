# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Isolated machines for jobs of an automation controller.

A machine is a Linux network namespace with its own home folder and its own loopback address. A machine can reach only
the cloud: a relay process (`support.relay`) forwards connections from `PORT` to the cloud. The cloud sees the address
of the machine. All traffic stays on the loopback network of this host, and machines cannot reach each other.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from support.paths import TESTS
from support.playbooks import ansible_environment
from support.processes import running

PORT = 8080
CLOUD = f"http://127.0.0.1:{PORT}"
"""The URL of the cloud in every machine. All machines use the same URL, so that each machine can run the same job."""

RUN_SECONDS = 1500.0
_SETUP_SECONDS = 30.0


@dataclass(frozen=True)
class Machine:
    """A machine. The cloud sees `address` as the source of its requests."""

    namespace: str
    address: str
    home: Path

    def work(self, job: Path, answer: Path) -> int:
        """Run `ansible-runner worker` with the file `job` as input, and return its exit status.

        :param job: the output of `ansible-runner transmit`.
        :param answer: the file for the output of the worker.
        """
        folder = self.home / "private"
        argv = ["ip", "netns", "exec", self.namespace, find_runner(), "worker", "--private-data-dir", str(folder)]
        return run(
            argv,
            job,
            answer,
            ansible_environment(self.home, {"XDG_RUNTIME_DIR": str(self.home), "XDG_CACHE_HOME": str(self.home)}),
        )

    def lose_power(self) -> None:
        """Kill all processes of the machine at once."""
        for pid in _ip("netns", "pids", self.namespace).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@contextmanager
def machines(cloud_url: str, addresses: Sequence[str], folder: Path) -> Iterator[list[Machine]]:
    """Run one machine for each of the loopback addresses, until the end of the block."""
    _check_requirements()
    cloud_port = urllib.parse.urlsplit(cloud_url).port
    with ExitStack() as stack:
        machines_made = []
        for address in addresses:
            home = folder / address
            home.mkdir()
            namespace = stack.enter_context(_namespace())
            port_file = home / "port"
            program = str(TESTS / "support" / "relay.py")
            argv = [sys.executable, program, namespace, str(PORT), address, str(cloud_port), str(port_file)]
            stack.enter_context(running(argv)).wait_for_port(port_file)
            machines_made.append(Machine(namespace, address, home))
        yield machines_made


def find_runner() -> str:
    """Return the path of the `ansible-runner` that is installed beside this Python interpreter."""
    program = Path(sys.executable).parent / "ansible-runner"
    assert program.exists(), "ansible-runner is not installed. Run `make setup`."
    return str(program)


def run(argv: Sequence[str], given: Path | None, answer: Path, env: Mapping[str, str]) -> int:
    """Run a program, and return its exit status.

    :param given: the file for standard input. If None, standard input is empty.
    :param answer: the file to which standard output and standard error are written.
    """
    with open(given or os.devnull, "rb") as stdin, open(answer, "wb") as stdout:
        process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT, env=dict(env))
        try:
            return process.wait(RUN_SECONDS)
        finally:
            process.kill()
            process.wait()


def _check_requirements() -> None:
    """Check that this process can create network namespaces.

    :raises AssertionError: if a requirement is missing. The message names each missing requirement.
    """
    missing = []
    if shutil.which("ip") is None:
        missing.append("ip of iproute2 (run `make packages`)")
    if os.geteuid() != 0:
        missing.append("root rights")
    assert not missing, f"Machines are network namespaces, which require {' and '.join(missing)}."


@contextmanager
def _namespace() -> Iterator[str]:
    name = f"particle-{secrets.token_hex(4)}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> str:
    """Run `ip`, and return its output."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=_SETUP_SECONDS, check=False)
    assert done.returncode == 0, (
        f"ip {' '.join(arguments)} failed: {done.stderr} Network namespaces cannot be created here."
    )
    return done.stdout
