# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that a cloud allows in a time, and the waiting that keeps a run inside them.

Private to this collection. The Particle cloud counts per public address (errors-and-limits.md, section 3).
A run paces itself before it sends: whoever waits for a 429 wastes the request that earned it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SHARE = 0.95
"""The part of each limit that a run may use; the rest is for everybody else behind the same address."""

EVERY_ROUTE = "every route"


@dataclass(frozen=True)
class Limit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float


DOCUMENTED: Mapping[str, Limit] = {
    EVERY_ROUTE: Limit(10_000, 300),
    "POST /oauth/token": Limit(100, 300),
    "DELETE /v1/access_tokens/:token": Limit(100, 300),
    "GET /v1/serial_numbers/:serial": Limit(50, 3600),
}


class Budget:
    """Sliding windows, one for all routes and one for each route with a limit of its own.

    It bursts while a window has room and then goes on as slots free. Safe to share between threads.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit] = DOCUMENTED,
        *,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._windows = {
            route: (deque[float](maxlen=max(1, int(limit.requests * share))), limit.seconds)
            for route, limit in limits.items()
        }
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()

    def seconds_until_free(self, route: str) -> float:
        """How long the limit that ``route`` has of its own would hold up a request now; takes nothing."""
        with self._lock:
            now = self._clock()
            return self._slot([self._windows[route]] if route in self._windows else [], now) - now

    @staticmethod
    def _slot(windows: list[tuple[deque[float], float]], now: float) -> float:
        return max([now, *(sent[0] + seconds for sent, seconds in windows if len(sent) == sent.maxlen)])

    def wait_for(self, route: str) -> float:
        """Take one slot for ``route`` (method and path template), wait until it is free; seconds waited."""
        with self._lock:
            now = self._clock()
            windows = [self._windows[key] for key in (EVERY_ROUTE, route) if key in self._windows]
            slot = self._slot(windows, now)
            for sent, _ in windows:
                sent.append(slot)  # reserved now, in order, so that nobody else takes it while we sleep
        if slot > now:
            self._sleep(slot - now)
        return slot - now
