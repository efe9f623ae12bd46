# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Environment variables are read and written on the routes of a product and of a device."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    CONNECT,
    IMMEDIATE,
    Level,
    Scope,
    build_device_scope,
    build_product_scope,
    edit_variables,
    read_level,
    start_rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud

PRODUCT = "/v1/products/31337/env"
DEVICE = "/v1/env/e00fce68aabbccddeeff0022"
INHERITED = {"UNITS": {"from": "Owner", "value": "metric"}}
AT = "2026-03-02T09:30:00.000Z"
SCOPES = [(PRODUCT, build_product_scope("31337")), (DEVICE, build_device_scope("e00fce68aabbccddeeff0022"))]


def wrap(values: dict[str, Any]) -> dict[str, Any]:
    return {"own": {name: {"value": value} for name, value in values.items()}, "inherited": INHERITED}


@pytest.mark.parametrize(("path", "scope"), SCOPES)
def test_only_the_variables_of_the_scope_itself_are_read(
    http: Http, scripted_cloud: ScriptedCloud, path: str, scope: Scope
) -> None:
    snapshot = {**wrap({"A": "1", "B": "2", "C": "3"}), "rollout_at": AT}
    scripted_cloud.answer("GET", path, json={"latest": wrap({"A": "1", "C": "4", "D": ""}), "last_snapshot": snapshot})
    level = read_level(http, scope)
    assert level == Level({"A": "1", "C": "4", "D": ""}, {"A": "1", "B": "2", "C": "3"}, AT)
    assert level.staged == ["B", "C", "D"]
    assert level.edit({"A": None, "C": "5"}) == {"C": "5", "D": ""}


@pytest.mark.parametrize("more", [{"last_snapshot": None}, {}])
def test_scope_without_a_rollout_has_only_edits(
    http: Http, scripted_cloud: ScriptedCloud, more: dict[str, Any]
) -> None:
    scripted_cloud.answer("GET", PRODUCT, json={"latest": wrap({"A": "1"}), **more})
    assert read_level(http, build_product_scope("31337")) == Level({"A": "1"}, {}, None)


@pytest.mark.parametrize(
    "answer",
    [[], {}, {"latest": None}, {"latest": {"own": ["A"]}}, {"latest": {"own": {"A": "1"}}}, {"latest": wrap({"A": 1})}],
)
def test_response_without_variables_is_refused(http: Http, scripted_cloud: ScriptedCloud, answer: Any) -> None:
    scripted_cloud.answer("GET", PRODUCT, json=answer)
    with pytest.raises(ParticleError, match="the response contains no variables") as caught:
        read_level(http, build_product_scope("31337"))
    assert caught.value.code == "bad_response"


@pytest.mark.parametrize("answer", [{"json": {"error": "not_found"}}, {"body": "Cannot GET /v1/products/31337/env"}])
def test_cloud_without_environment_variables_is_named(
    http: Http, scripted_cloud: ScriptedCloud, answer: dict[str, Any]
) -> None:
    scripted_cloud.answer("GET", PRODUCT, 404, **answer)
    with pytest.raises(ParticleError, match="This cloud has no environment variables for product 31337") as caught:
        read_level(http, build_product_scope("31337"))
    assert (caught.value.code, caught.value.status) == ("unsupported", 404)


@pytest.mark.parametrize(("path", "scope"), SCOPES)
def test_edits_are_sent_as_one_list_of_operations(
    http: Http, scripted_cloud: ScriptedCloud, path: str, scope: Scope
) -> None:
    scripted_cloud.answer("PATCH", path, json={"latest": wrap({}), "last_snapshot": None})
    edit_variables(http, scope, {"A": "1", "B": None, "C": ""})
    (sent,) = scripted_cloud.requests
    set_a, unset_b = {"op": "Set", "key": "A", "value": "1"}, {"op": "Unset", "key": "B"}
    assert sent.json == {"ops": [set_a, unset_b, {"op": "Set", "key": "C", "value": ""}]}


def test_edit_with_a_lost_response_is_sent_again(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PATCH", PRODUCT, effect="reset").answer("PATCH", PRODUCT, json=wrap({}))
    edit_variables(http, build_product_scope("31337"), {"A": "1"})
    assert len(scripted_cloud.requests) == 2


@pytest.mark.parametrize("when", [CONNECT, IMMEDIATE])
@pytest.mark.parametrize(("path", "scope"), SCOPES)
def test_rollout_names_its_time(http: Http, scripted_cloud: ScriptedCloud, path: str, scope: Scope, when: str) -> None:
    scripted_cloud.answer("POST", f"{path}/rollout", json={"success": True})
    start_rollout(http, scope, when)
    assert scripted_cloud.requests[0].json == {"when": when}


@pytest.mark.parametrize("answer", [{"effect": "reset"}, {"body": ""}])
def test_rollout_with_a_lost_response_is_not_sent_again(
    http: Http, scripted_cloud: ScriptedCloud, answer: dict[str, Any]
) -> None:
    scripted_cloud.answer("POST", f"{PRODUCT}/rollout", **answer)
    with pytest.raises(ParticleError) as caught:
        start_rollout(http, build_product_scope("31337"), CONNECT)
    assert caught.value.code == "ambiguous_write"
    assert len(scripted_cloud.requests) == 1
