# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The same fleet declared in every form a manifest has, through the task that users write."""

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


def labels(cloud: Simulator) -> list[dict[str, Any]]:
    return [dict(device) for device in cloud.state()["devices"]]


def devices(cloud: Simulator) -> list[dict[str, Any]]:
    """A gateway and its nodes, declared by their serial numbers."""
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
        for index, label in enumerate(labels(cloud))
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


def test_every_form_of_a_manifest_declares_the_same(simulator: Simulator, tmp_path: Path) -> None:
    declared = devices(simulator)
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
    (orders,) = (ledger for ledger in simulator.state()["ledgers"] if ledger["name"] == "mesh")
    told = {entry["scope_value"]: entry["data"]["parameters"] for entry in orders["instances"]}
    assert [told[device["id"]] for device in first["devices"]] == [
        device["mesh"].get("parameters", {}) for device in declared
    ]
    assert [read_counts(result) for result in others] == [
        {"total": len(declared), "ok": len(declared), "changed": 0, "failed": 0, "pending": 0}
    ] * len(others)


def test_what_is_no_device_stands_beside_a_table(simulator: Simulator, tmp_path: Path) -> None:
    nameless = [{key: value for key, value in row.items() if key != "name"} for row in devices(simulator)[:3]]
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
def test_what_stands_in_the_manifest_and_in_the_task_is_refused(simulator: Simulator, option: dict[str, Any]) -> None:
    manifest = {"product": PRODUCT_SLUG, "groups_mode": "exact", "devices": []}
    result = run_task("fleet", {"manifest": manifest, **option}, cloud_environment(simulator.url)).result(TASK)
    assert result["error"]["code"] == "invalid_manifest"
    assert f"The manifest and the task both set {next(iter(option))}." in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_a_bad_table_is_told_line_by_line_and_costs_no_request(simulator: Simulator, tmp_path: Path) -> None:
    table = tmp_path / "fleet.csv"
    table.write_text("id,firmware_version,mesh.network\nnope,fortytwo,barn\n")
    result = run_task(
        "fleet", {"manifest": str(table), "product": PRODUCT_SLUG}, cloud_environment(simulator.url)
    ).result(TASK)
    assert "fleet.csv:2 id: 'nope' is not a device id" in result["msg"]
    assert "fleet.csv:2 firmware_version: must be a version number" in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_the_role_takes_a_table_in_and_out_again(simulator: Simulator, tmp_path: Path) -> None:
    nameless = [{key: value for key, value in row.items() if key != "name"} for row in devices(simulator)]
    variables = {
        "provision_manifest": str(write_table(tmp_path / "fleet.csv", nameless)),
        "provision_product": PRODUCT_SLUG,
        "provision_name_template": "{serial_number:4}",
    }
    env = cloud_environment(simulator.url)
    run_playbook("meshfleet.particle.provision", env=env, extra_vars=variables).succeeded()
    assert all(device["name"] for device in simulator.state()["devices"])
    gone = {**variables, "provision_state": "absent", "provision_confirm": True}
    run_playbook("meshfleet.particle.provision", env=env, extra_vars=gone).succeeded()
    assert [device for device in simulator.state()["devices"] if device["product"]] == []


def test_a_fleet_goes_in_and_out_again(simulator: Simulator) -> None:
    env = cloud_environment(simulator.url)
    options = {"product": PRODUCT_SLUG, "networks": {NETWORK: {}}, "devices": devices(simulator)}
    run_task("fleet", options, env).succeeded()
    asked = run_task("fleet", {**options, "state": "absent"}, env).result(TASK)
    assert asked["error"]["code"] == "too_many_removals"
    assert "Set confirm to true" in asked["error"]["hint"]
    gone = {**options, "state": "absent", "confirm": True}
    assert run_task("fleet", gone, env).succeeded().result(TASK)["changed"] is True
    assert [device for device in simulator.state()["devices"] if device["product"] or device["groups"]] == []
    assert run_task("fleet", gone, env).succeeded().result(TASK)["changed"] is False
