# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that playbooks declare environment variables of devices, and learn which devices restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator, running_simulator

ONE, TWO, THREE = (f"e00fce68{number:016x}" for number in range(1, 4))
OURS = "meshfleet.particle."
TIMEOUT = 30


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Simulator]:
    """A cloud whose product has two devices. A third device is in no product."""
    devices: list[dict[str, Any]] = [{"id": device, "system_firmware_version": "6.4.0"} for device in (ONE, TWO, THREE)]
    for device in devices[:2]:
        device["product_id"] = PRODUCT_ID
    fleet = tmp_path / "devices.json"
    fleet.write_text(json.dumps(devices))
    with running_simulator("--fleet", str(fleet)) as simulator:
        yield simulator


def read_rolled_out(cloud: Simulator, device: str) -> dict[str, str]:
    """Return the variables of a device as its last rollout contains them."""
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    answer = requests.get(f"{cloud.url}/v1/env/{device}", headers=headers, timeout=TIMEOUT).json()
    snapshot = answer["last_snapshot"] or {"own": {}}
    return {name: item["value"] for name, item in snapshot["own"].items()}


def play(cloud: Simulator, tasks: list[dict[str, Any]], *args: str) -> PlaybookRun:
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    return run_playbook(plays, env=cloud_environment(cloud.url), args=args)


def test_fleet_and_device_declare_variables(cloud: Simulator, tmp_path: Path) -> None:
    manifest, table = tmp_path / "fleet.yml", tmp_path / "fleet.csv"
    manifest.write_text(
        f"product: {PRODUCT_SLUG}\ndevices:\n"
        f"- id: {ONE}\n  environment: {{POLL_S: 30, DEBUG: true}}\n"
        f"- id: {THREE}\n  environment:\n    POLL_S: '007'\n"
    )
    table.write_text(f"id,environment.POLL_S,environment.HOST\n{ONE},60,\n{TWO},60,a.example\n")
    of_one = {"product": PRODUCT_SLUG, "id": ONE}
    fleet = {f"{OURS}fleet": {"manifest": str(manifest), "result": "all"}}
    tasks: list[dict[str, Any]] = [
        {"name": "Predict", **fleet, "check_mode": True},
        {"name": "Apply", **fleet},
        {"name": "Again", **fleet},
        {"name": "Table", f"{OURS}fleet": {"product": PRODUCT_SLUG, "manifest": str(table)}},
        {"name": "Device", f"{OURS}device": {**of_one, "environment": {"DEBUG": {"state": "absent"}, "RATE": 1.5}}},
        {"name": "Same", f"{OURS}device": {**of_one, "environment": {"RATE": "1.5"}}},
    ]
    run = play(cloud, tasks, "--diff").succeeded()

    predicted, applied = run.result("Predict"), run.result("Apply")
    uncertain = f"uncertain for 1 device: {THREE}\n"  # no list shows the device before its import
    assert predicted["diff"]["prepared"] == applied["diff"]["prepared"] + uncertain
    assert (
        f"{ONE}: environment {{DEBUG: null, POLL_S: null}} -> {{DEBUG: 'true', POLL_S: '30'}} (restarts)\n"
        in applied["diff"]["prepared"]
    )
    assert [device.get("restarts") for device in applied["devices"]] == [True, True]
    assert "2 devices would restart to apply environment variables, at once if online." in predicted["msg"]
    assert "2 devices restart to apply environment variables, at once if online." in applied["msg"]
    assert (run.result("Again")["changed"], run.result("Again")["cloud"]["writes"]) == (False, 0)
    assert [device["id"] for device in run.result("Table")["devices"]] == [ONE, TWO]
    device = run.result("Device")["device"]
    assert device["restarts"] is True
    assert device["changes"]["environment"] == {
        "before": {"DEBUG": "true", "RATE": None},
        "after": {"DEBUG": None, "RATE": "1.5"},
    }
    assert run.result("Same")["changed"] is False
    assert read_rolled_out(cloud, ONE) == {"POLL_S": "60", "RATE": "1.5"}
    assert read_rolled_out(cloud, TWO) == {"POLL_S": "60", "HOST": "a.example"}
    assert read_rolled_out(cloud, THREE) == {"POLL_S": "007"}


def test_mistakes_and_staged_edits_are_refused_in_words(cloud: Simulator, tmp_path: Path) -> None:
    manifest = tmp_path / "fleet.yml"
    manifest.write_text(
        f"product: {PRODUCT_SLUG}\ndevices:\n- id: {ONE}\n  environment:\n    poll: 1\n    A:\n    PARTICLE_B: x\n"
    )
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    edit = {"ops": [{"op": "Set", "key": "THEIRS", "value": "1"}]}
    requests.patch(f"{cloud.url}/v1/env/{ONE}", headers=headers, json=edit, timeout=TIMEOUT).raise_for_status()
    devices = [{"id": device, "environment": {"A": "1"}} for device in (ONE, TWO)]
    tasks: list[dict[str, Any]] = [
        {"name": "Mistakes", f"{OURS}fleet": {"manifest": str(manifest)}},
        {"name": "Account", f"{OURS}device": {"id": ONE, "environment": {"A": "1"}}},
        {"name": "Staged", f"{OURS}fleet": {"product": PRODUCT_SLUG, "devices": devices, "result": "all"}},
    ]
    run = play(cloud, [{**task, "ignore_errors": True} for task in tasks])

    mistakes = run.result("Mistakes")
    assert mistakes["error"]["code"] == "invalid_manifest"
    assert all(
        f"{manifest.name}:{line} devices[0].environment.{name}: " in mistakes["msg"]
        for line, name in ((5, "poll"), (6, "A"), (7, "PARTICLE_B"))
    )
    assert run.result("Account")["error"]["code"] == "unsupported"
    staged = run.result("Staged")
    assert [device["status"] for device in staged["devices"]] == ["failed", "changed"]
    assert "would publish staged edits that are not declared: THEIRS." in staged["msg"]
    assert (read_rolled_out(cloud, ONE), read_rolled_out(cloud, TWO)) == ({}, {"A": "1"})
