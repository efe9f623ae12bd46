# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the simulator costs: start-up and memory with a large fleet, CPU per request under load.

Usage: python tests/bench/bench_simulator.py [--fleets 10000 100000] [--requests 8000] [--connections 8]

Linux only: CPU time and memory of the server are read from /proc.
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


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_megabytes(pid: int) -> float:
    """The largest resident size a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmHWM in /proc")


def ask(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    """One request and its JSON answer."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def start(fleet: int, limits: str, folder: Path) -> tuple[subprocess.Popen[bytes], int, float]:
    """A simulator that listens, its port, and the seconds it took."""
    port_file = folder / "port"
    began = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "particle_simulator", "--port-file", str(port_file)),
            *("--fleet", str(fleet), "--limits", limits),
        ],
        stdout=subprocess.DEVNULL,
    )
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() - began > TIMEOUT_SECONDS:
            process.kill()
            raise SystemExit("the simulator did not start")
        time.sleep(0.01)
    return process, int(port_file.read_text(encoding="ascii")), time.monotonic() - began


def load(port: int, request: bytes, count: int, connections: int) -> float:
    """Sends `count` requests over keep-alive connections, one in flight on each; the seconds it took."""
    poll = select.epoll()
    sockets = {}
    for _unused in range(connections):
        line = socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[line.fileno()] = line
        poll.register(line, select.EPOLLIN)
    pending = dict.fromkeys(sockets, b"")
    began = time.monotonic()
    sent = done = 0
    for line in sockets.values():
        line.sendall(request)
        sent += 1
    while done < count:
        for number, _unused in poll.poll(TIMEOUT_SECONDS):
            pending[number] += sockets[number].recv(65536)
            if not _whole(pending[number]):
                continue
            pending[number] = b""
            done += 1
            if sent < count:
                sockets[number].sendall(request)
                sent += 1
    seconds = time.monotonic() - began
    for line in sockets.values():
        line.close()
    poll.close()
    return seconds


def _whole(answer: bytes) -> bool:
    """Whether a whole successful answer has come."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"unexpected answer: {answer[:200]!r}")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    return len(body) >= int(length)


def bearer(base: str) -> str:
    """A token of the default account."""
    form = b"grant_type=password&username=demo%40example.com&password=demo-password"
    form += b"&client_id=particle&client_secret=particle"
    return str(ask(f"{base}/oauth/token", form)["access_token"])


def measure(fleet: int, limits: str, requests: int, connections: int) -> list[str]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        process, port, start_wall = start(fleet, limits, Path(folder))
        try:
            start_cpu = cpu_seconds(process.pid)
            base = f"http://{HOST}:{port}"
            token = bearer(base)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            device = ask(f"{base}/_simulator/state")["devices"][0]["id"]
            ask(f"{base}/v1/devices", json.dumps({"id": device}).encode(), headers)
            request = (
                f"GET /v1/devices/{device} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAccept: */*\r\n"
                f"User-Agent: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
            ).encode()
            load(port, request, requests // 10, connections)
            # A fresh window: under the documented limits 10,000 requests are all there are in five minutes.
            ask(f"{base}/_simulator/clock", b'{"advance": 301}')
            before = cpu_seconds(process.pid)
            wall = load(port, request, requests, connections)
            cpu = cpu_seconds(process.pid) - before
            peak = peak_megabytes(process.pid)
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
    """Prints the table."""
    parser = argparse.ArgumentParser(description="What the simulator costs.")
    parser.add_argument("--fleets", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--requests", type=int, default=8_000, help="at most 9,900, for the limits")
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    rows = [HEADINGS]
    for fleet in arguments.fleets:
        for limits in ("off", "documented"):
            rows.append(measure(fleet, limits, arguments.requests, arguments.connections))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
