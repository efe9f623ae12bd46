# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Load the event plugins as Event-Driven Ansible does, and run the event source with a clock that a test turns."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

from support.paths import ROOT
from support.processes import HANG_SECONDS

PLUGINS = ROOT / "extensions" / "eda" / "plugins"
POLL_SECONDS = 0.002
TICKS = 2**20
"""Ticks of the turned clock per second. Floating-point numbers of this size are exact."""

T = TypeVar("T")
Event = dict[str, Any]


def load_plugin(kind: str, name: str) -> SimpleNamespace:
    """Run the file of an event plugin, and return its definitions.

    Unlike the rule engine, this function does not use `runpy.run_path`, which takes a file below `ansible_collections`
    for a package in the processes of ansible-test.
    """
    spec = importlib.util.spec_from_file_location(f"{kind}_{name}", PLUGINS / kind / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # data classes look up the names of their types there
    spec.loader.exec_module(module)
    return SimpleNamespace(**vars(module))


SOURCE = load_plugin("event_source", "events")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end.

    :raises AssertionError: if a task ended with an exception that no code has seen.
    """
    unhandled: list[dict[str, Any]] = []

    async def run() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
        return await asyncio.wait_for(work, HANG_SECONDS)

    result = asyncio.run(run())
    assert unhandled == []
    return result


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the event source, or another task, fulfils a condition."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(POLL_SECONDS)

    await asyncio.wait_for(poll(), HANG_SECONDS)


def to_tick(seconds: float) -> float:
    """Round a time up to a multiple of a tick, so that sums and differences of times are exact."""
    return math.ceil(seconds * TICKS) / TICKS


class TurnedClock:
    """A clock for the event source that moves only when the test calls `turn`."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.time = self._started = to_tick(now)
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._pausing: dict[asyncio.Future[None], float] = {}
        self.pauses: list[float] = []
        """The seconds of all pauses of the source."""

    def now(self) -> float:
        """Return the time of day."""
        return self.time

    def monotonic(self) -> float:
        """Return the seconds that the clock was turned."""
        return self.time - self._started

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been turned by a number of seconds."""
        done = asyncio.get_running_loop().create_future()
        # The bounds of the source run in their own task, whose coroutine is this method. Other sleeps are pauses.
        task = asyncio.current_task()
        is_bound = task is not None and getattr(task.get_coro(), "__name__", "") == "sleep"
        sleepers = self._sleepers if is_bound else self._pausing
        if not is_bound:
            self.pauses.append(seconds)
        sleepers[done] = self.time + to_tick(seconds)
        try:
            await done
        finally:
            del sleepers[done]

    def turn(self, seconds: float) -> None:
        """Move the clock forwards, and end the sleeps that are over."""
        self.time += to_tick(seconds)
        for done, until in [*self._sleepers.items(), *self._pausing.items()]:
            if until <= self.time and not done.done():
                done.set_result(None)

    @property
    def is_pausing(self) -> bool:
        """Whether the source waits before its next attempt."""
        return any(not done.done() for done in self._pausing)

    async def wait_for_bound(self, seconds: float) -> None:
        """Wait until the source has begun something that it ends after a number of seconds."""
        await wait_until(lambda: self.is_bounded(seconds))

    def is_bounded(self, seconds: float) -> bool:
        """Return whether the source does something that it ends after a number of seconds."""
        return any(until - self.time == seconds for until in self._sleepers.values())

    async def turn_to_end_of_pause(self) -> float:
        """Wait until the source pauses, turn the clock to the end of the pause, and return the seconds."""
        await wait_until(lambda: self.is_pausing)
        seconds = max(until - self.time for done, until in self._pausing.items() if not done.done())
        self.turn(seconds)
        return seconds


class RunningSource:
    """An event source that runs in a task."""

    def __init__(self, clock: TurnedClock, queue: asyncio.Queue[Event], task: asyncio.Task[None]) -> None:
        self.clock = clock
        self.queue = queue
        self.task = task

    async def take(self, count: int = 1) -> list[Event]:
        """Return the keys `particle` of the next events.

        :raises Exception: the exception of the source, if the source ends before.
        """
        events = []
        for _unused in range(count):
            getting = asyncio.ensure_future(self.queue.get())
            await asyncio.wait({getting, self.task}, return_when=asyncio.FIRST_COMPLETED, timeout=HANG_SECONDS)
            if not getting.done():
                getting.cancel()
                self.task.result()
            events.append(getting.result()["particle"])
        return events

    async def stop(self) -> None:
        """Cancel the source as the rule engine does, and wait until it has ended."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def running_source(clock: TurnedClock | None = None, **args: Any) -> AsyncIterator[RunningSource]:
    """Run the event source until the end of the block, with a queue of one event as in the rule engine."""
    clock = clock or TurnedClock()
    queue: asyncio.Queue[Event] = asyncio.Queue(1)
    source = RunningSource(clock, queue, asyncio.ensure_future(SOURCE.main(queue, args, clock)))
    try:
        yield source
    finally:
        await source.stop()
