# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep requests within the rate limits of a cloud.

Private to this collection. The Particle cloud counts requests per public address (errors-and-limits.md, section 3), so
all processes that send from one address share a budget. The budget is checked before a request is sent,
because a request that the cloud refuses with status 429 achieves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.in_files import FileLog
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.in_redis import RedisLog
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DEFAULT_ALLOWANCE,
    EVERY_ROUTE,
    Allowance,
    RequestLog,
    Window,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


class Budget:
    """Sliding windows over the times at which requests are sent.

    There is one window for all routes together, and one for each route that has a separate limit. Requests are sent
    without a pause while the windows have places, and afterwards as places become free. Safe to share between threads
    and across forks.

    :param allowance: the limits and the share of them that may be used.
    :param folder: where the processes of a user share the windows; ``None`` to share them with no other process. The
        windows are not shared either when the folder cannot be used or a file stays locked, so a folder never causes
        an error or a hang.
    :param store: URL of a Redis through which several machines share the windows, used instead of ``folder``.
    :param cloud: the URL of the cloud to which the limits apply.
    :param clock: returns seconds, from the same clock for all that share the windows; by default the clock of the
        machine, or of the Redis.
    :raises ParticleError: when the Redis cannot be used. ``take_place`` and ``get_delay`` raise it too.
    """

    def __init__(
        self,
        allowance: Allowance = DEFAULT_ALLOWANCE,
        *,
        folder: Path | None = None,
        store: str | None = None,
        cloud: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        limits, share = allowance.limits, allowance.share
        self._windows = {route: Window.for_limit(cloud, route, limit, share) for route, limit in limits.items()}
        self._log: RequestLog = RedisLog(store, clock) if store and limits else FileLog(folder, clock or time.time)

    def take_place(self, route: str, waited: float = 0.0) -> float:
        """Take a place for one request to ``route`` (method and path template), if there is one.

        :param waited: for how many seconds the request has waited so far.
        :returns: 0.0 if the request may be sent now, else the seconds after which to ask again.
        :raises ParticleError: when the Redis cannot be used.
        """
        windows = [self._windows[key] for key in (EVERY_ROUTE, route) if key in self._windows]
        return self._log.take_places(windows, waited) if windows else 0.0

    def get_delay(self, route: str) -> float:
        """Return for how many seconds the limit for ``route`` alone would delay a request now. No place is taken.

        :raises ParticleError: when the Redis cannot be used.
        """
        window = self._windows.get(route)
        return 0.0 if window is None else self._log.get_delay(window)

    def get_used_share(self) -> float | None:
        """Return the used share of the budget; 1.0 means that the next request has to wait.

        :returns: ``None`` if there is no limit, or if the Redis does not answer: progress reports must not fail a run.
        """
        window = self._windows.get(EVERY_ROUTE)
        try:
            return None if window is None else self._log.get_used_share(window)
        except ParticleError:
            return None
