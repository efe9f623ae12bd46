# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A fleet past one machine: the role runs unchanged where an automation controller sends the slices of a job.

What a controller does is taken from what it is made of. It cuts an inventory into slices of hosts, sorted by name and
dealt out in turn: `hosts[slice - 1::count]`. It packs each slice, the project and the credentials with
`ansible-runner transmit`, sends them to an execution node, where `ansible-runner worker` runs them and sends back what
happens, event by event, and it reads that with `ansible-runner process`. All slices are given the same variables, and
none is told which it is. Here the nodes are network namespaces with an address each (`support.machines`), and what
stands between them and the controller is a file instead of a network.
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


def slice_of(hosts: dict[str, Any], number: int, of: int) -> dict[str, Any]:
    """The hosts of one slice, the first of which has the number 1."""
    return {name: hosts[name] for name in sorted(hosts)[number - 1 :: of]}


def write_job(folder: Path, hosts: dict[str, Any], variables: dict[str, Any]) -> None:
    """What a controller packs: the project, the inventory of the slice, the variables and the credentials."""
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
    """What the controller learns of a slice."""

    rc: int
    status: str
    events: list[dict[str, Any]]
    received: str

    def results(self, task: str) -> list[dict[str, Any]]:
        """The results of a task that did well, one of each host. What is very large a controller is not told."""
        return [
            event["event_data"]["res"]
            for event in self.events
            if event["event"] == "runner_on_ok" and event["event_data"]["task"] == task
        ]


def run_slice(folder: Path, machine: Machine) -> Slice:
    """Transmit the job in `folder`, let the machine do it, and process what comes back."""
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
def test_two_nodes_with_half_of_an_inventory_each_provision_all_of_it(
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
            # A slice sees only its own hosts: what it must know of the others is said whole.
            "provision_networks": {
                name: {**network, "gateways": gateways[name]} for name, network in manifest["networks"].items()
            },
            "provision_lock": "none",
        }
        hosts = {device["name"]: {"particle_device": device} for device in manifest["devices"]}
        jobs = [tmp_path / f"slice-{number}" for number in (1, 2)]
        for number, job in enumerate(jobs, start=1):
            write_job(job, slice_of(hosts, number, len(jobs)), variables)
        with machines(cloud.url, ADDRESSES, tmp_path) as nodes, ThreadPoolExecutor(len(jobs)) as pool:
            slices = list(pool.map(run_slice, jobs, nodes))
        stats, state = cloud.stats(), cloud.state()

    for part in slices:
        assert (part.rc, part.status) == (0, "successful"), part.received[-5000:]
        outcomes = [result["outcome"] for result in part.results("Assign each host the outcome of its device")]
        assert len(outcomes) == SIZE / 2
        assert {outcome["status"] for outcome in outcomes} == {"changed"}
        # The runner itself tells the controller its environment, which had it from there; what happens tells nothing.
        assert PASSWORD not in json.dumps(part.events)
    assert normalize_state(state) == declared
    assert set(stats["by_address"]) == set(ADDRESSES)
    assert sum(stats["by_address"].values()) == stats["requests"]
    assert max(stats["by_address"].values()) <= 2.05 * SIZE / 2 + 2 * NEW_GROUPS + 20 + 2 * SIZE / 100
    assert (stats["throttled"], stats["grants"], stats["revocations"]) == (0, 2, 2)
    each = ", ".join(f"{number} from {address}" for address, number in stats["by_address"].items())
    said = f"two nodes: {len(state['devices'])} devices, requests: {each}, 429s = {stats['throttled']}"
    record_property("said", said)
