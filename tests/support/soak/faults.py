# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Define the faults of a soak: two of a hundred requests fail, in one of eight ways."""

from __future__ import annotations

from typing import Any

SHARE = 0.02

EFFECTS: tuple[dict[str, Any], ...] = (
    {"effect": "status", "status": 500},
    {"effect": "status", "status": 503},
    {"effect": "status", "status": 429, "headers": {"Retry-After": "2"}},
    {"effect": "html", "status": 502},
    {"effect": "reset_before"},
    {"effect": "reset_after"},
    {"effect": "truncated"},
    {"effect": "empty"},
)
"""The ways in which a request fails. The last three carry out the request, so that its outcome is uncertain."""

PUBLISH = "POST /v1/products/:p/events"
"""The route by which the soak itself publishes events. It has no faults, so that each event is published once."""


def build_faults(*routes: str) -> list[dict[str, Any]]:
    """Return a fault schedule for some routes, in which each request fails with the probability `SHARE`."""
    probability = SHARE / len(EFFECTS)
    return [{"route": route, "probability": probability, **effect} for route in routes for effect in EFFECTS]


def build_all_faults() -> list[dict[str, Any]]:
    """Return a fault schedule for all requests, except those that publish events."""
    # Only the first fault that matches fires. This one is a delay of no seconds.
    return [{"route": PUBLISH, "effect": "delay", "probability": 1}, *build_faults("*")]


def count_fired(schedule: list[dict[str, Any]]) -> int:
    """Return how many requests have failed."""
    return sum(fault["fired"] for fault in schedule if fault["route"] != PUBLISH)
