# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The clock of the simulator, which tests can turn forward so that a test over days takes no time."""

from __future__ import annotations

import time

MICROSECOND = 1e-6


class Clock:
    """A clock that shows the time of the machine, plus the seconds by which it was turned forward."""

    __slots__ = ("_last", "turned")

    def __init__(self) -> None:
        self.turned = 0.0
        self._last = 0.0

    def now(self) -> float:
        """Return the time of this clock in seconds since the epoch."""
        return time.time() + self.turned

    def next_moment(self) -> float:
        """Return the time, but at least a microsecond later than the last call.

        Use this for times by which lists are sorted, such as those of sessions, because two sessions may begin while
        the clock shows the same time.
        """
        self._last = max(self.now(), self._last + MICROSECOND)
        return self._last

    def advance(self, seconds: float) -> None:
        """Turn the clock forward; it never goes back."""
        self.turned += seconds

    @property
    def is_machine_time(self) -> bool:
        """Whether this clock shows the time of the machine."""
        return not self.turned


class StillClock(Clock):
    """A clock that stands still at the time of its start, and moves only when it is turned forward.

    A test with this clock has the same result on a slow machine as on a fast one.
    """

    __slots__ = ("_started",)

    def __init__(self) -> None:
        super().__init__()
        self._started = time.time()

    def now(self) -> float:
        """Return the time at which the simulator started, plus the seconds by which the clock was turned forward."""
        return self._started + self.turned

    @property
    def is_machine_time(self) -> bool:
        """False, because the clock of the machine moves on."""
        return False


CLOCKS: dict[str, type[Clock]] = {"real": Clock, "still": StillClock}
"""The kinds of clock by their name on the command line."""
