# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `product_environment` against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.counts import count
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

MODULE = "meshfleet.particle.product_environment"
PRODUCT = f"/v1/products/{PRODUCT_SLUG}/env"
OWNER = "/v1/env"
LOST = ("reset_after", "empty", "truncated")[: count(quick=1, full=3)]


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "1") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud whose product has no variables."""
    _cloud.reset()
    return _cloud


def play(cloud: Simulator, *args: str, **tasks: dict[str, Any]) -> PlaybookRun:
    """Run tasks with the given names and options. A failed task does not end the play."""
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {MODULE: {"product": PRODUCT_SLUG}},
        "tasks": [
            {"name": name, MODULE: {key: value for key, value in options.items() if key != "check"}}
            | {"ignore_errors": True, **({"check_mode": True} if options.get("check") else {})}
            for name, options in tasks.items()
        ],
    }
    return run_playbook([play], env=cloud_environment(cloud.url), args=args)


def call(cloud: Simulator, method: str, path: str, json: Any = None) -> Any:
    """Send a request without this collection."""
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    answer = requests.request(method, f"{cloud.url}{path}", headers=headers, json=json, timeout=60)
    answer.raise_for_status()
    return answer.json()


def stage(cloud: Simulator, path: str, **values: str | None) -> None:
    """Edit variables, as another person does in the console."""
    ops = [
        {"op": "Set", "key": name, "value": value} if value is not None else {"op": "Unset", "key": name}
        for name, value in values.items()
    ]
    call(cloud, "PATCH", path, {"ops": ops})


def roll_out(cloud: Simulator, path: str) -> None:
    call(cloud, "POST", f"{path}/rollout", {"when": "Connect"})


def read_rolled_out(cloud: Simulator) -> dict[str, str]:
    """Read the product's own variables in the last rollout."""
    snapshot = call(cloud, "GET", PRODUCT)["last_snapshot"] or {"own": {}}
    return {name: item["value"] for name, item in snapshot["own"].items()}


def test_variables_are_set_changed_and_removed_once(cloud: Simulator) -> None:
    first, changed = {"SECONDS": 60, "DEBUG": True, "UNITS": "metric"}, {"SECONDS": "30", "UNITS": "metric"}
    run = play(
        cloud,
        set={"variables": first},
        again={"variables": first},
        change={"variables": changed},
        remove={"variables": {"DEBUG": None, "OTHER": None}, "state": "absent"},
        gone={"variables": {"DEBUG": None}, "state": "absent"},
    )
    names = ("set", "again", "change", "remove", "gone")
    results = [run.result(name) for name in names]
    assert [result["changed"] for result in results] == [True, False, True, True, False]
    assert [result["cloud"]["writes"] for result in results] == [2, 0, 2, 2, 0]
    assert results[0]["environment"]["variables"] == {"SECONDS": "60", "DEBUG": "true", "UNITS": "metric"}
    assert results[2]["changes"] == {"SECONDS": {"before": "60", "after": "30"}}
    assert results[3]["changes"] == {"DEBUG": {"before": "true", "after": None}}
    assert {tuple(result["environment"]["staged"]) for result in results} == {()}
    assert results[4]["environment"]["rolled_out_at"] == call(cloud, "GET", PRODUCT)["last_snapshot"]["rollout_at"]
    assert read_rolled_out(cloud) == results[4]["environment"]["variables"] == changed


def test_check_mode_and_diff_show_what_the_run_does(cloud: Simulator) -> None:
    stage(cloud, PRODUCT, SECONDS="60", UNITS="metric")
    roll_out(cloud, PRODUCT)
    stage(cloud, PRODUCT, SECONDS="45")
    task = {"variables": {"SECONDS": 30, "DEBUG": True}, "state": "exact"}
    writes = cloud.stats()["writes"]
    predicted = play(cloud, "--check", "--diff", task=task).result("task")
    assert cloud.stats()["writes"] == writes
    done = play(cloud, "--diff", task=task).result("task")
    assert {**predicted["environment"], "rolled_out_at": None} == {**done["environment"], "rolled_out_at": None}
    assert (predicted["changed"], predicted["diff"]) == (True, done["diff"])
    assert "SECONDS: value \"'45' (staged; rolled out: '60')\" -> '30'" in done["diff"]["prepared"]
    assert "UNITS: value 'metric' -> null" in done["diff"]["prepared"]
    assert read_rolled_out(cloud) == {"SECONDS": "30", "DEBUG": "true"}


def test_edits_of_other_people_are_published_only_on_request(cloud: Simulator) -> None:
    stage(cloud, PRODUCT, OLD="1")
    roll_out(cloud, PRODUCT)
    stage(cloud, PRODUCT, OLD=None, NEW="2")
    ours = {"variables": {"SECONDS": 60}}
    run = play(
        cloud,
        checked={**ours, "check": True},
        refused=ours,
        edited={**ours, "rollout": "none"},
        predicted={**ours, "publish_staged": True, "check": True},
        published={**ours, "publish_staged": True},
        again={**ours, "publish_staged": True},
    )
    refused, published = run.result("refused"), run.result("published")
    assert refused["error"] == run.result("checked")["error"]
    assert refused["error"]["code"] == "conflict"
    assert refused["error"]["message"].endswith("staged edits that are not declared: NEW, OLD.")
    assert refused["cloud"]["writes"] == 0
    assert run.result("edited")["environment"]["staged"] == ["NEW", "OLD", "SECONDS"]
    assert published["changes"].keys() == {"SECONDS", "NEW", "OLD"}
    assert published["changes"] == run.result("predicted")["changes"]
    assert read_rolled_out(cloud) == {"NEW": "2", "SECONDS": "60"}
    assert (run.result("again")["changed"], run.result("again")["cloud"]["writes"]) == (False, 0)


def test_inherited_variables_are_not_removed(cloud: Simulator) -> None:
    stage(cloud, OWNER, UNITS="metric", REGION="eu")
    roll_out(cloud, OWNER)
    stage(cloud, PRODUCT, REGION="us", OLD="1")
    task = {"variables": {"SECONDS": 60}, "state": "exact"}
    run = play(cloud, exact=task, again=task, inherited={"variables": {"UNITS": ""}, "state": "absent"})
    assert read_rolled_out(cloud) == {"SECONDS": "60"}
    assert call(cloud, "GET", OWNER)["last_snapshot"]["own"].keys() == {"UNITS", "REGION"}
    assert [run.result(name)["changed"] for name in ("exact", "again", "inherited")] == [True, False, False]


def test_rollout_time_is_chosen_by_the_task(cloud: Simulator) -> None:
    device = cloud.state()["devices"][0]["id"]
    call(cloud, "POST", f"/v1/products/{PRODUCT_SLUG}/devices", {"id": device})
    task = {"variables": {"SECONDS": 60}}
    run = play(
        cloud,
        edit={**task, "rollout": "none"},
        edited={**task, "rollout": "none"},
        connect=task,
        immediate={"variables": {"DEBUG": True}, "rollout": "immediate"},
    )
    assert [run.result(name)["cloud"]["writes"] for name in ("edit", "edited", "connect", "immediate")] == [1, 0, 1, 2]
    assert run.result("edit")["environment"]["staged"] == ["SECONDS"]
    assert run.result("connect")["environment"]["staged"] == []
    on_device = call(cloud, "GET", f"{OWNER}/{device}")["on_device"]["rendered"]
    assert on_device == {"SECONDS": "60", "DEBUG": "true"}


@pytest.mark.parametrize("effect", LOST)
def test_lost_responses_end_in_the_declared_state(cloud: Simulator, effect: str) -> None:
    routes = ("PATCH /v1/products/:p/env", "POST /v1/products/:p/env/rollout")
    cloud.set_faults([{"route": route, "effect": effect} for route in routes])
    run = play(cloud, set={"variables": {"SECONDS": 60}}).succeeded()
    assert (run.result("set")["changed"], read_rolled_out(cloud)) == (True, {"SECONDS": "60"})
    assert [fault["fired"] for fault in cloud.faults()] == [1, 1]


def test_mistakes_and_missing_support_are_found_before_a_write(cloud: Simulator) -> None:
    cloud.set_faults([{"route": "GET /v1/products/:p/env", "effect": "status", "status": 404}])
    wrong = {"variables": {"seconds": 60, "PARTICLE_ID": "1", "UNITS": None, "LIST": [1]}}
    run = play(cloud, wrong=wrong, unsupported={"variables": {"SECONDS": 60}})
    refused, unsupported = run.result("wrong"), run.result("unsupported")
    assert refused["error"]["code"] == "invalid_option"
    assert refused["error"]["message"].count("; ") == 3
    assert "cloud" not in refused or refused["cloud"]["requests"] == 0
    assert (unsupported["error"]["code"], unsupported["cloud"]["writes"]) == ("unsupported", 0)
    assert "This cloud has no environment variables" in unsupported["error"]["message"]
