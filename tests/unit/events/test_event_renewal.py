# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The event source renews its access token while its stream stays open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.event_cloud import Cloud, running_cloud
from support.event_source import run_async, wait_until
from support.simulator import Simulator, running_simulator

OVERLAP = 15.0
LIFE = 2700.0
"""The seconds after which the source renews a token that is valid for an hour."""
RETRY = 60.0
TOO_MANY_LOGINS = 300.0
"""The pause after a login that the cloud refused because there were too many."""
NEVER_SILENT = 86_400


@pytest.fixture(scope="module")
def closing() -> Iterator[Simulator]:
    """A simulator that ends a stream when its access token expires or is revoked."""
    with running_simulator("--fleet", "1", "--streams-at-token-end", "close") as simulator:
        yield simulator


async def receive(cloud: Cloud, name: str) -> None:
    """Publish an event, and check that it is the next event that arrives."""
    cloud.publish(name)
    (event,) = await cloud.source.take()
    assert event["name"] == name, event


async def complete_renewal(cloud: Cloud) -> None:
    """Let the old stream show that it is alive, and wait until the source has closed it."""
    await cloud.clock.wait_for_bound(OVERLAP)
    await receive(cloud, "during")
    cloud.turn(OVERLAP)
    await wait_until(lambda: cloud.simulator.stats()["streams"] == 1)
    await receive(cloud, "after")


def test_token_is_renewed_without_a_gap(closing: Simulator) -> None:
    closing.reset()

    async def story() -> None:
        async with running_cloud(closing, silence=NEVER_SILENT) as cloud:
            for _unused in range(2):
                await receive(cloud, "before")
                # when the access token is about to expire
                opens = cloud.opens
                cloud.turn(LIFE)
                await cloud.wait_for_opens(opens + 1)
                # then each event arrives once, and no gap is reported
                await complete_renewal(cloud)

    run_async(story())
    stats = closing.stats()
    assert stats["grants"] - 1 == stats["revocations"] == 3


def test_stream_that_was_already_dead_is_found_by_a_renewal(closing: Simulator) -> None:
    closing.reset()

    async def story() -> None:
        async with running_cloud(closing, silence=NEVER_SILENT) as cloud:
            await receive(cloud, "before")
            # given a stream on which nothing arrives any more
            cloud.disturb(mute=80_000)
            cloud.publish("missed")
            # when the token is renewed
            cloud.turn(LIFE)
            await cloud.clock.wait_for_bound(OVERLAP)
            cloud.publish("held")
            cloud.turn(OVERLAP)
            # then a gap is reported, before the events of the new stream
            gap, event = await cloud.source.take(2)
            assert (gap["kind"], gap["json"]["seconds"]) == ("gap", LIFE)
            assert event["name"] == "held"

    run_async(story())


def test_failed_login_for_a_renewal_is_repeated(closing: Simulator) -> None:
    closing.reset()

    async def story() -> None:
        async with running_cloud(closing, silence=NEVER_SILENT) as cloud:
            await receive(cloud, "before")
            closing.set_faults([{"route": "POST /oauth/token", "effect": "status", "status": 503}])
            cloud.turn(LIFE)
            await cloud.clock.wait_for_bound(RETRY)
            await receive(cloud, "meanwhile")
            cloud.turn(RETRY)
            await complete_renewal(cloud)

    run_async(story())


def test_renewal_waits_when_the_cloud_accepts_no_more_logins(closing: Simulator) -> None:
    closing.reset()

    async def story() -> None:
        async with running_cloud(closing, silence=NEVER_SILENT) as cloud:
            await receive(cloud, "before")
            # given other logins from this IP address, which used up the limit
            closing.set_faults([{"route": "POST /oauth/token", "effect": "status", "status": 429}])
            cloud.turn(LIFE)
            # then the stream stays open, and the next login follows after the pause
            await cloud.clock.wait_for_bound(TOO_MANY_LOGINS)
            await receive(cloud, "meanwhile")
            logins = closing.stats()["by_route"]["POST /oauth/token"]
            cloud.turn(TOO_MANY_LOGINS - 1)
            await receive(cloud, "later")
            assert closing.stats()["by_route"]["POST /oauth/token"] == logins
            cloud.turn(1)
            await complete_renewal(cloud)

    run_async(story())


def test_lost_stream_waits_for_the_end_of_a_login_limit(closing: Simulator) -> None:
    closing.reset()

    async def story() -> None:
        async with running_cloud(closing, silence=NEVER_SILENT) as cloud:
            await receive(cloud, "before")
            # given a login that was refused because there were too many
            closing.set_faults([{"route": "POST /oauth/token", "effect": "status", "status": 429}])
            cloud.turn(LIFE)
            await cloud.clock.wait_for_bound(TOO_MANY_LOGINS)
            logins = closing.stats()["by_route"]["POST /oauth/token"]
            # when the access token expires meanwhile, and the stream with it
            closing.advance(2 * LIFE)
            waited = await cloud.clock.turn_to_end_of_pause()
            waited += await cloud.reopen()
            # then the source logs in only after the pause, and reports the gap
            assert waited >= TOO_MANY_LOGINS
            (gap,) = await cloud.source.take()
            assert gap["kind"] == "gap"
            assert closing.stats()["by_route"]["POST /oauth/token"] == logins + 1

    run_async(story())


def test_failed_stream_of_a_renewal_needs_no_further_login(closing: Simulator) -> None:
    closing.reset()

    async def story() -> int:
        async with running_cloud(closing, silence=NEVER_SILENT) as cloud:
            await receive(cloud, "before")
            closing.set_faults([{"route": "GET /v1/products/:p/events", "effect": "status", "status": 503, "times": 3}])
            cloud.turn(LIFE)
            for _unused in range(3):
                await cloud.clock.wait_for_bound(RETRY)
                await receive(cloud, "meanwhile")
                cloud.turn(RETRY)
            await complete_renewal(cloud)
            # then the next renewal is due only before the end of the new access token
            opens = cloud.opens
            for _unused in range(5):
                cloud.turn(RETRY)
                await receive(cloud, "later")
            assert cloud.opens == opens
            return int(closing.stats()["grants"])

    # The test itself has one access token.
    assert run_async(story()) == 3
