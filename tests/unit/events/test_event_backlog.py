# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source stays alive and keeps its memory small while the rules are slow."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from support.counts import count
from support.event_source import SOURCE, TurnedClock, run_async, running_source, wait_until

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PAUSE = 5.0
BATCH = 500


def build_event(number: int) -> dict[str, Any]:
    """Return an event of the source."""
    return dict(SOURCE.build_event("reading", f'{{"data": "{number}"}}'))


async def fill(outbox: Any, first: int, last: int) -> None:
    """Add events to the outbox."""
    for number in range(first, last):
        outbox.add_event(build_event(number))
    await asyncio.sleep(0)


def test_dropped_events_are_counted_and_reported_at_their_place() -> None:
    async def story() -> list[dict[str, Any]]:
        clock = TurnedClock()
        queue: asyncio.Queue[Any] = asyncio.Queue(1)
        outbox = SOURCE.Outbox(queue, clock)
        most = SOURCE.MAX_WAITING
        # given rules that process nothing while more events arrive than may wait
        await fill(outbox, 0, most)
        clock.turn(10)
        await fill(outbox, most, most + 7)
        clock.turn(20)
        # when the rules process events again, and another event arrives
        sending = asyncio.ensure_future(outbox.send_all())
        events = [(await queue.get())["particle"] for _unused in range(most // 2 + 2)]
        await fill(outbox, 99_999, 100_000)
        events += [(await queue.get())["particle"] for _unused in range(most // 2)]
        assert queue.empty()
        sending.cancel()
        return events

    *before, lag, after = run_async(story())
    # then the notice stands where the dropped events would have been
    assert [event["json"] for event in before] == list(range(SOURCE.MAX_WAITING))
    assert lag["kind"] == "lag"
    assert lag["json"]["dropped"] == 7
    assert lag["json"]["from"] == SOURCE.format_time(TurnedClock().now() + 10)
    assert lag["json"]["to"] == SOURCE.format_time(TurnedClock().now() + 30)
    assert after["json"] == 99_999


def test_reading_pauses_for_a_bounded_time_while_many_events_wait() -> None:
    async def story() -> None:
        clock = TurnedClock()
        outbox = SOURCE.Outbox(asyncio.Queue(1), clock)
        await fill(outbox, 0, SOURCE.MAX_WAITING // 2)
        # when the source waits for room that does not come
        waiting = asyncio.ensure_future(outbox.wait_for_room())
        await clock.wait_for_bound(PAUSE)
        assert not waiting.done()
        clock.turn(PAUSE)
        await waiting
        # then it reads on, and does not wait again until there has been room
        await outbox.wait_for_room()

    run_async(story())


@asynccontextmanager
async def flooding_cloud(total: int) -> AsyncIterator[str]:
    """Run a cloud that sends events as fast as they are read, and yield its URL. Its stream stays open at the end."""

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":ok\n\n")
        for first in range(0, total, BATCH):
            lines = (
                f'event: reading\ndata: {{"data":"{number}","ttl":60,"published_at":"2026-03-01T10:20:30.456Z",'
                f'"coreid":"{number % 7:024x}","productID":1,"version":3}}\n\n'
                for number in range(first, min(first + BATCH, total))
            )
            await response.write("".join(lines).encode())
        await asyncio.Event().wait()
        return response

    app = web.Application()
    app.router.add_get("/v1/products/flood/events", stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


def measure_memory() -> int:
    """Return the memory that this process uses at present, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.full
def test_memory_does_not_grow_with_the_number_of_events(record_property: Any) -> None:
    total = count(quick=12_000, full=1_000_000)
    warm = total // 4

    async def story() -> tuple[int, int]:
        async with (
            flooding_cloud(total) as url,
            running_source(api_url=url, access_token=TOKEN, product="flood") as source,
        ):
            memory = 0
            for number in range(total):
                event = (await source.queue.get())["particle"]
                assert (event["kind"], event["json"]) == ("event", number)
                if number == warm:
                    memory = measure_memory()
            return memory, measure_memory()

    before, after = run_async(story())
    growth = (after - before) / 1_048_576
    assert growth < 16
    record_property("said", f"events: {total} through the source, memory grew by {growth:.1f} MB after {warm} events")


def test_stream_is_not_lost_while_the_rules_are_slow() -> None:
    # given more events than may wait, and rules that do nothing for a long time
    total = count(quick=15_000, full=40_000)

    async def story() -> None:
        async with (
            flooding_cloud(total) as url,
            running_source(api_url=url, access_token=TOKEN, product="flood", silence=30) as source,
        ):
            await source.clock.wait_for_bound(PAUSE)
            source.clock.turn(PAUSE)
            seen = 0
            # when the rules go on
            while True:
                (event,) = await source.take()
                assert event["kind"] != "gap"
                seen += event["json"]["dropped"] if event["kind"] == "lag" else 1
                if seen == total:
                    return
                if source.clock.is_bounded(PAUSE):
                    source.clock.turn(PAUSE)

    run_async(story())


def test_gap_begins_at_the_last_byte_although_reading_paused() -> None:
    async def story() -> tuple[float, float]:
        clock = TurnedClock()
        body = asyncio.StreamReader()
        outbox = SOURCE.Outbox(asyncio.Queue(1), clock)
        await fill(outbox, 0, SOURCE.MAX_WAITING // 2)
        content = SimpleNamespace(readany=lambda: body.read(65_536))
        stream = SOURCE.Stream(SimpleNamespace(content=content, close=lambda: None), outbox, clock)
        # given a stream that breaks while the source does not read it
        body.feed_data(b":ok\n\n")
        await clock.wait_for_bound(PAUSE)
        body.feed_eof()
        clock.turn(PAUSE)
        await wait_until(stream.reading.done)
        await stream.close()
        return clock.now() - stream.last_byte_at, stream.resumed_at - stream.heard_at

    assert run_async(story()) == (PAUSE, PAUSE)


def test_events_wait_for_the_device_list_of_a_gap() -> None:
    async def story() -> list[str]:
        queue: asyncio.Queue[Any] = asyncio.Queue(1)
        outbox = SOURCE.Outbox(queue, TurnedClock())
        listing = asyncio.get_running_loop().create_future()

        async def catch_up() -> dict[str, Any]:
            return dict(await listing)

        outbox.add_notice(asyncio.ensure_future(catch_up()))
        outbox.add_event(build_event(1))
        sending = asyncio.ensure_future(outbox.send_all())
        await asyncio.sleep(0)
        listing.set_result(SOURCE.build_notice("gap", "text", 0.0, 1.0))
        await wait_until(lambda: not queue.empty())
        kinds = [(await queue.get())["particle"]["kind"] for _unused in range(2)]
        sending.cancel()
        return kinds

    assert run_async(story()) == ["gap", "event"]
