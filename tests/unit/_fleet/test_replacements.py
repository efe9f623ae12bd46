# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Devices take the place of other devices of the product, even if the run is interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_cloud import PRODUCT, RecordingHttp, device_id, errors, run, statuses, user

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.simulator import PRODUCT_ID, Simulator, running_simulator

COUNT = 12
OLD, NEW, OTHER, SPARE = (device_id(number) for number in (1, 2, 3, 4))
SERIAL_NUMBERS = {device_id(number): f"P046AB{number:09}" for number in range(COUNT)}

UPDATE, REMOVE, PING, IMPORT = (
    "PUT /v1/products/:p/devices/:id",
    "DELETE /v1/products/:p/devices/:id",
    "PUT /v1/products/:p/devices/:id/ping",
    "POST /v1/products/:p/devices",
)
SET_INSTRUCTIONS = "PUT /v1/ledgers/:name/instances/:scopeValue"
DELETE_INSTRUCTIONS = "DELETE /v1/ledgers/:name/instances/:scopeValue"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    file = tmp_path_factory.mktemp("cloud") / "fleet.json"
    rows = [{"id": device, "serial_number": serial, "online": False} for device, serial in SERIAL_NUMBERS.items()]
    file.write_text(json.dumps(rows))
    with running_simulator("--fleet", str(file)) as simulator:
        yield simulator


@pytest.fixture
def cloud(server: Simulator) -> Simulator:
    server.reset()
    server.add_firmware(7)
    return server


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as http:
        yield http


def declare(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": list(devices), **more}


def fill(http: RecordingHttp, *devices: dict[str, Any], **more: Any) -> None:
    """Bring devices into the product before the test."""
    run(http, declare(*devices, **more))
    http.sent.clear()


OLD_RECORD = {"id": OLD, "name": "pump", "notes": "east", "groups": ["north", "pumps"], "firmware_lock": 7}


def barn(gateway: str, *nodes: str, **networks: Any) -> dict[str, Any]:
    """Declare a network with a gateway and nodes."""
    devices = [{"id": gateway, "name": "barn-0", "mesh": {"network": "barn", "role": "gateway"}}]
    devices += [{"id": node, "mesh": {"network": "barn"}} for node in nodes]
    return declare(*devices, networks={"barn": {"parameters": {"channel": 15}, **networks}})


def list_members(cloud: Simulator) -> dict[str, dict[str, Any]]:
    return {str(row["id"]): row for row in cloud.state()["devices"] if row["product"] == PRODUCT_ID}


def read_instructions(http: RecordingHttp) -> dict[str, Any]:
    rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
    return {row["scope"]["value"]: row["data"] for row in rows}


@pytest.mark.parametrize("named", ["pump", OLD, OLD.upper(), SERIAL_NUMBERS[OLD]])
@pytest.mark.parametrize("identifier", ["id", "serial_number"])
def test_device_takes_the_place_of_a_named_device(
    cloud: Simulator, http: RecordingHttp, named: str, identifier: str
) -> None:
    fill(http, OLD_RECORD)
    data = declare({identifier: NEW if identifier == "id" else SERIAL_NUMBERS[NEW], "replaces": named})
    predicted = run(http, data, check_mode=True)
    assert http.writes == []
    result = run(http, data)
    assert list(statuses(result).values()) == ["changed", "changed"]
    members = list_members(cloud)
    assert members.keys() == {NEW}
    shown = members[NEW]
    assert (shown["name"], shown["notes"], sorted(shown["groups"]), shown["desired_firmware_version"]) == (
        "pump", "east", ["north", "pumps"], 7,
    )  # fmt: skip
    assert result["diff"] == predicted["diff"]
    # No list shows a device that is in no product, so that check mode cannot tell whether the cloud accepts it.
    assert [device.pop("uncertain") for device in predicted["devices"]] == [True, True]
    if identifier == "id":
        assert result["devices"] == predicted["devices"]
    http.sent.clear()
    assert run(http, data)["changed"] is False
    assert http.writes == []


def test_replaced_device_is_shown_with_its_sim(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    sim = cloud.device(OLD)["iccid"]
    result = run(http, declare({"id": NEW, "replaces": "pump"}))
    new, old = result["devices"]
    assert new["replaces"] == {"id": OLD, "sim": sim}
    assert (old["replaced_by"], old["sim"]) == (NEW, sim)
    assert sim in result["msg"]


def test_declared_values_take_precedence(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    record = {"id": NEW, "replaces": OLD, "name": "well", "notes": "", "groups": ["wells"], "firmware_lock": "unlocked"}
    assert run(http, declare(record))["summary"]["changed"] == 2
    shown = list_members(cloud)[NEW]
    assert (shown["name"], shown["notes"], shown["groups"], shown["desired_firmware_version"]) == (
        "well", None, ["wells"], None,
    )  # fmt: skip


def test_replaced_device_gives_up_its_name_first(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    run(http, declare({"id": NEW, "replaces": OLD}))
    writes = [(request.route, dict(request.path_params).get("id")) for request in http.sent if request.method != "GET"]
    assert writes[-3:] == [(UPDATE, OLD), (UPDATE, NEW), (REMOVE, OLD)]


def test_variables_are_kept_only_if_asked_for(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, {**OLD_RECORD, "environment": {"A": "1", "B": "2"}})
    data = declare({"id": NEW, "environment": {"B": "3"}, "replaces": {"device": "pump", "environment": True}})
    assert run(http, data)["summary"]["changed"] == 2
    latest = http.send(Request("GET /v1/env/:deviceId", "look", {"deviceId": NEW})).data["last_snapshot"]["own"]
    assert {name: item["value"] for name, item in latest.items()} == {"A": "1", "B": "3"}
    http.sent.clear()
    assert run(http, data)["changed"] is False
    assert http.writes == []


def test_online_device_is_replaced_only_with_a_confirmation(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    cloud.change_device(OLD, online=True)
    data = declare({"id": NEW, "replaces": "pump"})
    for confirm in (False, True, ["removals"]):
        for check_mode in (False, True):
            with pytest.raises(ParticleError, match="1 device is online and would be replaced"):
                run(http, data, confirm=confirm, check_mode=check_mode)
    assert http.writes == []
    http.sent.clear()
    assert run(http, data, confirm=["replace_online"])["summary"]["changed"] == 2
    assert PING not in [request.route for request in http.sent]


def test_device_that_is_not_in_the_product_counts_as_replaced(cloud: Simulator, http: RecordingHttp) -> None:
    warnings: list[str] = []
    assert run(http, declare({"id": NEW, "replaces": "pomp"}), warnings=warnings)["summary"]["changed"] == 1
    assert "pomp" in warnings[0]
    warnings.clear()
    assert run(http, declare({"id": NEW, "replaces": "pomp"}), warnings=warnings)["changed"] is False
    assert warnings == []


def test_replacement_does_not_count_as_a_removal(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    assert run(http, declare({"id": NEW, "replaces": OLD}), max_removals=0)["summary"]["changed"] == 2


@pytest.mark.parametrize("is_declared", [False, True])
def test_replaced_node_leaves_its_membership(cloud: Simulator, http: RecordingHttp, is_declared: bool) -> None:
    data = barn(OTHER, OLD)
    data["devices"][1]["mesh"]["parameters"] = {"power": 8}
    run(http, data)
    before = read_instructions(http)
    data["devices"][1] = {"id": NEW, "replaces": OLD}
    if is_declared:
        data["devices"][1]["mesh"] = {"network": "barn", "parameters": {"power": 8}}
    assert run(http, data)["summary"]["failed"] == 0
    assert read_instructions(http) == {OTHER: before[OTHER], NEW: before[OLD]}
    assert sorted(list_members(cloud)[NEW]["groups"]) == ["mesh-barn", "mesh-node"]
    http.sent.clear()
    assert run(http, data)["changed"] is False
    assert http.writes == []


def test_gateway_is_replaced_without_a_gap(cloud: Simulator, http: RecordingHttp) -> None:
    run(http, barn(OLD, OTHER))
    data = barn(NEW, OTHER)
    data["devices"][0]["replaces"] = "barn-0"
    http.sent.clear()
    run(http, data)
    members = [
        (request.route, request.path_params["scopeValue"])
        for request in http.sent
        if request.route in (SET_INSTRUCTIONS, DELETE_INSTRUCTIONS)
    ]
    assert members == [(SET_INSTRUCTIONS, NEW), (SET_INSTRUCTIONS, OTHER), (DELETE_INSTRUCTIONS, OLD)]
    assert http.writes[-1] == REMOVE
    assert read_instructions(http)[OTHER]["gateways"] == [NEW]


def test_undeclared_node_of_a_replaced_gateway_is_named(cloud: Simulator, http: RecordingHttp) -> None:
    run(http, barn(OLD, OTHER))
    data = barn(NEW)
    data["devices"][0]["replaces"] = OLD
    warnings: list[str] = []
    assert run(http, data, warnings=warnings)["summary"]["failed"] == 0
    expected = f"1 node that the manifest does not declare keeps a gateway that leaves the network: {OTHER}"
    assert [warning for warning in warnings if warning.startswith(expected)] != []
    assert f"(gateway {OLD})" in warnings[-1]
    warnings.clear()
    run(http, barn(NEW, OTHER), warnings=warnings)
    assert warnings == []
    assert read_instructions(http)[OTHER]["gateways"] == [NEW]


@pytest.mark.parametrize("more", [{}, {"networks": {"shed": {}}}])
def test_kept_membership_needs_a_declared_network(cloud: Simulator, http: RecordingHttp, more: dict[str, Any]) -> None:
    run(http, barn(OTHER, OLD))
    http.sent.clear()
    with pytest.raises(ParticleError, match="declare this network with its gateways") as caught:
        run(http, declare({"id": NEW, "replaces": OLD}, **more))
    assert caught.value.code == "invalid_manifest"
    assert http.writes == []


@pytest.mark.parametrize("route", [IMPORT, UPDATE, REMOVE])
def test_lost_answer_of_a_replacement_is_settled(cloud: Simulator, http: RecordingHttp, route: str) -> None:
    fill(http, OLD_RECORD)
    cloud.set_faults([{"route": route, "effect": "reset_after", "times": 1}])
    assert set(statuses(run(http, declare({"id": NEW, "replaces": "pump"}))).values()) == {"changed"}
    assert list_members(cloud).keys() == {NEW}


def test_failure_lists_the_done_and_the_remaining_steps(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    refusal = {"error": "Permission Denied"}
    cloud.set_faults([{"route": REMOVE, "effect": "status", "status": 403, "body": refusal, "times": 9}])
    result = run(http, declare({"id": NEW, "replaces": "pump"}))
    assert errors(result) == {OLD: "forbidden"}
    message = result["devices"][1]["error"]["message"]
    assert f"The replacement of device {OLD} is not complete. Done: import, device groups" in message
    assert "Left: removal of the replaced device from the product." in message
    cloud.clear_faults()
    data = declare({"id": NEW, "replaces": "pump"})
    assert run(http, data)["summary"]["changed"] == 1
    assert list_members(cloud).keys() == {NEW}


def test_old_device_stays_if_the_new_one_is_refused(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    missing = device_id(0xFFFF)
    data = declare({"id": missing, "replaces": "pump"})
    result = run(http, data)
    assert statuses(result) == {missing: "failed", OLD: "pending"}
    assert list_members(cloud)[OLD]["name"] == "pump"
    assert sorted(list_members(cloud)[OLD]["groups"]) == ["north", "pumps"]


def test_contradictions_are_refused_before_the_first_write(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD, {"id": OTHER, "name": "well"})
    http.sent.clear()
    for devices in ([{"id": OLD}, {"id": NEW, "replaces": "pump"}], [{"id": OTHER}, {"id": NEW, "replaces": "well"}]):
        with pytest.raises(ParticleError, match="declares as a device to keep") as caught:
            run(http, declare(*devices))
        assert caught.value.code == "invalid_manifest"
    assert http.writes == []


def test_device_of_another_product_takes_the_place(cloud: Simulator, http: RecordingHttp) -> None:
    http.send(Request("POST /v1/user/products", "set up", json={"product": {"name": "staging", "platform_id": 13}}))
    fill(http, OLD_RECORD)
    run(http, {"product": "staging", "devices": [{"id": NEW, "name": "spare", "notes": "new", "groups": ["north"]}]})
    data = declare({"id": NEW, "replaces": "pump", "from_product": "staging"})
    assert run(http, data)["summary"]["changed"] == 2
    shown = list_members(cloud)[NEW]
    assert (shown["name"], shown["notes"], sorted(shown["groups"])) == ("pump", "east", ["north", "pumps"])
    assert run(http, data)["changed"] is False


@pytest.mark.parametrize("named", ["pump", OLD, SERIAL_NUMBERS[OLD], "89019999000000000002"])
def test_device_of_a_large_product_is_found_with_filters(tmp_path: Path, named: str) -> None:
    rows = [{"id": device_id(number), "product_id": PRODUCT_ID, "online": False} for number in range(100, 1400)]
    old = {"id": OLD, "serial_number": SERIAL_NUMBERS[OLD], "iccid": "89019999000000000002", "name": "pump"}
    rows += [{**old, "product_id": PRODUCT_ID, "online": False, "groups": ["north"]}, {"id": NEW}]
    (tmp_path / "fleet.json").write_text(json.dumps(rows))
    with running_simulator("--fleet", str(tmp_path / "fleet.json")) as cloud, user(cloud) as http:
        data = declare({"id": NEW, "replaces": named}, undeclared="report")
        result = run(http, data, verify="none")
        assert result["summary"]["changed"] == 2
        # No filter finds an ICCID, so that the 14 pages of the list are read.
        lists = [request for request in http.sent if request.route == "GET /v1/products/:p/devices"]
        assert (len(lists) <= 10) is (named != "89019999000000000002")
        assert result["undeclared"]["count"] == 1300
        assert cloud.device(NEW)["name"] == "pump"
        assert cloud.device(OLD)["product"] is None
        assert run(http, data)["changed"] is False


LEAVE_NETWORK = "DELETE /v1/devices/:id/network"


@pytest.mark.parametrize("kill", [None, "leaves", "joins", "removed"])
def test_only_gateway_of_a_registry_network_leaves_first(tmp_path: Path, kill: str | None) -> None:
    rows = [{"id": device, "online": False} for device in (OLD, OTHER, NEW)]
    (tmp_path / "fleet.json").write_text(json.dumps(rows))
    with running_simulator("--fleet", str(tmp_path / "fleet.json"), "--mesh", "enabled") as cloud, user(cloud) as http:
        run(http, barn_of_registry(OLD, OTHER))
        data = barn_of_registry(NEW, OTHER)
        data["devices"][0]["replaces"] = OLD
        seen = len(cloud.writes())
        routes = {"leaves": LEAVE_NETWORK, "joins": "PUT /v1/networks/:idOrName", "removed": REMOVE}
        if kill is not None:
            refusal = {"status": 403, "body": {"error": "No."}, "effect": "status", "times": 9}
            cloud.set_faults([{"route": routes[kill], **refusal}])
            assert run(http, data)["summary"]["failed"] == 1
            cloud.clear_faults()
        result = run(http, data)
        assert "failed" not in result, result["msg"]
        accepted = [write["route"] for write in cloud.writes()[seen:] if write["route"] in routes.values()]
        assert list(dict.fromkeys(accepted)) == list(routes.values())
        (network,) = cloud.state()["networks"]
        assert {device["id"]: device["role"] for device in network["devices"]} == {NEW: "gateway", OTHER: "node"}
        assert list_members(cloud).keys() == {NEW, OTHER}
        assert run(http, data)["changed"] is False


def barn_of_registry(gateway: str, *nodes: str) -> dict[str, Any]:
    data = barn(gateway, *nodes)
    data["networks"]["barn"] = {"backend": "networks", "parameters": {"type": "micro_cellular"}}
    return data


def test_device_is_replaced_by_one_device_only(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    data = declare({"id": NEW, "replaces": "pump"}, {"id": OTHER, "replaces": OLD})
    with pytest.raises(ParticleError, match=f"{NEW} and {OTHER} both replace {OLD}"):
        run(http, data)
    with pytest.raises(ParticleError, match="'pump' is already used at"):
        run(http, declare({"id": NEW, "replaces": "pump"}, {"id": OTHER, "replaces": "pump"}))
    with pytest.raises(ParticleError, match="is the device itself"):
        run(http, declare({"id": NEW, "replaces": NEW.upper()}))
    with pytest.raises(ParticleError, match="replaces: has no device"):
        run(http, declare({"id": NEW, "replaces": {"environment": True}}))
    assert http.writes == []


def test_record_of_the_old_device_may_say_absent(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    data = declare({"id": OLD, "state": "absent"}, {"id": NEW, "replaces": "pump"})
    assert set(statuses(run(http, data)).values()) == {"changed"}
    assert list_members(cloud)[NEW]["name"] == "pump"
    assert run(http, data)["changed"] is False


def test_later_device_of_the_name_is_not_taken_for_the_old_one(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    data = declare({"id": NEW, "replaces": "pump"})
    run(http, data)
    fill(http, {"id": OTHER, "name": "pump"})
    with pytest.raises(ParticleError, match=f"pump: {NEW} and {OTHER}") as caught:
        run(http, data)
    assert (caught.value.code, http.writes) == ("conflict", [])
    assert caught.value.hint.startswith("Remove replaces")


def test_later_device_of_the_name_stays_after_a_renaming(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD)
    data = declare({"id": NEW, "name": "well", "replaces": "pump"})
    assert run(http, data)["summary"]["changed"] == 2
    assert run(http, data)["changed"] is False
    fill(http, {"id": OTHER, "name": "pump"})
    with pytest.raises(ParticleError, match=f"pump: {OTHER}, or no device, because {NEW} already") as caught:
        run(http, data)
    assert (caught.value.code, http.writes) == ("conflict", [])
    assert list_members(cloud).keys() == {NEW, OTHER}


def test_another_device_gets_the_old_name_in_the_same_run(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD, {"id": OTHER, "name": "spare"})
    data = declare({"id": NEW, "name": "well", "replaces": "pump"}, {"id": OTHER, "name": "pump"})
    result = run(http, data)
    assert "failed" not in result, result["msg"]
    assert {device: row["name"] for device, row in list_members(cloud).items()} == {NEW: "well", OTHER: "pump"}
    http.sent.clear()
    with pytest.raises(ParticleError, match=f"pump: {OTHER}, or no device"):
        run(http, data)
    assert http.writes == []
    del data["devices"][0]["replaces"]
    assert run(http, data)["changed"] is False


@pytest.mark.parametrize("old", [OLD_RECORD, {"id": OLD, "name": "pump"}])
@pytest.mark.parametrize("identifier", ["id", "serial_number"])
@pytest.mark.parametrize("environment", [False, True])
def test_new_device_arrives_with_its_declared_name(
    cloud: Simulator, http: RecordingHttp, identifier: str, environment: bool, old: dict[str, Any]
) -> None:
    fill(http, old, {"id": NEW, "name": "well"})
    run(http, declare({"id": NEW, "state": "absent"}))
    identity = {"id": NEW} if identifier == "id" else {"serial_number": SERIAL_NUMBERS[NEW]}
    data = declare({**identity, "name": "well", "replaces": {"device": "pump", "environment": environment}})
    http.sent.clear()
    result = run(http, data)
    assert "failed" not in result, result["msg"]
    assert {device: row["name"] for device, row in list_members(cloud).items()} == {NEW: "well"}
    writes = [(request.route, dict(request.path_params).get("id")) for request in http.sent if request.method != "GET"]
    assert writes.index((UPDATE, OLD)) < writes.index((REMOVE, OLD))
    assert run(http, data)["changed"] is False


def test_several_devices_of_the_name_are_refused(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, {"id": OLD, "name": "pump"}, {"id": OTHER, "name": "pump"}, unique_names=False)
    with pytest.raises(ParticleError, match=f"pump: {OLD} and {OTHER}"):
        run(http, declare({"id": NEW, "replaces": "pump"}))
    assert run(http, declare({"id": NEW, "replaces": OLD}))["summary"]["changed"] == 2


def test_device_that_another_device_replaces_is_not_mistaken(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, {**OLD_RECORD, "name": f"pump (replaced by {NEW})"})
    with pytest.raises(ParticleError, match=f"pump: {OLD}, which is being replaced by {NEW}"):
        run(http, declare({"id": OTHER, "replaces": "pump"}))
    assert http.writes == []
    assert run(http, declare({"id": OTHER, "replaces": OLD}))["summary"]["changed"] == 2
    assert {row["name"] for row in list_members(cloud).values()} == {"pump"}


def test_kept_name_that_another_device_declares_is_refused(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, OLD_RECORD, {"id": OTHER, "name": "well"})
    data = declare({"id": NEW, "replaces": OLD}, {"id": OTHER, "name": "pump"})
    with pytest.raises(ParticleError, match=r"devices\[1\] declares for another device; declare name") as caught:
        run(http, data)
    assert caught.value.code == "invalid_manifest"
    assert http.writes == []
    data["devices"][0]["name"] = "well"
    assert run(http, data)["summary"]["failed"] == 0
    assert {device: row["name"] for device, row in list_members(cloud).items()} == {NEW: "well", OTHER: "pump"}


def test_kept_name_must_leave_room_for_its_mark(cloud: Simulator, http: RecordingHttp) -> None:
    fill(http, {**OLD_RECORD, "name": "x" * 255})
    with pytest.raises(ParticleError, match=r"whose name has 255 characters\. The name would get a mark"):
        run(http, declare({"id": NEW, "replaces": OLD}))
    assert http.writes == []
    assert run(http, declare({"id": NEW, "replaces": OLD, "name": "pump"}))["summary"]["changed"] == 2
