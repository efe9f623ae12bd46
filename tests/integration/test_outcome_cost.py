# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the role does for each host does not grow with the fleet: or a thousand hosts would take a million shares."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml

from support.paths import ROOT
from support.playbooks import run_playbook

HOSTS = 20
TASK = "Assign each host the outcome of its device"


def outcome(number: int) -> dict[str, Any]:
    device = f"e00fce68{number:016x}"
    changes = {name: {"before": None, "after": f"{name}-{number}"} for name in ("product", "name", "notes", "mesh")}
    return {"id": device, "identifier": device, "status": "changed", "changes": changes, "mesh": None, "error": None}


def cpu_of_outcomes(folder: Path, devices: int) -> float:
    """CPU seconds of a play in which each of `HOSTS` hosts is told its part of a fleet of so many devices."""
    hosts = {f"unit-{number}": outcome(number) for number in range(devices)}
    result = folder / f"{devices}.json"
    result.write_text(json.dumps({"changed": True, "hosts": hosts, "devices": list(hosts.values())}))
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {name: {} for name in list(hosts)[:HOSTS]}}}))
    steps = yaml.safe_load((ROOT / "roles/provision/tasks/main.yml").read_text())
    (tell,) = [task for step in steps for task in step.get("block", []) if task["name"] == TASK]
    read = "{{ lookup('ansible.builtin.file', '" + str(result) + "') | from_json }}"
    tasks = [
        {"name": "Read", "ansible.builtin.set_fact": {"provision_result": read}, "run_once": True},
        {**tell, "when": True},
    ]
    before = os.times()
    run = run_playbook(
        [{"hosts": "all", "gather_facts": False, "tasks": tasks}],
        args=["-i", str(inventory), "-c", "local"],
        fresh=True,
    ).succeeded()
    after = os.times()
    told = [record for record in run.tasks if record.task == TASK]
    assert {record.host: record.result["outcome"] for record in told} == dict(list(hosts.items())[:HOSTS])
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_a_host_is_told_its_own_part_at_the_same_cost_in_a_fleet_fifty_times_as_large(tmp_path: Path) -> None:
    assert cpu_of_outcomes(tmp_path, 1_000) < 2 * cpu_of_outcomes(tmp_path, HOSTS)
