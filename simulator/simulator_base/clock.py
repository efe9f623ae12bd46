# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The clock of the simulator. Tests can move the clock forward, for example by days, without waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

MICROSECOND = 1e-6


class Clock:
    """A clock that shows the time of the machine plus `turned`.

    `turned` is the number of seconds by which tests have moved the clock forward. With a `speed` other than 1, the
    clock runs that many times as fast as the machine's, from its creation on.
    """

    __slots__ = ("_last", "_set_to", "_started", "speed", "turned")

    def __init__(self, speed: float = 1.0) -> None:
        self.turned = 0.0
        self.speed = speed
        self._started = time.time()
        self._last = 0.0
        self._set_to: float | None = None

    def now(self) -> float:
        """Return the time of this clock in seconds since the epoch."""
        return self._read() if self._set_to is None else self._set_to

    def _read(self) -> float:
        # At normal speed, the clock follows corrections of the machine's clock exactly.
        present = time.time()
        return (present if self.speed == 1 else self._started + (present - self._started) * self.speed) + self.turned

    @property
    def lag(self) -> float:
        """The seconds by which the shown time is earlier than the present. It is 0 except in a block of `set_to`."""
        return self._read() - self.now()

    @contextmanager
    def set_to(self, moment: float) -> Iterator[None]:
        """Let the clock show `moment` until the end of the block.

        An action that was planned for an earlier moment runs in such a block, so that its events have that time.
        """
        earlier, self._set_to = self._set_to, moment
        try:
            yield
        finally:
            self._set_to = earlier

    def next_moment(self) -> float:
        """Return the current time. Each result is at least a microsecond later than the previous result.

        Use this method for times by which lists are sorted, for example the start of a session. Otherwise two sessions
        could have the same time.
        """
        self._last = max(self.now(), self._last + MICROSECOND)
        return self._last

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.turned += seconds

    @property
    def is_machine_time(self) -> bool:
        """Whether this clock shows the same time as the machine."""
        return not self.turned and self.speed == 1


class StillClock(Clock):
    """A clock that keeps the time of its creation until a test moves the clock forward.

    The clock shows the time of its creation, plus the seconds by which tests have moved it. With this clock, the result
    of a test does not depend on the speed of the machine.
    """

    __slots__ = ()

    def _read(self) -> float:
        return self._started + self.turned

    @property
    def is_machine_time(self) -> bool:
        """Always False, because this clock does not follow the time of the machine."""
        return False


CLOCKS: dict[str, type[Clock]] = {"real": Clock, "still": StillClock}
"""The clock classes, keyed by the value of `--clock`."""
