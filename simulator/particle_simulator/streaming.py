# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Send event streams over HTTP (endpoints.yml: sse_wire_format).

The server first sends `:ok`. It then sends the events, and empty lines as keep-alives while no event arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from aiohttp import web

from particle_simulator.events import Stream
from particle_simulator.power import get_seconds_until_change, run_due_changes
from particle_simulator.simulation import Simulation
from particle_simulator.world import World
from simulator_base.clock import StillClock

KEEP_ALIVE_SECONDS = (9.0, 12.0)
"""The shortest and the longest time between two keep-alives, in real seconds.

The cloud sends a keep-alive every 9 to 13 seconds. Here the longest time is 12 seconds, because version 11 of the
official client disconnects after 13 seconds without data.
"""

MIN_WAIT_SECONDS = 0.001

HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-store"}


def open_stream(world: World, stream: Stream) -> None:
    """Start to collect the events of a stream.

    With `--streams-at-token-end close`, the stream ends when its access token expires (firmware-and-events.md,
    section 6).
    """
    world.events.add_stream(stream)
    if world.settings.close_streams and stream.token.expires_at is not None:
        world.agenda.add(stream.token.expires_at, stream.close)


async def send_stream(
    request: web.BaseRequest, stream: Stream, keep_alives: Random, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send the events of an open stream until the client disconnects or the stream ends.

    The end of a stream ends its connection, too. `keep_alives` varies the time between two keep-alives.
    """
    response = web.StreamResponse(headers={**HEADERS, **headers})
    wakeup = asyncio.Event()
    stream.wake = wakeup.set
    try:
        await response.prepare(request)
        response.force_close()
        await response.write(b":ok\n\n")
        while not stream.closed:
            await _send_next(response, stream, wakeup, keep_alives.uniform(*KEEP_ALIVE_SECONDS))
        await response.write(stream.take())
        await response.write_eof()
    except ConnectionError:
        # The client has disconnected. Most streams end in this way.
        pass
    finally:
        stream.close()
    return response


async def _send_next(response: web.StreamResponse, stream: Stream, wakeup: asyncio.Event, seconds: float) -> None:
    """Send the next events, or a keep-alive if no event arrives within some seconds."""
    try:
        async with asyncio.timeout(seconds):
            await wakeup.wait()
    except TimeoutError:
        if not stream.delivery.is_muted:
            await response.write(b"\n")
        return
    wakeup.clear()
    await response.write(stream.take())


class DueTimer:
    """A timer that runs due changes of the world while event streams are open.

    Without this timer, open streams would send the events of a due change only after the next request.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Set the timer to the next due change. Call this method when a stream opens, and after each request."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        world = self._simulation.world
        if not world.events.open_streams or isinstance(world.clock, StillClock):
            return
        seconds = get_seconds_until_change(world)
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(max(seconds, MIN_WAIT_SECONDS), self._run)

    def _run(self) -> None:
        run_due_changes(self._simulation.world)
        self.set()
