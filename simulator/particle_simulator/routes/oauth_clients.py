# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the OAuth clients of an account or a product."""

from __future__ import annotations

import re
import secrets
from typing import Any

from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Client
from particle_simulator.routes.owners import find_owner
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "oauth_clients"
TYPES = ("installed", "web")
SCOPES = frozenset({"customers:create", "*:*"})
NO_SCOPE = "none"
"""If a request sets this scope, the OAuth client gets full permission."""
MAX_STEM_LENGTH = 35
"""The maximum length of the first part of a client id. The first part is made from the name of the client.

A hyphen and a number of four digits follow. A client id has at most 40 characters.
"""


def build_client_row(client: Client, *, with_secret: bool = False) -> dict[str, Any]:
    """Build the JSON object for an OAuth client (endpoints.yml: oauth_client)."""
    row: dict[str, Any] = {"id": client.id, "name": client.name or client.id, "type": client.type}
    if with_secret:
        row["secret"] = client.secret
    if client.redirect_uri is not None:
        row["redirect_uri"] = client.redirect_uri
    if client.product is not None:
        row["product_id"] = client.product.id
    if client.scope is not None:
        row["scope"] = client.scope
    return row


def _list_owned_clients(world: World, call: Call) -> list[Client]:
    owner = find_owner(world, call)
    if owner.product is not None:
        return [client for client in world.accounts.clients.values() if client.product is owner.product]
    account = owner.account
    return [client for client in world.accounts.clients.values() if client.owner is account and client.product is None]


def _find_client(world: World, call: Call) -> Client:
    """Find the OAuth client in the request path. The 404 response is inferred, not documented."""
    for client in _list_owned_clients(world, call):
        if client.id == call.path["clientId"]:
            return client
    raise plain_error(404, "Client not found.")


def _check_name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise bad_request("name is required")
    return value


def _check_scope(value: Any) -> str | None:
    """Return the scopes of an OAuth client as one string, or None for full permission.

    If a scope is unknown, respond with status 400. This error response is inferred, not documented.
    """
    if value in (None, "", NO_SCOPE):
        return None
    if not isinstance(value, str) or not set(value.split()) <= SCOPES:
        raise bad_request("scope may only contain customers:create and *:*")
    return value


def _make_unused_id(world: World, name: str) -> str:
    """Return an unused client id such as `fleet-bot-4821` for the name `Fleet Bot`."""
    stem = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:MAX_STEM_LENGTH] or "client"
    while True:
        client_id = f"{stem}-{secrets.randbelow(9000) + 1000}"
        if client_id not in world.accounts.clients:
            return client_id


def list_clients(world: World, call: Call) -> Reply:
    """List the OAuth clients of a product or of the caller (endpoints.yml: clients_list)."""
    return json_reply(
        {"ok": True, "clients": [build_client_row(client) for client in _list_owned_clients(world, call)]}
    )


def create_client(world: World, call: Call) -> Reply:
    """Create an OAuth client (endpoints.yml: clients_create)."""
    owner = find_owner(world, call)
    fields = call.fields
    name, kind, redirect = _check_name(fields.get("name")), fields.get("type"), fields.get("redirect_uri")
    if kind not in TYPES:
        raise bad_request("type must be installed or web")
    if kind == "web" and not (isinstance(redirect, str) and redirect):
        raise bad_request("redirect_uri is required for a client of the type web")
    client = Client(
        id=_make_unused_id(world, name),
        secret=secrets.token_hex(20),
        owner=owner.account,
        name=name,
        type=kind,
        redirect_uri=redirect if kind == "web" else None,
        product=owner.product,
        scope=_check_scope(fields.get("scope")),
    )
    world.accounts.clients[client.id] = client
    return json_reply({"ok": True, "client": build_client_row(client, with_secret=True)})


def update_client(world: World, call: Call) -> Reply:
    """Change the name or scope of an OAuth client (endpoints.yml: clients_update).

    The response contains the secret of the client, as in Particle's documented example.
    """
    client = _find_client(world, call)
    if not call.fields.keys() & {"name", "scope"}:
        raise bad_request("name or scope is required")
    name = _check_name(call.fields.get("name", client.name or client.id))
    if "scope" in call.fields:
        client.scope = _check_scope(call.fields["scope"])
    client.name = name
    return json_reply({"ok": True, "client": build_client_row(client, with_secret=True)})


def delete_client(world: World, call: Call) -> Reply:
    """Delete an OAuth client, and revoke all access tokens of the client (endpoints.yml: clients_delete).

    Inferred, not documented: the tokens are revoked.
    """
    client = _find_client(world, call)
    del world.accounts.clients[client.id]
    world.logins.revoke_client(client)
    return no_content()


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:clientId"
    return [
        Route(GROUP, "clients_list", "GET", base, list_clients, scope="clients:list"),
        Route(GROUP, "clients_create", "POST", base, create_client, kind=Kind.WRITE, scope="clients:create"),
        Route(GROUP, "clients_update", "PUT", one, update_client, kind=Kind.WRITE, scope="clients:update"),
        Route(GROUP, "clients_delete", "DELETE", one, delete_client, kind=Kind.WRITE, scope="clients:remove"),
    ]


ROUTES = [*_build_routes("/v1/clients"), *_build_routes("/v1/products/:p/clients")]
