# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the modules `network` and `network_info` together with Particle's official client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.official_client import read_mesh_networks
from support.plays import TASK, cloud_environment, run_task
from support.simulator import Simulator, running_simulator


@pytest.fixture(scope="module")
def _registry() -> Iterator[Simulator]:
    with running_simulator("--fleet", "20", "--mesh", "enabled") as simulator:
        yield simulator


@pytest.fixture
def mesh_cloud(_registry: Simulator) -> Simulator:
    _registry.reset()
    return _registry


@pytest.fixture
def ids(mesh_cloud: Simulator) -> list[str]:
    """The ids of twenty devices, which are all claimed."""
    ids = [str(device["id"]) for device in mesh_cloud.state()["devices"]]
    devices = [{"id": device, "claimed": True} for device in ids]
    run_task("fleet", {"devices": devices}, cloud_environment(mesh_cloud.url)).succeeded()
    return ids


def run_module(cloud: Simulator, module: str, options: dict[str, Any], *args: str) -> dict[str, Any]:
    """Run one task, which must succeed, and return its result."""
    return run_task(module, options, cloud_environment(cloud.url), *args).succeeded().result(TASK)


def test_official_client_reads_networks_of_the_module(mesh_cloud: Simulator, ids: list[str]) -> None:
    run_module(mesh_cloud, "network", {"name": "Barn 1", "gateway": ids[0], "members": ids[1:4]})
    run_module(mesh_cloud, "network", {"name": "site", "gateways": ids[4:6], "members": ids[6:18]})
    assert read_mesh_networks(mesh_cloud.url) == {
        "Barn 1": {
            "type": "micro_cellular",
            "state": "confirmed",
            "members": {ids[0]: "gateway", **dict.fromkeys(ids[1:4], "node")},
        },
        "site": {
            "type": "large_site",
            "state": "confirmed",
            "members": {**dict.fromkeys(ids[4:6], "gateway"), **dict.fromkeys(ids[6:18], "node")},
        },
    }


def test_module_reads_keeps_and_removes_a_network_of_the_client(mesh_cloud: Simulator, ids: list[str]) -> None:
    created = read_mesh_networks(mesh_cloud.url, "create", "barn", *ids[:4])
    (network,) = run_module(mesh_cloud, "network_info", {})["networks"]
    assert {device["id"]: device["role"] for device in network["devices"]} == created["barn"]["members"]

    options = {"name": "barn", "gateway": ids[0], "members": ids[1:4], "exact": True}
    result = run_module(mesh_cloud, "network", options, "--check", "--diff")
    assert (result["changed"], result["diff"]) == (False, {"prepared": ""})

    run_module(mesh_cloud, "network", {"name": "barn", "state": "absent"})
    assert read_mesh_networks(mesh_cloud.url) == {}


def test_check_mode_writes_nothing_and_predicts_the_diff(mesh_cloud: Simulator, ids: list[str]) -> None:
    before = mesh_cloud.stats()["writes"]
    options = {"name": "barn", "gateway": ids[0], "members": ids[1:3]}
    predicted = run_module(mesh_cloud, "network", options, "--check", "--diff")
    assert mesh_cloud.stats()["writes"] == before
    done = run_module(mesh_cloud, "network", options, "--diff")
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    assert (done["cloud"]["writes"], run_module(mesh_cloud, "network", options)["changed"]) == (3, False)


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("network", {"name": "barn", "gateway": "e00fce680000000000000001"}),
        ("network", {"name": "barn", "state": "absent"}),
        ("network_info", {}),
    ],
)
def test_retired_registry_is_reported_as_unsupported(
    simulator: Simulator, module: str, options: dict[str, Any]
) -> None:
    run = run_task(module, options, cloud_environment(simulator.url))
    error = run.result(TASK)["error"]
    assert (run.rc != 0, error["code"], error["route"]) == (True, "unsupported", "GET /v1/networks")
    assert "backend ledger" in error["hint"]
    assert simulator.stats()["writes"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "barn"}, "is declared without a gateway"),
        ({"name": "barn", "gateway": "zero"}, "'zero' is not a device id"),
        ({"name": "a name that is too long", "state": "absent"}, "allows 1 to 16 bytes"),
        ({"name": "barn", "gateway": "e00fce680000000000000001", "limit": 0}, "at least 1"),
    ],
)
def test_invalid_options_are_refused_before_any_request(
    simulator: Simulator, options: dict[str, Any], words: str
) -> None:
    result = run_task("network", options, cloud_environment(simulator.url)).result(TASK)
    assert result["error"]["code"] == "invalid_manifest"
    assert words in result["msg"]
    assert simulator.stats()["requests"] == 0
