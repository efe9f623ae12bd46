# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a manifest lets a quarantined or denied device into a product only if it declares the approval."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator, running_simulator

DENIED, DENIED_ONLY, WAITING, MEMBER = (f"e00fce68{number:016x}" for number in range(1, 5))
LABEL = "P046AB00000001X"
STATES: dict[str, dict[str, Any]] = {
    DENIED: {"denied": True, "quarantined": True, "serial_number": LABEL},
    DENIED_ONLY: {"denied": True},
    WAITING: {"quarantined": True},
    MEMBER: {},
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Simulator]:
    """A cloud whose product has two denied devices, a quarantined device and an approved device."""
    fleet = tmp_path / "fleet.json"
    fleet.write_text(
        json.dumps([{"id": device, "product_id": PRODUCT_ID, **state} for device, state in STATES.items()])
    )
    with running_simulator("--fleet", str(fleet)) as simulator:
        yield simulator


def declare(*devices: dict[str, Any]) -> dict[str, Any]:
    return {"product": PRODUCT_SLUG, "devices": list(devices)}


def read_approval(cloud: Simulator, device: str) -> tuple[bool, bool]:
    found = cloud.device(device)
    return found["quarantined"], found["denied"]


@pytest.mark.parametrize("args", [(), ("--check",)], ids=["apply", "check"])
def test_naming_a_device_does_not_approve_it(cloud: Simulator, args: tuple[str, ...]) -> None:
    env = cloud_environment(cloud.url)
    manifest = declare({"serial_number": LABEL, "name": "a"}, {"id": DENIED_ONLY}, {"id": WAITING}, {"id": MEMBER})
    tasks: list[dict[str, Any]] = [
        {"name": "Fleet", "meshfleet.particle.fleet": {**manifest, "result": "all"}},
        {"name": "Device", "meshfleet.particle.device": {"product": PRODUCT_SLUG, "id": DENIED, "name": "a"}},
        {
            "name": "Role",
            "ansible.builtin.include_role": {"name": "meshfleet.particle.provision"},
            "vars": {"provision_product": PRODUCT_SLUG, "provision_devices": [{"id": DENIED}]},
        },
    ]
    for task in tasks:
        task["ignore_errors"] = True
    run = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env=env, args=args)

    fleet = run.result("Fleet")
    assert [device["status"] for device in fleet["devices"]] == ["failed", "failed", "failed", "ok"]
    assert {device["error"]["code"] for device in fleet["devices"][:3]} == {"quarantined"}
    assert "approval: approved" in fleet["msg"]
    assert run.result("Device")["error"]["code"] == "quarantined"
    assert run.result("Bring the fleet to its declared state")["error"]["code"] == "quarantined"
    assert cloud.stats()["writes"] == 0


def test_declared_approval_is_shown_and_carried_out_once(cloud: Simulator, tmp_path: Path) -> None:
    env = cloud_environment(cloud.url)
    table = tmp_path / "line.csv"
    table.write_text(f"id,name,approval\n{DENIED},a,approved\n{WAITING},b,approved\n{MEMBER},,denied\n")
    options = {"manifest": str(table), "product": PRODUCT_SLUG}
    planned = run_task("fleet", options, env, "--check", "--diff").succeeded().result(TASK)
    assert cloud.stats()["writes"] == 0

    done = run_task("fleet", options, env, "--diff").succeeded().result(TASK)

    assert planned["diff"] == done["diff"]
    assert [device["changes"]["approval"] for device in done["devices"]] == [
        {"before": "denied", "after": "approved"},
        {"before": "quarantined", "after": "approved"},
        {"before": "approved", "after": "denied"},
    ]
    assert all("product" not in device["changes"] for device in done["devices"])
    assert [read_approval(cloud, device) for device in (DENIED, WAITING)] == [(False, False)] * 2
    assert read_approval(cloud, MEMBER)[1] is True
    assert run_task("fleet", options, env).succeeded().result(TASK)["changed"] is False


def test_module_denies_a_quarantined_device_once(cloud: Simulator) -> None:
    env = cloud_environment(cloud.url)
    options = {"product": PRODUCT_SLUG, "id": WAITING, "approval": "denied"}
    result = run_task("device", options, env, "--diff").succeeded().result(TASK)
    assert result["diff"]["prepared"].endswith(": approval 'quarantined' -> 'denied'\n")
    assert read_approval(cloud, WAITING)[1] is True
    assert run_task("device", options, env).succeeded().result(TASK)["changed"] is False


def test_denials_of_approved_devices_count_as_removals(cloud: Simulator) -> None:
    options = declare({"id": MEMBER, "approval": "denied"}, {"id": WAITING, "approval": "denied"}) | {"max_removals": 0}
    error = run_task("fleet", options, cloud_environment(cloud.url)).result(TASK)["error"]
    assert error["code"] == "too_many_removals"
    assert (MEMBER in error["message"], WAITING in error["message"]) == (True, False)


def test_denial_cannot_be_combined_with_other_declarations(cloud: Simulator) -> None:
    options = declare({"id": WAITING, "approval": "denied", "name": "a", "groups": ["north"]})
    result = run_task("fleet", options, cloud_environment(cloud.url)).result(TASK)
    assert result["error"]["code"] == "invalid_manifest"
    assert "cannot be combined with name, groups" in result["msg"]
    assert cloud.stats()["requests"] == 0
