# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the role provision does little for each host, and that this does not grow with the fleet."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paths import ROOT
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator

HOSTS = 20
TASK = "Assign each host the outcome of its device"
TASKS_FOR_EACH_HOST = {"ansible.builtin.validate_argument_spec", "meshfleet.particle.fleet_outcome"}
FILTER_OR_TEST = re.compile(r"\||\bis\b")


def build_outcome(number: int) -> dict[str, Any]:
    device = f"e00fce68{number:016x}"
    changes = {name: {"before": None, "after": f"{name}-{number}"} for name in ("product", "name", "notes", "mesh")}
    named = {"id": device, "identifier": device, "name": f"name-{number}"}
    return {**named, "status": "changed", "changes": changes, "mesh": None, "error": None}


def walk_tasks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all blocks and tasks, including those in blocks."""
    for task in tasks:
        yield task
        yield from walk_tasks(task.get("block", []))


def find_outcome_task() -> dict[str, Any]:
    """Return the task that gives each host the outcome of its device."""
    steps = yaml.safe_load((ROOT / "roles/provision/tasks/main.yml").read_text())
    (task,) = [task for task in walk_tasks(steps) if task.get("name") == TASK]
    return task


def measure_cpu(folder: Path, devices: int) -> float:
    """Measure the CPU seconds of a play that assigns outcomes to `HOSTS` hosts of a fleet of so many devices."""
    hosts = {f"unit-{number}": build_outcome(number) for number in range(devices)}
    result = folder / f"{devices}.json"
    result.write_text(json.dumps({"changed": True, "hosts": hosts, "devices": list(hosts.values())}))
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {name: {} for name in list(hosts)[:HOSTS]}}}))
    result_template = "{{ lookup('ansible.builtin.file', '" + str(result) + "') | from_json }}"
    tasks = [
        {"name": "Read", "ansible.builtin.set_fact": {"provision_result": result_template}, "run_once": True},
        {**find_outcome_task(), "when": True},
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


@pytest.mark.only_full
def test_outcome_cost_per_host_does_not_grow_with_the_fleet(tmp_path: Path) -> None:
    assert measure_cpu(tmp_path, 1_000) < 2 * measure_cpu(tmp_path, HOSTS)


def test_role_runs_only_the_check_and_the_outcome_for_each_host(simulator: Simulator, tmp_path: Path) -> None:
    ids = [device["id"] for device in simulator.state()["devices"]][:3]
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {f"unit-{id}": {"particle_device": {"id": id}} for id in ids}}}))
    variables = {"provision_from_inventory": True, "provision_product": PRODUCT_SLUG}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "roles": [{"role": "meshfleet.particle.provision", "vars": variables}],
    }
    arguments = ["-i", str(inventory), "-c", "local"]
    run = run_playbook([play], env=cloud_environment(simulator.url), args=arguments).succeeded()
    records = Counter(record.action for record in run.tasks if record.host == f"unit-{ids[-1]}")
    assert records == dict.fromkeys(TASKS_FOR_EACH_HOST, 1)


def test_outcome_task_uses_no_filters_and_no_tests() -> None:
    task = find_outcome_task()
    templates = [task["when"], *task["meshfleet.particle.fleet_outcome"].values()]
    assert [template for template in templates if FILTER_OR_TEST.search(template)] == []
