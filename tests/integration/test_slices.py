# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the role in a sliced job of an automation controller, with one execution node per slice.

The test uses the programs of a controller. A controller sorts the hosts of an inventory by name and deals them to the
slices in turn: `hosts[slice - 1::count]`. It packs each slice with the project and the credentials by
`ansible-runner transmit`, and sends it to an execution node. There `ansible-runner worker` runs the job and returns
its events, which the controller reads by `ansible-runner process`. All slices have the same variables, and a slice
does not know its number. In this test the nodes are network namespaces with one address each (`support.machines`),
and files replace the network between the nodes and the controller.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.declared import expect_state, normalize_state
from support.machines import CLOUD, Machine, find_runner, machines, run
from support.playbooks import ansible_environment
from support.plays import cloud_environment, manifest_for
from support.simulator import PASSWORD, running_simulator

SIZE = 2_000
ADDRESSES = ("127.0.0.2", "127.0.0.3")
NETWORKS = [f"site-{number:02}" for number in range(10)]
NEW_GROUPS = len(NETWORKS) + len(("mesh-gateway", "mesh-node"))
PLAY = [{"hosts": "all", "gather_facts": False, "roles": ["meshfleet.particle.provision"]}]


def select_slice(hosts: dict[str, Any], number: int, of: int) -> dict[str, Any]:
    """Return the hosts of a slice; the first slice has the number 1."""
    return {name: hosts[name] for name in sorted(hosts)[number - 1 :: of]}


def write_job(folder: Path, hosts: dict[str, Any], variables: dict[str, Any]) -> None:
    """Write the files of a job: the project, the inventory of the slice, the variables and the credentials."""
    contents = {
        "project/provision.yml": PLAY,
        "inventory/hosts.json": {"all": {"hosts": hosts}},
        "env/extravars": variables,
        "env/envvars": cloud_environment(CLOUD),
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


@dataclass(frozen=True)
class Slice:
    """The result of a slice, as the controller receives it."""

    rc: int
    status: str
    events: list[dict[str, Any]]
    received: str

    def results(self, task: str) -> list[dict[str, Any]]:
        """Return the successful results of a task, one per host. The runner omits very large results."""
        return [
            event["event_data"]["res"]
            for event in self.events
            if event["event"] == "runner_on_ok" and event["event_data"]["task"] == task
        ]


def run_slice(folder: Path, machine: Machine) -> Slice:
    """Transmit the job in `folder`, run it on the machine, and process the answer."""
    env = ansible_environment(machine.home, {})
    job, answer, processed = (folder.with_suffix(f".{name}") for name in ("job", "answer", "processed"))
    assert run([find_runner(), "transmit", str(folder), "-p", "provision.yml"], None, job, env) == 0, job.read_text()
    machine.work(job, answer)
    back = folder.with_suffix(".back")
    back.mkdir()
    run([find_runner(), "process", str(back), "-i", "slice"], answer, processed, env)
    artifacts = back / "artifacts" / "slice"
    status = artifacts / "status"
    assert status.exists(), answer.read_text()[-5000:] + processed.read_text()[-5000:]
    events = [json.loads(path.read_text()) for path in sorted((artifacts / "job_events").glob("*.json"))]
    return Slice(int((artifacts / "rc").read_text()), status.read_text(), events, answer.read_text())


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
            write_job(job, select_slice(hosts, number, len(jobs)), variables)
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
