# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Planned actions, which run at a later time of the simulator's clock. This module uses no threads and no timers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from simulator_base.clock import Clock


class Agenda:
    """Planned actions, sorted by time. The simulator calls `run_due` before each request to the cloud."""

    __slots__ = ("_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def __len__(self) -> int:
        """Return the number of planned actions."""
        return len(self._heap)

    def add(self, moment: float, action: Callable[[], object]) -> None:
        """Plan an action. Actions with the same time run in the order in which they were added."""
        heappush(self._heap, (moment, next(self._numbers), action))

    def run_due(self, clock: Clock) -> None:
        """Run the actions that are due, in the order of their times. The clock shows the time of each action meanwhile.

        An action can add further actions. Those that are due run in this call, too.
        """
        now = clock.now()
        while self._heap and self._heap[0][0] <= now:
            moment, _unused, action = heappop(self._heap)
            with clock.set_to(moment):
                action()

    @property
    def next_moment(self) -> float | None:
        """The time of the earliest action, or None if no action is planned."""
        return self._heap[0][0] if self._heap else None
