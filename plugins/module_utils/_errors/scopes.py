# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain refusals because of the scopes of an access token. Private to this collection.

Only the tokens of API users have scopes (endpoints.yml: team_and_api_users). There are two kinds of refusals: the token
does not have the scope of the call, or no API user may make the call (endpoints.yml: scope_errors).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_ACTIONS = {
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
API_USER_SCOPES = frozenset(f"{subject}:{action}" for subject, words in _ACTIONS.items() for action in words.split())
"""All scopes that an API user can have (endpoints.yml: api_user_scopes)."""

FLEET_SCOPES = (
    *("products:get", "devices:list", "devices:import", "devices:update", "groups:list", "groups:create"),
    *("ledger.definitions:list", "ledger.definitions:create", "ledger.instances:list", "ledger.instances:set"),
)
"""The scopes of the calls that provision a product with device groups and networks."""

_SCOPES_BY_ROUTE: Mapping[str, str] = {
    "DELETE /v1/devices/:id": "devices:release",
    "DELETE /v1/ledgers/:name/instances/:scopeValue": "ledger.instances:remove",
    "DELETE /v1/products/:p/devices/:id": "devices:remove",
    "DELETE /v1/products/:p/devices/:id/owner": "devices:release",
    "DELETE /v1/products/:p/firmware/:version": "firmware:remove",
    "DELETE /v1/products/:p/groups/:name": "groups:remove",
    "DELETE /v1/products/:p/integrations/:id": "integrations:remove",
    "DELETE /v1/products/:p/team/:username": "teams.users:remove",
    "GET /v1/devices/:id/:varName": "devices.variable:get",
    "GET /v1/devices/:idOrName": "devices:get",
    "GET /v1/diagnostics/:deviceId/last": "devices.diagnostics:get",
    "GET /v1/ledgers": "ledger.definitions:list",
    "GET /v1/ledgers/:name/instances": "ledger.instances:list",
    "GET /v1/ledgers/:name/instances/:scopeValue": "ledger.instances:get",
    "GET /v1/orgs/:org/products": "products:list",
    "GET /v1/products/:p": "products:get",
    "GET /v1/products/:p/devices": "devices:list",
    "GET /v1/products/:p/devices/:id": "devices:get",
    "GET /v1/products/:p/devices/:id/:varName": "devices.variable:get",
    "GET /v1/products/:p/diagnostics/:deviceId/last": "devices.diagnostics:get",
    "GET /v1/products/:p/firmware": "firmware:list",
    "GET /v1/products/:p/firmware/:version/binary": "firmware.binary:get",
    "GET /v1/products/:p/groups": "groups:list",
    "GET /v1/products/:p/impact": "groups.impact:get",
    "GET /v1/products/:p/integrations": "integrations:list",
    "GET /v1/products/:p/integrations/:id": "integrations:get",
    "GET /v1/products/:p/team": "teams.users:list",
    "POST /v1/ledgers": "ledger.definitions:create",
    "POST /v1/products/:p/devices": "devices:import",
    "POST /v1/products/:p/events": "events:send",
    "POST /v1/products/:p/firmware": "firmware:create",
    "POST /v1/products/:p/groups": "groups:create",
    "POST /v1/products/:p/integrations": "integrations:create",
    "POST /v1/products/:p/team": "teams.users:invite",
    "POST /v1/products/:p/team/:username": "teams.users:update",
    "PUT /v1/devices/:idOrName": "devices:update",
    "PUT /v1/ledgers/:name/instances/:scopeValue": "ledger.instances:set",
    "PUT /v1/products/:p/devices": "devices:update",
    "PUT /v1/products/:p/devices/:id": "devices:update",
    "PUT /v1/products/:p/devices/:id/ping": "devices:ping",
    "PUT /v1/products/:p/firmware/:version": "firmware:update",
    "PUT /v1/products/:p/firmware/release": "firmware:release",
    "PUT /v1/products/:p/integrations/:id": "integrations:update",
    "PUT /v1/products/:p/team/:username": "teams.users:update",
}

_ACCOUNT_ONLY = "API users cannot make this call, whatever scopes they have"
_USE_PERSON = "Use the token of a person, for example with username and password: API users cannot manage API users."
_TEAM = "/team"
_USE_PRODUCT = (
    "Set product if the devices are in a product, or use the token of a person, for example with username and password."
)


def find_scopes(text: str) -> list[str]:
    """Return the scopes of the closed list that ``text`` names, in order. The result therefore contains no secret."""
    words = re.findall(r"[a-z_]+(?:\.[a-z_]+)*:[a-z]+", text)
    return [word for word in dict.fromkeys(words) if word in API_USER_SCOPES]


def get_route_scope(route: str) -> str | None:
    """Return the scope that a call needs; ``None`` if no scope is known, or if API users cannot make the call.

    :param route: the method and path template of the call.
    """
    return _SCOPES_BY_ROUTE.get(route) or _SCOPES_BY_ROUTE.get(route.replace("/v1/orgs/:org/", "/v1/"))


def _is_named_by_user(route: str) -> bool:
    """Return whether a route has the id of a product or an organization in place of a placeholder.

    Such a route is named by the user, and :data:`_SCOPES_BY_ROUTE` does not contain its scope.
    """
    return re.search(r" /v1/(?:products|orgs)/[^:/]", route) is not None


def explain_missing_scope(word: str, text: str, route: str) -> tuple[str, str] | None:
    """Return the cause and a hint for a refusal because of scopes; ``None`` if neither scope nor cause is known.

    :param word: the error word of the cloud.
    :param text: the error message of the cloud.
    :param route: the method and path template of the refused call.
    """
    own = get_route_scope(route)
    scopes = find_scopes(text) or ([own] if own else [])
    is_closed = word == "unauthorized" and not scopes and not _is_named_by_user(route)
    if "api users are not allowed" in text.lower() or is_closed:
        return _ACCOUNT_ONLY, _USE_PERSON if _TEAM in route else _USE_PRODUCT
    if not scopes:
        return None
    cause = "the access token does not have the scope for this call"
    if _TEAM in route:
        return cause, _USE_PERSON
    return cause, (
        f"Add the scope {join_scopes(scopes)} to the API user, which replaces its token, or use another account."
    )


def join_scopes(scopes: Iterable[str]) -> str:
    """Return scopes as a part of a sentence."""
    return " and ".join(scopes)
