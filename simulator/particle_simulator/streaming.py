# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Send event streams over HTTP (endpoints.yml: sse_wire_format).

The server first sends `:ok`. It then sends the events, and empty lines as keep-alives while no event arrives.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from particle_simulator.events import Stream
from particle_simulator.power import run_due_changes
from particle_simulator.world import World

KEEP_ALIVE_SECONDS = 9.0
"""Seconds between two keep-alives.

The longest gap in recorded streams is 12 seconds. Clients disconnect after 13 to 15 seconds without data.
"""

HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-store"}


async def send_stream(request: web.BaseRequest, world: World, stream: Stream) -> web.StreamResponse:
    """Send events until the client disconnects or the stream is closed."""
    response = web.StreamResponse(headers=HEADERS)
    wakeup = asyncio.Event()
    stream.wake = wakeup.set
    # Add the stream before the first byte is sent. Otherwise a client that has read `:ok` might miss an event.
    world.events.add_stream(stream)
    try:
        await response.prepare(request)
        await response.write(b":ok\n\n")
        while not stream.closed:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await wakeup.wait()
            except TimeoutError:
                # Run due changes here, because it is possible that no request arrives while the stream is open.
                run_due_changes(world)
                await response.write(b"\n")
                continue
            wakeup.clear()
            waiting = stream.take()
            if waiting:
                await response.write(waiting)
        await response.write_eof()
    except ConnectionError:
        # The client has disconnected. Most streams end in this way.
        pass
    finally:
        world.events.remove_stream(stream)
    return response
