# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the event source against the simulator, with clocks that a test turns together."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import requests

from support.event_source import RunningSource, TurnedClock, running_source, wait_until
from support.simulator import PASSWORD, PRODUCT_ID, USERNAME, Simulator

OPEN = "GET /v1/products/:p/events"
SILENCE = 30.0
MAX_BACKOFF = 20.0


class Cloud:
    """The simulator and the event source, whose clocks a test turns together."""

    def __init__(self, simulator: Simulator, source: RunningSource) -> None:
        self.simulator = simulator
        self.source = source
        self.clock = source.clock
        self._token = simulator.access_token()
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def opens(self) -> int:
        """The number of streams that the source has opened, or tried to open."""
        by_route: dict[str, int] = self.simulator.stats()["by_route"]
        return sum(number for route, number in by_route.items() if route.startswith(OPEN))

    async def wait_for_opens(self, number: int) -> None:
        """Wait until the source has opened a number of streams."""
        await wait_until(lambda: self.opens >= number and self.simulator.stats()["streams"] > 0)

    def publish(self, *names: str, data: str | None = None, device: str | None = None) -> None:
        """Publish events for the product, or for a device of the product."""
        for name in names:
            fields = {"name": name, "data": data, **({"as_device_id": device} if device else {})}
            answer = self._session.post(
                f"{self.simulator.url}/v1/products/{PRODUCT_ID}/events",
                json=fields,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=60,
            )
            assert answer.ok, answer.text

    def disturb(self, **faults: Any) -> None:
        """Set faults on the open streams."""
        answer = self._session.post(f"{self.simulator.url}/_simulator/streams", json=faults, timeout=60)
        assert answer.ok, answer.text

    def turn(self, seconds: float) -> None:
        """Turn both clocks."""
        self.simulator.advance(seconds)
        self.clock.turn(seconds)

    async def reopen(self) -> float:
        """Turn both clocks to the end of the pause of the source, wait for the new stream, and return the seconds."""
        before = self.opens
        seconds = await self.clock.turn_to_end_of_pause()
        self.simulator.advance(seconds)
        await self.wait_for_opens(before + 1)
        return seconds

    async def close(self) -> None:
        """Close the connections of the test."""
        self._session.close()


@asynccontextmanager
async def running_cloud(simulator: Simulator, **args: Any) -> AsyncIterator[Cloud]:
    """Run the event source for the product of the simulator until the end of the block."""
    settings = {"api_url": simulator.url, "product": str(PRODUCT_ID), "silence": SILENCE, "max_backoff": MAX_BACKOFF}
    credentials = {} if {"access_token", "token_file"} & set(args) else {"username": USERNAME, "password": PASSWORD}
    async with running_source(TurnedClock(simulator.now()), **{**settings, **credentials, **args}) as source:
        cloud = Cloud(simulator, source)
        try:
            await cloud.wait_for_opens(1)
            yield cloud
        finally:
            await cloud.close()


def to_seconds(text: str) -> float:
    """Return a time of an event in seconds since 1970."""
    return datetime.datetime.fromisoformat(text).timestamp()


def add_to_product(simulator: Simulator, number: int) -> list[str]:
    """Move devices into the product, and return their ids."""
    ids = [device["id"] for device in simulator.state()["devices"]][:number]
    token = simulator.access_token()
    answer = requests.post(
        f"{simulator.url}/v1/products/{PRODUCT_ID}/devices",
        json={"ids": ids},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert answer.ok, answer.text
    return ids
