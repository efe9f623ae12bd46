# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Cloud secrets are written to the owner of the product, and their values are never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import OURS, client
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Declared,
    Placeholder,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.declarations import check_declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.secrets import SECRETS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ALWAYS, ON_CREATE, plan_changes
from support.scripted import ScriptedCloud

LIST, ONE = "/v1/secrets", "/v1/secrets/API_KEY"
CANARY = "c4nary-value"
DECLARED = Declared("API_KEY", {"value": CANARY})
ABSENT = Declared("API_KEY", absent=True)
ROW: dict[str, Any] = {
    "name": "API_KEY",
    "created_at": "2026-03-02T09:30:00.000Z",
    "updated_at": "2026-03-02T09:30:00.000Z",
    "last_accessed_at": None,
    "integrations": [],
    "logic_functions": [],
}


@pytest.fixture
def target(scripted_cloud: ScriptedCloud) -> Iterator[Target]:
    with client(scripted_cloud.url) as http:
        yield Target(http, OURS, lambda sentence: None)


def reconcile(target: Target, declared: Declared = DECLARED, **options: Any) -> dict[str, Any]:
    return reconcile_resource(target, SECRETS, declared, **{"check_mode": False, **options})


def answer_lists(cloud: ScriptedCloud, *lists: list[dict[str, Any]], path: str = LIST) -> None:
    """Script the lists of secrets, in the order in which they are read."""
    for rows in lists:
        cloud.answer("GET", path, json={"secrets": rows})


@pytest.mark.parametrize(("org", "base"), [(None, "/v1"), ("acme", "/v1/orgs/acme")])
def test_new_secret_is_put_to_the_owner_of_the_product(
    scripted_cloud: ScriptedCloud, target: Target, org: str | None, base: str
) -> None:
    target = replace(target, product=replace(OURS, org=org))
    answer_lists(scripted_cloud, [], [ROW], path=f"{base}/secrets")
    scripted_cloud.answer("PUT", f"{base}/secrets/API_KEY", json={"secret": ROW})
    result = reconcile(target)
    (put,) = scripted_cloud.seen("PUT", f"{base}/secrets/API_KEY")
    assert put.json == {"secret": {"value": CANARY}}
    assert (result["changed"], result["secret"]) == (True, ROW)
    assert result["changes"] == {"value": {"before": None, "after": "********"}}


@pytest.mark.parametrize(("when", "writes"), [(ON_CREATE, 0), (ALWAYS, 1)])
def test_existing_secret_is_written_only_if_asked(
    scripted_cloud: ScriptedCloud, target: Target, when: str, writes: int
) -> None:
    answer_lists(scripted_cloud, [ROW], [ROW])
    scripted_cloud.answer("PUT", ONE, json={"secret": ROW})
    result = reconcile(target, update_secrets=when)
    assert (result["changed"], len(scripted_cloud.seen("PUT", ONE))) == (bool(writes), writes)
    assert result["not_compared"] == ["value"]
    assert "of cloud secret API_KEY, so they cannot be compared: value." in result["msg"]


def test_secret_that_exists_is_left_alone_without_a_value(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [ROW])
    result = reconcile(target, Declared("API_KEY"), update_secrets=ALWAYS)
    assert (result["changed"], result["not_compared"], "msg" in result) == (False, [], False)


def test_check_mode_shows_the_times_that_are_known(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [], [ROW])
    new = reconcile(target, check_mode=True)
    assert new["secret"] == {**dict.fromkeys(ROW), "name": "API_KEY"}
    assert reconcile(target, check_mode=True, update_secrets=ALWAYS)["secret"] == ROW


@pytest.mark.parametrize("effect", ["reset", "truncate"])
def test_lost_response_to_a_write_is_repeated(scripted_cloud: ScriptedCloud, target: Target, effect: Any) -> None:
    answer_lists(scripted_cloud, [], [ROW])
    scripted_cloud.answer("PUT", ONE, json={"secret": ROW}, effect=effect).answer("PUT", ONE, json={"secret": ROW})
    assert reconcile(target)["changed"]
    assert [put.json for put in scripted_cloud.seen("PUT", ONE)] == [{"secret": {"value": CANARY}}] * 2


def test_secret_that_exists_after_an_unreadable_response_counts_as_written(
    scripted_cloud: ScriptedCloud, target: Target
) -> None:
    scripted_cloud.answer("PUT", ONE, body="<html>", repeat=True)
    answer_lists(scripted_cloud, [], [ROW], [ROW])
    result = reconcile(target)
    assert (result["changed"], "failed" in result) == (True, False)


def test_refused_write_does_not_quote_the_response(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [])
    scripted_cloud.answer("PUT", ONE, 400, json={"error": f"bad value {CANARY[:8]}"})
    result = reconcile(target)
    assert result["failed"]
    assert "Could not write cloud secret API_KEY" in result["msg"]
    assert CANARY[:8] not in json.dumps({**result, "diff": str(result["diff"])})


def test_users_are_listed_by_name_in_every_known_form(scripted_cloud: ScriptedCloud, target: Target) -> None:
    users = {
        "integrations": [{"id": "1", "name": "readings"}, {"id": "2"}],
        "logic_functions": ["sum", {"name": "max"}],
    }
    answer_lists(scripted_cloud, [{**ROW, **users}], [{"name": "API_KEY"}])
    assert reconcile(target)["secret"] == {**ROW, "integrations": ["readings", "2"], "logic_functions": ["sum", "max"]}
    unused = {"integrations": [], "logic_functions": []}
    assert reconcile(target)["secret"] == {**dict.fromkeys(ROW), "name": "API_KEY", **unused}


@pytest.mark.parametrize("check_mode", [True, False])
def test_used_secret_is_not_removed_and_ten_users_are_named(
    scripted_cloud: ScriptedCloud, target: Target, check_mode: bool
) -> None:
    hooks = [{"id": str(number), "name": f"hook-{number}"} for number in range(11)]
    answer_lists(scripted_cloud, [{**ROW, "integrations": hooks, "logic_functions": ["sum\n"]}])
    with pytest.raises(ParticleError, match=r"API_KEY is in use: integration hook-0, .* hook-9 and 2 more") as caught:
        reconcile(target, ABSENT, check_mode=check_mode)
    assert caught.value.code == "conflict"


def test_unused_secret_is_removed(scripted_cloud: ScriptedCloud, target: Target) -> None:
    answer_lists(scripted_cloud, [ROW], [])
    scripted_cloud.answer("DELETE", ONE, 204)
    result = reconcile(target, ABSENT)
    assert (result["changed"], result["secret"], result["changes"]) == (True, None, {})


def test_new_secret_without_a_value_is_refused(scripted_cloud: ScriptedCloud, target: Target) -> None:
    for declared in (Declared("API_KEY"), Declared("API_KEY", {"value": Placeholder("key")})):
        answer_lists(scripted_cloud, [])
        with pytest.raises(
            ParticleError, match=r"cannot be created without value|needs secrets that are not given: key"
        ):
            reconcile(target, declared)


@pytest.mark.parametrize("name", ["api_key", "1KEY", "A-B", "", "KEY\n", "A" * 129])
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ParticleError, match="is not a valid name: use up to 128 upper-case letters"):
        check_declared(SECRETS, Declared(name, {"value": "text"}))


@pytest.mark.parametrize("name", ["A", "_", "API_KEY2", "A" * 128])
@pytest.mark.parametrize("value", ["text", Placeholder("key")])
def test_valid_declaration_is_accepted(name: str, value: Any) -> None:
    check_declared(SECRETS, Declared(name, {"value": value}))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1234567, "must be a string, got a number; put it in quotes"),
        (True, "must be a string, got true"),
        (["c4nary"], "must be a string, got a list"),
        ({"a": "c4nary"}, "must be a string, got a mapping"),
        ("", "cannot be empty"),
    ],
)
def test_value_that_is_not_a_text_is_refused_without_showing_it(value: Any, words: str) -> None:
    with pytest.raises(ParticleError, match=f"'key' is not a valid name.*; value {words}") as caught:
        check_declared(SECRETS, Declared("key", {"value": value}))
    assert caught.value.code == "invalid_option"
    assert not any(part in caught.value.message for part in ("1234567", "c4nary"))


@given(st.text(min_size=1), st.booleans(), st.sampled_from([ON_CREATE, ALWAYS]))
def test_no_plan_shows_a_value(text: str, exists: bool, when: str) -> None:
    declared = Declared("API_KEY", {"value": f"{CANARY}{text}"})
    (change,) = plan_changes(SECRETS, {"API_KEY": ROW} if exists else {}, [declared], update_secrets=when)
    assert (change.action is Action.NONE) == (exists and when == ON_CREATE)
    assert CANARY not in repr(change)
