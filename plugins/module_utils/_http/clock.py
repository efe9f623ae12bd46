# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the clock of a client, which tests replace. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The functions with which a client tells the time and waits.

    :param sleep: waits for a number of seconds.
    :param monotonic: returns the seconds of a clock that is never set back.
    :param now: returns the seconds since 1970.
    """

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time


SYSTEM_CLOCK = Clock()
