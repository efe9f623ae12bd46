# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test devices that are declared by their label: imported into a product, or looked up for an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import PRODUCT, RecordingHttp, client, device_id, errors, row, run, script, user

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import SERIAL_NUMBER_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from support.plays import read_counts
from support.scripted import ScriptedCloud
from support.simulator import PRODUCT_ID, Simulator, running_simulator

IMPORT = "POST /v1/products/:p/devices"


@pytest.fixture
def http(simulator: Simulator) -> Iterator[RecordingHttp]:
    with user(simulator) as logged_in:
        yield logged_in


@pytest.fixture
def labels(simulator: Simulator) -> list[dict[str, Any]]:
    """The devices of the simulator with the identifiers on their labels."""
    return [dict(device) for device in simulator.state()["devices"]]


def declare_by_labels(labels: list[dict[str, Any]], *kinds: str) -> dict[str, Any]:
    """Build a manifest of a network whose devices are declared by the given kinds of labels in turn."""
    return {
        "product": PRODUCT,
        "name_template": "unit-{index}",
        "networks": {"barn": {}},
        "devices": [
            {
                kinds[index % len(kinds)]: label[kinds[index % len(kinds)]],
                "groups": ["north"],
                "mesh": {"network": "barn", "role": "node" if index else "gateway"},
            }
            for index, label in enumerate(labels)
        ],
    }


class TestProduct:
    """Products, whose import accepts labels and whose list then shows the ids."""

    def test_fleet_is_provisioned_by_labels_and_second_run_writes_nothing(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = declare_by_labels(labels, "serial_number", "iccid", "imei", "id")
        first = run(http, data, verify="online")
        assert read_counts(first) == {"total": 20, "ok": 0, "changed": 20, "failed": 0, "pending": 0}
        assert [device["id"] for device in first["devices"]] == [label["id"] for label in labels]
        assert simulator.device(labels[1]["id"])["name"] == "unit-2"
        assert set(simulator.device(labels[1]["id"])["groups"]) == {"north", "mesh-barn", "mesh-node"}
        assert first["networks"]["barn"]["joined"] == 20
        assert simulator.stats()["by_route"][IMPORT] == 1
        before = simulator.stats()["writes"]
        assert run(http, data)["changed"] is False
        assert simulator.stats()["writes"] == before

    def test_instructions_name_a_gateway_by_its_id_and_not_by_its_label(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        run(http, declare_by_labels(labels[:3], "serial_number"))
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert {tuple(row["data"]["gateways"]) for row in rows} == {(labels[0]["id"],)}

    def test_check_mode_predicts_the_diff_with_the_declared_labels(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = declare_by_labels(labels[:4], "serial_number", "id")
        predicted = run(http, data, check_mode=True)
        assert simulator.stats()["writes"] == 0
        done = run(http, data)
        assert predicted["diff"] == done["diff"]
        assert predicted["changed"] is done["changed"] is True
        titles = [(device["identifier"], device["name"]) for device in predicted["devices"]]
        assert [(item.key, item.name) for item in predicted["diff"].items] == titles
        assert predicted["devices"][0]["id"] is None
        assert done["devices"][0]["id"] == labels[0]["id"]

    def test_devices_declared_only_by_label_are_done_after_the_import(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = {"product": PRODUCT, "devices": [{"serial_number": label["serial_number"]} for label in labels[:2]]}
        result = run(http, data)
        assert [device["status"] for device in result["devices"]] == ["changed", "changed"]
        assert [device["id"] for device in result["devices"]] == [label["id"] for label in labels[:2]]
        assert simulator.device(labels[1]["id"])["product"] == PRODUCT_ID

    @pytest.mark.parametrize(("effect", "imports"), [("reset_after", 1), ("reset_before", 2)])
    def test_lost_answer_of_an_import_is_settled_by_reading_the_list_again(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]], effect: str, imports: int
    ) -> None:
        data = declare_by_labels(labels[:3], "serial_number", "id")
        data["devices"].append({"iccid": labels[3]["iccid"], "name": "only-named"})
        del data["name_template"]
        simulator.set_faults([{"route": IMPORT, "effect": effect}])
        result = run(http, data)
        assert result["summary"]["changed"] == 4, result["msg"]
        assert http.writes.count(IMPORT) == simulator.stats()["by_route"][IMPORT] == imports
        assert simulator.device(labels[3]["id"])["name"] == "only-named"
        assert run(http, data)["changed"] is False

    def test_ambiguous_import_fails_and_its_device_gets_no_other_write(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        simulator.set_faults([{"route": IMPORT, "effect": "reset_before", "times": 2}])
        data = declare_by_labels(labels[:1], "serial_number")
        result = run(http, data)
        assert result["devices"][0]["error"]["code"] == "ambiguous_write"
        assert set(http.writes) <= {IMPORT, "POST /v1/ledgers", "POST /v1/products/:p/groups"}
        assert run(http, data)["summary"]["changed"] == 1

    def test_unknown_label_is_named_in_the_error_and_the_others_are_done(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = declare_by_labels(labels[:2], "serial_number")
        data["devices"].append({"serial_number": "P046NOBODY"})
        result = run(http, data)
        assert [device["status"] for device in result["devices"]] == ["changed", "changed", "failed"]
        assert result["devices"][2]["error"]["code"] == "device_not_yours"
        assert "P046NOBODY" in result["devices"][2]["error"]["message"]

    def test_unknown_gateway_leaves_the_other_devices_unchanged(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = declare_by_labels(labels[:2], "id")
        run(http, data)
        unknown = {"serial_number": "P046NOBODY", "mesh": {"network": "barn", "role": "gateway"}}
        data["devices"].append(unknown)
        http.sent.clear()
        result = run(http, data)
        assert [device["status"] for device in result["devices"]] == ["ok", "ok", "failed"]
        assert (result["changed"], http.writes) == (False, [IMPORT])
        assert [(item.key, item.name) for item in result["diff"].items] == [("P046NOBODY", "unit-3")]

    def test_two_records_of_one_device_are_refused_before_any_write(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        run(http, {"product": PRODUCT, "devices": [{"id": labels[0]["id"]}]})
        before = simulator.stats()["writes"]
        duplicates = [{"id": labels[0]["id"]}, {"serial_number": labels[0]["serial_number"]}]
        with pytest.raises(ParticleError, match="more than once") as caught:
            run(http, {"product": PRODUCT, "devices": duplicates})
        assert caught.value.code == "invalid_manifest"
        assert f"serial_number {labels[0]['serial_number']}" in caught.value.message
        assert simulator.stats()["writes"] == before

    def test_devices_are_read_one_by_one_when_the_list_omits_their_label(self, scripted_cloud: ScriptedCloud) -> None:
        one, two = device_id(1), device_id(2)
        script(scripted_cloud, [row(one, cellular=True), row(two, cellular=False)])
        scripted_cloud.answer("GET", f"/v1/products/31337/devices/{one}", json={"id": one, "imei": "3" * 15})
        warnings: list[str] = []
        with client(scripted_cloud.url) as http:
            result = run(http, {"product": PRODUCT, "devices": [{"imei": "3" * 15}]}, warnings=warnings)
        assert result["devices"][0]["id"] == one
        assert result["changed"] is False
        assert warnings == ["The list of devices lacks declared fields: 1 device is read one by one."]

    def test_import_fails_when_the_list_does_not_show_the_device_afterwards(
        self, scripted_cloud: ScriptedCloud
    ) -> None:
        script(scripted_cloud, [])
        answer = {"updated": 1, "nonmemberDeviceIds": [], "invalidDeviceIds": []}
        scripted_cloud.answer("POST", "/v1/products/31337/devices", json=answer)
        with client(scripted_cloud.url) as http:
            result = run(http, {"product": PRODUCT, "devices": [{"serial_number": "P046AB1"}]})
        assert result["devices"][0]["error"]["code"] == "conflict"
        assert "the list of devices does not contain it" in result["error"]["message"]


class TestStateShownByTheImport:
    """Claims and notes of a device that only the list after its import shows."""

    def test_device_declared_only_by_label_is_changed_by_its_import(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = {"product": PRODUCT, "devices": [{"serial_number": labels[0]["serial_number"]}]}
        assert run(http, data)["devices"][0]["status"] == "changed"

    def test_many_claims_shown_by_an_import_are_removed_only_if_confirmed(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        run(http, {"devices": [{"id": label["id"], "claimed": True} for label in labels[:12]]})
        data = {
            "product": PRODUCT,
            "devices": [{"serial_number": label["serial_number"], "claimed": False} for label in labels[:12]],
        }
        result = run(http, data)
        assert result["error"]["code"] == "too_many_removals"
        assert {device["owner"] for device in simulator.state()["devices"][:12]} == {"demo@example.com"}
        confirmed = run(http, data, confirm=True)
        assert {device["owner"] for device in simulator.state()["devices"][:12]} == {None}
        assert confirmed["devices"][0]["changes"] == {"claimed": {"before": True, "after": False}}

    def test_claim_and_notes_shown_by_the_import_are_among_the_changes(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        run(http, {"devices": [{"id": labels[0]["id"], "claimed": True, "notes": "old"}]})
        device = {"serial_number": labels[0]["serial_number"], "claimed": False, "notes": ""}
        result = run(http, {"product": PRODUCT, "devices": [device]})
        assert sorted(result["devices"][0]["changes"]) == ["claimed", "notes", "product"]
        assert simulator.device(labels[0]["id"])["owner"] is None

    def test_gateway_that_cannot_be_imported_is_in_no_instructions(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        data = declare_by_labels(labels[:3], "serial_number")
        data["devices"].append(
            {"serial_number": "P046NOBODY", "mesh": {"network": "barn", "role": "gateway"}, "groups": []}
        )
        result = run(http, data)
        assert [device["status"] for device in result["devices"]] == ["changed", "changed", "changed", "failed"]
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert {tuple(row["data"]["gateways"]) for row in rows} == {(labels[0]["id"],)}

    @pytest.mark.parametrize(("kind", "shorter"), [("imei", "35693803564380"), ("iccid", "8934070000000000001")])
    @pytest.mark.parametrize("is_declared_whole", [True, False])
    def test_label_without_its_check_digit_finds_the_device(
        self, scripted_cloud: ScriptedCloud, kind: str, shorter: str, is_declared_whole: bool
    ) -> None:
        declared, shown = (f"{shorter}9", shorter) if is_declared_whole else (shorter, f"{shorter}9")
        script(scripted_cloud, [row(device_id(1), **{kind: shown})])
        with client(scripted_cloud.url) as http:
            by_label = run(http, {"product": PRODUCT, "devices": [{kind: declared}]})
            by_id = run(http, {"product": PRODUCT, "devices": [{"id": device_id(1), kind: declared}]})
        assert [result["devices"][0]["status"] for result in (by_label, by_id)] == ["ok", "ok"]
        assert by_label["devices"][0]["id"] == device_id(1)

    def test_imported_device_is_found_by_its_imei_without_check_digit(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        run(http, {"product": PRODUCT, "devices": [{"id": label["id"]} for label in labels[:3]]})
        result = run(http, {"product": PRODUCT, "devices": [{"imei": labels[1]["imei"][:14], "name": "barn"}]})
        assert [(device["id"], device["status"]) for device in result["devices"]] == [(labels[1]["id"], "changed")]

    def test_labels_of_one_length_with_different_check_digits_differ(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [row(device_id(1), imei="356938035643809")])
        with client(scripted_cloud.url) as http:
            result = run(http, {"product": PRODUCT, "devices": [{"id": device_id(1), "imei": "356938035643801"}]})
        assert result["devices"][0]["error"]["code"] == "conflict"

    def test_label_is_a_duplicate_also_without_its_check_digit(self) -> None:
        devices = [{"imei": "35693803564380"}, {"imei": "356938035643809"}]
        with pytest.raises(ParticleError, match="is already used at"):
            read_manifest({"product": PRODUCT, "devices": devices})

    def test_label_of_two_devices_is_refused_as_a_conflict(self, scripted_cloud: ScriptedCloud) -> None:
        one, two = device_id(1), device_id(2)
        script(scripted_cloud, [row(one, iccid="8" * 20), row(two, iccid="8" * 20)])
        with client(scripted_cloud.url) as http, pytest.raises(ParticleError, match="several devices") as caught:
            run(http, {"product": PRODUCT, "devices": [{"iccid": "8" * 20, "name": "a"}]})
        assert caught.value.code == "conflict"
        assert one in caught.value.message
        assert two in caught.value.message

    def test_node_declared_by_label_that_is_also_a_gateway_is_refused(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        run(http, {"product": PRODUCT, "devices": [{"id": labels[0]["id"]}]})
        data = {
            "product": PRODUCT,
            "networks": {"barn": {"gateways": [labels[0]["id"]]}},
            "devices": [{"serial_number": labels[0]["serial_number"], "mesh": {"network": "barn"}}],
        }
        with pytest.raises(ParticleError, match="contains contradictions"):
            run(http, data)


class TestAccount:
    """Accounts, for which unclaimed devices are looked up within the rate limit."""

    def test_device_is_looked_up_by_serial_number_claimed_and_named(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        devices = [
            {"serial_number": label["serial_number"], "claimed": True, "name": f"own-{index}"}
            for index, label in enumerate(labels[:3])
        ]
        predicted = run(http, {"devices": devices}, check_mode=True)
        assert SERIAL_NUMBER_ROUTE not in simulator.stats()["by_route"]
        first = run(http, {"devices": devices})
        assert [device["status"] for device in first["devices"]] == ["changed"] * 3
        assert predicted["diff"] == first["diff"]
        assert simulator.device(labels[2]["id"])["name"] == "own-2"
        assert simulator.stats()["by_route"][SERIAL_NUMBER_ROUTE] == 3

    def test_claimed_device_listed_without_its_label_is_unchanged(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/devices", json=[{"id": one, "name": "own"}], repeat=True)
        scripted_cloud.answer("GET", "/v1/serial_numbers/P0461", json={"ok": True, "deviceID": one}, repeat=True)
        with client(scripted_cloud.url) as http:
            result = run(http, {"devices": [{"serial_number": "P0461", "claimed": True}]})
        assert [device["status"] for device in result["devices"]] == ["ok"]
        assert (result["changed"], result["diff"]) == (False, Diff())

    def test_notes_shown_after_a_claim_are_removed(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        own = {"serial_number": labels[0]["serial_number"], "claimed": True}
        run(http, {"devices": [{**own, "notes": "bought used"}]})
        run(http, {"devices": [{**own, "claimed": False}]}, confirm=True)
        assert run(http, {"devices": [{**own, "notes": ""}]})["summary"]["changed"] == 1
        assert not simulator.device(labels[0]["id"])["notes"]

    def test_claimed_device_is_not_looked_up_again(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        devices = [{"serial_number": labels[0]["serial_number"], "claimed": True}]
        run(http, {"devices": devices})
        assert run(http, {"devices": devices})["changed"] is False
        assert simulator.stats()["by_route"][SERIAL_NUMBER_ROUTE] == 1

    def test_unknown_serial_number_fails_only_its_device(
        self, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        devices = [
            {"serial_number": "P046NOBODY", "claimed": True},
            {"serial_number": labels[0]["serial_number"], "claimed": True},
        ]
        result = run(http, {"devices": devices})
        assert [device["status"] for device in result["devices"]] == ["failed", "changed"]

    def test_only_devices_to_claim_are_looked_up(
        self, simulator: Simulator, http: RecordingHttp, labels: list[dict[str, Any]]
    ) -> None:
        devices = [
            {"serial_number": labels[0]["serial_number"], "claimed": True},
            {"serial_number": labels[1]["serial_number"], "claimed": False},
            {"imei": labels[2]["imei"], "claimed": False},
        ]
        result = run(http, {"devices": devices})
        assert [device["status"] for device in result["devices"]] == ["changed", "ok", "ok"]
        assert simulator.stats()["by_route"][SERIAL_NUMBER_ROUTE] == 1

    def test_invalid_lookup_answer_fails_only_its_device(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/devices", json=[{"id": one, "name": "old"}], repeat=True)
        scripted_cloud.answer("GET", "/v1/serial_numbers/P046AB1", json={"ok": True})
        scripted_cloud.answer("PUT", f"/v1/devices/{one}", json={})
        devices = [{"serial_number": "P046AB1", "claimed": True}, {"id": one, "name": "new"}]
        with client(scripted_cloud.url) as http:
            result = run(http, {"devices": devices}, verify="none")
        assert [device["status"] for device in result["devices"]] == ["failed", "changed"]
        assert result["devices"][0]["error"]["code"] == "bad_response"

    def test_claimed_device_listed_without_serial_number_gets_no_write(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/devices", json=[{"id": one, "name": None}], repeat=True)
        scripted_cloud.answer("GET", "/v1/serial_numbers/P046AB1", json={"device_id": one}, repeat=True)
        with client(scripted_cloud.url) as http:
            result = run(http, {"devices": [{"serial_number": "P046AB1", "claimed": True}]})
            assert http.writes == []
        assert "failed" not in result

    def test_imei_cannot_be_looked_up_in_an_account(self, http: RecordingHttp, labels: list[dict[str, Any]]) -> None:
        result = run(http, {"devices": [{"imei": labels[0]["imei"], "claimed": True}]})
        assert errors(result) == {None: "device_not_yours"}
        assert "the cloud cannot look up a device by imei" in result["error"]["message"]

    def test_devices_beyond_the_lookup_rate_limit_wait_until_a_given_time(self) -> None:
        with running_simulator("--fleet", "60", "--limits", "documented") as simulator, user(simulator) as http:
            labels = simulator.state()["devices"]
            devices = [{"serial_number": label["serial_number"], "claimed": True} for label in labels]
            result = run(http, {"devices": devices})
            lookups = simulator.stats()["by_route"][SERIAL_NUMBER_ROUTE]
            assert result["summary"] == {"total": 60, "ok": 0, "changed": lookups, "failed": 0, "pending": 60 - lookups}
            assert 45 <= lookups <= 50
            assert simulator.stats()["throttled"] == 0
        waiting = result["devices"][-1]
        assert waiting["error"]["code"] == "budget_exhausted"
        assert "Run again after 20" in waiting["error"]["hint"]
        assert "failed" not in result
