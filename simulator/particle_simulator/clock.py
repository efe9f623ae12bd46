# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The one clock of the simulator. Tests may turn it forward, so that a proof over days takes no time."""

from __future__ import annotations

import time

MICROSECOND = 1e-6


class Clock:
    """The time of the machine, plus what the clock has been turned forward by."""

    __slots__ = ("_last", "turned")

    def __init__(self) -> None:
        self.turned = 0.0
        self._last = 0.0

    def now(self) -> float:
        """Return the seconds since the epoch, as the cloud sees them."""
        return time.time() + self.turned

    def next_moment(self) -> float:
        """Return the time of now, or a microsecond after the last moment returned here if that is later.

        For what happens in an order that must show, such as the sessions by which lists are sorted: two of them may
        begin while the clock shows the same time.
        """
        self._last = max(self.now(), self._last + MICROSECOND)
        return self._last

    def advance(self, seconds: float) -> None:
        """Turn the clock forward; it never goes back."""
        self.turned += seconds

    @property
    def is_machine_time(self) -> bool:
        """Whether this clock shows what the machine's own clock shows."""
        return not self.turned


class StillClock(Clock):
    """A clock that stands still at the moment of its start, and moves only when it is turned forward.

    A test against it has the same result on a slow machine as on a fast one.
    """

    __slots__ = ("_started",)

    def __init__(self) -> None:
        super().__init__()
        self._started = time.time()

    def now(self) -> float:
        """Return the seconds since the epoch at the start, plus what the clock has been turned forward by."""
        return self._started + self.turned

    @property
    def is_machine_time(self) -> bool:
        """Always false: the machine's own clock goes on."""
        return False


CLOCKS: dict[str, type[Clock]] = {"real": Clock, "still": StillClock}
"""The kinds of clock by their name on the command line."""
