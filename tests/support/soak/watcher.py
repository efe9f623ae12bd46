# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Keep an event source connected during a soak, and account for every event that the soak publishes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from support.event_cloud import to_seconds
from support.event_source import TurnedClock, running_source, wait_until
from support.processes import HANG_SECONDS
from support.simulator import PRODUCT_ID, Simulator
from support.soak.clock import Clock

SILENCE = 30.0
MAX_BACKOFF = 20.0
MAX_SECONDS = 20
"""The number of seconds that pass until an event is delivered, if the source is not waiting. It is more than the time
for which the source reads from the old and the new stream, and less than the silence after which it opens another."""
POLLS, POLL_SECONDS = 100, 0.005
"""The number of checks for a published event, and the pause between two checks. Then another event is published."""
TOLERANCE_SECONDS = 0.01
"""For rounding: the source reports times in milliseconds."""
STREAMS = "/_simulator/streams"
NUMBERS = itertools.count(1)


@dataclass
class Account:
    """The events of a soak.

    :ivar published: the times of the published events, keyed by name.
    :ivar delivered: the names of the delivered events, in order.
    :ivar gaps: the beginnings and ends of the gaps that the source has reported.
    :ivar caught_up: the number of gaps that were reported with the device list.
    """

    published: dict[str, float] = field(default_factory=dict)
    delivered: list[str] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)
    caught_up: int = 0

    def find_mistakes(self) -> list[str]:
        """Return what is wrong: events that were delivered twice or in another order, or that no gap explains."""
        order = {name: number for number, name in enumerate(self.published)}
        numbers = [order[name] for name in self.delivered]
        mistakes = [] if numbers == sorted(set(numbers)) else ["events were repeated or reordered"]
        missing = self.published.keys() - set(self.delivered)
        mistakes += [
            f"event {name} is missing, and no gap explains it"
            for name in sorted(missing)
            if not self._is_in_gap(self.published[name])
        ]
        return mistakes

    def _is_in_gap(self, moment: float) -> bool:
        return any(begin - TOLERANCE_SECONDS <= moment <= end + TOLERANCE_SECONDS for begin, end in self.gaps)


class Watcher:
    """An event source that stays connected for the whole soak. Its loop runs only while `watch` runs.

    :param token_file: the file with the token of the source, which the soak replaces now and then.
    :ivar authorization: the header of requests with a token of the account, which the soak uses itself.
    """

    def __init__(self, simulator: Simulator, clock: Clock, token_file: Path) -> None:
        self._simulator, self._clock = simulator, clock
        self._session = requests.Session()
        self._session.trust_env = False
        self.authorization = {"Authorization": f"Bearer {simulator.access_token()}"}
        self._session.headers.update(self.authorization)
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._settings = {
            "api_url": simulator.url,
            "product": str(PRODUCT_ID),
            "silence": SILENCE,
            "max_backoff": MAX_BACKOFF,
            "token_file": str(token_file),
            "prefix": "soak/",
            "catch_up": True,
        }
        self.account = Account()

    def __enter__(self) -> Watcher:
        self._runner.__enter__()
        self._runner.run(self._connect())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.__exit__(kind, error, trace)
        self._session.close()

    async def _connect(self) -> None:
        self._turned = TurnedClock(self._clock())
        self._source = await self._stack.enter_async_context(running_source(self._turned, **self._settings))
        self._reading = asyncio.ensure_future(self._read())
        self._stack.callback(self._reading.cancel)
        await wait_until(lambda: self._simulator.stats()["streams"] > 0)

    def watch(self, cuts: int) -> Account:
        """Let the source notice that time has passed, and cut its stream a number of times. Return what happened.

        Before and after each interruption, events are published.
        """
        self.account = Account()
        self._runner.run(asyncio.wait_for(self._watch(cuts), HANG_SECONDS))
        return self.account

    async def _watch(self, cuts: int) -> None:
        self._publish()
        self._turned.turn(self._clock() - self._turned.time)
        await self._deliver()
        for _unused in range(cuts):
            self._send(STREAMS, {"cut": True})
            self._publish()
            await self._deliver()

    def _publish(self) -> str:
        name = f"soak/{next(NUMBERS)}"
        self.account.published[name] = self._clock()
        self._send(f"/v1/products/{PRODUCT_ID}/events", {"name": name})
        return name

    def _send(self, path: str, content: dict[str, Any]) -> None:
        self._session.post(self._simulator.url + path, json=content, timeout=HANG_SECONDS).raise_for_status()

    async def _deliver(self) -> None:
        """Publish events until one is delivered. Meanwhile, let the time pass for which the source waits."""
        while True:
            name = self._publish()
            for number in range(POLLS):
                if name in self.account.delivered:
                    return
                if self._source.task.done():
                    self._source.task.result()
                if number < MAX_SECONDS or self._turned.is_pausing:
                    self._clock.sleep(1.0)
                    self._turned.turn(1.0)
                await asyncio.sleep(POLL_SECONDS)

    async def _read(self) -> None:
        while True:
            event: dict[str, Any] = (await self._source.queue.get())["particle"]
            if event["kind"] == "gap":
                self.account.gaps.append((to_seconds(event["json"]["from"]), to_seconds(event["json"]["to"])))
                self.account.caught_up += event["json"]["devices"] is not None
            else:
                self.account.delivered.append(event["name"])
