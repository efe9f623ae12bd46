# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the requests, writes, retries and waits of a task. Private to this collection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Usage:
    """The counters of the documented return value ``cloud``. Durations are elapsed time, in seconds."""

    requests: int = 0
    writes: int = 0
    retries: int = 0
    throttled_seconds: float = 0.0
    budget_wait_seconds: float = 0.0

    def add(self, other: Usage) -> None:
        """Add the counters of another HTTP client of the same task."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)

    def as_result(self) -> dict[str, Any]:
        """Return the counters as the documented return value ``cloud``."""
        return {key: round(value, 3) for key, value in asdict(self).items()}


class Stopwatch:
    """A timer that measures waits in a ``with`` block. Time during which several threads wait is counted once.

    :param name: the name of the counter in ``usage`` to which the seconds are added.
    :param clock: a function that returns the seconds of a monotonic clock.
    """

    def __init__(self, usage: Usage, name: str, clock: Callable[[], float]) -> None:
        self._usage = usage
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._since = 0.0

    def __enter__(self) -> None:
        self._add_waiting(1)

    def __exit__(self, *error: object) -> None:
        self._add_waiting(-1)

    def _add_waiting(self, more: int) -> None:
        with self._lock:
            now = self._clock()
            if self._waiting:
                setattr(self._usage, self._name, getattr(self._usage, self._name) + now - self._since)
            self._waiting, self._since = self._waiting + more, now
