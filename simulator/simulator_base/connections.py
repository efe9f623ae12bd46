# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Ports and connections: the file with the port, and the reset of a connection."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from aiohttp import web

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 0.5
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with a time of zero. With this value, closing the socket sends RST instead of FIN."""


def reset_connection(request: web.BaseRequest) -> web.Response:
    """Reset the connection without sending a response. Return a response only because aiohttp requires it."""
    transport = request.transport
    if transport is not None:
        tcp_socket = transport.get_extra_info("socket")
        if tcp_socket is not None:
            tcp_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


def write_port(port_file: str, port: int) -> None:
    """Write the port to a file in one step. A program that waits for the file must never read an incomplete number."""
    target = Path(port_file)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_text(f"{port}\n", encoding="ascii")
    draft.replace(target)
