# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cloud allows in a time, and the part of it that a run keeps to. Private to this collection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

SHARE = 0.95
"""The part of each limit that a run may use; the rest is for everybody else behind the same address."""

EVERY_ROUTE = "every route"


@dataclass(frozen=True)
class Limit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float


DOCUMENTED: Mapping[str, Limit] = MappingProxyType(
    {
        EVERY_ROUTE: Limit(10_000, 300),
        "POST /oauth/token": Limit(100, 300),
        "GET /v1/access_tokens": Limit(100, 300),
        "DELETE /v1/access_tokens/:token": Limit(100, 300),
        "GET /v1/serial_numbers/:serial": Limit(50, 3600),  # of each account; here of all accounts together
    }
)

UNDERWAY_SECONDS = 3.0
"""How much longer than another a request may take to the cloud, which counts when it arrives and not when it leaves."""


@dataclass(frozen=True)
class Window:
    """A limit as a run keeps it.

    :param name: tells it from those of other clouds, routes and limits, and tells nobody which they are.
    :param size: the requests that the cloud allows; ``allowed``: those of them that the run may use.
    :param seconds: for how long a request counts.
    """

    name: str
    size: int
    allowed: int
    seconds: float

    @classmethod
    def of(cls, cloud: str, route: str, limit: Limit, share: float) -> Window:
        """The window of a limit. Who knows another limit has another one: in a common one it would starve."""
        what = "\0".join((cloud, route, str(limit.requests), str(limit.seconds)))
        name = hashlib.sha256(what.encode(errors="surrogatepass")).hexdigest()[:32]
        return cls(name, limit.requests, max(1, int(limit.requests * share)), limit.seconds + UNDERWAY_SECONDS)

    def room(self, waited: float) -> int:
        """How many requests may count, that of somebody included who has waited for so many seconds."""
        # Who has waited for so long is kept out by others with a larger share, and may use what they leave.
        return self.allowed if waited < 2 * self.seconds else self.size


class Record(Protocol):
    """Where the moments of sending are written down. Safe to share between threads and across forks."""

    def take(self, windows: Sequence[Window], waited: float) -> float:
        """Take a place in all of ``windows`` at once, or in none: then in how many seconds to ask again, else 0.0."""

    def delay(self, window: Window) -> float:
        """Seconds until there is room for one more, 0.0 when there is; takes nothing."""

    def used(self, window: Window) -> float:
        """The part of the allowed requests that count now."""
