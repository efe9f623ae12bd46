# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Actions that are planned for a later time of the cloud's clock, without a thread or a timer."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Agenda:
    """Planned actions, sorted by time. Every request first carries out the actions that are due."""

    __slots__ = ("_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def add(self, moment: float, action: Callable[[], object]) -> None:
        """Plan an action; actions of the same time are carried out in the order in which they were planned."""
        heappush(self._heap, (moment, next(self._numbers), action))

    def run_due(self, now: float) -> None:
        """Carry out the actions that are due. If one of them plans another action, that waits for the next request."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[2])
        for action in due:
            action()

    @property
    def has_actions(self) -> bool:
        """Whether an action is planned."""
        return bool(self._heap)
