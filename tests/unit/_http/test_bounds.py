# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A request ends by its own bounds: its seconds in all, the size of its headers, and the size of its body."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import (
    MAX_ANSWER_BYTES,
    MAX_ANSWER_MEMORY,
    MAX_HEAD_BYTES,
    MAX_REFUSAL_BYTES,
    MEMORY_PER_VALUE,
    TIMEOUTS_PER_REQUEST,
    format_size,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response, parse_response
from support.facts import load_shape
from support.hostile import HEAD, PacedClock, hostile_server
from support.scripted import ScriptedCloud
from support.turned_clock import TurnedClock, conversation

TIMEOUT = 60.0
STEP = 10.0
LOOKS = int(TIMEOUT * TIMEOUTS_PER_REQUEST / STEP)
"""The number of times that a request may read the paced clock before its deadline."""
MANY = 100_000
BUFFERS = 16_000_000
"""More than the buffers of a connection on loopback hold."""
MEMORY = 300_000_000

PATH = "/v1/devices/x"
Pieces = Callable[[], Iterator[bytes]]
Result = TypeVar("Result")


def send(http: Http, method: str = "GET", **arguments: Any) -> Any:
    return http.send(Request(f"{method} /v1/devices/:id", "test device x", {"id": "x"}, **arguments)).data


def catch_error(http: Http, method: str = "GET", **arguments: Any) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        send(http, method, **arguments)
    http.close()
    return caught.value


def drip_body() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: %d\r\n\r\n" % MANY
    yield from itertools.repeat(b" ", MANY)


def drip_chunks() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"1\r\n \r\n", MANY)


def drip_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    yield from itertools.repeat(b"a", MANY)


def drip_interim_answers() -> Iterator[bytes]:
    yield from itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", MANY)


def drip_redirect() -> Iterator[bytes]:
    yield b"HTTP/1.1 302 Found\r\nLocation: /v1/devices/x\r\nContent-Length: %d\r\n\r\n" % MANY
    yield from itertools.repeat(b" ", MANY)


def drip_compressed() -> Iterator[bytes]:
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % MANY
    yield from (bytes([byte]) for byte in gzip.compress(bytes(MANY))[:100])
    yield from itertools.repeat(b"\0", MANY)


@pytest.mark.parametrize(
    "pieces", [drip_body, drip_chunks, drip_headers, drip_interim_answers, drip_redirect, drip_compressed]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_dripped_answer_ends_at_the_deadline(no_proxies: None, pieces: Pieces, method: str) -> None:
    clock = PacedClock(STEP)
    with hostile_server(pieces, clock=clock) as server:
        http = Http(Connection(server.url, timeout=TIMEOUT), clock=Clock(clock.sleep, clock, clock))
        error = catch_error(http, method)
    is_known = method == "GET" or pieces is drip_redirect  # a write that is redirected did not take effect
    assert error.code == ("unreachable" if is_known else "ambiguous_write")
    assert "the response was not complete after 300 seconds" in error.message
    assert "5 times timeout" in error.message
    assert server.connections == 1
    assert server.sent < 1000 + 30 * LOOKS


def test_all_attempts_share_the_seconds_of_a_request(no_proxies: None) -> None:
    def break_off() -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 100\r\n\r\n"
        yield from itertools.repeat(b" ", 10)

    clock = PacedClock(STEP * 2)
    with hostile_server(break_off, clock=clock) as server:
        http = Http(Connection(server.url, timeout=TIMEOUT), clock=Clock(lambda seconds: None, clock, clock))
        assert catch_error(http).code == "unreachable"
    assert 1 <= server.connections < 5
    assert server.sent < 100 * LOOKS


def test_slow_upload_ends_at_the_deadline(no_proxies: None) -> None:
    clock = PacedClock(STEP)
    received = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def read_all() -> None:
            nonlocal received
            connection, _unused = listener.accept()
            connection.settimeout(20)
            with connection:
                while data := connection.recv(65536):
                    received += len(data)

        thread = threading.Thread(target=read_all)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        http = Http(Connection(url, timeout=TIMEOUT), clock=Clock(clock.sleep, clock, clock))
        error = catch_error(http, "POST", file=FilePart("devices.txt", bytes(50_000_000), "text/plain"))
        thread.join()
    assert error.code == "ambiguous_write"
    assert received <= 16_384 * LOOKS


def test_slow_tls_handshake_ends_by_the_timeout(no_proxies: None, clock: TurnedClock) -> None:
    def drip_handshake() -> Iterator[bytes]:
        yield b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"  # the start of a record of 16 KB with a server hello
        pause = threading.Event()
        for _unused in range(2000):
            pause.wait(0.02)
            yield b"\x03"

    with hostile_server(drip_handshake, greets=True) as server:
        url = f"https://127.0.0.1:{server.port}"
        error = catch_error(conversation(url, clock, timeout=0.2))
    assert error.code in ("unreachable", "tls_untrusted")
    assert server.finished == 0
    assert 1 <= server.connections <= 5


def test_connection_is_kept_after_a_complete_answer(http: Http, scripted_cloud: ScriptedCloud) -> None:
    body = gzip.compress(b'{"id": "x"}')
    scripted_cloud.answer("GET", PATH, body=body, headers={"Content-Encoding": "gzip"}, repeat=True)
    for _unused in range(20):
        assert send(http) == {"id": "x"}
    assert scripted_cloud.connections == 1
    assert scripted_cloud.requests[0].headers["Accept-Encoding"] == "gzip"


# Sizes


def repeat_to(size: int, piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece, size // len(piece) + 1)


def send_huge_body() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 1000000000\r\n\r\n"
    yield from repeat_to(1_000_000_000, b" " * 65536)


def send_endless_chunks() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from repeat_to(1_000_000_000, b"10000\r\n" + b" " * 65536 + b"\r\n")


def send_endless_body() -> Iterator[bytes]:
    yield HEAD + b"\r\n"
    yield from repeat_to(1_000_000_000, b" " * 65536)


def send_endless_chunk_line() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"
    yield from repeat_to(1_000_000_000, b"x" * 65536)


def send_huge_refusal() -> Iterator[bytes]:
    yield b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000000\r\n\r\n"
    yield from repeat_to(1_000_000_000, b" " * 65536)


def send_endless_interim_answers() -> Iterator[bytes]:
    yield from repeat_to(500_000_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def send_bomb() -> Iterator[bytes]:
    bomb = make_bomb(200_000_000)
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    yield bomb


def send_redirect_bomb() -> Iterator[bytes]:
    bomb = make_bomb(200_000_000)
    yield b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    yield bomb


def make_bomb(size: int) -> bytes:
    """Return a gzip file that holds so many blanks."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return b"".join(packer.compress(b" " * 1_000_000) for _unused in range(size // 1_000_000)) + packer.flush()


@pytest.mark.parametrize(
    ("pieces", "bound", "number"),
    [
        (send_huge_body, MAX_ANSWER_BYTES, "64 MB"),
        (send_endless_chunks, MAX_ANSWER_BYTES, "64 MB"),
        (send_endless_body, MAX_ANSWER_BYTES, "64 MB"),
        (send_huge_refusal, MAX_REFUSAL_BYTES, "1 MB"),
        (send_endless_interim_answers, MAX_HEAD_BYTES, "1 MB"),
        (send_bomb, MAX_REFUSAL_BYTES, "64 MB"),
        (send_redirect_bomb, MAX_REFUSAL_BYTES, "1 MB"),
    ],
)
def test_too_large_answer_is_a_bad_response_with_the_number(
    no_proxies: None, clock: TurnedClock, pieces: Pieces, bound: int, number: str
) -> None:
    with hostile_server(pieces) as server:
        peak, error = measure_memory(lambda: catch_error(conversation(server.url, clock, timeout=60)))
    assert error.code == "bad_response"
    assert number in error.message
    assert server.connections == 1
    assert server.sent < bound + BUFFERS
    assert peak < MEMORY


def test_endless_line_in_a_chunked_body_ends(no_proxies: None, clock: TurnedClock) -> None:
    with hostile_server(send_endless_chunk_line) as server:
        error = catch_error(conversation(server.url, clock, timeout=60))
    assert error.code in ("bad_response", "unreachable")  # some versions of urllib3 limit the line themselves
    assert server.sent < server.connections * (MAX_ANSWER_BYTES + BUFFERS)


def test_answer_of_too_many_values_is_a_bad_response(http: Http, scripted_cloud: ScriptedCloud) -> None:
    most = MAX_ANSWER_MEMORY // (MEMORY_PER_VALUE + 3 * len("0,"))
    scripted_cloud.answer("GET", PATH, body="[" + "0," * (most - 2) + "0]")
    scripted_cloud.answer("GET", PATH, body="[" + "0," * most + "0]")
    assert len(send(http)) == most - 1
    error = catch_error(http)
    assert error.code == "bad_response"
    assert f"needs more than {format_size(MAX_ANSWER_MEMORY)} of memory" in error.message


@pytest.mark.parametrize(
    ("character", "size"), [("a", 64_000_000), ("é", 63_000_000), ("→", 63_000_000), ("\N{SEEDLING}", 45_000_000)]
)
def test_long_text_is_read_or_refused_in_bounded_memory(character: str, size: int) -> None:
    # One character decides how many bytes each character of the text needs in memory.
    body = b'["' + b"a" * (size - 10) + character.encode() + b'"]'
    parse_in_bounded_memory(body)


@pytest.mark.only_full
@pytest.mark.parametrize(
    ("value", "count"),
    [
        ('{{"a":300}}', 690_000),
        ('{{"{number:x}":{number}}}', 640_000),
    ],
)
def test_list_of_many_values_needs_bounded_memory(value: str, count: int) -> None:
    elements = (value.format(number=number) for number in range(1000, 1000 + count))
    response = parse_in_bounded_memory(f"[{','.join(elements)}]".encode())
    assert response is not None, "the list should be almost as long as possible"


@pytest.mark.only_full
def test_object_of_many_keys_needs_bounded_memory() -> None:
    members = (f'"→{number:x}":"é→"' for number in range(880_000))
    response = parse_in_bounded_memory(f"{{{','.join(members)}}}".encode())
    assert response is not None, "the object should be almost as large as possible"


def parse_in_bounded_memory(body: bytes) -> Response | None:
    """Parse a body, and check the memory that it needs.

    :returns: `None` if the body is refused because it would need too much memory.
    """
    request = Request("GET /v1/devices", "list the devices")

    def parse() -> Response | None:
        try:
            return parse_response(200, body, request, str)
        except ParticleError:
            return None

    peak, response = measure_memory(parse)
    assert len(body) + peak < MEMORY
    return response


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("greenhouse-00001", 20_000, marks=pytest.mark.only_full),
        pytest.param("Gewächshaus", 20_000, marks=pytest.mark.only_full),
        ("greenhouse \N{SEEDLING}", 15_000),
    ],
)
def test_long_list_of_devices_is_read_in_bounded_memory(name: str, count: int) -> None:
    # The fields are those of a claimed device (endpoints.yml: devices_list), except the obsolete network.
    device = {
        **{"id": "e00fce68aabbccddeeff0011", "name": name, "owner": "demo@example.com", "online": True},
        **{"last_ip_address": "203.0.113.7", "last_heard": "2026-03-02T08:00:01.120Z", "connected": True},
        **{"last_handshake_at": "2026-03-01T22:10:40.001Z", "product_id": 31337, "platform_id": 13, "cellular": True},
        **{"notes": "north wall, second shelf", "functions": ["reboot", "calibrate", "setInterval", "sample"]},
        **{"variables": {"temperature": "double", "humidity": "double", "uptime": "int32", "version": "string"}},
        **{"status": "normal", "serial_number": "B40HAB000000001", "iccid": "89014100000000000001"},
        **{"last_iccid": "89014100000000000001", "imei": "352162070000001", "mac_wifi": "94:94:4A:00:00:01"},
        **{"mobile_secret": "ABCDEFGHIJ12345", "system_firmware_version": "6.3.4", "current_build_target": "6.3.4"},
        **{"pinned_build_target": "6.3.4", "default_build_target": "6.3.4", "firmware_updates_enabled": True},
        **{"firmware_updates_forced": False, "device_protection": {"status": "disabled"}, "last_app": ""},
    }
    assert set(device) == set(load_shape("device_owned")) - {"network"}
    body = json.dumps([device] * count, ensure_ascii=False).encode()
    response = parse_in_bounded_memory(body)
    assert response is not None
    assert len(response.data) == count


@pytest.mark.parametrize("form", ['{"ok": false, "error": "%s"}', "<html>%s</html>", "%s"])
@pytest.mark.parametrize("status", [200, 400, 429, 503])
def test_long_refusal_needs_little_memory(http: Http, scripted_cloud: ScriptedCloud, form: str, status: int) -> None:
    scripted_cloud.answer("GET", PATH, status, body=form % ("long " * 400_000), repeat=True)
    peak, error = measure_memory(lambda: catch_error(http))
    assert error.code in (("rate_limited",) if status == 429 else ("bad_response", "not_a_cloud"))
    assert len(error.message) < 1000
    assert peak < MEMORY / 10


def test_chunk_of_negative_size_makes_a_write_ambiguous(no_proxies: None, clock: TurnedClock) -> None:
    with hostile_server(lambda: iter([HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n"])) as server:
        error = catch_error(conversation(server.url, clock, timeout=60), "POST")
    assert (error.code, server.connections) == ("ambiguous_write", 1)


@pytest.mark.parametrize("missing", [1, 4, 9])
def test_incomplete_compressed_answer_is_retried(http: Http, scripted_cloud: ScriptedCloud, missing: int) -> None:
    body = gzip.compress(b'{"id": "x"}')
    headers = {"Content-Encoding": "gzip"}
    scripted_cloud.answer("GET", PATH, body=body[:-missing], headers=headers)
    scripted_cloud.answer("GET", PATH, body=body, headers=headers)
    assert send(http) == {"id": "x"}
    assert len(scripted_cloud.requests) == 2


def test_answer_of_two_compressed_parts_is_read(http: Http, scripted_cloud: ScriptedCloud) -> None:
    body = gzip.compress(b'{"id": ') + gzip.compress(b'"x"}')
    scripted_cloud.answer("GET", PATH, body=body, headers={"Content-Encoding": "x-gzip"})
    assert send(http) == {"id": "x"}


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x" * 1000])
def test_compression_that_was_not_requested_is_a_bad_response(
    http: Http, scripted_cloud: ScriptedCloud, encoding: str
) -> None:
    scripted_cloud.answer("GET", PATH, body=b"\x00" * 100, headers={"Content-Encoding": encoding})
    error = catch_error(http)
    assert error.code == "bad_response"
    assert "which was not requested" in error.message
    assert len(error.message) < 200


def test_damaged_compression_is_retried(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, body=b"no gzip", headers={"Content-Encoding": "gzip"})
    scripted_cloud.answer("GET", PATH, json={"id": "x"})
    assert send(http) == {"id": "x"}


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "bad_response"), (200, "ambiguous_write"), (408, "ambiguous_write"), (503, "ambiguous_write")],
)
def test_write_with_a_too_large_answer_is_ambiguous_unless_refused(
    http: Http, scripted_cloud: ScriptedCloud, status: int, code: str
) -> None:
    size = MAX_ANSWER_BYTES if status == 200 else MAX_REFUSAL_BYTES
    scripted_cloud.answer("POST", PATH, status, body=b" " * (size + 1))
    assert catch_error(http, "POST").code == code


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints", "199 Other"])
def test_interim_answer_is_not_taken_for_the_answer(
    no_proxies: None, clock: TurnedClock, method: str, interim: str
) -> None:
    early = f"HTTP/1.1 {interim}\r\nLink: </style.css>\r\n\r\n".encode()
    with hostile_server(lambda: iter([early, early, HEAD + b"Content-Length: 2\r\n\r\n[]"])) as server:
        http = conversation(server.url, clock)
        assert send(http, method) == []
        http.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 nonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(300)) + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]",
    ],
    ids=["other protocol", "no status", "no HTTP", "too many headers", "no chunk size", "no gzip"],
)
def test_answer_that_is_not_http_is_a_bad_response(no_proxies: None, clock: TurnedClock, answer: bytes) -> None:
    with hostile_server(lambda: iter([answer])) as server:
        read = catch_error(conversation(server.url, clock))
        written = catch_error(conversation(server.url, clock), "POST")
    assert (read.code, written.code) == ("bad_response", "ambiguous_write")
    cause = f"127.0.0.1:{server.port} sent a response that is damaged, or is not HTTP."
    assert read.message == f"Could not test device x: {cause}"


@pytest.mark.parametrize("status", [500, 507, 520, 524, 599, 999])
def test_every_server_error_may_be_temporary(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("GET", PATH, status).answer("GET", PATH, json={"id": "x"})
    scripted_cloud.answer("POST", PATH, status)
    assert send(http) == {"id": "x"}
    assert catch_error(http, "POST").code == "ambiguous_write"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_constant_that_is_not_json_is_a_bad_response(http: Http, scripted_cloud: ScriptedCloud, number: str) -> None:
    scripted_cloud.answer("GET", PATH, body=f'{{"version": {number}}}', repeat=True)
    assert catch_error(http).code == "bad_response"


@pytest.mark.parametrize(("method", "status"), [("GET", 408), ("PUT", 408), ("GET", 503), ("GET", 429), ("POST", 429)])
def test_temporary_refusal_with_a_too_large_body_is_retried(
    http: Http, scripted_cloud: ScriptedCloud, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status, body=b" " * (MAX_REFUSAL_BYTES + 1))
    scripted_cloud.answer(method, PATH, json={"id": "x"})
    assert send(http, method) == {"id": "x"}
    assert len(scripted_cloud.requests) == 2


def test_attempts_to_connect_to_many_addresses_share_the_deadline(
    no_proxies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = TurnedClock()
    tried: list[str] = []

    def time_out(address: tuple[str, int], timeout: float, *_unused: object, **_also_unused: object) -> None:
        tried.append(address[0])
        clock.now += timeout
        raise TimeoutError("timed out")

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 80)) for number in range(1, 31)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_unused, **_also_unused: found)
    monkeypatch.setattr("urllib3.util.connection.create_connection", time_out)
    error = catch_error(conversation("http://many.example.com", clock, timeout=10))
    assert (error.code, error.message) == ("unreachable", "Could not test device x: no connection to many.example.com.")
    assert tried == [f"192.0.2.{number}" for number in range(1, TIMEOUTS_PER_REQUEST + 1)]


def test_next_address_is_used_if_the_first_refuses_the_connection(
    http: Http, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(scripted_cloud.url.rpartition(":")[2])
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", port)) for number in (2, 1)]
    resolve = socket.getaddrinfo

    def answer(host: str, *arguments: Any, **named: Any) -> Any:
        return found if host == "many.example.com" else resolve(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    scripted_cloud.answer("GET", PATH, json={"id": "x"})
    client = conversation(f"http://many.example.com:{port}", TurnedClock())
    assert send(client) == {"id": "x"}
    client.close()
    assert scripted_cloud.requests[0].headers["Host"] == f"many.example.com:{port}"


def measure_memory(work: Callable[[], Result]) -> tuple[int, Result]:
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()
