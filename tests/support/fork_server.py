# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Ansible's programs without their start: a server that has imported the libraries forks for each run.

Most of what a short playbook costs is the start of Python and the import of libraries. What a user sees of a forked
run and of a process of its own is the same; `test_fork_server.py` compares them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.fork_server_process import MAX_REQUEST, PROGRAMS

ENDED_SECONDS = 10.0
NUMBER_SIZE = 32
SERVER_ENDED = "The fork server has ended; what it printed stands in the output of the tests."

# Read by Python, its libraries or the loader of programs as they start; the server has started already.
READ_AT_START = ("PYTHON", "LD_", "OPENSSL_", "MALLOC_")
LOCALE = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


class ForkedProcess:
    """A program under way, with the part of the interface of `subprocess.Popen` that tests use."""

    def __init__(self, reply: socket.socket) -> None:
        """Take over `reply`, on which the server sends the id of the process, and its exit status at the end."""
        self._reply = reply
        self.pid = self._receive()
        """The id of the process, and of the process group that it leads."""

    def wait(self, timeout: float) -> int:
        """Return the exit status, negative for a signal.

        :raises subprocess.TimeoutExpired: when the process still runs after `timeout` seconds.
        :raises ForkServerEnded: when nobody is left to tell the status.
        """
        if self._reply.fileno() < 0:
            raise ForkServerEnded(SERVER_ENDED)
        self._reply.settimeout(timeout)
        try:
            status = self._receive()
        except TimeoutError:
            raise subprocess.TimeoutExpired("a forked program", timeout) from None
        self._reply.close()
        return status

    def _receive(self) -> int:
        """Return the next number that the server sends: one message each."""
        message = self._reply.recv(NUMBER_SIZE)
        if not message:
            self._reply.close()
            raise ForkServerEnded(SERVER_ENDED)
        return int(message)


class ForkServerEnded(AssertionError):
    """The fork server has ended before the program has."""


class ForkServer:
    """One server process, for as long as this process lives."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MAX_REQUEST)
        self._control = ours
        self._lock = threading.Lock()
        self._home = tempfile.TemporaryDirectory(prefix="fork-server-")
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("fork_server_process.py")), str(theirs.fileno())],
                env={"HOME": self._home.name, "PATH": os.environ.get("PATH", os.defpath), **LOCALE, **measured},
                cwd=self._home.name,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the tests, which then close the socket
            )

    @property
    def pid(self) -> int:
        """The id of the server's process."""
        return self._process.pid

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: int, stderr: int
    ) -> ForkedProcess:
        """Run a program in a session of its own; `env` is its whole environment."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"argv": list(argv), "env": dict(env), "cwd": str(cwd)}).encode()
        with theirs, open(os.devnull, "rb") as nothing, self._lock:
            handles = [theirs.fileno(), nothing.fileno(), stdout, stderr]
            socket.send_fds(self._control, [request], handles)
        return ForkedProcess(ours)

    def close(self) -> None:
        """End the server; what it has forked goes on."""
        self._control.close()
        self._process.wait(ENDED_SECONDS)
        self._home.cleanup()


def can_be_forked(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a run from the fork server is the same as one in a process of its own."""
    return (
        Path(argv[0]).name in PROGRAMS
        and {name: env.get(name) for name in LOCALE} == LOCALE
        and not any(name.startswith(READ_AT_START) for name in env)
    )


_servers: dict[int, ForkServer] = {}
_starting = threading.Lock()


def fork_server() -> ForkServer:
    """Return the server of this process, which the first call starts. A fork of this process gets one of its own."""
    with _starting:
        if os.getpid() not in _servers:
            _servers[os.getpid()] = ForkServer()
        return _servers[os.getpid()]
