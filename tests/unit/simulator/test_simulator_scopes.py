# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Compare the scope of each route with the facts, and test the routes with the tokens of API users."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import requests
from simulator_client import FREE, Cloud, User

from particle_simulator.routes import TABLE, build_whole_table
from particle_simulator.routing import ANY_SCOPE, Auth, Route
from particle_simulator.scopes import API_USER_SCOPES
from support.facts import load_endpoints

ORG = "scope-testers"
TEAM = f"/v1/orgs/{ORG}/team"
DOCUMENTED_SCOPES = {
    endpoint["id"]: endpoint["scope"]
    for endpoints in load_endpoints().values()
    for endpoint in endpoints
    if "scope" in endpoint
}
"""The scopes in the facts, keyed by the id of the endpoint."""
INFERRED_SCOPES = {
    "token_introspect_current": "needs no scope, because a token describes only itself",
    "token_revoke_current": "needs no scope, because a token revokes only itself",
    "config_product_get": "the notes name the scope for the schema on the same path",
    "config_device_get": "the same",
    "usage_report_get": "the scope of the request that creates the report",
}
"""Endpoints whose routes have a scope, although the facts give none, with the reason for each."""

ROUTES = build_whole_table().routes
SCOPED_ROUTES = [route for route in TABLE.routes if route.scope not in (None, ANY_SCOPE)]
SCOPES = sorted({str(route.scope) for route in SCOPED_ROUTES})
VALUES = {"p": "field-logger", "org": ORG, "id": FREE[0], "idOrName": FREE[0], "deviceId": FREE[0]}
"""Values for the parameters of a path. Every other parameter has a value that does not exist."""


def expand_scope(scope: str, path: str) -> str:
    """Return the scope of one path of an endpoint, in the words of the facts.

    The metrics have one scope for each path. Of two actions such as `list|get`, a path that ends with the name of one
    thing has `get`.
    """
    resource, _unused, actions = scope.partition(":")
    last = path.rpartition("/")[2]
    if "<x>" in resource:
        resource = resource.replace("<x>", "integrations" if last == "integration" else last)
    if "|" in actions:
        assert set(actions.split("|")) == {"list", "get"}
        actions = "get" if last.startswith(":") else "list"
    return f"{resource}:{actions}"


@pytest.mark.parametrize(
    "endpoint", sorted(DOCUMENTED_SCOPES.keys() & {name for route in ROUTES for name in route.ids})
)
def test_each_route_of_an_endpoint_has_the_documented_scope(endpoint: str) -> None:
    routes = [route for route in ROUTES if endpoint in route.ids]
    wrong = {
        route.key: route.scope
        for route in routes
        if route.scope != expand_scope(DOCUMENTED_SCOPES[endpoint], route.path)
    }
    assert wrong == {}


def test_only_routes_with_a_documented_scope_have_a_scope() -> None:
    undocumented = {
        route.id for route in ROUTES if route.scope is not None and not DOCUMENTED_SCOPES.keys() & set(route.ids)
    }
    assert undocumented == set(INFERRED_SCOPES)


# ---------------------------------------------------------------------- requests of API users


@pytest.fixture(scope="module")
def member(cloud_with: Callable[..., Cloud]) -> User:
    """Return a member of an organization that owns the product."""
    user = cloud_with("--org", ORG).user()
    user.bring_in(FREE[0])
    return user


def create_api_user(member: User, scopes: Iterable[str]) -> User:
    answer = member.post(TEAM, {"friendly_name": "bot", "scopes": sorted(scopes)})
    assert answer.status_code == 200, answer.text
    return User(member.cloud, answer.json()["created"]["tokens"][0]["token"])


def send(user: User, route: Route) -> requests.Response:
    """Send an empty request to a route. The body of the response is not read, because it can be an event stream."""
    path = re.sub(r":(\w+)", lambda found: VALUES.get(found[1], "unknown"), route.path)
    answer = user.call(route.method, path, stream=True)
    if "event-stream" not in answer.headers.get("Content-Type", ""):
        _unused = answer.content
    answer.close()
    return answer


def read_code(answer: requests.Response) -> Any:
    """Return the error code of a refusal with status 400, or None."""
    return answer.json().get("error") if answer.status_code == 400 else None


@pytest.mark.parametrize("scope", SCOPES)
def test_api_user_without_a_scope_is_refused_on_each_route(member: User, scope: str) -> None:
    robot = create_api_user(member, API_USER_SCOPES - {scope})
    codes = {route.key: read_code(send(robot, route)) for route in SCOPED_ROUTES if route.scope == scope}
    assert set(codes.values()) == {"invalid_scope"}, codes


@pytest.mark.parametrize("scope", SCOPES)
def test_api_user_with_a_scope_is_admitted_on_each_route(member: User, scope: str) -> None:
    robot = create_api_user(member, [scope])
    codes = {route.key: read_code(send(robot, route)) for route in SCOPED_ROUTES if route.scope == scope}
    assert not set(codes.values()) & {"invalid_scope", "unauthorized"}, codes


def test_api_user_with_all_scopes_is_refused_on_each_route_without_a_scope(member: User) -> None:
    robot = create_api_user(member, API_USER_SCOPES)
    # A response to HEAD has no body that could show the error code.
    closed = [
        route for route in TABLE.routes if route.auth is Auth.BEARER and route.scope is None and route.method != "HEAD"
    ]
    codes = {route.key: read_code(send(robot, route)) for route in closed}
    assert len(codes) > 50
    assert set(codes.values()) == {"unauthorized"}, codes
