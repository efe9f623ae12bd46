# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run Ansible's programs from a fork server, because a new process starts slowly.

A short playbook spends most of its time on the start of Python and the import of libraries. The fork server has already
imported the libraries, and forks a child process for each run. `test_fork_server.py` checks that the result of a forked
run equals the result of a new process.
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
from support.paths import COLLECTIONS, ROOT
from support.settings import LOCALE, read_settings, select_settings

PROGRAM = Path(__file__).with_name("fork_server_process.py")
PACKED_MODULES = ROOT / ".cache" / "packed_modules"
PLUGINS = COLLECTIONS / "ansible_collections" / "meshfleet" / "particle" / "plugins"
ENDED_SECONDS = 10.0
NUMBER_SIZE = 32
SERVER_ENDED = "The fork server has ended; the output of the tests shows what it printed."

# Prefixes of environment variables that Python, its libraries and the dynamic loader read only at their start. A forked
# process would ignore these variables, because the fork server has already started.
READ_AT_START = ("PYTHON", "LD_", "OPENSSL_", "MALLOC_")


class ForkedProcess:
    """A running program that the fork server has started.

    The class has only those members of `subprocess.Popen` that tests use.
    """

    def __init__(self, reply: socket.socket) -> None:
        """Read the process id from the socket `reply`.

        When the program ends, the server sends the exit status on the same socket.
        """
        self._reply = reply
        self.pid = self._receive()
        """The process id, which is also the id of the process group."""

    def wait(self, timeout: float) -> int:
        """Wait for the end of the process, and return its exit status.

        If a signal ended the process, the exit status is minus the number of the signal.

        :raises subprocess.TimeoutExpired: if the process still runs after `timeout` seconds.
        :raises ForkServerEnded: if the server ended before it sent the exit status.
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
        """Receive the next message of the server, and return the number in this message."""
        message = self._reply.recv(NUMBER_SIZE)
        if not message:
            self._reply.close()
            raise ForkServerEnded(SERVER_ENDED)
        return int(message)


class ForkServerEnded(AssertionError):
    """Raised when the fork server ended before the program."""


class ForkServer:
    """A server process that forks a child process for each run of a program. The server ends when this process ends."""

    def __init__(self, settings: Mapping[str, str] | None = None, packed_modules: Path = PACKED_MODULES) -> None:
        """Start a server.

        :param settings: the environment variables with the settings of Ansible that all programs have. The server then
            imports Ansible with these settings. By default, each program can have other settings.
        :param packed_modules: the folder in which the programs share the modules of Ansible that they have packed.
        """
        own_end, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MAX_REQUEST)
        self._control = own_end
        self._lock = threading.Lock()
        self._home = tempfile.TemporaryDirectory(prefix="fork-server-")
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        with server_end:
            self._process = subprocess.Popen(
                [sys.executable, PROGRAM, str(server_end.fileno()), PLUGINS, packed_modules, json.dumps(settings)],
                env={"HOME": self._home.name, "PATH": os.environ.get("PATH", os.defpath), **LOCALE, **measured},
                cwd=self._home.name,
                stdin=subprocess.DEVNULL,
                pass_fds=[server_end.fileno()],
                start_new_session=True,  # Ctrl-C must not end the server; it ends when the tests close the socket
            )

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: int, stderr: int
    ) -> ForkedProcess:
        """Start a program in its own session. The program gets no environment variables besides `env`."""
        own_end, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"argv": list(argv), "env": dict(env), "cwd": str(cwd)}).encode()
        with server_end, self._lock, open(os.devnull, "rb") as nothing:
            handles = [server_end.fileno(), nothing.fileno(), stdout, stderr]
            socket.send_fds(self._control, [request], handles)
        return ForkedProcess(own_end)

    def close(self) -> None:
        """End the server. Programs that the server has started continue to run."""
        self._control.close()
        self._process.wait(ENDED_SECONDS)
        self._home.cleanup()


def can_be_forked(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Return whether the fork server can run a program with the same result as a new process.

    :param argv: the program and its command line arguments.
    :param env: all environment variables of the program.
    """
    return (
        Path(argv[0]).name in PROGRAMS
        and {name: env.get(name) for name in LOCALE} == LOCALE
        and not any(name.startswith(READ_AT_START) for name in env)
    )


_Settings = frozenset[tuple[str, str]]
_servers: dict[tuple[int, _Settings | None], ForkServer] = {}
_used: set[_Settings] = set()
_starting = threading.Lock()


def fork_server(env: Mapping[str, str]) -> ForkServer:
    """Return a fork server of this process for a program with the environment variables `env`.

    Each set of settings that programs have more than once, and the usual set, has a server that has read them. All
    other programs share a server without settings. A process that was forked from this process gets its own servers.
    """
    settings = frozenset(select_settings(env).items())
    with _starting:
        is_prepared = settings in _used or settings == frozenset(read_settings().items())
        _used.add(settings)
        key = os.getpid(), settings if is_prepared else None
        if key not in _servers:
            _servers[key] = ForkServer(dict(settings) if is_prepared else None)
        return _servers[key]
