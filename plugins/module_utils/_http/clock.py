# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the functions with which an HTTP client tells the time and waits. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The functions with which an HTTP client tells the time and waits. Tests replace these functions.

    :param sleep: a function that waits for a number of seconds.
    :param monotonic: a function that returns the seconds of a monotonic clock.
    :param now: a function that returns the seconds since 1970.
    """

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time


SYSTEM_CLOCK = Clock()
