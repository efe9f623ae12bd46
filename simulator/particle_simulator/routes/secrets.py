# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the secrets of an account or an organization.

No response contains the value of a secret. The simulator does not even store the values, because nothing here sends
requests that need them. No scope of API users opens these routes (endpoints.yml: api_user_scopes).
"""

from __future__ import annotations

import re
from typing import Any

from particle_simulator.cloud_secrets import find_users
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Owner, format_time
from particle_simulator.resources import Integration, Secret
from particle_simulator.routes.owners import find_organization
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "secrets"
NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
"""The form of a name. Particle's command line tool checks names by this rule."""


def _find_secret_owner(world: World, call: Call) -> Owner:
    """Find the owner of the secrets: the organization in the request path, or the account of the caller's sandbox."""
    return find_organization(world, call) if "org" in call.path else call.sandbox


def _find_secret(world: World, call: Call) -> tuple[Owner, Secret]:
    """Find the owner and the secret in the request path. The 404 response is inferred, not documented."""
    owner = _find_secret_owner(world, call)
    secret = owner.resources.secrets.get(call.path["name"])
    if secret is None:
        raise plain_error(404, "Secret not found.")
    return owner, secret


def _check_name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise bad_request(
            "name may only contain upper-case letters, digits and underscores, with no digit at the start"
        )
    return value


def _check_value(fields: dict[str, Any]) -> None:
    """Raise a `Refusal` if a secret has no value. The error response is inferred, not documented."""
    value = fields.get("value")
    if not isinstance(value, str) or not value:
        raise bad_request("value is required")


def _build_row(secret: Secret, users: dict[str, list[Integration]]) -> dict[str, Any]:
    """Build the JSON object of a secret. `logic_functions` is empty, because there are no Logic functions here."""
    integrations = [{"id": user.id, "name": user.name} for user in users.get(secret.name, [])]
    return {
        "name": secret.name,
        "created_at": format_time(secret.created_at),
        "updated_at": format_time(secret.updated_at),
        "last_accessed_at": format_time(secret.last_accessed_at),
        "integrations": integrations,
        "logic_functions": [],
    }


def _store_secret(world: World, owner: Owner, name: str) -> Secret:
    """Create a secret, or record that the secret has a new value."""
    now = world.now()
    secret = owner.resources.secrets.setdefault(name, Secret(name, now, now))
    secret.updated_at = now
    return secret


def list_secrets(world: World, call: Call) -> Reply:
    """List the secrets of an account or an organization (endpoints.yml: secrets_list)."""
    owner = _find_secret_owner(world, call)
    users = find_users(world, owner)
    return json_reply({"secrets": [_build_row(secret, users) for secret in owner.resources.secrets.values()]})


def get_secret(world: World, call: Call) -> Reply:
    """Respond with one secret (endpoints.yml: secret_get)."""
    owner, secret = _find_secret(world, call)
    return json_reply({"secret": _build_row(secret, find_users(world, owner))})


def create_secret(world: World, call: Call) -> Reply:
    """Create a secret (endpoints.yml: secret_create). A name that is already used is refused.

    The error responses are inferred, not documented.
    """
    owner = _find_secret_owner(world, call)
    name = _check_name(call.fields.get("name"))
    _check_value(call.fields)
    if name in owner.resources.secrets:
        raise bad_request(f"A secret with the name {name} already exists")
    return json_reply({"secret": _build_row(_store_secret(world, owner, name), {})}, 201)


def put_secret(world: World, call: Call) -> Reply:
    """Create a secret, or give a secret a new value (endpoints.yml: secret_put).

    Particle documents the body `{value}`. The official command line tool sends `{secret: {value}}`. Both are accepted.
    """
    owner = _find_secret_owner(world, call)
    name = _check_name(call.path["name"])
    wrapped = call.fields.get("secret")
    _check_value(wrapped if isinstance(wrapped, dict) else call.fields)
    return json_reply({"secret": _build_row(_store_secret(world, owner, name), find_users(world, owner))})


def delete_secret(world: World, call: Call) -> Reply:
    """Delete a secret (endpoints.yml: secret_delete). A secret that an integration uses is not deleted.

    This rule is documented. The status of the error response is inferred: 400, because no source shows a 409
    (errors-and-limits.md, section 2).
    """
    owner, secret = _find_secret(world, call)
    users = find_users(world, owner).get(secret.name)
    if users:
        raise bad_request(f"The secret is used by the integration {users[0].name}")
    del owner.resources.secrets[secret.name]
    return no_content()


def _build_routes(base: str) -> list[Route]:
    one = f"{base}/:name"
    return [
        Route(GROUP, "secrets_list", "GET", base, list_secrets),
        Route(GROUP, "secret_create", "POST", base, create_secret, kind=Kind.WRITE),
        Route(GROUP, "secret_get", "GET", one, get_secret),
        Route(GROUP, "secret_put", "PUT", one, put_secret, kind=Kind.WRITE),
        Route(GROUP, "secret_delete", "DELETE", one, delete_secret, kind=Kind.WRITE),
    ]


ROUTES = [*_build_routes("/v1/secrets"), *_build_routes("/v1/orgs/:org/secrets")]
