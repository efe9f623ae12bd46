# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the queries by which an automation controller counts the devices in the results of tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from support.paths import ROOT
from support.playbooks import run_playbook
from support.plays import cloud_environment, manifest_for
from support.rollouts import NEW, Driver, running_product
from support.simulator import PASSWORD, PRODUCT_SLUG, Simulator, running_simulator

PREFIX = "meshfleet.particle."
QUERIES: dict[str, str] = {
    module.removeprefix(PREFIX): entry["query"]
    for module, entry in yaml.safe_load((ROOT / "extensions" / "audit" / "event_query.yml").read_text()).items()
}
COMPILED = {module: jq.compile(query) for module, query in QUERIES.items()}
WITHOUT_DEVICES = {
    *("access_token", "access_token_info", "auth_doctor"),
    *("product", "product_info", "device_group", "firmware", "firmware_info", "integration", "ledger", "secret"),
    *("api_probe", "api_request", "api_user", "product_environment", "publish_event", "sim"),
    # The boards of a Thread network have no device id.
    *("thread_network", "thread_network_info"),
}
# The outcomes that this module assigns to the hosts are already in the result of `fleet`.
REPEATS_DEVICES = {"fleet_outcome"}
# Modules of Ansible whose results can contain devices of this collection.
OF_ANSIBLE = {"ansible.builtin.gather_facts"}

FLEET = 5
UNKNOWN = "e00fce68ffffffffffffffff"


def list_records(module: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    """List the records that a controller extracts from the result of a task, which it receives as JSON."""
    found: list[dict[str, Any]] = COMPILED[module].input_text(json.dumps(result)).all()
    return found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    """A cloud with all features, including the retired mesh networks."""
    with running_simulator("--fleet", str(FLEET), "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def ids(cloud: Simulator) -> list[str]:
    return sorted(device["id"] for device in cloud.state()["devices"])


@pytest.fixture(scope="module")
def results(cloud: Simulator, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The result of each kind of task, all on one fleet."""
    network = {"name": "field", "gateway": ids[0], "members": ids[1:3]}
    tasks: dict[str, tuple[str, dict[str, Any]]] = {
        "fleet": ("fleet", {"manifest": manifest_for(cloud, claimed=True)}),
        "fleet again": ("fleet", {"manifest": manifest_for(cloud, claimed=True)}),
        "fleet in part": (
            "fleet",
            {"devices": [{"id": ids[0], "name": "barn-0000"}, {"id": UNKNOWN, "name": "unknown"}], "fail": False},
        ),
        "device": ("device", {"id": ids[0], "product": PRODUCT_SLUG, "notes": "north wall"}),
        "fleet in check mode": ("fleet", {"manifest": manifest_for(cloud, claimed=True, notes="new")}),
        "device_call": ("device_call", {"product": PRODUCT_SLUG, "function": "led", "argument": "on"}),
        "device_call in check mode": ("device_call", {"product": PRODUCT_SLUG, "function": "led"}),
        "device in check mode": ("device", {"id": ids[0], "product": PRODUCT_SLUG, "notes": "new"}),
        "network in check mode": ("network", {**network, "members": ids[1:]}),
        "device_info": ("device_info", {"product": PRODUCT_SLUG}),
        "device_facts": ("device_facts", {"id": ids[1], "product": PRODUCT_SLUG}),
        "network": ("network", network),
        "network_info": ("network_info", {"members": True}),
    }
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    **{"name": name, f"{PREFIX}{module}": options},
                    **{"ignore_errors": True, "check_mode": "check mode" in name},
                }
                for name, (module, options) in tasks.items()
            ],
        }
    ]
    run = run_playbook(plays, env=cloud_environment(cloud.url)).succeeded()
    return {name: run.result(name) for name in tasks}


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("fleet", slice(None)),
        ("fleet again", slice(None)),
        ("fleet in part", slice(0, 1)),
        ("device", slice(0, 1)),
        ("device in check mode", slice(0, 0)),
        ("network in check mode", slice(0, 0)),
        ("fleet in check mode", slice(0, 0)),
        ("device_call", slice(None)),
        ("device_call in check mode", slice(0, 0)),
        ("device_info", slice(None)),
        ("device_facts", slice(1, 2)),
        ("network", slice(0, 3)),
        ("network_info", slice(0, 3)),
    ],
)
def test_each_device_of_a_task_is_counted_once(
    results: dict[str, dict[str, Any]], ids: list[str], task: str, expected: slice
) -> None:
    found = list_records(task.split(" ")[0], results[task])
    assert sorted(record["canonical_facts"]["id"] for record in found) == ids[expected]


def test_rollout_counts_the_devices_that_are_updated(tmp_path: Path) -> None:
    with running_product(tmp_path, FLEET) as simulator:
        driver = Driver(simulator, {"waves": [{"count": 2}, {"percent": 100}]})
        began = driver.run()
        simulator.advance(600)
        results = [driver.run(check_mode=True), driver.run(), driver.info()]
        truth = driver.truth()
    updated = sorted(device for device, found in truth.items() if found["firmware_version"] == NEW)
    assert (len(updated), list_ids("rollout", began)) == (2, [])
    for result in results:
        assert list_ids("rollout", result) == updated
    assert list_ids("rollout_info", results[-1]) == updated


def list_ids(module: str, result: dict[str, Any]) -> list[str]:
    """List the ids of the devices that a controller counts."""
    return sorted(record["canonical_facts"]["id"] for record in list_records(module, {**result, "diff": None}))


def test_device_has_the_same_canonical_facts_in_every_task(results: dict[str, dict[str, Any]], ids: list[str]) -> None:
    """A controller merges records only if their canonical facts are equal."""
    records = [record for task, result in results.items() for record in list_records(task.split(" ")[0], result)]
    assert sorted({json.dumps(record["canonical_facts"]) for record in records}) == [
        json.dumps({"id": device}) for device in ids
    ]
    assert {json.dumps(record["facts"]) for record in records} == {
        json.dumps({"infra_type": "Edge", "infra_bucket": "IoT", "device_type": "Particle device"})
    }


def test_record_shows_the_device_name_or_else_the_id(results: dict[str, dict[str, Any]], ids: list[str]) -> None:
    assert {record["name"] for record in list_records("device_info", results["device_info"])} == {
        f"barn-{number:04}" for number in range(FLEET)
    }
    (nameless,) = list_records("device_info", {"devices": [{"id": ids[0], "name": None}]})
    assert nameless["name"] == ids[0]


def test_records_contain_neither_password_nor_notes(results: dict[str, dict[str, Any]]) -> None:
    records = json.dumps([list_records(task.split(" ")[0], result) for task, result in results.items()])
    assert PASSWORD not in records
    assert "north wall" not in records


@pytest.mark.parametrize("module", sorted(QUERIES))
@pytest.mark.parametrize(
    "result",
    [
        {},
        {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"},
        {"censored": "the output has been hidden", "changed": True},
        {"failed": True, "msg": "no", "devices": None, "networks": None, "managed": None},
        {"changed": True, "results": [{"devices": []}]},
    ],
)
def test_result_without_devices_gives_no_record(module: str, result: dict[str, Any]) -> None:
    assert list_records(module, result) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "managed": JSON | st.dictionaries(st.text(), st.none() | st.text(), max_size=3),
        "devices": JSON | st.lists(JSON | st.fixed_dictionaries({"id": JSON, "status": JSON}), max_size=3),
        "networks": JSON | st.lists(st.fixed_dictionaries({"devices": JSON}), max_size=2),
        "ansible_facts": JSON | st.fixed_dictionaries({"particle": JSON}),
    },
)


@given(SHAPES)
def test_query_accepts_results_of_any_shape(result: dict[str, Any]) -> None:
    for module in QUERIES:
        for record in list_records(module, result):
            assert isinstance(record["canonical_facts"]["id"], str)


def test_every_module_that_returns_devices_has_a_query() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py")}
    assert set(QUERIES) - OF_ANSIBLE == modules - WITHOUT_DEVICES - REPEATS_DEVICES
