# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `device`, which declares one device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_SLUG, Simulator


@pytest.fixture
def first(simulator: Simulator) -> dict[str, Any]:
    return dict(simulator.state()["devices"][0])


def test_device_is_set_up_as_predicted_and_second_run_writes_nothing(
    simulator: Simulator, first: dict[str, Any]
) -> None:
    env = cloud_environment(simulator.url)
    options = {
        "product": PRODUCT_SLUG,
        "serial_number": first["serial_number"],
        "name": "barn-gateway",
        "notes": "north wall",
        "groups": ["north"],
        "development": True,
        "mesh": {"network": "barn", "role": "gateway"},
        "networks": {"barn": {}},
        "verify": "online",
    }
    predicted = run_task("device", options, env, "--check", "--diff").succeeded().result(TASK)
    assert simulator.stats()["writes"] == 0
    done = run_task("device", options, env, "--diff").succeeded().result(TASK)
    uncertain = f"uncertain for 1 device: {first['serial_number']}\n"
    assert predicted["diff"]["prepared"] == done["diff"]["prepared"] + uncertain
    assert (predicted["device"]["uncertain"], "uncertain" in done["device"]) == (True, False)
    assert (predicted["changed"], done["changed"]) == (True, True)
    assert (done["device"]["id"], done["device"]["status"]) == (first["id"], "changed")
    assert simulator.device(first["id"])["name"] == "barn-gateway"
    before = simulator.stats()["writes"]
    again = run_task("device", options, env, "--diff").succeeded().result(TASK)
    assert (again["changed"], again["diff"]) == (False, {"prepared": ""})
    assert simulator.stats()["writes"] == before


def test_device_is_listed_once_before_and_once_after_the_writes(simulator: Simulator, first: dict[str, Any]) -> None:
    env = cloud_environment(simulator.url)
    result = run_task("device", {"product": PRODUCT_SLUG, "id": first["id"], "name": "a"}, env).succeeded().result(TASK)
    assert result["changed"] is True
    lists = simulator.stats()["by_route"]["GET /v1/products/:p/devices"]
    # One before the writes, one for other devices of the new name, and one after the writes, however large the product.
    assert lists == 3
    assert result["cloud"]["requests"] == 1 + lists + len(("import", "name")) + len(("login",))


def test_absent_device_is_removed_from_its_product_and_groups(simulator: Simulator, first: dict[str, Any]) -> None:
    env = cloud_environment(simulator.url)
    options = {"product": PRODUCT_SLUG, "id": first["id"]}
    run_task("device", {**options, "groups": ["north"]}, env).succeeded()
    removal = run_task("device", {**options, "state": "absent"}, env, "--diff").succeeded().result(TASK)
    changes = f"product '{PRODUCT_SLUG}' -> null; groups ['north'] -> []"
    assert removal["diff"]["prepared"] == f"{first['id']}: {changes}\n"
    assert simulator.device(first["id"])["product"] is None
    assert run_task("device", {**options, "state": "absent"}, env).succeeded().result(TASK)["changed"] is False


def test_parallel_hosts_add_their_devices_to_one_new_group(simulator: Simulator, tmp_path: Path) -> None:
    ids = [device["id"] for device in simulator.state()["devices"]][:8]
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"all": {"hosts": {f"h{n}": {"device_id": d} for n, d in enumerate(ids)}}}))
    options = {
        "product": PRODUCT_SLUG,
        "id": "{{ device_id }}",
        "groups": ["north"],
        "mesh": {"network": "barn", "role": "gateway"},
        "networks": {"barn": {"gateways": ids}},
    }
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"name": TASK, "meshfleet.particle.device": options}]}
    args = ["-i", str(hosts), "--forks", "8"]
    run_playbook([play], env=cloud_environment(simulator.url), args=args).succeeded()
    assert {d["id"] for d in simulator.state()["devices"] if "north" in d["groups"]} == set(ids)
    assert simulator.stats()["grants"] == 1


def test_parameters_of_a_device_are_written_to_the_given_ledger(simulator: Simulator, first: dict[str, Any]) -> None:
    env = cloud_environment(simulator.url)
    options = {
        "product": PRODUCT_SLUG,
        "id": first["id"],
        "mesh": {"network": "barn", "role": "gateway", "parameters": {"power": 8}},
        "networks": {"barn": {"parameters": {"channel": 15, "power": 0}}},
        "mesh_ledger": "acme-mesh",
        "mesh_status_ledger": "acme-reports",
    }
    run_task("device", options, env).succeeded()
    ledgers = {ledger["name"]: ledger["instances"] for ledger in simulator.state()["ledgers"]}
    assert set(ledgers) == {"acme-mesh", "acme-reports"}
    assert [entry["data"]["parameters"] for entry in ledgers["acme-mesh"]] == [{"channel": 15, "power": 8}]
    info = {"product": PRODUCT_SLUG, "include": ["mesh"], "mesh_status_ledger": "acme-reports"}
    (found,) = run_task("device_info", info, env).succeeded().result(TASK)["devices"]
    assert found["mesh"] == {"network": "barn", "role": "gateway", "state": "pending"}
    assert simulator.stats()["by_route"]["GET /v1/ledgers/:name/instances"] > 0


@pytest.mark.parametrize("module", ["device", "fleet", "device_info"])
def test_invalid_ledger_name_is_refused_before_any_request(simulator: Simulator, module: str) -> None:
    own: dict[str, Any] = {"device": {"id": "0" * 24}, "fleet": {"devices": []}, "device_info": {}}[module]
    options = {"product": PRODUCT_SLUG, "mesh_status_ledger": "Mesh Status", **own}
    error = run_task(module, options, cloud_environment(simulator.url)).result(TASK)["error"]
    assert (error["code"], simulator.stats()["requests"]) == ("invalid_option", 0)
    assert "'Mesh Status' is not a valid ledger name" in error["message"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "the device: has no identifier; declare id, serial_number, iccid, imei or eui64"),
        ({"id": "nope"}, "id: 'nope' is not a device id (24 hexadecimal digits)"),
        ({"id": "0" * 24, "firmware_lock": "latest"}, "firmware_lock: must be a version number"),
        ({"id": "0" * 24, "mesh": {"network": "barn"}}, "mesh.network: 'barn' is not declared under networks"),
    ],
)
def test_invalid_option_is_named_before_any_request(
    simulator: Simulator, options: dict[str, Any], sentence: str
) -> None:
    result = run_task("device", {"product": PRODUCT_SLUG, **options}, cloud_environment(simulator.url)).result(TASK)
    assert result["error"]["code"] == "invalid_manifest"
    assert sentence in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_error_of_the_task_is_the_error_of_the_device(simulator: Simulator) -> None:
    options = {"product": PRODUCT_SLUG, "id": "e00fce68000000000000dead", "name": "a"}
    result = run_task("device", options, cloud_environment(simulator.url)).result(TASK)
    assert result["device"]["status"] == "failed"
    assert result["error"] == result["device"]["error"]
    assert result["error"]["code"] == "device_not_yours"
    assert "e00fce68000000000000dead" in result["msg"]
