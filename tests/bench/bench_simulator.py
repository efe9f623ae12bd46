# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the simulator: start-up and memory with a large fleet, and CPU time per request under load.

Usage: python tests/bench/bench_simulator.py [--fleets 10000 100000] [--requests 8000] [--connections 8]

This requires Linux, because CPU time and memory of the server are read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


def read_cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def read_peak_megabytes(pid: int) -> float:
    """Return the peak resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc")


def send_request(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    """Send a request, and return its JSON answer."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def start_simulator(fleet: int, limits: str, folder: Path) -> tuple[subprocess.Popen[bytes], int, float]:
    """Start a simulator, and return its process, its port and the seconds until it listens."""
    port_file = folder / "port"
    start = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "particle_simulator", "--port-file", str(port_file)),
            *("--fleet", str(fleet), "--limits", limits),
        ],
        stdout=subprocess.DEVNULL,
    )
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() - start > TIMEOUT_SECONDS:
            process.kill()
            raise SystemExit("the simulator did not start")
        time.sleep(0.01)
    return process, int(port_file.read_text(encoding="ascii")), time.monotonic() - start


def send_load(port: int, request: bytes, count: int, connections: int) -> float:
    """Send `count` requests over keep-alive connections, one in flight on each, and return the seconds taken."""
    poll = select.epoll()
    sockets = {}
    for _unused in range(connections):
        line = socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[line.fileno()] = line
        poll.register(line, select.EPOLLIN)
    pending = dict.fromkeys(sockets, b"")
    start = time.monotonic()
    sent = received = 0
    for line in sockets.values():
        line.sendall(request)
        sent += 1
    while received < count:
        for number, _unused in poll.poll(TIMEOUT_SECONDS):
            pending[number] += sockets[number].recv(65536)
            if not _is_complete(pending[number]):
                continue
            pending[number] = b""
            received += 1
            if sent < count:
                sockets[number].sendall(request)
                sent += 1
    seconds = time.monotonic() - start
    for line in sockets.values():
        line.close()
    poll.close()
    return seconds


def _is_complete(answer: bytes) -> bool:
    """Return whether an answer is complete; exit if it is not successful."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"unexpected answer: {answer[:200]!r}")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    return len(body) >= int(length)


def request_token(base: str) -> str:
    """Return a token of the default account."""
    form = b"grant_type=password&username=demo%40example.com&password=demo-password"
    form += b"&client_id=particle&client_secret=particle"
    return str(send_request(f"{base}/oauth/token", form)["access_token"])


def measure_row(fleet: int, limits: str, requests: int, connections: int) -> list[str]:
    """Measure a simulator, and return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        process, port, start_wall = start_simulator(fleet, limits, Path(folder))
        try:
            start_cpu = read_cpu_seconds(process.pid)
            base = f"http://{HOST}:{port}"
            token = request_token(base)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            device = send_request(f"{base}/_simulator/state")["devices"][0]["id"]
            send_request(f"{base}/v1/devices", json.dumps({"id": device}).encode(), headers)
            request = (
                f"GET /v1/devices/{device} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: */*\r\n"
                f"User-Agent: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
            ).encode()
            send_load(port, request, requests // 10, connections)
            # The documented limits allow 10,000 requests in five minutes; this begins the next five minutes.
            send_request(f"{base}/_simulator/clock", b'{"advance": 301}')
            before = read_cpu_seconds(process.pid)
            wall = send_load(port, request, requests, connections)
            cpu = read_cpu_seconds(process.pid) - before
            peak = read_peak_megabytes(process.pid)
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)
    return [
        f"{fleet:,}",
        limits,
        f"{start_wall:.2f} s",
        f"{start_cpu:.2f} s",
        f"{peak:.0f} MB",
        f"{requests / wall:,.0f} /s",
        f"{cpu / requests * 1000:.3f} ms",
    ]


HEADINGS = ["devices", "limits", "start, wall", "start, CPU", "peak memory", "GET device", "CPU each"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure the simulator.")
    parser.add_argument("--fleets", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--requests", type=int, default=8_000, help="at most 9,900, because of the rate limits")
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    rows = [HEADINGS]
    for fleet in arguments.fleets:
        for limits in ("off", "documented"):
            rows.append(measure_row(fleet, limits, arguments.requests, arguments.connections))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
