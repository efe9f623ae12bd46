# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test every form of a manifest: table, YAML, JSON, mapping and task options."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, read_counts, run_task
from support.simulator import PRODUCT_SLUG, Simulator

NETWORK = "barn"


def list_devices(cloud: Simulator) -> list[dict[str, Any]]:
    return [dict(device) for device in cloud.state()["devices"]]


def declare_devices(cloud: Simulator) -> list[dict[str, Any]]:
    """Declare a gateway and its nodes by their serial numbers."""
    return [
        {
            "serial_number": label["serial_number"],
            "name": f"unit-{index}",
            "notes": 'on the "north" wall, left;\nmind the step',
            "groups": ["north", "beta"],
            "development": index == 1,
            "mesh": {
                "network": NETWORK,
                "role": "node" if index else "gateway",
                **({"parameters": {"join_key": f"00{index}"}} if index % 2 else {}),
            },
        }
        for index, label in enumerate(list_devices(cloud))
    ]


def write_table(file: Path, rows: list[dict[str, Any]]) -> Path:
    flat = [
        {
            **{key: value for key, value in row.items() if key not in ("groups", "mesh")},
            "groups": ";".join(row["groups"]),
            "mesh.network": row["mesh"]["network"],
            "mesh.role": row["mesh"]["role"],
            "mesh.parameters.join_key": row["mesh"].get("parameters", {}).get("join_key", ""),
        }
        for row in rows
    ]
    with file.open("w", newline="") as table:
        writer = csv.DictWriter(table, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)
    return file


def test_every_form_of_a_manifest_declares_the_same_fleet(simulator: Simulator, tmp_path: Path) -> None:
    declared = declare_devices(simulator)
    whole = {"product": PRODUCT_SLUG, "networks": {NETWORK: {}}, "devices": declared}
    as_yaml, as_json = tmp_path / "fleet.yml", tmp_path / "fleet.json"
    as_yaml.write_text(yaml.safe_dump(whole))
    as_json.write_text(json.dumps(whole))
    table = write_table(tmp_path / "fleet.csv", declared)
    forms: dict[str, dict[str, Any]] = {
        "a table": {"manifest": str(table), "product": PRODUCT_SLUG},
        "YAML": {"manifest": str(as_yaml)},
        "JSON": {"manifest": str(as_json)},
        "a mapping": {"manifest": whole},
        "options": whole,
    }
    env = cloud_environment(simulator.url)
    first, *others = (run_task("fleet", options, env).succeeded().result(TASK) for options in forms.values())
    assert first["summary"]["changed"] == len(declared)
    assert simulator.device(first["devices"][0]["id"])["notes"] == declared[0]["notes"]
    (instructions,) = (ledger for ledger in simulator.state()["ledgers"] if ledger["name"] == "mesh")
    parameters = {entry["scope_value"]: entry["data"]["parameters"] for entry in instructions["instances"]}
    assert [parameters[device["id"]] for device in first["devices"]] == [
        device["mesh"].get("parameters", {}) for device in declared
    ]
    assert [read_counts(result) for result in others] == [
        {"total": len(declared), "ok": len(declared), "changed": 0, "failed": 0, "pending": 0}
    ] * len(others)


def test_table_is_combined_with_networks_and_options_of_the_task(simulator: Simulator, tmp_path: Path) -> None:
    nameless = [{key: value for key, value in row.items() if key != "name"} for row in declare_devices(simulator)[:3]]
    table = write_table(tmp_path / "fleet.csv", nameless)
    options = {
        "manifest": str(table),
        "product": PRODUCT_SLUG,
        "groups_mode": "exact",
        "name_template": "{role}-{index:2}",
        "networks": {NETWORK: {"parameters": {"channel": 15}}},
    }
    run_task("fleet", options, cloud_environment(simulator.url)).succeeded()
    names = {device["name"] for device in simulator.state()["devices"] if device["name"]}
    assert names == {"gateway-01", "node-02", "node-03"}


@pytest.mark.parametrize("option", [{"product": "other"}, {"devices": []}, {"groups_mode": "add"}])
def test_key_in_both_manifest_and_task_is_refused(simulator: Simulator, option: dict[str, Any]) -> None:
    manifest = {"product": PRODUCT_SLUG, "groups_mode": "exact", "devices": []}
    result = run_task("fleet", {"manifest": manifest, **option}, cloud_environment(simulator.url)).result(TASK)
    assert result["error"]["code"] == "invalid_manifest"
    assert f"The manifest and the task both set {next(iter(option))}." in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_invalid_table_is_reported_by_line_before_any_request(simulator: Simulator, tmp_path: Path) -> None:
    table = tmp_path / "fleet.csv"
    table.write_text("id,firmware_lock,mesh.network\nnope,fortytwo,barn\n")
    result = run_task(
        "fleet", {"manifest": str(table), "product": PRODUCT_SLUG}, cloud_environment(simulator.url)
    ).result(TASK)
    assert "fleet.csv:2 id: 'nope' is not a device id" in result["msg"]
    assert "fleet.csv:2 firmware_lock: must be a version number" in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_role_adds_and_removes_the_devices_of_a_table(simulator: Simulator, tmp_path: Path) -> None:
    nameless = [{key: value for key, value in row.items() if key != "name"} for row in declare_devices(simulator)]
    variables = {
        "provision_manifest": str(write_table(tmp_path / "fleet.csv", nameless)),
        "provision_product": PRODUCT_SLUG,
        "provision_name_template": "{serial_number:4}",
    }
    env = cloud_environment(simulator.url)
    run_playbook("meshfleet.particle.provision", env=env, extra_vars=variables).succeeded()
    assert all(device["name"] for device in simulator.state()["devices"])
    absent = {**variables, "provision_state": "absent", "provision_confirm": True}
    run_playbook("meshfleet.particle.provision", env=env, extra_vars=absent).succeeded()
    assert [device for device in simulator.state()["devices"] if device["product"]] == []


def test_removal_of_a_fleet_requires_confirm(simulator: Simulator) -> None:
    env = cloud_environment(simulator.url)
    options = {"product": PRODUCT_SLUG, "networks": {NETWORK: {}}, "devices": declare_devices(simulator)}
    run_task("fleet", options, env).succeeded()
    refused = run_task("fleet", {**options, "state": "absent"}, env).result(TASK)
    assert refused["error"]["code"] == "too_many_removals"
    assert "Set confirm to [removals]" in refused["error"]["hint"]
    absent = {**options, "state": "absent", "confirm": True}
    assert run_task("fleet", absent, env).succeeded().result(TASK)["changed"] is True
    assert [device for device in simulator.state()["devices"] if device["product"] or device["groups"]] == []
    assert run_task("fleet", absent, env).succeeded().result(TASK)["changed"] is False
