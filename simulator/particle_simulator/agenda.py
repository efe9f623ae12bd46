# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Planned actions, which run at a later time of the simulator's clock. This module uses no threads and no timers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Agenda:
    """Planned actions, sorted by time. The simulator calls `run_due` before each request to the cloud."""

    __slots__ = ("_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def add(self, moment: float, action: Callable[[], object]) -> None:
        """Plan an action. Actions with the same time run in the order in which they were added."""
        heappush(self._heap, (moment, next(self._numbers), action))

    def run_due(self, now: float) -> None:
        """Run the actions that are due. An action that is added during this call waits for the next call."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[2])
        for action in due:
            action()

    @property
    def has_actions(self) -> bool:
        """Whether any action is planned."""
        return bool(self._heap)

    @property
    def next_moment(self) -> float | None:
        """The time of the next planned action, or None if no action is planned."""
        return self._heap[0][0] if self._heap else None
