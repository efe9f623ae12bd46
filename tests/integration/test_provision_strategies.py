# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the role provision leaves no token with the strategies and the batches of a play."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator

OBTAIN = "Obtain an access token"
STRANGER = "e00fce68aabbccddeeff0bad"


def write_hosts(cloud: Simulator, folder: Path, *more: str) -> Path:
    """Write an inventory of six devices of the cloud and of the devices `more`."""
    ids = [device["id"] for device in cloud.state()["devices"]][:6] + list(more)
    hosts = {f"line-{number}": {"particle_device": {"id": device}} for number, device in enumerate(ids)}
    path = folder / "hosts.json"
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    return path


def run_role(cloud: Simulator, hosts: Path, role: dict[str, Any], **keywords: Any) -> PlaybookRun:
    play = {"hosts": "all", "gather_facts": False, "roles": [role], **keywords}
    return run_playbook([play], env=cloud_environment(cloud.url), args=["-i", str(hosts)])


def provision_hosts() -> dict[str, Any]:
    options = {"from_inventory": True, "product": PRODUCT_SLUG, "networks": {"barn": {}}}
    return {"role": "meshfleet.particle.provision", "vars": {f"provision_{name}": options[name] for name in options}}


@pytest.mark.parametrize(
    ("strategy", "role"),
    [
        ("free", provision_hosts()),
        ("host_pinned", provision_hosts()),
        ("ansible.builtin.free", {"role": "meshfleet.particle.provision", "tasks_from": "mesh_audit"}),
    ],
)
def test_strategy_that_ignores_run_once_is_refused_before_any_login(
    simulator: Simulator, tmp_path: Path, strategy: str, role: dict[str, Any]
) -> None:
    hosts = write_hosts(simulator, tmp_path)
    if "tasks_from" in role:
        tasks = [{"ansible.builtin.include_role": {"name": role["role"], "tasks_from": role["tasks_from"]}}]
        play = {"hosts": "all", "gather_facts": False, "strategy": strategy, "tasks": tasks}
        run = run_playbook([play], env=cloud_environment(simulator.url), args=["-i", str(hosts)])
    else:
        run = run_role(simulator, hosts, role, strategy=strategy)
    assert run.rc != 0
    failures = [task.result for task in run.tasks if task.task == OBTAIN]
    assert failures, "the first failure may fail the other hosts before they run the task"
    for result in failures:
        assert result["error"]["code"] == "invalid_option"
        assert f"Strategy {strategy} ignores run_once, so this task would run for each of the 6 hosts" in result["msg"]
        assert "Set strategy: linear" in result["msg"]
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("run_once", [True, False])
def test_fleet_is_refused_with_a_strategy_that_ignores_run_once(
    simulator: Simulator, tmp_path: Path, run_once: bool
) -> None:
    options = {"product": PRODUCT_SLUG, "from_inventory": True}
    tasks = [{"name": TASK, "meshfleet.particle.fleet": options, "run_once": run_once}]
    play = {"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}
    arguments = ["-i", str(write_hosts(simulator, tmp_path))]
    run = run_playbook([play], env=cloud_environment(simulator.url), args=arguments)
    assert {task.result["error"]["code"] for task in run.tasks} == {"invalid_option"}
    assert simulator.stats()["requests"] == 0


def test_strategy_free_of_a_play_with_one_host_leaves_no_token(simulator: Simulator) -> None:
    role = {"role": "meshfleet.particle.provision", "vars": {"provision_manifest": {"devices": []}}}
    play = {"hosts": "localhost", "gather_facts": False, "strategy": "free", "roles": [role]}
    run_playbook([play], env=cloud_environment(simulator.url)).succeeded()
    stats = simulator.stats()
    assert (stats["grants"], stats["revocations"]) == (1, 1)


@pytest.mark.parametrize(
    ("keywords", "logins"),
    [({"serial": 3, "throttle": 1}, 3), ({"any_errors_fatal": True}, 1), ({"max_fail_percentage": 0}, 1)],
    ids=["serial", "any_errors_fatal", "max_fail_percentage"],
)
def test_each_batch_obtains_and_revokes_one_token(
    simulator: Simulator, tmp_path: Path, keywords: dict[str, Any], logins: int
) -> None:
    hosts = write_hosts(simulator, tmp_path, STRANGER)
    run = run_role(simulator, hosts, provision_hosts(), **keywords)
    assert run.rc != 0, "the device of one host does not exist"
    stats = simulator.stats()
    assert (stats["grants"], stats["revocations"]) == (logins, logins)
