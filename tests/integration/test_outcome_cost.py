# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the CPU time of the role per host does not grow with the fleet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support.paths import ROOT
from support.playbooks import run_playbook

HOSTS = 20
TASK = "Assign each host the outcome of its device"


def build_outcome(number: int) -> dict[str, Any]:
    device = f"e00fce68{number:016x}"
    changes = {name: {"before": None, "after": f"{name}-{number}"} for name in ("product", "name", "notes", "mesh")}
    named = {"id": device, "identifier": device, "name": f"name-{number}"}
    return {**named, "status": "changed", "changes": changes, "mesh": None, "error": None}


def walk_tasks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all blocks and tasks, also those in blocks."""
    for task in tasks:
        yield task
        yield from walk_tasks(task.get("block", []))


def measure_cpu(folder: Path, devices: int) -> float:
    """Measure the CPU seconds of a play that assigns outcomes to `HOSTS` hosts of a fleet of so many devices."""
    hosts = {f"unit-{number}": build_outcome(number) for number in range(devices)}
    result = folder / f"{devices}.json"
    result.write_text(json.dumps({"changed": True, "hosts": hosts, "devices": list(hosts.values())}))
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {name: {} for name in list(hosts)[:HOSTS]}}}))
    steps = yaml.safe_load((ROOT / "roles/provision/tasks/main.yml").read_text())
    (assign_outcome,) = [task for task in walk_tasks(steps) if task.get("name") == TASK]
    result_template = "{{ lookup('ansible.builtin.file', '" + str(result) + "') | from_json }}"
    tasks = [
        {"name": "Read", "ansible.builtin.set_fact": {"provision_result": result_template}, "run_once": True},
        {**assign_outcome, "when": True},
    ]
    before = os.times()
    run = run_playbook(
        [{"hosts": "all", "gather_facts": False, "tasks": tasks}],
        args=["-i", str(inventory), "-c", "local"],
        fresh=True,
    ).succeeded()
    after = os.times()
    assigned = [record for record in run.tasks if record.task == TASK]
    assert {record.host: record.result["outcome"] for record in assigned} == dict(list(hosts.items())[:HOSTS])
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_outcome_cost_per_host_does_not_grow_with_the_fleet(tmp_path: Path) -> None:
    assert measure_cpu(tmp_path, 1_000) < 2 * measure_cpu(tmp_path, HOSTS)
