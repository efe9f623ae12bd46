# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A server that sends arbitrary bytes of a test, piece by piece, and counts the bytes that it could send.

A scripted cloud sends valid HTTP. This server sends bytes: a body that never ends, headers that never end, or nothing
after the connection was accepted.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
"""The beginning of a response. It says that the connection ends, as it does: a client may otherwise use it again."""


class PacedClock:
    """A clock that advances each time it is read, and that lets a hostile server send one piece for each reading.

    The number of sent pieces then depends on the client, and not on the speed of the machine.

    :param step: the seconds by which each reading advances the clock.
    """

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self._step = step
        self._allowed = threading.Semaphore(0)

    def __call__(self) -> float:
        self.now += self._step
        self._allowed.release()
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass without waiting."""
        self.now += seconds

    def wait(self) -> bool:
        """Wait until the clock is read. Return whether it was read."""
        return self._allowed.acquire(timeout=20)


class HostileServer:
    """A server that answers each connection with the pieces that a function yields.

    :param pieces: a function that returns the pieces to send on a connection. The pieces must come to an end.
    :param clock: the clock that paces the pieces; `None` to send them without a pause.
    :param greets: whether the server sends without waiting for a request.
    """

    def __init__(self, pieces: Callable[[], Iterator[bytes]], clock: PacedClock | None, greets: bool) -> None:
        self._pieces = pieces
        self._clock = clock
        self._greets = greets
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        self.sent = 0
        """The number of bytes that were sent on all connections."""
        self.finished = 0
        """The number of connections on which all pieces were sent."""

    def serve(self) -> None:
        """Accept connections until the server is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, _unused = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def close(self) -> None:
        """Stop accepting connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(20)
            if not self._greets:
                connection.recv(65536)
            for piece in self._pieces():
                if self._clock is not None and not self._clock.wait():
                    return
                connection.sendall(piece)
                self.sent += len(piece)
            self.finished += 1


@contextmanager
def hostile_server(
    pieces: Callable[[], Iterator[bytes]], *, clock: PacedClock | None = None, greets: bool = False
) -> Iterator[HostileServer]:
    """Run a hostile server until the end of the block."""
    server = HostileServer(pieces, clock, greets)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
