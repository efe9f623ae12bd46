# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Modules `network` and `network_info` in plays, with Particle's own client as the other party."""

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
def meshed(_registry: Simulator) -> Simulator:
    _registry.reset()
    return _registry


@pytest.fixture
def ids(meshed: Simulator) -> list[str]:
    """Twenty devices, all claimed."""
    ids = [str(device["id"]) for device in meshed.state()["devices"]]
    devices = [{"id": device, "claimed": True} for device in ids]
    run_task("fleet", {"devices": devices}, cloud_environment(meshed.url)).succeeded()
    return ids


def task(cloud: Simulator, module: str, options: dict[str, Any], *args: str) -> dict[str, Any]:
    """The result of one task, which succeeds."""
    return run_task(module, options, cloud_environment(cloud.url), *args).succeeded().result(TASK)


def test_the_official_client_reads_what_network_has_made(meshed: Simulator, ids: list[str]) -> None:
    task(meshed, "network", {"name": "Barn 1", "gateway": ids[0], "members": ids[1:4]})
    task(meshed, "network", {"name": "site", "gateways": ids[4:6], "members": ids[6:18]})
    assert read_mesh_networks(meshed.url) == {
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


def test_network_leaves_as_it_is_what_the_official_client_has_made(meshed: Simulator, ids: list[str]) -> None:
    made = read_mesh_networks(meshed.url, "create", "barn", *ids[:4])
    (network,) = task(meshed, "network_info", {})["networks"]
    assert {device["id"]: device["role"] for device in network["devices"]} == made["barn"]["members"]

    options = {"name": "barn", "gateway": ids[0], "members": ids[1:4], "exact": True}
    result = task(meshed, "network", options, "--check", "--diff")
    assert (result["changed"], result["diff"]) == (False, {"before": {}, "after": {}})

    task(meshed, "network", {"name": "barn", "state": "absent"})
    assert read_mesh_networks(meshed.url) == {}


def test_a_dry_run_writes_nothing_and_shows_the_difference(meshed: Simulator, ids: list[str]) -> None:
    before = meshed.stats()["writes"]
    options = {"name": "barn", "gateway": ids[0], "members": ids[1:3]}
    predicted = task(meshed, "network", options, "--check", "--diff")
    assert meshed.stats()["writes"] == before
    done = task(meshed, "network", options, "--diff")
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    assert (done["cloud"]["writes"], task(meshed, "network", options)["changed"]) == (3, False)


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("network", {"name": "barn", "gateway": "e00fce680000000000000001"}),
        ("network", {"name": "barn", "state": "absent"}),
        ("network_info", {}),
    ],
)
def test_a_cloud_that_has_retired_the_registry_is_told_as_that(
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
def test_what_cannot_be_meant_costs_no_request(simulator: Simulator, options: dict[str, Any], words: str) -> None:
    result = run_task("network", options, cloud_environment(simulator.url)).result(TASK)
    assert result["error"]["code"] == "invalid_manifest"
    assert words in result["msg"]
    assert simulator.stats()["requests"] == 0
