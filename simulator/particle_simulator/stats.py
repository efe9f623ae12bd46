# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Counters of requests and responses. Requests to admin routes are not counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from particle_simulator.routing import Kind, Route

THROTTLING = (429, 529)


class Stats:
    """The counters since the start or the last reset of the simulator."""

    def __init__(self) -> None:
        self.requests = 0
        self.writes = 0
        self.grants = 0
        self.refusals = 0
        self.revocations = 0
        self.throttled = 0
        self.connections = 0
        self.unknown_routes = 0
        self.by_route: Counter[str] = Counter()
        self.by_address: Counter[str] = Counter()

    def count_request(self, route: Route | None, key: str, address: str) -> None:
        """Count a request. A write counts even if the cloud refuses the write later."""
        self.requests += 1
        self.by_address[address] += 1
        if route is None:
            self.unknown_routes += 1
            return
        self.by_route[key] += 1
        if route.kind is Kind.WRITE:
            self.writes += 1

    def count_answer(self, route: Route | None, status: int, *, asks_for_code: bool = False) -> None:
        """Count a response of a handler or a fault.

        A response that asks for a one-time code does not count as a refusal.
        """
        if status in THROTTLING:
            self.throttled += 1
        if route is None:
            return
        if route.kind in (Kind.GRANT, Kind.LOGIN) and status not in THROTTLING:
            if status >= 400:
                self.refusals += not asks_for_code
            elif route.kind is Kind.GRANT:
                self.grants += 1
        elif route.kind is Kind.REVOCATION and status < 400:
            self.revocations += 1

    def describe(self) -> dict[str, Any]:
        """Return the counters as JSON data, for the admin route."""
        return {
            "requests": self.requests,
            "writes": self.writes,
            "grants": self.grants,
            "refusals": self.refusals,
            "revocations": self.revocations,
            "throttled": self.throttled,
            "connections": self.connections,
            "unknown_routes": self.unknown_routes,
            "by_route": dict(sorted(self.by_route.items())),
            "by_address": dict(sorted(self.by_address.items())),
        }
