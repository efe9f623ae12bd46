# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The fault schedule: which requests fail, how the requests fail, and how often each fault has fired.

- With the effects `status`, `html`, `reset_before` and `silence`, the request is not carried out.
- With the effects `empty`, `truncated` and `reset_after`, the request is carried out. The response is damaged or lost.
- With the effect `delay`, the response is only delayed. The key `delay` adds a delay to any effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from simulator_base.errors import InvalidInput
from simulator_base.messages import Reply

HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
Shapes = Mapping[str, tuple[int, Any]]
"""Examples of error bodies with their statuses, keyed by the name that the key `shape` of a fault can have."""

BEFORE = frozenset({"status", "html", "reset_before", "silence"})
AFTER = frozenset({"empty", "truncated", "reset_after", "delay"})
ALL_ROUTES = "*"
KEYS = {"route", "times", "probability", "effect", "delay", "status", "shape", "body", "headers"}
MAX_DELAY_SECONDS = 600


@dataclass(slots=True)
class Fault:
    """A fault, which fires on requests to a route.

    The fault fires at most `times` times. None means that there is no limit.
    """

    route: str
    effect: str
    times: int | None
    probability: float
    delay: float
    status: int | None
    body: Any
    headers: dict[str, str]
    fired: int = 0

    @property
    def is_active(self) -> bool:
        """Whether the fault can still fire."""
        return self.times is None or self.fired < self.times

    def matches(self, key: str) -> bool:
        """Return whether the fault applies to a route.

        `*` stands for all routes. `PUT *` stands for all routes with the method PUT.
        """
        method, _unused, path = self.route.partition(" ")
        return self.route in (key, ALL_ROUTES) or (path == ALL_ROUTES and key.startswith(f"{method} "))

    def build_reply(self) -> Reply:
        """Build the response for the effects `status` and `html`."""
        if self.effect == "html":
            page = self.body if isinstance(self.body, str) else HTML
            return Reply(self.status or 502, page.encode(), dict(self.headers), "text/html")
        if self.body is None:
            return Reply(self.status or 500, b"", dict(self.headers), None)
        if isinstance(self.body, str):
            return Reply(self.status or 500, self.body.encode(), dict(self.headers), "text/plain")
        return Reply(self.status or 500, orjson.dumps(self.body), dict(self.headers))

    def damage_reply(self, reply: Reply) -> Reply:
        """Return the response with an empty or a shortened body, for the effects `empty` and `truncated`."""
        body = b"" if self.effect == "empty" else reply.body[: len(reply.body) // 2]
        headers = reply.headers | self.headers
        return Reply(self.status or reply.status, body, headers, reply.content_type)

    def describe(self) -> dict[str, Any]:
        """Return the fault as JSON data, with the number of times that the fault has fired."""
        return {
            "route": self.route,
            "effect": self.effect,
            "times": self.times,
            "probability": self.probability,
            "delay": self.delay,
            "status": self.status,
            "fired": self.fired,
        }


class Faults:
    """All faults, in the order in which they were added.

    At most one fault fires on a request: the first fault that can still fire and applies to the route. A fault with a
    `probability` fires only on some requests, by chance. On all other requests, the next fault is checked.
    """

    def __init__(self, seed: int, shapes: Shapes) -> None:
        self._seed = seed
        self._shapes = shapes
        self.clear()

    def clear(self) -> None:
        """Remove all faults, and restart the random numbers.

        If a test then adds the same faults again, the same requests fail.
        """
        self._schedule: list[Fault] = []
        self._active: list[Fault] = []
        self._random = Random(f"faults {self._seed}")

    def add(self, entries: Any, routes: set[str]) -> None:
        """Add a list of faults. If one fault is invalid, raise `InvalidInput` and add no fault."""
        if not isinstance(entries, list):
            raise InvalidInput("the faults must be a JSON list")
        faults = [_read_fault(entry, routes, self._shapes) for entry in entries]
        self._schedule += faults
        self._active += faults

    def take_fault(self, key: str) -> Fault | None:
        """Return the fault that fires on a request to this route, or None. Count the fault as fired."""
        for fault in self._active:
            if fault.matches(key) and (fault.probability >= 1 or self._random.random() < fault.probability):
                fault.fired += 1
                if not fault.is_active:
                    self._active.remove(fault)
                return fault
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Return all faults as JSON data, including faults that can no longer fire."""
        return [fault.describe() for fault in self._schedule]


def _read_fault(entry: Any, routes: set[str], shapes: Shapes) -> Fault:
    if not isinstance(entry, dict) or set(entry) - KEYS:
        raise InvalidInput(f"a fault must be a JSON object with some of the keys {', '.join(sorted(KEYS))}")
    effect = entry.get("effect", "status" if "shape" in entry else None)
    if not isinstance(effect, str) or effect not in BEFORE | AFTER:
        raise InvalidInput(f"effect must be one of {', '.join(sorted(BEFORE | AFTER))}")
    headers = entry.get("headers", {})
    if not isinstance(headers, dict):
        raise InvalidInput("headers must be an object")
    status, body = _read_answer(entry, shapes)
    if effect == "status" and "shape" in entry and shapes[entry["shape"]][1] == HTML:
        effect = "html"
    return Fault(
        route=_read_route(entry.get("route"), routes),
        effect=effect,
        times=_read_times(entry),
        probability=_read_number(entry, "probability", 1, least=0, most=1),
        delay=_read_number(entry, "delay", 0, least=0, most=MAX_DELAY_SECONDS),
        status=status,
        body=body,
        headers={str(name): str(value) for name, value in headers.items()},
    )


def _read_route(route: Any, routes: set[str]) -> str:
    known = routes | {ALL_ROUTES} | {f"{key.partition(' ')[0]} {ALL_ROUTES}" for key in routes}
    if not isinstance(route, str) or route not in known:
        raise InvalidInput(f"{route!r} is not a route; use a method and a path template, or *")
    return route


def _read_times(entry: dict[str, Any]) -> int | None:
    """Return how often a fault fires.

    The default is once. The default for a fault with `probability` is None: no limit.
    """
    times = entry.get("times", None if "probability" in entry else 1)
    if times is None and "times" not in entry:
        return None
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise InvalidInput("times must be a positive number")
    return times


def _read_number(entry: dict[str, Any], name: str, default: float, *, least: float, most: float) -> float:
    value = entry.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidInput(f"{name} must be a number from {least} to {most}")
    return value


def _read_answer(entry: dict[str, Any], shapes: Shapes) -> tuple[int | None, Any]:
    """Return the status and the body of the response to a request on which the fault fires.

    If the status or the body is missing, use the status or the body of the example that `shape` names.
    """
    status, body = entry.get("status"), entry.get("body")
    shape = entry.get("shape")
    if shape is not None:
        if not isinstance(shape, str) or shape not in shapes:
            raise InvalidInput(f"shape must be one of {', '.join(shapes)}")
        status, body = status or shapes[shape][0], shapes[shape][1] if body is None else body
    if status is not None and not (isinstance(status, int) and 200 <= status <= 599):
        raise InvalidInput("status must be an HTTP status")
    return status, body
