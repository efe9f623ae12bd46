# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Relay connections from the loopback of a network namespace to one port of the host, from one address.

Usage: relay.py NAMESPACE PORT SOURCE CLOUD_PORT PORT_FILE. The relay acts as the router of a machine: the cloud sees
the loopback address SOURCE, and the machine can reach nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h; os.setns is there from Python 3.12 on
_LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def in_namespace(namespace: str) -> Iterator[None]:
    """Create the network sockets of the block in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        with open(path, "rb") as file:
            if libc.setns(file.fileno(), _NETWORK) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {path}")

    with open("/proc/self/ns/net", "rb") as home:
        enter(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            if libc.setns(home.fileno(), _NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "cannot return")


async def relay(listening: socket.socket, source: str, port: int, port_file: Path) -> None:
    """Forward data in both directions until the process ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cloud_reader, cloud_writer = await asyncio.open_connection(_LOOPBACK, port, local_addr=(source, 0))
        await asyncio.gather(_copy(reader, cloud_writer), _copy(cloud_reader, writer))

    server = await asyncio.start_server(serve, sock=listening)
    port_file.write_text(str(listening.getsockname()[1]))
    async with server:
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def main() -> None:
    namespace, port, source, cloud_port, port_file = sys.argv[1:6]
    with in_namespace(namespace):
        listening = socket.create_server((_LOOPBACK, int(port)))
    asyncio.run(relay(listening, source, int(cloud_port), Path(port_file)))


if __name__ == "__main__":
    main()
