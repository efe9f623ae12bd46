# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that a cloud allows in a time, shared by all who send from one address.

Private to this collection. The Particle cloud counts per public address (errors-and-limits.md, section 3), so whoever
sends from here uses the same budget. It is kept before sending: who waits for a 429 wastes the request that earned it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.in_files import InFiles
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.in_redis import InRedis
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DOCUMENTED,
    EVERY_ROUTE,
    SHARE,
    Limit,
    Record,
    Window,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


class Budget:
    """Sliding windows over the moments of sending: one for all routes, and one for each route with its own limit.

    It bursts while a window has room, and goes on as places come free. Safe to share between threads and across forks.

    :param folder: where processes share the windows of ``cloud``, an address; ``None`` for this process alone. So it
        also ends up where the folder cannot be used, or when somebody sits on a file: it never fails, and never hangs.
    :param store: URL of a Redis where machines share them, instead of the folder.
    :param clock: in seconds, the same for all when they share; when not given, that of the machine, or of the Redis.
    :raises ParticleError: when the Redis cannot be used; so do the methods that hold requests up.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit] = DOCUMENTED,
        *,
        share: float = SHARE,
        folder: Path | None = None,
        store: str | None = None,
        cloud: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._windows = {route: Window.of(cloud, route, limit, share) for route, limit in limits.items()}
        self._record: Record = InRedis(store, clock) if store and limits else InFiles(folder, clock or time.time)

    def take(self, route: str, waited: float = 0.0) -> float:
        """Take a place for one request to ``route`` (method and path template), if there is one.

        :param waited: seconds that this request has waited so far.
        :returns: 0.0 when it may be sent now, else in how many seconds to ask again.
        """
        windows = [self._windows[key] for key in (EVERY_ROUTE, route) if key in self._windows]
        return self._record.take(windows, waited) if windows else 0.0

    def seconds_until_free(self, route: str) -> float:
        """How long the limit that ``route`` has of its own would hold up a request now; takes nothing."""
        window = self._windows.get(route)
        return 0.0 if window is None else self._record.delay(window)

    def used(self) -> float | None:
        """The part of what may be used that is used now: at 1.0 the next one waits. ``None`` when it is not known.

        That is so without a limit, and when a store does not answer: who only looks has no need to fail.
        """
        window = self._windows.get(EVERY_ROUTE)
        try:
            return None if window is None else self._record.used(window)
        except ParticleError:
            return None
