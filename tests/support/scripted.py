# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An HTTP server that sends scripted responses, on a loopback port.

Tests use this server for responses that a correct server does not send: unusual errors, truncated bodies, reset
connections, or no response. The test fails if the server receives a request without a scripted response.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from requests.structures import CaseInsensitiveDict

Effect = Literal["reset", "hang", "truncate"]

UNSCRIPTED_STATUS = 501


@dataclass(frozen=True)
class SeenRequest:
    """A request that the server has received."""

    method: str
    path: str
    query: dict[str, str]
    headers: CaseInsensitiveDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body, parsed as a form: the value of each field, keyed by field name."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    effect: Effect | None
    repeat: bool


class ScriptedCloud:
    """A scripted cloud: its URL, its scripted responses, and the requests that it has received."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[SeenRequest] = []
        """All requests, in the order in which they arrived."""
        self.unscripted: list[str] = []
        """The method and the path of each request that had no scripted response."""
        self.connections = 0
        """The number of connections that clients have opened."""
        self._answers: dict[tuple[str, str], deque[_Answer]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def answer(
        self,
        method: str,
        path: str,
        status: int = 200,
        *,
        json: Any = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        effect: Effect | None = None,
        repeat: bool = False,
    ) -> ScriptedCloud:
        """Add a response to the queue of responses for a `method` and a `path`.

        Each request takes the next response from the queue of its method and path.

        :param path: the path without a query string.
        :param json: data to send as a JSON body. Without `json` and `body`, the body is empty.
        :param effect: "reset" closes the connection before the response; "truncate" closes the connection after half of
            the body; "hang" sends no response.
        :param repeat: whether the response stays in the queue, so that all later requests get the same response.
        """
        assert json is None or body is None, "json cannot be combined with body"
        content = body.encode() if isinstance(body, str) else body or b""
        kind = "text/html; charset=utf-8"
        if json is not None:
            content, kind = _dumps(json), "application/json; charset=utf-8"
        all_headers = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
        with self._lock:
            answers = self._answers[method.upper(), path]
            answers.append(_Answer(status, all_headers, content, effect, repeat))
        return self

    def seen(self, method: str, path: str) -> list[SeenRequest]:
        """Return the received requests with this method and path."""
        return [seen for seen in list(self.requests) if (seen.method, seen.path) == (method.upper(), path)]

    def _take_answer(self, seen: SeenRequest) -> _Answer:
        with self._lock:
            self.requests.append(seen)
            answers = self._answers[seen.method, seen.path]
            if answers:
                return answers[0] if answers[0].repeat else answers.popleft()
            self.unscripted.append(f"{seen.method} {seen.path}")
        text = _dumps({"error": "unscripted", "error_description": f"{seen.method} {seen.path}"})
        return _Answer(UNSCRIPTED_STATUS, {"Content-Length": str(len(text))}, text, None, False)

    def _count_connection(self) -> None:
        with self._lock:
            self.connections += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    timeout = 0.5  # only for systems on which a wait for connections does not end when the socket is shut down

    def __init__(self, cloud: ScriptedCloud) -> None:
        self.cloud = cloud
        super().__init__(("127.0.0.1", 0), _Handler)

    def serve_until_closed(self) -> None:
        """Accept connections until the cloud is closed. Unlike `shutdown`, `close` needs no wait for the next poll."""
        while not self.cloud._closing.is_set():
            self.handle_request()

    def close(self) -> None:
        """End `serve_until_closed`, and the responses that hang."""
        self.cloud._closing.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors, because clients may close their connections at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffer the output, so that headers and body are sent together

    def setup(self) -> None:
        self.server.cloud._count_connection()
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log to stderr: every request is already recorded in `ScriptedCloud.requests`."""

    def _serve(self) -> None:
        cloud = self.server.cloud
        address = urlsplit(self.path)
        seen = SeenRequest(
            self.command,
            address.path,
            dict(parse_qsl(address.query, keep_blank_values=True)),
            CaseInsensitiveDict(self.headers.items()),
            self._read_body(),
        )
        answer = cloud._take_answer(seen)
        if answer.effect == "hang":
            cloud._closing.wait()
            self.close_connection = True
        elif answer.effect == "reset":
            self._reset()
        else:
            self._send(answer)

    do_CONNECT = do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _serve

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, answer: _Answer) -> None:
        self.send_response_only(answer.status)
        if "Date" not in answer.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = answer.body
        if answer.effect == "truncate":
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _reset(self) -> None:
        # Closing a socket with a linger time of zero sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


@contextmanager
def scripted_cloud() -> Iterator[ScriptedCloud]:
    """Run a scripted cloud until the end of the block.

    :raises AssertionError: at the end of the block, if a request had no scripted response.
    """
    cloud = ScriptedCloud()
    server = _Server(cloud)
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_until_closed, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.close()
        thread.join()
        server.server_close()
    assert not cloud.unscripted, f"no scripted answer to {', '.join(cloud.unscripted)}"
