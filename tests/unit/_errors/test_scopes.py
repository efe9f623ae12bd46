# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a refusal because of scopes names the scope, or says that no scope helps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors import scopes
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.facts import read_endpoints
from support.scripted import ScriptedCloud

SECRET = "pskd-J01NME"
CLOSED = {"error": "unauthorized", "error_description": "API users are not allowed to call this endpoint"}


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings in parsed YAML."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


@pytest.fixture(scope="module")
def facts() -> list[dict[str, Any]]:
    return list(walk(read_endpoints()))


def refuse(cloud: ScriptedCloud, route: str, answer: dict[str, Any], *, private: bool = False) -> ParticleError:
    """Return the error of a request that the cloud refuses with `answer`."""
    method, path = route.split()
    params = {"name": "x", "p": "x", "scopeValue": "x", "id": "x", "org": "x"}
    concrete = "/".join("x" if part.startswith(":") else part for part in path.split("/"))
    cloud.answer(method, concrete, 403, json=answer)
    used = {name: value for name, value in params.items() if f":{name}" in path.split("/")}
    http = Http(Connection(cloud.url))
    with pytest.raises(ParticleError) as caught:
        http.send(Request(route, "do it", used, private=private))
    http.close()
    assert caught.value.code == "missing_scope"
    return caught.value


def test_closed_list_contains_the_scopes_of_the_facts(facts: list[dict[str, Any]]) -> None:
    (listed,) = [entry["api_user_scopes"] for entry in facts if "api_user_scopes" in entry]
    names = {f"{name.partition(':')[0]}:{action}" for name in listed for action in name.partition(":")[2].split("|")}
    assert names == scopes.API_USER_SCOPES
    assert set(scopes.FLEET_SCOPES) <= names


def test_scope_of_each_route_is_that_of_the_facts(facts: list[dict[str, Any]]) -> None:
    known: dict[str, set[str | None]] = {}
    for entry in facts:
        for path in (entry.get("path"), entry.get("product_path"), entry.get("org_path")):
            known.setdefault(f"{entry.get('method')} {path}", set()).add(entry.get("scope"))
    for route, scope in scopes._SCOPES_BY_ROUTE.items():
        assert scope in known[route], route


@pytest.mark.parametrize(
    "route", ["PUT /v1/ledgers/:name/instances/:scopeValue", "PUT /v1/orgs/:org/ledgers/:name/instances/:scopeValue"]
)
@pytest.mark.parametrize("names_scope", [True, False])
def test_refused_ledger_names_its_scope_but_no_secret(
    scripted_cloud: ScriptedCloud, no_proxies: None, route: str, names_scope: bool
) -> None:
    words = f"No scope ledger.instances:set for {SECRET}" if names_scope else f"No for {SECRET}"
    error = refuse(scripted_cloud, route, {"error": "invalid_scope", "error_description": words}, private=True)
    assert "Add the scope ledger.instances:set to the API user" in error.hint
    assert ("names the scope ledger.instances:set" in error.message) is names_scope
    assert SECRET not in str(error.as_failure())


@pytest.mark.parametrize(
    ("route", "answer"),
    [
        ("GET /v1/devices", CLOSED),
        ("GET /v1/products/:p/devices", CLOSED),
        ("GET /v1/user", {"error": "unauthorized", "error_description": "No."}),
    ],
)
def test_api_user_on_a_closed_route_gets_no_advice_to_add_a_scope(
    scripted_cloud: ScriptedCloud, no_proxies: None, route: str, answer: dict[str, Any]
) -> None:
    error = refuse(scripted_cloud, route, answer)
    assert "API users cannot make this call, whatever scopes they have" in error.message
    assert error.hint.startswith("Set product if the devices are in a product")


def test_nothing_is_claimed_about_the_scope_of_an_unlisted_route(
    scripted_cloud: ScriptedCloud, no_proxies: None
) -> None:
    answer = {"error": "unauthorized", "error_description": "No."}
    error = refuse(scripted_cloud, "GET /v1/products/31337/locations", answer)
    assert "the access token does not have the scope for this call (HTTP 403: No.)" in error.message
    assert "whatever scopes" not in error.message


def test_scope_of_the_call_is_named_where_the_cloud_names_none(scripted_cloud: ScriptedCloud, no_proxies: None) -> None:
    answer = {"error": "unauthorized", "error_description": "No."}
    assert "Add the scope devices:list to" in refuse(scripted_cloud, "GET /v1/products/:p/devices", answer).hint


@pytest.mark.parametrize("text", ["", "secret:hush", "devices:", "devices:steal", "http://x:8080", "DEVICES:LIST"])
def test_words_outside_the_closed_list_are_not_scopes(text: str) -> None:
    assert scopes.find_scopes(text) == []
    assert scopes.find_scopes(f"{text} (devices:list), 'ledger.instances:get'.") == [
        "devices:list",
        "ledger.instances:get",
    ]
