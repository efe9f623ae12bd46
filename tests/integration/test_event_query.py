# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An automation controller learns from the results of tasks which devices they have looked after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from support.paths import ROOT
from support.playbooks import run_playbook
from support.plays import cloud_environment, manifest_for
from support.simulator import PASSWORD, PRODUCT_SLUG, Simulator, running_simulator

PREFIX = "meshfleet.particle."
QUERIES: dict[str, str] = {
    module.removeprefix(PREFIX): entry["query"]
    for module, entry in yaml.safe_load((ROOT / "extensions" / "audit" / "event_query.yml").read_text()).items()
}
COMPILED = {module: jq.compile(query) for module, query in QUERIES.items()}
ABOUT_NO_DEVICE = {"access_token", "access_token_info", "auth_doctor", "integration"}
# The outcomes that it hands to the hosts are those of `fleet`, whose own result has them already.
TELLS_AGAIN = {"fleet_outcome"}

FLEET = 5
UNKNOWN = "e00fce68ffffffffffffffff"


def counted(module: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    """What a controller takes out of the result of a task, which reaches it as JSON."""
    found: list[dict[str, Any]] = COMPILED[module].input_text(json.dumps(result)).all()
    return found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    """A cloud that has everything, old mesh networks too."""
    with running_simulator("--fleet", str(FLEET), "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def ids(cloud: Simulator) -> list[str]:
    return sorted(device["id"] for device in cloud.state()["devices"])


@pytest.fixture(scope="module")
def results(cloud: Simulator, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The result of a task of each kind, on one fleet."""
    network = {"name": "field", "gateway": ids[0], "members": ids[1:3]}
    tasks: dict[str, tuple[str, dict[str, Any]]] = {
        "fleet": ("fleet", {"manifest": manifest_for(cloud, claimed=True)}),
        "fleet again": ("fleet", {"manifest": manifest_for(cloud, claimed=True)}),
        "fleet in part": (
            "fleet",
            {"devices": [{"id": ids[0], "name": "barn-0000"}, {"id": UNKNOWN, "name": "nobody"}], "fail": False},
        ),
        "device": ("device", {"id": ids[0], "product": PRODUCT_SLUG, "notes": "north wall"}),
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
                {"name": name, f"{PREFIX}{module}": options, "ignore_errors": True}
                for name, (module, options) in tasks.items()
            ],
        }
    ]
    run = run_playbook(plays, env=cloud_environment(cloud.url)).succeeded()
    return {name: run.result(name) for name in tasks}


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("fleet", slice(None)),
        ("fleet again", slice(None)),
        ("fleet in part", slice(0, 1)),
        ("device", slice(0, 1)),
        ("device_info", slice(None)),
        ("device_facts", slice(1, 2)),
        ("network", slice(0, 3)),
        ("network_info", slice(0, 3)),
    ],
)
def test_the_devices_of_a_task_are_counted_each_once_and_no_others(
    results: dict[str, dict[str, Any]], ids: list[str], task: str, wanted: slice
) -> None:
    found = counted(task.split(" ")[0], results[task])
    assert sorted(record["canonical_facts"]["id"] for record in found) == ids[wanted]


def test_a_device_is_the_same_one_whichever_task_has_met_it(results: dict[str, dict[str, Any]], ids: list[str]) -> None:
    """A controller takes records for one device when their canonical facts are equal, to the last key."""
    records = [record for task, result in results.items() for record in counted(task.split(" ")[0], result)]
    assert sorted({json.dumps(record["canonical_facts"]) for record in records}) == [
        json.dumps({"id": device}) for device in ids
    ]
    assert {json.dumps(record["facts"]) for record in records} == {
        json.dumps({"infra_type": "Edge", "infra_bucket": "IoT", "device_type": "Particle device"})
    }


def test_a_device_is_shown_by_its_name_and_by_its_id_without_one(
    results: dict[str, dict[str, Any]], ids: list[str]
) -> None:
    assert {record["name"] for record in counted("device_info", results["device_info"])} == {
        f"barn-{number:04}" for number in range(FLEET)
    }
    (nameless,) = counted("device_info", {"devices": [{"id": ids[0], "name": None}]})
    assert nameless["name"] == ids[0]


def test_nothing_but_id_and_name_gets_into_the_count(results: dict[str, dict[str, Any]]) -> None:
    told = json.dumps([counted(task.split(" ")[0], result) for task, result in results.items()])
    assert PASSWORD not in told
    assert "north wall" not in told


@pytest.mark.parametrize("module", sorted(QUERIES))
@pytest.mark.parametrize(
    "result",
    [
        {},
        {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"},
        {"censored": "the output has been hidden", "changed": True},
        {"failed": True, "msg": "no", "error": {"code": "unreachable"}, "devices": None, "networks": None},
        {"changed": True, "results": [{"devices": []}]},
    ],
)
def test_a_result_without_devices_counts_none(module: str, result: dict[str, Any]) -> None:
    assert counted(module, result) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SHAPES = st.fixed_dictionaries(
    {},
    optional={
        "device": JSON,
        "devices": JSON | st.lists(JSON | st.fixed_dictionaries({"id": JSON, "status": JSON}), max_size=3),
        "networks": JSON | st.lists(st.fixed_dictionaries({"devices": JSON}), max_size=2),
        "ansible_facts": JSON | st.fixed_dictionaries({"particle": JSON}),
    },
)


@given(SHAPES)
def test_no_result_of_any_shape_brings_the_count_down(result: dict[str, Any]) -> None:
    for module in QUERIES:
        for record in counted(module, result):
            assert isinstance(record["canonical_facts"]["id"], str)


def test_every_module_that_tells_of_devices_has_a_query() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py")}
    assert set(QUERIES) == modules - ABOUT_NO_DEVICE - TELLS_AGAIN
