# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The definitions of ledgers are created, described and archived at the owner of the product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import OURS, client

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.ledgers import LEDGERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from support.scripted import ScriptedCloud

LIST, ONE = "/v1/ledgers", "/v1/ledgers/settings"
ROW: dict[str, Any] = {
    "name": "settings",
    "scope": "Device",
    "direction": "Downstream",
    "description": "old",
    "created_at": "2026-03-02T09:30:00.000Z",
    "archived_at": None,
}
SHOWN = {"name": "settings", "scope": "device", "direction": "downstream", "description": "old"}
NEW = Declared("settings", {"scope": "device", "direction": "downstream", "description": "old"})
ABSENT = Declared("settings", absent=True)


@pytest.fixture
def target(scripted_cloud: ScriptedCloud) -> Iterator[Target]:
    with client(scripted_cloud.url) as http:
        yield Target(http, OURS, lambda sentence: None)


def reconcile(target: Target, declared: Declared = NEW, **options: Any) -> dict[str, Any]:
    return reconcile_resource(target, LEDGERS, declared, **{"check_mode": False, **options})


def answer_lists(cloud: ScriptedCloud, *lists: list[dict[str, Any]], path: str = LIST) -> None:
    """Script the lists of ledgers, in the order in which they are read."""
    for rows in lists:
        cloud.answer("GET", path, json={"ledgers": rows, "meta": {"total_pages": 1}})


@pytest.mark.parametrize(("org", "base"), [(None, "/v1"), ("acme", "/v1/orgs/acme")])
def test_new_ledger_is_created_at_the_owner_in_the_spelling_of_the_cloud(
    scripted_cloud: ScriptedCloud, target: Target, org: str | None, base: str
) -> None:
    target = replace(target, product=replace(OURS, org=org))
    answer_lists(scripted_cloud, [], [], [ROW], path=f"{base}/ledgers")
    scripted_cloud.answer("POST", f"{base}/ledgers", 201, json={"ledger": ROW})
    result = reconcile(target)
    (post,) = scripted_cloud.seen("POST", f"{base}/ledgers")
    assert post.json == {"ledger": {key: ROW[key] for key in ("name", "scope", "direction", "description")}}
    assert (result["changed"], result["ledger"]) == (True, SHOWN)
    archived = [seen.query.get("archived") for seen in scripted_cloud.seen("GET", f"{base}/ledgers")]
    assert archived == [None, "true", None]


def test_ledger_without_a_direction_is_created_in_the_cloud_alone(
    scripted_cloud: ScriptedCloud, target: Target
) -> None:
    row = {"name": "settings", "scope": "Owner", "direction": None, "description": ""}
    answer_lists(scripted_cloud, [], [], [row])
    scripted_cloud.answer("POST", LIST, 201, json={"ledger": row})
    result = reconcile(target, Declared("settings", {"scope": "owner"}))
    (post,) = scripted_cloud.seen("POST", LIST)
    assert post.json == {"ledger": {"name": "settings", "scope": "Owner"}}
    assert result["ledger"] == {"name": "settings", "scope": "owner", "direction": None, "description": None}


@pytest.mark.parametrize("check_mode", [True, False])
def test_archived_ledger_keeps_its_name(scripted_cloud: ScriptedCloud, target: Target, check_mode: bool) -> None:
    archived = {**ROW, "archived_at": "2026-03-03T09:30:00.000Z"}
    answer_lists(scripted_cloud, [archived], [archived])
    with pytest.raises(ParticleError, match="a ledger of this name is archived, and keeps its name") as caught:
        reconcile(target, check_mode=check_mode)
    assert (caught.value.code, caught.value.hint) == ("conflict", "Declare the ledger under another name.")


@pytest.mark.parametrize("text", ["new", ""])
@pytest.mark.parametrize("direction", ["Downstream", None])
def test_change_of_the_description_sends_the_whole_definition(
    scripted_cloud: ScriptedCloud, target: Target, text: str, direction: str | None
) -> None:
    row = {**ROW, "direction": direction}
    answer_lists(scripted_cloud, [row], [{**row, "description": text}])
    scripted_cloud.answer("PUT", ONE, 201, json={"ledger": row})
    result = reconcile(target, Declared("settings", {"description": text}))
    (put,) = scripted_cloud.seen("PUT", ONE)
    kept = {"direction": direction} if direction else {}
    assert put.json == {"ledger": {"name": "settings", "scope": "Device", "description": text, **kept}}
    assert result["changes"] == {"description": {"before": "old", "after": text or None}}


def test_same_definition_is_not_written(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [ROW])
    result = reconcile(target)
    assert (result["changed"], result["ledger"], len(scripted_cloud.requests)) == (False, SHOWN, 1)


def test_scope_and_direction_of_a_ledger_cannot_change(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [{**ROW, "direction": None}])
    with pytest.raises(ParticleError, match="scope is device, not owner and direction is not set, not upstream"):
        reconcile(target, Declared("settings", {"scope": "owner", "direction": "upstream"}))


def test_new_ledger_needs_a_scope(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [])
    with pytest.raises(ParticleError, match="it cannot be created without scope"):
        reconcile(target, Declared("settings", {"direction": "upstream"}))


def test_absent_ledger_is_archived(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [ROW], [])
    scripted_cloud.answer("DELETE", ONE, 204)
    result = reconcile(target, ABSENT)
    assert (result["changed"], result["ledger"]) == (True, None)


def test_lost_response_to_a_creation_creates_the_ledger_once(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [], [], [ROW], [ROW])
    scripted_cloud.answer("POST", LIST, 201, json={"ledger": ROW}, effect="reset")
    result = reconcile(target)
    assert (result["changed"], "failed" in result) == (True, False)


@pytest.mark.parametrize("name", ["Settings", "a_b", "", "a" * 33, "a\n"])
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ParticleError, match="is not a valid name: use up to 32 lower-case letters"):
        check_declared(LEDGERS, Declared(name))


@pytest.mark.parametrize("name", ["mesh", "mesh-status", "rollouts"])
def test_ledger_of_networks_or_rollouts_is_reserved(name: str) -> None:
    assert LEDGERS.is_reserved({**ROW, "name": name})
    assert not LEDGERS.is_reserved({**ROW, "name": f"{name}-2"})
    with pytest.raises(ParticleError, match=f"the name {name} is reserved for a ledger that networks or rollouts"):
        check_declared(LEDGERS, Declared(name))
