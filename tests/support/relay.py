# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Forward connections from a network namespace to the cloud outside the namespace.

Usage: relay.py NAMESPACE PORT SOURCE CLOUD_PORT PORT_FILE. The relay listens on PORT in the namespace, connects to
CLOUD_PORT of the host from the loopback address SOURCE, and writes PORT to PORT_FILE when it is ready. The cloud sees
SOURCE as the address of the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h. Only Python 3.12 and later have os.setns and this constant.
_LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def in_namespace(namespace: str) -> Iterator[None]:
    """Enter a network namespace until the end of the block. Sockets that the block creates belong to the namespace."""
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
    """Accept connections on `listening`, and forward their data in both directions until the process ends.

    :param source: the address from which the relay connects to the cloud.
    :param port: the port of the cloud.
    :param port_file: the file to which the relay writes its own port when it is ready.
    """

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
