# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Counters of requests, and the log of everything that is not a read. Requests to admin routes are not counted."""

from __future__ import annotations

import json
from collections import Counter, deque
from typing import Any

from otbr_simulator.messages import Call
from otbr_simulator.routes import Kind, Route
from otbr_simulator.task_forms import FORMS, REFRESHING

MAX_LOG = 20_000


class Stats:
    """The counters since the start or the last reset of the simulator, over all border routers."""

    def __init__(self) -> None:
        self.requests = 0
        self.writes = 0
        self.upkeep = 0
        self.unknown_routes = 0
        self.by_route: Counter[str] = Counter()
        self.by_router: Counter[str] = Counter()
        self.tasks: Counter[str] = Counter()
        self._log: deque[dict[str, Any]] = deque(maxlen=MAX_LOG)

    def count_request(self, route: Route | None, call: Call) -> None:
        """Count a request. A write counts even if the border router refuses it later."""
        self.requests += 1
        self.by_router[call.router.name] += 1
        if route is None:
            self.unknown_routes += 1
            return
        self.by_route[route.key] += 1
        types = _list_task_types(call.body) if route.kind is Kind.TASKS else []
        self.tasks.update(types)
        is_upkeep = route.kind is Kind.UPKEEP or (route.kind is Kind.TASKS and set(types) <= REFRESHING)
        self.upkeep += is_upkeep
        self.writes += route.kind is not Kind.READ and not is_upkeep
        if route.kind is not Kind.READ:
            self._log.append(
                {
                    "router": call.router.name,
                    "route": route.key,
                    "path": call.path,
                    "kind": "upkeep" if is_upkeep else "write",
                    "tasks": types,
                    "body": call.body.decode("utf-8", "replace"),
                    "time": call.world.now(),
                    "status": None,
                }
            )

    def record_status(self, route: Route, status: int) -> None:
        """Add the status of the response to the latest entry of the log."""
        if route.kind is not Kind.READ and self._log:
            self._log[-1]["status"] = status

    def list_writes(self) -> list[dict[str, Any]]:
        """Return the log, oldest first. Its entries have the kind `write` or `upkeep`."""
        return list(self._log)

    def describe(self) -> dict[str, Any]:
        """Return the counters as JSON data, for the admin route."""
        return {
            "requests": self.requests,
            "writes": self.writes,
            "upkeep": self.upkeep,
            "unknown_routes": self.unknown_routes,
            "by_route": dict(sorted(self.by_route.items())),
            "by_router": dict(sorted(self.by_router.items())),
            "tasks": dict(sorted(self.tasks.items())),
        }


def _list_task_types(body: bytes) -> list[str]:
    """Return the types of the tasks in a body that a client has sent, whether or not the body is valid."""
    try:
        items = json.loads(body)["data"]
        types = [item["type"] for item in items]
    except (ValueError, TypeError, KeyError):
        return []
    return [kind for kind in types if isinstance(kind, str) and kind in FORMS]
