# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for ledger definitions. A ledger belongs to the sandbox of an account, or to an organization."""

from __future__ import annotations

import re
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Ledger, Owner, format_time
from particle_simulator.routes.owners import find_organization
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "ledgers"
NAME = re.compile(r"[a-z0-9-]{1,32}")
SCOPES = ("Owner", "Device", "Product")
DIRECTIONS = ("Upstream", "Downstream")
PAGE_SIZE = 100


def find_ledger_owner(world: World, call: Call) -> Owner:
    """Find the owner of the ledgers: the organization in the request path, or the account of the caller's sandbox."""
    return find_organization(world, call) if "org" in call.path else call.sandbox


def find_ledger(world: World, call: Call) -> Ledger:
    """Find the ledger in the request path. The 404 response is inferred, not documented."""
    ledger = find_ledger_owner(world, call).ledgers.get(call.path["name"])
    if ledger is None:
        raise plain_error(404, "Ledger not found.")
    return ledger


def build_ledger_row(ledger: Ledger) -> dict[str, Any]:
    """Build the JSON object for a ledger definition (endpoints.yml: ledger_def)."""
    return {
        "name": ledger.name,
        "scope": ledger.scope,
        "direction": ledger.direction,
        "description": ledger.description,
        "created_at": format_time(ledger.created_at),
        "updated_at": format_time(ledger.updated_at),
        "archived_at": format_time(ledger.archived_at),
    }


def select_page(call: Call, total: int) -> tuple[slice, dict[str, int]]:
    """Return the slice for the requested page of a list, and the `meta` object of the response.

    :param total: The number of entries on all pages.
    """
    page = call.read_number("page", default=1)
    size = call.read_number("perPage", "per_page", default=PAGE_SIZE)
    meta = {"page": page, "per_page": size, "total_pages": max(1, -(-total // size)), "total": total}
    return slice((page - 1) * size, page * size), meta


def _read_definition(call: Call) -> dict[str, Any]:
    """Return the ledger definition in the request body.

    Clients send the definition under the key `ledger`. Particle documents the key `definition`. Both keys are accepted.
    """
    for wrapper in ("ledger", "definition"):
        inner = call.fields.get(wrapper)
        if isinstance(inner, dict):
            return inner
    raise bad_request("ledger is required")


def _check_description(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_request("description must be a string")
    return value


def list_ledgers(world: World, call: Call) -> Reply:
    """List one page of ledgers (endpoints.yml: ledgers_list).

    With `archived=true`, list only archived ledgers. Otherwise list only ledgers that are not archived.
    """
    archived = call.query.get("archived") == "true"
    scope = call.query.get("scope")
    found = [
        ledger
        for ledger in find_ledger_owner(world, call).ledgers.values()
        if (ledger.archived_at is not None) == archived and scope in (None, "", ledger.scope)
    ]
    part, meta = select_page(call, len(found))
    return json_reply({"ledgers": [build_ledger_row(ledger) for ledger in found[part]], "meta": meta})


def get_ledger(world: World, call: Call) -> Reply:
    """Respond with one ledger definition (endpoints.yml: ledger_get)."""
    return json_reply({"ledger": build_ledger_row(find_ledger(world, call))})


def create_ledger(world: World, call: Call) -> Reply:
    """Create a ledger (endpoints.yml: ledger_create).

    A ledger without a direction exists only in the cloud, and is never synchronized with devices. The error responses
    are inferred, not documented.
    """
    fields = _read_definition(call)
    name, scope, direction = fields.get("name"), fields.get("scope"), fields.get("direction")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise bad_request("name must be up to 32 lower-case letters, digits and dashes")
    if scope not in SCOPES:
        raise bad_request(f"scope must be one of {', '.join(SCOPES)}")
    if direction is not None and direction not in DIRECTIONS:
        raise bad_request(f"direction must be one of {', '.join(DIRECTIONS)}")
    ledgers = find_ledger_owner(world, call).ledgers
    if name in ledgers:
        # A name is also taken if the existing ledger has another scope or is archived.
        raise bad_request(f"A ledger with the name {name} already exists")
    now = world.now()
    ledger = Ledger(name, scope, direction, _check_description(fields.get("description")), now, now)
    ledgers[name] = ledger
    return json_reply({"ledger": build_ledger_row(ledger)}, 201)


def update_ledger(world: World, call: Call) -> Reply:
    """Change the description of a ledger (endpoints.yml: ledger_update).

    A request that changes the name, scope or direction is refused. This rule is inferred, not documented.
    """
    ledger = find_ledger(world, call)
    fields = _read_definition(call)
    for fixed in ("name", "scope", "direction"):
        if fields.get(fixed, getattr(ledger, fixed)) != getattr(ledger, fixed):
            raise bad_request(f"{fixed} of a ledger cannot be changed")
    ledger.description = _check_description(fields.get("description", ledger.description))
    ledger.updated_at = world.now()
    return json_reply({"ledger": build_ledger_row(ledger)}, 201)


def archive_ledger(world: World, call: Call) -> Reply:
    """Archive a ledger (endpoints.yml: ledger_archive)."""
    ledger = find_ledger(world, call)
    ledger.archived_at = ledger.archived_at or world.now()
    return no_content()


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:name"
    scope = "ledger.definitions"
    return [
        Route(GROUP, "ledgers_list", "GET", base, list_ledgers, scope=f"{scope}:list"),
        Route(GROUP, "ledger_create", "POST", base, create_ledger, kind=Kind.WRITE, scope=f"{scope}:create"),
        Route(GROUP, "ledger_get", "GET", one, get_ledger, scope=f"{scope}:get"),
        Route(GROUP, "ledger_update", "PUT", one, update_ledger, kind=Kind.WRITE, scope=f"{scope}:update"),
        Route(GROUP, "ledger_archive", "DELETE", one, archive_ledger, kind=Kind.WRITE, scope=f"{scope}:archive"),
    ]


ROUTES = [*_build_routes("/v1/ledgers"), *_build_routes("/v1/orgs/:org/ledgers")]
