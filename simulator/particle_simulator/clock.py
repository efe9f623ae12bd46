# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The one clock of the simulator. Tests may turn it forward, so that a proof over days takes no time."""

from __future__ import annotations

import time


class Clock:
    """The time of the machine, plus what it has been turned by."""

    __slots__ = ("turned",)

    def __init__(self) -> None:
        self.turned = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as the cloud sees them."""
        return time.time() + self.turned

    def advance(self, seconds: float) -> None:
        """Turns the clock forward; it never goes back."""
        self.turned += seconds
