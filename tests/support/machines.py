# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Machines as an automation controller sends its jobs to: apart from each other, each behind an address of its own.

A machine is a network namespace, with a home of its own. Its network is its loopback, and all that is there is the
cloud: a relay (`support.relay`) passes on what comes to `PORT`, and gives it the address of the machine. So nothing
leaves the loopback network of this host, and two machines cannot know of each other.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.paths import TESTS
from support.playbooks import ansible_environment
from support.processes import running

PORT = 8080
CLOUD = f"http://127.0.0.1:{PORT}"
"""Where every machine finds the cloud, so that one and the same job suits them all."""

RUN_SECONDS = 1500.0
_SETUP_SECONDS = 30.0


@dataclass(frozen=True)
class Machine:
    """A place to work at. `address` is what the cloud sees of it."""

    namespace: str
    address: str
    home: Path

    def work(self, job: Path, answer: Path) -> int:
        """`ansible-runner worker`: what was transmitted is in `job`, what comes back goes to `answer`."""
        folder = self.home / "private"
        argv = ["ip", "netns", "exec", self.namespace, find_runner(), "worker", "--private-data-dir", str(folder)]
        return run(
            argv,
            job,
            answer,
            ansible_environment(self.home, {"XDG_RUNTIME_DIR": str(self.home), "XDG_CACHE_HOME": str(self.home)}),
        )


@contextmanager
def machines(cloud_url: str, addresses: Sequence[str], folder: Path) -> Iterator[list[Machine]]:
    """A machine for each of the addresses, all of them of the loopback network. They live as long as the block."""
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
    """The `ansible-runner` of this interpreter."""
    program = Path(sys.executable).parent / "ansible-runner"
    assert program.exists(), "ansible-runner is missing; `make setup` installs it."
    return str(program)


def run(argv: Sequence[str], given: Path | None, answer: Path, env: Mapping[str, str]) -> int:
    """Run a program to its end, with a file to read and one to write. Gives back how it ended."""
    with open(given or os.devnull, "rb") as stdin, open(answer, "wb") as stdout:
        process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT, env=dict(env))
        try:
            return process.wait(RUN_SECONDS)
        finally:
            process.kill()
            process.wait()


def _check_requirements() -> None:
    """Say what is missing. :raises AssertionError: when there can be no machines."""
    missing = []
    if shutil.which("ip") is None:
        missing.append("ip of iproute2, which `make packages` installs")
    if os.geteuid() != 0:
        missing.append("the rights of root")
    assert not missing, f"Machines are network namespaces, and for those is missing: {', and '.join(missing)}."


@contextmanager
def _namespace() -> Iterator[str]:
    name = f"particle-{secrets.token_hex(4)}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=_SETUP_SECONDS, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr} Network namespaces cannot be made here."
