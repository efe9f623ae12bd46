# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bound the time and the bytes of a request. Private to this collection.

The timeout of `requests` applies to each operation of a socket. A server that sends one byte before each timeout could
therefore keep a request busy forever. The classes of this file set the timeout of the socket before each operation to
the time that is left, and count the received bytes.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import http.client
import io
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import (
    MAX_ANSWER_BYTES,
    MAX_HEAD_BYTES,
    TIMEOUTS_PER_REQUEST,
    format_size,
)

try:
    import requests.adapters
    import urllib3.exceptions
except ImportError:  # reported by _module, which can fail the task
    pass

_PIECE_BYTES = 16 * 1024  # one TLS record


class BoundExceeded(Exception):
    """An exception for a response that exceeds a bound. `requests` and `urllib3` do not catch this exception.

    :param code: the error code.
    :param cause: the cause of the failure, in words that follow "Could not rename device e00f…:" in a message.
    """

    def __init__(self, code: str, cause: str) -> None:
        super().__init__(cause)
        self.code = code
        self.cause = cause


class Deadline:
    """The time that all attempts of one request may spend on the network. Pauses between attempts do not count.

    :ivar has_sent: whether the last attempt sent a part of the request. Opening the connection does not count.
    :param timeout: the option ``timeout``, in seconds.
    :param clock: a function that returns the seconds of a monotonic clock.
    """

    def __init__(self, timeout: float, clock: Callable[[], float]) -> None:
        self._seconds = timeout * TIMEOUTS_PER_REQUEST
        self._clock = clock
        self._left = self._seconds
        self._end: float | None = None
        self.has_sent = False

    @contextlib.contextmanager
    def run_attempt(self) -> Iterator[None]:
        """Apply the deadline to the connections that the ``with`` block uses, and let its time run."""
        self._end = self._clock() + self._left
        self.has_sent = False
        token = _deadline.set(self)
        try:
            yield
        finally:
            _deadline.reset(token)
            self._left, self._end = self.compute_left(), None

    def compute_left(self) -> float:
        """Return the seconds that are left. The result is zero or negative after the deadline."""
        return self._left if self._end is None else self._end - self._clock()

    def limit(self, timeout: float) -> float:
        """Return ``timeout``, or the time that is left if this is less.

        :raises BoundExceeded: after the deadline.
        """
        left = self.compute_left()
        if left <= 0:
            raise BoundExceeded(
                "unreachable",
                f"the response was not complete after {self._seconds:g} seconds, "
                f"the longest time for one request ({TIMEOUTS_PER_REQUEST} times timeout)",
            )
        return min(timeout, left)


_deadline: contextvars.ContextVar[Deadline] = contextvars.ContextVar("deadline")
"""The deadline of the request that this thread sends."""


class _BoundedStream(io.RawIOBase):
    """The bytes that a server sends on a connection.

    :ivar bytes_left: how many bytes may still be received.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._stream: Any = sock.makefile("rb", buffering=0)
        self._timeout = sock.gettimeout() or 0.0
        self.bytes_left = MAX_HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with limit_operation(self._sock, self._timeout):
            count: int = self._stream.readinto(buffer)
        self.bytes_left -= count
        if self.bytes_left < 0:
            cause = (
                f"the headers of the response, or the lines between its chunks, exceed {format_size(MAX_HEAD_BYTES)}"
            )
            raise BoundExceeded("bad_response", cause)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextlib.contextmanager
def limit_operation(sock: Any, timeout: float) -> Iterator[None]:
    """Limit one operation on a socket to ``timeout`` seconds, and to the time that is left of the request.

    :raises BoundExceeded: when no time is left.
    """
    deadline = _deadline.get()
    sock.settimeout(deadline.limit(timeout))
    try:
        yield
    except TimeoutError:
        deadline.limit(timeout)
        raise


class _BoundedResponse(http.client.HTTPResponse):
    """A response whose bytes are bounded."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self._stream = _BoundedStream(sock)
        self.fp = io.BufferedReader(self._stream)

    def _read_status(self) -> tuple[str, int, str]:
        """Return the version, the status and the reason of a response.

        The base class skips ``100 Continue`` only, and takes ``103 Early Hints`` for a successful response.

        :raises BadStatusLine: when the server changes to another protocol, which no request asks for.
        """
        version, status, reason = super()._read_status()  # type: ignore[misc]
        if status == http.client.SWITCHING_PROTOCOLS:
            raise http.client.BadStatusLine(f"{status} {reason}")
        return version, http.client.CONTINUE if status < 200 else status, reason

    def begin(self) -> None:
        super().begin()  # reads all headers, including those of responses such as "100 Continue" before the real one
        self._stream.bytes_left = MAX_ANSWER_BYTES + MAX_HEAD_BYTES


class _BoundedConnection:
    """The part of a connection class that bounds what the connection sends and receives."""

    response_class = _BoundedResponse
    timeout: float
    port: int
    sock: Any
    _dns_host: str
    _address_timeout: float

    def connect(self) -> None:
        deadline = _deadline.get()
        self._address_timeout = self.timeout
        self.timeout = deadline.limit(self.timeout)
        try:
            super().connect()  # type: ignore[misc]
        finally:
            deadline.has_sent = False  # through a proxy, the request CONNECT was sent

    def _new_conn(self) -> Any:
        """Connect to the first address of the host that answers. All addresses share the deadline of the request."""
        if hasattr(self, "_socks_options"):  # the proxy looks up the host
            return super()._new_conn()  # type: ignore[misc]
        host, deadline = self._dns_host, _deadline.get()
        error: Exception | None = None
        try:
            for address in _find_addresses(host, self.port):
                if error is not None and deadline.compute_left() <= 0:
                    break
                self._dns_host, self.timeout = address, deadline.limit(self._address_timeout)
                try:
                    return super()._new_conn()  # type: ignore[misc]
                except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as failure:
                    error = failure
        finally:
            self._dns_host = host
        raise error or AssertionError("a host has at least one address")

    def send(self, data: bytes) -> None:
        if self.sock is None:
            self.connect()
        # A timeout applies to all of the data that is sent at once, or to each TLS record of it.
        for start in range(0, len(data), _PIECE_BYTES):
            _deadline.get().has_sent = True
            with limit_operation(self.sock, self.timeout):
                super().send(data[start : start + _PIECE_BYTES])  # type: ignore[misc]


def _find_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host, or the host itself if it is not found: the attempt to connect reports this."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    return list(dict.fromkeys(str(row[4][0]) for row in found)) or [host]


@functools.cache
def _derive_pool(pool: Any) -> Any:
    """Return a subclass of a connection pool of `urllib3` whose connections are bounded."""
    connection = type("BoundedConnection", (_BoundedConnection, pool.ConnectionCls), {})
    return type("BoundedPool", (pool,), {"ConnectionCls": connection})


def build_session(workers: int) -> requests.Session:
    """Return a session of `requests` whose connections are bounded.

    :param workers: the maximum number of connections.
    """

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
            super().init_poolmanager(*arguments, **named)
            _bound_pools(self.poolmanager)

        def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
            is_new = proxy not in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **named)
            if is_new:
                _bound_pools(manager)
            return manager

    class Session(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """Find no redirect: `requests` would read the whole body of a redirect, without a bound."""

    session = Session()
    adapter = Adapter(pool_connections=1, pool_maxsize=workers, pool_block=True)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def _bound_pools(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _derive_pool(pool) for scheme, pool in pools.items()}


ACCEPTED_ENCODING = "gzip"
"""The only compression that the client can decode. Its size is checked while it is decoded."""
_NAMES_OF_GZIP = (ACCEPTED_ENCODING, "x-gzip")  # RFC 9110, 8.4.1.3


def read_body(response: requests.Response, max_bytes: int) -> bytes:
    """Read and decode the body of a response.

    :param max_bytes: the maximum size of the decoded body.
    :raises BoundExceeded: when the body is larger, or compressed in another way than :data:`ACCEPTED_ENCODING`.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    pieces = response.raw.stream(_PIECE_BYTES, decode_content=False)
    if encoding in _NAMES_OF_GZIP:
        pieces = _decompress(pieces)
    elif encoding not in ("", "identity"):
        raise BoundExceeded("bad_response", f"the response is compressed as {encoding[:40]!r}, which was not requested")
    body = bytearray()
    try:
        for piece in pieces:
            body += piece
            if len(body) > max_bytes:
                cause = (
                    f"the response is larger than {format_size(max_bytes)}, the most that is read of such a response"
                )
                raise BoundExceeded("bad_response", cause)
    except ValueError as error:  # urllib3 raises it for a chunk of negative size
        raise urllib3.exceptions.ProtocolError(str(error)) from None
    return bytes(body)


def _decompress(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress a body in steps, so that a small body that becomes a large one needs little memory.

    :raises DecodeError: when the body is not valid, or ends too early.
    """
    decoder: Any = None
    for piece in pieces:
        waiting = piece
        while waiting:
            # A body may consist of several compressed parts in sequence.
            decoder = decoder or zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                yield decoder.decompress(waiting, _PIECE_BYTES)
            except zlib.error as error:
                raise urllib3.exceptions.DecodeError(str(error)) from None
            is_complete = decoder.eof
            waiting = decoder.unused_data if is_complete else decoder.unconsumed_tail
            decoder = None if is_complete else decoder
    if decoder is not None:
        raise urllib3.exceptions.DecodeError("the compressed data is incomplete")
