# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the routes of resources that belong to the owner of a product. Private to this collection."""

from __future__ import annotations


def build_owner_route(method: str, org: str | None, path: str) -> tuple[str, dict[str, object]]:
    """Return a route, and the path parameters that name the owner: ``{"org": org}`` or ``{}``.

    :param org: the organization that owns the resources; ``None`` for the account.
    :param path: the end of the route, such as ``/ledgers/:name``.
    """
    if org is None:
        return f"{method} /v1{path}", {}
    return f"{method} /v1/orgs/:org{path}", {"org": org}
