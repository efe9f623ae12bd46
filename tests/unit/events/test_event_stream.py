# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source passes on all events of the simulator, and reports each period in which events may be missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from support.counts import count
from support.event_cloud import SILENCE, add_to_product, running_cloud, to_seconds
from support.event_source import SOURCE, run_async, wait_until
from support.simulator import PRODUCT_ID, Simulator


def names(events: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of events."""
    return [event["name"] for event in events]


def test_event_has_the_documented_keys(simulator: Simulator) -> None:
    (device,) = add_to_product(simulator, 1)

    async def story() -> None:
        async with running_cloud(simulator) as cloud:
            cloud.publish("reading", data='{"celsius": 21.5}', device=device)
            (event,) = await cloud.source.take()
            assert event["published_at"].endswith("Z")
            assert {**event, "published_at": None} == {
                "kind": "event",
                "name": "reading",
                "data": '{"celsius": 21.5}',
                "json": {"celsius": 21.5},
                "device": device,
                "published_at": None,
                "product": PRODUCT_ID,
                "version": 0,
                "raw": '{"celsius": 21.5}',
            }

    run_async(story())


def test_many_events_arrive_once_and_in_order(simulator: Simulator, record_property: Any) -> None:
    # given events of several devices, published faster than the rules process them
    total = count(quick=500, full=10_000)
    devices = add_to_product(simulator, 5)

    async def story() -> list[dict[str, Any]]:
        async with running_cloud(simulator) as cloud:

            def publish_all() -> None:
                for number in range(total):
                    cloud.publish("reading", data=str(number), device=devices[number % 5])

            publishing = asyncio.ensure_future(asyncio.to_thread(publish_all))
            events = await cloud.source.take(total)
            await publishing
            assert cloud.source.queue.empty()
            return events

    events = run_async(story())
    # then none is lost, none is doubled, and the order of each device is kept
    assert sorted(event["json"] for event in events) == list(range(total))
    for device in devices:
        numbers = [event["json"] for event in events if event["device"] == device]
        assert numbers == sorted(numbers)
    record_property("said", f"events: {total} published, {len(events)} received, each once and in order")


def test_only_events_with_one_of_the_prefixes_arrive(simulator: Simulator) -> None:
    async def story(prefix: Any) -> list[str]:
        async with running_cloud(simulator, prefix=prefix) as cloud:
            cloud.publish("alarm/fire", "reading", "door/open", "alarm/water")
            wanted = 2 if prefix == "alarm/" else 3
            return names(await cloud.source.take(wanted))

    assert run_async(story("alarm/")) == ["alarm/fire", "alarm/water"]
    assert run_async(story(["alarm/", "door"])) == ["alarm/fire", "door/open", "alarm/water"]


def test_cut_stream_is_reopened_and_reported_as_a_gap(simulator: Simulator) -> None:
    async def story() -> None:
        async with running_cloud(simulator) as cloud:
            cloud.publish("before")
            await cloud.source.take()
            start = cloud.simulator.now()
            # when the stream is cut, and an event is published before the source has opened another one
            cloud.disturb(cut=True)
            await wait_until(lambda: cloud.clock.is_pausing)
            cloud.publish("missed")
            seconds = await cloud.reopen()
            cloud.publish("after")
            gap, event = await cloud.source.take(2)
            # then the gap lasts from the last byte to the new stream
            assert event["name"] == "after"
            assert (gap["kind"], gap["device"], gap["published_at"]) == ("gap", None, gap["json"]["to"])
            assert gap["json"]["seconds"] == pytest.approx(seconds, abs=0.001)
            assert to_seconds(gap["json"]["from"]) == pytest.approx(start, abs=0.002)
            assert to_seconds(gap["json"]["to"]) == pytest.approx(start + seconds, abs=0.002)
            assert gap["json"]["cause"] == "the cloud closed the stream"
            assert 1 <= seconds <= 2

    run_async(story())


def test_clock_counts_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {time.CLOCK_MONOTONIC: 60.0, time.CLOCK_BOOTTIME: 3600.0}
    monkeypatch.setattr(time, "clock_gettime", seconds.__getitem__)
    assert SOURCE.Clock().monotonic() == 3600.0


def test_silent_stream_counts_as_lost(simulator: Simulator) -> None:
    async def story() -> None:
        async with running_cloud(simulator) as cloud:
            cloud.publish("before")
            await cloud.source.take()
            # when nothing arrives any more, not even keep-alives, although the connection is still open
            cloud.disturb(mute=80_000)
            cloud.publish("missed")
            cloud.turn(SILENCE - 1)
            assert cloud.opens == 1
            cloud.turn(1)
            seconds = await cloud.reopen()
            cloud.publish("after")
            gap, event = await cloud.source.take(2)
            assert gap["json"]["cause"] == "the cloud sent nothing for 30 seconds"
            assert gap["json"]["seconds"] == pytest.approx(SILENCE + seconds, abs=0.001)
            assert event["name"] == "after"

    run_async(story())


def test_repeated_events_are_passed_on_once(simulator: Simulator) -> None:
    async def story() -> list[str]:
        async with running_cloud(simulator) as cloud:
            cloud.disturb(repeat=3)
            cloud.publish("first", "second", "third", "last")
            return names(await cloud.source.take(4))

    assert run_async(story()) == ["first", "second", "third", "last"]


def test_reordered_events_are_not_lost(simulator: Simulator) -> None:
    async def story() -> list[str]:
        async with running_cloud(simulator) as cloud:
            cloud.disturb(reorder=3)
            cloud.publish("first", "second", "third", "last")
            return names(await cloud.source.take(4))

    assert run_async(story()) == ["third", "second", "first", "last"]


def test_device_list_follows_a_gap_if_wanted(simulator: Simulator) -> None:
    devices = add_to_product(simulator, 3)

    async def story() -> dict[str, Any]:
        async with running_cloud(simulator, catch_up=True) as cloud:
            cloud.disturb(cut=True)
            await cloud.reopen()
            (gap,) = await cloud.source.take()
            return gap

    listed = run_async(story())["json"]["devices"]
    assert sorted(device["id"] for device in listed) == sorted(devices)
    assert all(device["online"] is True for device in listed)
