# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The scopes of API users and OAuth clients, and the check of a token's scopes (endpoints.yml: api_user_scopes)."""

from __future__ import annotations

from particle_simulator.errors import api_users_not_allowed, oauth_error
from particle_simulator.model import Token
from particle_simulator.routing import ANY_SCOPE, Route

_BY_RESOURCE = {
    "clients": "create list remove update",
    "configuration": "get update",
    "customers": "list remove update",
    "devices": "get import list ping release remove update",
    "devices.diagnostics": "get update",
    "devices.function": "call",
    "devices.variable": "get",
    "events": "get send",
    "firmware": "create get list release remove update",
    "firmware.binary": "get",
    "groups": "create get list remove update",
    "groups.impact": "get",
    "integrations": "create get list remove test update",
    "ledger.definitions": "archive create get list update",
    "ledger.instances": "get list remove set",
    "ledger.instances.versions": "get list",
    "locations": "get",
    "logic.functions": "create execute get list remove update",
    "logic.logs": "list",
    "logic.runs": "get list",
    "logic.stats": "list",
    "metrics.events": "get",
    "metrics.functions": "get",
    "metrics.integrations": "get",
    "metrics.online": "get",
    "metrics.variables": "get",
    "organization": "get",
    "products": "get list",
    "service_agreements": "list",
    "service_agreements.notifications": "list",
    "service_agreements.usage_reports": "create",
    "sims": "get import list remove update",
    "sims.status": "get",
    "sims.usage": "get",
    "teams.users": "invite list remove update",
}

API_USER_SCOPES = frozenset(
    f"{resource}:{action}" for resource, actions in _BY_RESOURCE.items() for action in actions.split()
)


def check_scope(token: Token, route: Route) -> None:
    """Raise a `Refusal` if the scopes of a token do not include the scope of a route."""
    if token.scopes is not None:
        check_scope_for(token, route.scope)


def check_scope_for(token: Token, scope: str | None) -> None:
    """Raise a `Refusal` if a token is limited to scopes and does not have `scope` (endpoints.yml: scope_errors).

    The error body for a missing scope is not documented. `scope_errors` names two possible error codes. The simulator
    uses the first error code, `invalid_scope`.
    """
    if token.scopes is None or scope == ANY_SCOPE:
        return
    if scope is None:
        raise api_users_not_allowed()
    if scope not in token.scopes:
        raise oauth_error("invalid_scope", f"The access token does not have the scope {scope}")
