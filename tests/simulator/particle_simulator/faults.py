# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Faults on request: a schedule of what goes wrong on which route, and what has fired of it.

Before the request is carried out: `status`, `html`, `reset_before`, `silence`.
After it was carried out: `empty`, `truncated`, `reset_after`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from particle_simulator.errors import bad_request
from particle_simulator.messages import Reply

BEFORE = frozenset({"status", "html", "reset_before", "silence"})
AFTER = frozenset({"empty", "truncated", "reset_after"})
EVERY_ROUTE = "*"
KEYS = {"route", "times", "effect", "status", "body", "headers"}
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(slots=True)
class Fault:
    """One entry of the schedule; it fires on the first `times` requests to its route."""

    route: str
    effect: str
    times: int
    status: int | None
    body: Any
    headers: dict[str, str]
    fired: int = 0

    def reply(self) -> Reply:
        """The answer of the effects `status` and `html`, which come without asking the cloud."""
        if self.effect == "html":
            body = self.body.encode() if isinstance(self.body, str) else HTML
            return Reply(self.status or 502, body, dict(self.headers), "text/html")
        if self.body is None:
            return Reply(self.status or 500, b"", dict(self.headers), None)
        if isinstance(self.body, str):
            return Reply(self.status or 500, self.body.encode(), dict(self.headers), "text/plain")
        return Reply(self.status or 500, orjson.dumps(self.body), dict(self.headers))

    def spoil(self, reply: Reply) -> Reply:
        """The answer of the effects `empty` and `truncated`: the cloud's own, damaged on the way."""
        body = b"" if self.effect == "empty" else reply.body[: len(reply.body) // 2]
        headers = reply.headers | self.headers
        return Reply(self.status or reply.status, body, headers, reply.content_type)

    def describe(self) -> dict[str, Any]:
        """The entry with how often it has fired."""
        return {
            "route": self.route,
            "effect": self.effect,
            "times": self.times,
            "status": self.status,
            "fired": self.fired,
        }


class Faults:
    """The schedule. Entries of the same route fire one after another, in the order they came in."""

    def __init__(self) -> None:
        self._schedule: list[Fault] = []
        self._live = 0

    def add(self, entries: Any, routes: set[str]) -> None:
        """Takes a list of entries, all of them or none."""
        if not isinstance(entries, list):
            raise bad_request("a fault schedule is a JSON list")
        read = [_read(entry, routes) for entry in entries]
        self._schedule += read
        self._live += len(read)

    def strike(self, key: str) -> Fault | None:
        """The fault that hits a request to this route, if any."""
        if not self._live:
            return None
        for fault in self._schedule:
            if fault.fired < fault.times and fault.route in (key, EVERY_ROUTE):
                fault.fired += 1
                if fault.fired == fault.times:
                    self._live -= 1
                return fault
        return None

    def describe(self) -> list[dict[str, Any]]:
        """The whole schedule, used up entries too."""
        return [fault.describe() for fault in self._schedule]


def _read(entry: Any, routes: set[str]) -> Fault:
    if not isinstance(entry, dict) or set(entry) - KEYS:
        raise bad_request(f"a fault is an object with the keys {', '.join(sorted(KEYS))}")
    route, effect, times = entry.get("route"), entry.get("effect"), entry.get("times", 1)
    if route != EVERY_ROUTE and route not in routes:
        raise bad_request(f"no route is called {route!r}; a route is a method and a path template, or *")
    if effect not in BEFORE | AFTER:
        raise bad_request(f"effect must be one of {', '.join(sorted(BEFORE | AFTER))}")
    if not isinstance(times, int) or times < 1:
        raise bad_request("times must be a positive number")
    status = entry.get("status")
    if status is not None and not (isinstance(status, int) and 200 <= status <= 599):
        raise bad_request("status must be an HTTP status")
    headers = entry.get("headers", {})
    if not isinstance(headers, dict):
        raise bad_request("headers must be an object")
    texts = {str(name): str(value) for name, value in headers.items()}
    return Fault(route, effect, times, status, entry.get("body"), texts)
