# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the role in a sliced job of an automation controller, with one execution node per slice."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.declared import expect_state, normalize_state
from support.machines import machines
from support.plays import manifest_for
from support.simulator import PASSWORD, running_simulator
from support.slices import run_slice, select_slice, write_job

SIZE = 2_000
ADDRESSES = ("127.0.0.2", "127.0.0.3")
NETWORKS = [f"site-{number:02}" for number in range(10)]
NEW_GROUPS = len(NETWORKS) + len(("mesh-gateway", "mesh-node"))
PLAY = [{"hosts": "all", "gather_facts": False, "roles": ["meshfleet.particle.provision"]}]


@pytest.mark.only_full
@pytest.mark.timeout(1800)
def test_two_nodes_with_half_of_the_inventory_each_provision_all_of_it(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with running_simulator("--fleet", str(SIZE), "--limits", "documented") as cloud:
        manifest = manifest_for(cloud, NETWORKS)
        manifest["networks"] = {name: {"parameters": {"channel": 11 + at}} for at, name in enumerate(NETWORKS)}
        declared = expect_state(normalize_state(cloud.state()), manifest)
        gateways = {
            name: [d["id"] for d in manifest["devices"] if d["mesh"] == {"network": name, "role": "gateway"}]
            for name in NETWORKS
        }
        variables = {
            "provision_from_inventory": True,
            "provision_product": manifest["product"],
            # A slice knows only its own hosts, so the gateways of all slices are declared.
            "provision_networks": {
                name: {**network, "gateways": gateways[name]} for name, network in manifest["networks"].items()
            },
            "provision_lock": "none",
        }
        hosts = {device["name"]: {"particle_device": device} for device in manifest["devices"]}
        jobs = [tmp_path / f"slice-{number}" for number in (1, 2)]
        for number, job in enumerate(jobs, start=1):
            write_job(job, PLAY, select_slice(hosts, number, len(jobs)), variables=variables)
        with machines(cloud.url, ADDRESSES, tmp_path) as nodes, ThreadPoolExecutor(len(jobs)) as pool:
            slices = list(pool.map(run_slice, jobs, nodes))
        stats, state = cloud.stats(), cloud.state()

    for part in slices:
        assert (part.rc, part.status) == (0, "successful"), part.received[-5000:]
        outcomes = [result["outcome"] for result in part.results("Assign each host the outcome of its device")]
        assert len(outcomes) == SIZE / 2
        assert {outcome["status"] for outcome in outcomes} == {"changed"}
        # The answer contains the environment that the controller has sent, so only the events are checked.
        assert PASSWORD not in json.dumps(part.events)
    assert normalize_state(state) == declared
    assert set(stats["by_address"]) == set(ADDRESSES)
    assert sum(stats["by_address"].values()) == stats["requests"]
    assert max(stats["by_address"].values()) <= 2.05 * SIZE / 2 + 2 * NEW_GROUPS + 20 + 2 * SIZE / 100
    assert (stats["throttled"], stats["grants"], stats["revocations"]) == (0, 2, 2)
    requests = ", ".join(f"{number} from {address}" for address, number in stats["by_address"].items())
    figures = f"two nodes: {len(state['devices'])} devices, requests: {requests}, 429s = {stats['throttled']}"
    record_property("said", figures)
