# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Render the route table in Markdown, for the documentation."""

from __future__ import annotations

from particle_simulator.routing import Auth, Kind, RouteTable

CREDENTIALS = {Auth.BEARER: "access token", Auth.NONE: ""}


def render_routes_table(table: RouteTable) -> str:
    """Return a Markdown table with one row per route.

    The routes are grouped by resource, in the order of the route table.
    """
    groups = dict.fromkeys(route.group for route in table.routes)
    lines = ["| Route | Endpoint | Needs | Counts as |", "| --- | --- | --- | --- |"]
    for group in groups:
        lines.append(f"| **{group.replace('_', ' ')}** | | | |")
        for route in table.routes:
            if route.group == group:
                counts = "" if route.kind is Kind.READ else route.kind.value
                ids = ", ".join(f"`{name}`" for name in route.ids)
                lines.append(f"| `{route.key}` | {ids} | {CREDENTIALS[route.auth]} | {counts} |")
    return "\n".join(lines)
