# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A clock for tests over long times, and a conversation with a scripted cloud that goes by it."""

from __future__ import annotations

import threading
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection


class TurnedClock:
    """A clock that only moves when somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        """The length of every sleep, in order."""
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def conversation(api_url: str, clock: TurnedClock, *, budget: Budget | None = None, **connection: Any) -> Http:
    """A conversation whose waits cost no time. `connection` as in `Connection`."""
    whom = Connection(api_url, **{"timeout": 5, **connection})
    return Http(whom, budget=budget, clock=Clock(clock.sleep, clock, clock))
