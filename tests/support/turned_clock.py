# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Define a clock for tests of long periods, and an HTTP client that uses it."""

from __future__ import annotations

import threading
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection


class TurnedClock:
    """A clock that advances only when its `sleep` is called, and then at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        """The seconds of each call of `sleep`, in order."""
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def conversation(api_url: str, clock: TurnedClock, *, budget: Budget | None = None, **connection: Any) -> Http:
    """Return an HTTP client whose waits take no time. `connection` holds parameters of `Connection`."""
    whom = Connection(api_url, **{"timeout": 5, **connection})
    return Http(whom, budget=budget, clock=Clock(clock.sleep, clock, clock))
