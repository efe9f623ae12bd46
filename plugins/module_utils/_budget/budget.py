# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep requests within the rate limits of a cloud. Private to this collection.

The Particle cloud counts requests per public address (errors-and-limits.md, section 3). Therefore all processes that
send requests from one address should share a budget. The budget is checked before a request is sent, because the cloud
refuses requests above a limit with status 429.
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
    """A limiter of requests with sliding windows.

    Every request is counted in the window for all routes together. If the route of the request has a separate limit,
    the request is also counted in the window for this route. A request stops counting when the period of the limit has
    passed. Threads and forked child processes can use the same budget object.

    :param allowance: the limits, and the share of each limit that may be used.
    :param folder: a folder through which the processes of a user share the windows. With ``None``, the windows are not
        shared. If the folder cannot be used or a file stays locked, the windows are not shared, and no error is raised.
    :param store: URL of a Redis server through which several machines share the windows. If ``store`` is given,
        ``folder`` is ignored.
    :param cloud: the URL of the cloud to which the limits apply.
    :param clock: a function that returns seconds. All processes that share the windows must use the same clock. If
        ``store`` is given, the default is the clock of the Redis server, else the clock of this machine.
    :raises ParticleError: when the Redis server cannot be used.
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
        """Count a request if the budget allows the request now.

        :param route: the method and path template of the request.
        :param waited: for how many seconds the request has waited so far.
        :returns: 0.0 if the request was counted and may be sent now, else the seconds after which to call this method
            again.
        :raises ParticleError: when the Redis server cannot be used.
        """
        windows = [self._windows[key] for key in (EVERY_ROUTE, route) if key in self._windows]
        return self._log.take_places(windows, waited) if windows else 0.0

    def get_delay(self, route: str) -> float:
        """Return the number of seconds that a request would have to wait now for the limit of its route.

        The limit for all routes together is ignored. The call is not counted as a request.

        :raises ParticleError: when the Redis server cannot be used.
        """
        window = self._windows.get(route)
        return 0.0 if window is None else self._log.get_delay(window)

    def get_used_share(self) -> float | None:
        """Return the used share of the budget. 1.0 means that the next request must wait.

        :returns: ``None`` if there is no limit, or if the Redis server cannot be used. No error is raised, because
            progress reports must not fail a run.
        """
        window = self._windows.get(EVERY_ROUTE)
        try:
            return None if window is None else self._log.get_used_share(window)
        except ParticleError:
            return None
