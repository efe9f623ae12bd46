# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Define the clock of a soak: only sleeps move it, and they take no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

TIMEOUT_SECONDS = 60


class Clock:
    """The clock of this process and of its cloud. It stands still, and jumps forward in each sleep."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_simulator/clock"
        self._lock = threading.Lock()
        self.follow_cloud()

    def __call__(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clocks of the cloud and of this process forward."""
        with self._lock:
            # A connection of its own: a forked process must not share one with this process.
            self._now = _read_time(requests.post(self._url, json={"advance": seconds}, timeout=TIMEOUT_SECONDS))

    def sleep_until(self, moment: float) -> None:
        """Move the clocks forward to a moment, unless it is in the past."""
        self.sleep(max(0.0, moment - self._now))

    def follow_cloud(self) -> None:
        """Set the clock of this process to that of the cloud, which another process may have moved."""
        self._now = _read_time(requests.get(self._url, timeout=TIMEOUT_SECONDS))

    @contextmanager
    def replace_system_clock(self) -> Iterator[None]:
        """Replace the clock of this process until the end of the block.

        Parts of the collection read the clock when they are imported, so they must be imported inside of the block.
        """
        original = time.time, time.sleep
        time.time, time.sleep = self, self.sleep  # type: ignore[assignment]
        try:
            yield
        finally:
            time.time, time.sleep = original


def _read_time(response: requests.Response) -> float:
    response.raise_for_status()
    data: dict[str, Any] = response.json()
    return float(data["now"])
