# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the rate limits of a cloud, and the share of each limit that a run may use. Private to this collection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

DEFAULT_SHARE = 0.95
"""The share of each limit that a run may use. The rest is for other clients behind the same address."""

EVERY_ROUTE = "every route"
"""The key of the limit that applies to all routes together."""


@dataclass(frozen=True)
class Limit:
    """A rate limit: at most ``requests`` requests in any period of ``seconds`` seconds."""

    requests: int
    seconds: float


# errors-and-limits.md, section 3: the table of rate limits.
DOCUMENTED_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        EVERY_ROUTE: Limit(10_000, 300),
        "POST /oauth/token": Limit(100, 300),
        "GET /v1/access_tokens": Limit(100, 300),
        "DELETE /v1/access_tokens/:token": Limit(100, 300),
        # The cloud applies this limit to each account, but the budget applies it to all accounts together.
        "GET /v1/serial_numbers/:serial": Limit(50, 3600),
    }
)
"""The documented rate limits, keyed by route."""

MAX_TRAVEL_SECONDS = 3.0
"""The maximum difference, in seconds, between the times that two requests need to reach the cloud. The difference is
added to the period of each window, because the budget counts a request when the request is sent, but the cloud counts
the request when it arrives."""


@dataclass(frozen=True)
class Allowance:
    """The rate limits of a cloud, and the share of each limit that a run may use.

    :param limits: the limits, keyed by route; an empty mapping for a cloud without limits.
    :param share: the share of each limit that may be used.
    """

    # Python 3.11 refuses a default that has no hash.
    limits: Mapping[str, Limit] = field(default_factory=lambda: DOCUMENTED_LIMITS)
    share: float = DEFAULT_SHARE


DEFAULT_ALLOWANCE = Allowance()


@dataclass(frozen=True)
class Window:
    """A sliding window in which requests are counted against a rate limit.

    :param name: a hash of the cloud URL, the route and the limit. The hash identifies the window without revealing the
        URL.
    :param size: the number of requests that the cloud allows in the window.
    :param allowed: the number of requests that the run may send in the window.
    :param seconds: for how long a request counts.
    """

    name: str
    size: int
    allowed: int
    seconds: float

    @classmethod
    def for_limit(cls, cloud: str, route: str, limit: Limit, share: float) -> Window:
        """Create the window for the limit of a route."""
        # The limit is a part of the name, so that runs with different limits do not share a window. In a shared window,
        # the run with the lower limit would never get a place.
        what = "\0".join((cloud, route, str(limit.requests), str(limit.seconds)))
        name = hashlib.sha256(what.encode(errors="surrogatepass")).hexdigest()[:32]
        return cls(name, limit.requests, max(1, int(limit.requests * share)), limit.seconds + MAX_TRAVEL_SECONDS)

    def count_allowed(self, waited: float) -> int:
        """Return the number of requests that the window allows: ``allowed``, or ``size`` after a long wait.

        :param waited: for how many seconds the next request has waited so far.
        """
        # After a long wait, the request may use the whole limit: other runs with a larger share may take every place.
        return self.allowed if waited < 2 * self.seconds else self.size


class RequestLog(Protocol):
    """A store of the times at which requests were sent. Threads and forked child processes can use the same object."""

    def take_places(self, windows: Sequence[Window], waited: float) -> float:
        """Count a request in all ``windows``. If the limit of any window is reached, count the request in no window.

        :param waited: for how many seconds the request has waited so far.
        :returns: 0.0 if the request was counted, else the seconds after which to call this method again.
        """

    def get_delay(self, window: Window) -> float:
        """Return the seconds until ``window`` allows a request. 0.0 means now. The call is not counted as a request."""

    def get_used_share(self, window: Window) -> float:
        """Return how much of ``window`` is used, from 0.0 (no requests) to 1.0 (the next request must wait)."""
