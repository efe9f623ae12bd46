# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `ledger` against the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import requests

from support.counts import count
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

CREATE = "POST /v1/ledgers"
UPDATE = "PUT /v1/ledgers/:name"
ARCHIVE = "DELETE /v1/ledgers/:name"
ORGANIZATION = "acme"
NEW: dict[str, Any] = {"scope": "device", "direction": "downstream", "description": "What each logger measures"}
ABSENT = {"state": "absent"}
LOST = ("reset_after", "empty", "truncated")[: count(quick=1, full=3)]


@pytest.fixture(scope="module")
def _organization() -> Iterator[Simulator]:
    with running_simulator("--org", ORGANIZATION) as simulator:
        yield simulator


@pytest.fixture
def organization(_organization: Simulator) -> Simulator:
    """A cloud whose product belongs to an organization."""
    _organization.reset()
    return _organization


def run(cloud: Simulator, *tasks: Mapping[str, Any], args: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Run one task for each mapping of options, even after a failure, and return their results.

    The key `_check_mode` is a key of the task, not an option.
    """
    named = [
        {
            "name": f"Task {number}",
            "meshfleet.particle.ledger": {
                **{"product": PRODUCT_SLUG, "name": "settings"},
                **{name: value for name, value in options.items() if name != "_check_mode"},
            },
            "ignore_errors": True,
            "check_mode": bool(options.get("_check_mode")),
        }
        for number, options in enumerate(tasks)
    ]
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": named}]
    done = run_playbook(plays, env=cloud_environment(cloud.url), args=args)
    assert len(done.tasks) == len(tasks), done.output
    return [done.result(f"Task {number}") for number in range(len(tasks))]


def list_ledgers(cloud: Simulator, base: str = "", **query: str) -> dict[str, dict[str, Any]]:
    """List ledgers without this collection, keyed by name."""
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    answer = requests.get(f"{cloud.url}/v1{base}/ledgers", headers=headers, params=query, timeout=30)
    answer.raise_for_status()
    return {row["name"]: row for row in answer.json()["ledgers"]}


def test_ledger_is_created_described_and_archived(simulator: Simulator) -> None:
    steps = (NEW, NEW, {"description": ""}, {"description": ""}, ABSENT, ABSENT)
    results = run(simulator, *steps, args=["--diff"])
    assert [result["changed"] for result in results] == [True, False] * 3
    assert [result["cloud"]["writes"] for result in results] == [1, 0] * 3
    assert results[0]["ledger"] == {"name": "settings", **NEW}
    assert results[2]["diff"] == {"prepared": "settings: description 'What each logger measures' -> null\n"}
    assert (list_ledgers(simulator), list(list_ledgers(simulator, archived="true"))) == ({}, ["settings"])


def test_check_mode_predicts_each_state_without_a_write(simulator: Simulator) -> None:
    checked = [{**options, "_check_mode": True} for options in (NEW, ABSENT, {**NEW, "description": "other"}, ABSENT)]
    results = run(simulator, *checked[:2], NEW, *checked[2:], args=["--diff"])
    assert [result["changed"] for result in results] == [True, False, True, True, True]
    assert [result["cloud"]["writes"] for result in results] == [0, 0, 1, 0, 0]
    assert (results[0]["ledger"], results[0]["diff"]) == (results[2]["ledger"], results[2]["diff"])
    assert results[3]["ledger"] == {"name": "settings", **NEW, "description": "other"}


def test_archived_ledger_and_other_definition_are_refused(simulator: Simulator) -> None:
    other = {"scope": "product", "direction": "upstream"}
    _new, differing, _archived, *taken = run(simulator, NEW, other, ABSENT, NEW, {**NEW, "_check_mode": True})
    assert "scope is device, not product and direction is downstream, not upstream" in differing["msg"]
    for result in taken:
        assert "a ledger of this name is archived, and keeps its name" in result["msg"]
    assert {result["error"]["code"] for result in (differing, *taken)} == {"conflict"}
    assert [result["cloud"]["writes"] for result in (differing, *taken)] == [0, 0, 0]


def test_ledger_of_an_organization_serves_all_its_products(organization: Simulator) -> None:
    results = run(organization, {"scope": "owner"}, {"scope": "owner"})
    assert [result["changed"] for result in results] == [True, False]
    assert results[0]["ledger"] == {"name": "settings", "scope": "owner", "direction": None, "description": None}
    assert list(list_ledgers(organization, f"/orgs/{ORGANIZATION}")) == ["settings"]
    assert list_ledgers(organization) == {}


@pytest.mark.parametrize("effect", LOST)
def test_lost_responses_end_in_the_declared_state(simulator: Simulator, effect: str) -> None:
    simulator.set_faults([{"route": route, "effect": effect} for route in (CREATE, UPDATE, ARCHIVE)])
    results = run(simulator, NEW, {"description": "other"}, ABSENT)
    assert [(result["changed"], "error" in result) for result in results] == [(True, False)] * 3
    assert [fault["fired"] for fault in simulator.faults()] == [1, 1, 1]
    assert list(list_ledgers(simulator, archived="true")) == ["settings"]


def test_mistakes_are_named_before_any_request(simulator: Simulator) -> None:
    before = simulator.stats()["requests"]
    name, reserved, scope = run(simulator, {"name": "Settings"}, {"name": "rollouts"}, {"scope": "Device"})
    assert "'Settings' is not a valid name" in name["msg"]
    assert "the name rollouts is reserved" in reserved["msg"]
    assert "value of scope must be one of: device, owner, product" in scope["msg"]
    assert simulator.stats()["requests"] == before
