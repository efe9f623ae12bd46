# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Details of devices are read: variables, vitals, MAC addresses and mesh states."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_cloud import DEVICES, EXPIRED, PRODUCT, REPORTS, barn, client, device_id, ids_of, instance, row, run, user

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.details import (
    WantedDetails,
    add_details,
    add_mesh_states,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import gather_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Sources
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from support.scripted import ScriptedCloud
from support.simulator import Simulator

ONE, TWO = device_id(1), device_id(2)
FIELD_LOGGER = Product("31337", PRODUCT, 13, None)
OFFLINE_ANSWERS = [
    (404, {"ok": False, "error": "Device is not connected"}),
    (408, {"error": "Timed out."}),
    (400, {"ok": False, "error": "Timed out."}),
    (500, {"ok": False, "code": 500, "errors": [{"error": "Timed out, didn't hear back from device service"}]}),
]


def devices(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: build_facts(row) for row in rows}


def online_row(device: str, **more: Any) -> dict[str, Any]:
    return {"id": device, "online": True, **more}


def read_details(
    http: Http, found: dict[str, dict[str, Any]], products: dict[str, Product] | None = None, **wanted: Any
) -> None:
    add_details(http, found, products or {}, WantedDetails(**wanted))


class TestVariablesAndVitals:
    """Variables and vitals are read from each online device."""

    def test_online_devices_are_read_and_offline_devices_skipped(self, simulator: Simulator) -> None:
        ids = ids_of(simulator)
        with user(simulator) as http:
            run(http, barn(ids))
            simulator.change_device(ids[1], online=False)
            gathered = gather_facts(http, Sources((PRODUCT,), None, False), [{}])
            found = {device: gathered.devices[device] for device in ids}
            http.sent.clear()
            read_details(http, found, dict(gathered.products), vitals=True, variables=("site", "soil_pct"))
        assert len(http.sent) == 19 * 3
        assert found[ids[0]]["vitals"]["device"]["power"]["battery"]["charge"] > 0
        assert found[ids[0]]["variable_values"].keys() == {"site", "soil_pct"}
        assert found[ids[0]]["variable_values"]["site"].startswith("site-")
        assert found[ids[1]]["vitals"] is None
        assert found[ids[1]]["variable_values"] == {"site": None, "soil_pct": None}
        assert all(facts["unread"] == {} for facts in found.values())

    def test_devices_of_the_account_are_read_on_account_routes(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/soil_pct", json={"name": "soil_pct", "result": 41})
        vitals = {"diagnostics": {"updated_at": "2026-03-01T00:00:00Z", "payload": {"device": {}}}}
        scripted_cloud.answer("GET", f"/v1/diagnostics/{ONE}/last", json=vitals)
        found = devices(online_row(ONE))
        with client(scripted_cloud.url) as http:
            read_details(http, found, vitals=True, variables=("soil_pct",))
        assert found[ONE]["variable_values"] == {"soil_pct": 41}
        assert found[ONE]["vitals"] == {"device": {}}

    @pytest.mark.parametrize(("status", "body"), OFFLINE_ANSWERS)
    def test_unreachable_device_is_marked_unread_and_not_asked_again(
        self, scripted_cloud: ScriptedCloud, status: int, body: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/soil_pct", status, json=body)
        scripted_cloud.answer("GET", f"/v1/devices/{TWO}/soil_pct", json={"result": 0})
        found = devices(online_row(ONE), online_row(TWO))
        with client(scripted_cloud.url) as http:
            read_details(http, found, variables=("soil_pct",))
        assert found[ONE]["variable_values"] == {"soil_pct": None}
        assert found[ONE]["unread"]["soil_pct"] in ("device_offline", "not_found")
        assert (found[TWO]["variable_values"], found[TWO]["unread"]) == ({"soil_pct": 0}, {})

    def test_missing_variable_and_vitals_are_marked_not_found(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/x", 404, json={"ok": False, "error": "Variable not found"})
        scripted_cloud.answer("GET", f"/v1/diagnostics/{ONE}/last", 404, json={})
        found = devices(online_row(ONE))
        with client(scripted_cloud.url) as http:
            read_details(http, found, vitals=True, variables=("x",))
        assert found[ONE]["unread"] == {"vitals": "not_found", "x": "not_found"}

    def test_expired_token_ends_the_reading_of_variables(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/x", 401, json=EXPIRED)
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError) as caught:
            read_details(http, devices(online_row(ONE)), variables=("x",))
        assert caught.value.code == "token_expired"

    def test_more_devices_than_include_limit_are_refused_without_requests(self, scripted_cloud: ScriptedCloud) -> None:
        found = devices(online_row(ONE), online_row(TWO), {"id": device_id(3), "online": False})
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError) as caught:
            read_details(http, found, vitals=True, variables=("a", "b"), limit=1)
        assert caught.value.code == "invalid_option"
        assert "2 devices would be read one by one, with 6 requests, but include_limit is 1" in caught.value.message
        assert scripted_cloud.requests == []

    @pytest.mark.parametrize("name", ["ping", "events", "network", "", " "])
    def test_reserved_or_empty_variable_name_is_refused(self, name: str) -> None:
        for wanted in ({"variables": ("good", name)}, {"mac_variable": name}):
            with pytest.raises(ParticleError) as caught:
                WantedDetails(**wanted)
            assert caught.value.code == "invalid_option"


class TestMacAddress:
    """The MAC address is that of the device record, else that of the named variable, else unknown."""

    def test_mac_address_of_the_record_needs_no_request(self, scripted_cloud: ScriptedCloud) -> None:
        found = devices(online_row(ONE, mac_wifi="94:94:4A:00:00:01"))
        with client(scripted_cloud.url) as http:
            read_details(http, found, mac_variable="mac")
        assert found[ONE]["mac"] == "94:94:4A:00:00:01"
        assert scripted_cloud.requests == []

    def test_mac_address_is_read_from_the_named_variable(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/mac", json={"result": "94:94:4A:00:00:02"})
        found = devices(online_row(ONE), {"id": TWO, "online": False})
        with client(scripted_cloud.url) as http:
            read_details(http, found, mac_variable="mac", variables=("mac",))
        assert found[ONE]["mac"] == found[ONE]["variable_values"]["mac"] == "94:94:4A:00:00:02"
        assert found[TWO]["mac"] is None

    def test_variable_is_read_when_the_mac_address_of_the_record_is_empty(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/mac", json={"result": "94:94:4A:00:00:02"})
        found = devices(online_row(ONE, mac_wifi=""))
        with client(scripted_cloud.url) as http:
            read_details(http, found, mac_variable="mac")
        assert found[ONE]["mac"] == "94:94:4A:00:00:02"

    @pytest.mark.parametrize("answer", [{"result": ""}, {"result": None}, {}, []])
    def test_mac_address_is_none_when_the_variable_has_no_value(
        self, scripted_cloud: ScriptedCloud, answer: object
    ) -> None:
        scripted_cloud.answer("GET", f"/v1/devices/{ONE}/mac", json=answer)
        found = devices(online_row(ONE))
        with client(scripted_cloud.url) as http:
            read_details(http, found, mac_variable="mac")
        assert found[ONE]["mac"] is None


class TestMeshStates:
    """States of members are read from lists, not device by device."""

    def member(self, device: str, network: str = "barn") -> dict[str, Any]:
        return {"id": device, "groups": [f"mesh-{network}", "mesh-node"]}

    def test_state_of_a_member_follows_from_its_report(self, scripted_cloud: ScriptedCloud) -> None:
        report = {"network": "barn", "role": "node", "state": "joined"}
        rows = [instance(ONE, report, "mesh-status"), instance(TWO, {**report, "network": "yard"}, "mesh-status")]
        scripted_cloud.answer("GET", REPORTS, json={"instances": rows})
        scripted_cloud.answer("GET", DEVICES, json={"devices": [row(ONE, online=True), row(TWO, online=True)]})
        found = devices(self.member(ONE), self.member(TWO), {"id": device_id(3)})
        with client(scripted_cloud.url) as http:
            add_mesh_states(http, found, dict.fromkeys((ONE, TWO), FIELD_LOGGER), [].append)
        assert found[ONE]["mesh"] == {"network": "barn", "role": "node", "state": "joined"}
        assert found[TWO]["mesh"]["state"] == "wrong_network"
        assert found[device_id(3)]["mesh"] is None

    def test_reports_are_read_from_the_configured_ledger(self, scripted_cloud: ScriptedCloud) -> None:
        report = instance(ONE, {"network": "barn", "role": "node", "state": "lost"}, "acme-reports")
        scripted_cloud.answer("GET", "/v1/ledgers/acme-reports/instances", json={"instances": [report]})
        found = devices(self.member(ONE))
        with client(scripted_cloud.url) as http:
            add_mesh_states(http, found, {ONE: FIELD_LOGGER}, [].append, Mesh({"mesh_status_ledger": "acme-reports"}))
        assert found[ONE]["mesh"]["state"] == "lost"

    def test_state_is_none_when_the_reports_ledger_is_missing(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", REPORTS, 404, json={"error": "Ledger not found"})
        found = devices(self.member(ONE), self.member(TWO))
        with client(scripted_cloud.url) as http:
            add_mesh_states(http, found, {ONE: FIELD_LOGGER}, [].append)
        assert found[ONE]["mesh"]["state"] is None
        assert found[TWO]["mesh"]["state"] is None

    @pytest.mark.parametrize(
        ("online", "confirmation", "state"),
        [(True, "confirmed", "joined"), (False, "confirmed", "lost"), (True, "pending", "pending")],
    )
    def test_state_of_a_registry_member_needs_no_request(self, online: bool, confirmation: str, state: str) -> None:
        network = {"id": "5c11", "name": "barn", "role": {"gateway": False, "state": confirmation}}
        found = devices({"id": ONE, "online": online, "network": network})
        with client("http://127.0.0.1:9") as http:  # nothing listens on this port
            add_mesh_states(http, found, {ONE: FIELD_LOGGER}, [].append)
        assert found[ONE]["mesh"]["state"] == state

    @pytest.mark.parametrize(
        "refusal",
        [
            {"error": "forbidden"},
            {"error": "insufficient_scope", "error_description": "No"},
        ],
    )
    def test_refused_reports_leave_the_state_unknown_with_a_warning(
        self, scripted_cloud: ScriptedCloud, refusal: dict[str, str]
    ) -> None:
        scripted_cloud.answer("GET", REPORTS, 403, json=refusal)
        found, warnings = devices(self.member(ONE)), list[str]()
        with client(scripted_cloud.url) as http:
            add_mesh_states(http, found, {ONE: FIELD_LOGGER}, warnings.append)
        assert found[ONE]["mesh"] == {"network": "barn", "role": "node", "state": None}
        (warning,) = warnings
        assert "The states of network members are unknown" in warning

    def test_expired_token_ends_the_reading_of_reports(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", REPORTS, 401, json=EXPIRED)
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError) as caught:
            add_mesh_states(http, devices(self.member(ONE)), {ONE: FIELD_LOGGER}, [].append)
        assert caught.value.code == "token_expired"
