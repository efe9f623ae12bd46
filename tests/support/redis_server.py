# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run a real Redis server (Debian package: redis-server) that keeps its data only in memory."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from support.processes import HANG_SECONDS, POLL_SECONDS, ChildProcess


@dataclass
class RedisServer:
    """A running Redis server. It listens only on a Unix socket, not on the network."""

    socket: Path
    password: str | None
    process: ChildProcess

    @property
    def url(self) -> str:
        user = f":{self.password}@" if self.password else ""
        return f"unix://{user}{self.socket}"

    def client(self) -> redis.Redis:
        """Return a client of this server. The caller must close the client."""
        return redis.Redis(unix_socket_path=str(self.socket), password=self.password, socket_timeout=HANG_SECONDS)

    def keys(self) -> list[str]:
        """Return all keys, sorted."""
        with self.client() as client:
            return sorted(key.decode() for key in client.scan_iter())

    def empty(self) -> None:
        """Delete all keys."""
        with self.client() as client:
            client.flushall()

    def stop(self) -> None:
        """Stop the server. Connections to its socket fail until `start` is called."""
        self.process.terminate()

    def start(self) -> None:
        """Start an empty server on the same socket."""
        self.process = _start(self.socket, self.password)


@contextmanager
def running_redis(password: str | None = None) -> Iterator[RedisServer]:
    """Run a new Redis server until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # the path of a Unix socket must be short
        path = Path(folder) / "socket"
        server = RedisServer(path, password, _start(path, password))
        try:
            yield server
        finally:
            server.stop()


def _start(path: Path, password: str | None) -> ChildProcess:
    program = shutil.which("redis-server")
    if program is None:
        raise AssertionError("redis-server is not installed. Run `make packages`.")
    # The settings are in a file, because all users of a machine can read command lines, and the password is a setting.
    settings = path.with_name("redis.conf")
    settings.touch(0o600)
    lines = [f"unixsocket {path}", "unixsocketperm 700", "port 0", f"dir {path.parent}", 'save ""', "appendonly no"]
    settings.write_text("\n".join([*lines, *([f"requirepass {password}"] if password else [])]))
    process = ChildProcess([program, settings])
    deadline = time.monotonic() + HANG_SECONDS
    while not _is_listening(path):
        assert process.returncode is None, f"redis-server ended:\n{process.output}"
        assert time.monotonic() < deadline, f"redis-server was not ready after {HANG_SECONDS:g} s"
        time.sleep(POLL_SECONDS)
    return process


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(path)) == 0
