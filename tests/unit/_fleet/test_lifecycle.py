# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test whole runs that set fields, claim and remove devices, in a product and in an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import DEVICES, PRODUCT, RecordingHttp, barn, client, device_id, errors, ids_of, row, run, script, user

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud
from support.simulator import Simulator

PUT = "PUT /v1/products/:p/devices/:id"
REMOVE = "DELETE /v1/products/:p/devices/:id"


@pytest.fixture
def http(simulator: Simulator) -> Iterator[RecordingHttp]:
    with user(simulator) as logged_in:
        yield logged_in


@pytest.fixture
def ids(simulator: Simulator) -> list[str]:
    return ids_of(simulator)


def declare_devices(ids: list[str], **more: Any) -> dict[str, Any]:
    """Build a manifest that declares the same of each device."""
    return {"product": PRODUCT, "devices": [{"id": device, **more} for device in ids]}


def list_product_devices(simulator: Simulator) -> set[str]:
    """List the ids of the devices that are in a product."""
    return {str(device["id"]) for device in simulator.state()["devices"] if device["product"]}


@pytest.fixture
def claimed_device(http: RecordingHttp, ids: list[str]) -> str:
    """A device in no product that its user has claimed, and that has notes."""
    run(http, {"devices": [{"id": ids[0], "claimed": True, "notes": "bought used"}]})
    http.sent.clear()
    return ids[0]


class TestFields:
    """Fields of devices, which are written only if they differ."""

    def test_all_fields_are_set_in_one_request(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        data = declare_devices(ids[:1], name="a", notes="b", development=True)
        assert run(http, data)["changed"] is True
        assert simulator.stats()["by_route"][PUT] == 1
        before = simulator.stats()["writes"]
        assert run(http, data)["changed"] is False
        assert simulator.stats()["writes"] == before

    def test_development_mark_is_removed(self, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declare_devices(ids[:1], development=True))
        result = run(http, declare_devices(ids[:1], development=False))
        assert result["devices"][0]["changes"] == {"development": {"before": True, "after": False}}
        assert run(http, declare_devices(ids[:1], development=False))["changed"] is False

    def test_firmware_lock_is_set_and_removed(self, scripted_cloud: ScriptedCloud) -> None:
        one, two = device_id(1), device_id(2)
        script(scripted_cloud, [row(one, desired_firmware_version=None), row(two, desired_firmware_version=42)])
        for device in (one, two):
            scripted_cloud.answer("PUT", f"{DEVICES}/{device}", json={})
        data = declare_devices([one, two])
        data["devices"][0]["firmware_lock"] = 42
        data["devices"][1]["firmware_lock"] = "unlocked"
        with client(scripted_cloud.url) as http:
            result = run(http, data, verify="none")
            bodies = [request.json for request in http.sent if request.route == PUT]
        assert sorted(map(str, bodies)) == [
            "{'desired_firmware_version': 42}",
            "{'desired_firmware_version': None}",
        ]
        changes = {item.key: item.changes for item in result["diff"].items}
        assert changes == {one: {"firmware_lock": ("unlocked", 42)}, two: {"firmware_lock": (42, "unlocked")}}

    @pytest.mark.parametrize("more", [{"development": False}, {"firmware_lock": "unlocked"}])
    def test_default_value_is_not_written_when_the_cloud_omits_the_field(
        self, scripted_cloud: ScriptedCloud, more: dict[str, Any]
    ) -> None:
        one = device_id(1)
        script(scripted_cloud, [row(one)]).answer("GET", f"{DEVICES}/{one}", json={"id": one}, repeat=True)
        with client(scripted_cloud.url) as http:
            assert run(http, declare_devices([one], **more))["changed"] is False

    def test_run_is_changed_when_a_later_field_of_an_account_device_fails(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/devices", json=[{"id": one, "name": None, "notes": None}], repeat=True)
        scripted_cloud.answer("PUT", f"/v1/devices/{one}", json={})
        scripted_cloud.answer("PUT", f"/v1/devices/{one}", 400, json={"error": "invalid_request"})
        with client(scripted_cloud.url) as http:
            result = run(http, {"devices": [{"id": one, "name": "a", "notes": "b"}]}, verify="none")
        assert (result["changed"], result["summary"]["failed"]) == (True, 1)

    @pytest.mark.parametrize("more", [{"development": True}, {"firmware_lock": 1}])
    def test_product_field_of_an_account_device_is_refused(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], more: dict[str, Any]
    ) -> None:
        with pytest.raises(ParticleError) as caught:
            run(http, {"devices": [{"id": ids[0], **more}]})
        assert caught.value.code == "unsupported"
        assert simulator.stats()["writes"] == 0


class TestProductClaims:
    """Claims to devices of a product, which an import makes."""

    def test_import_claims_the_devices(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        result = run(http, declare_devices(ids, claimed=True))
        assert result["summary"]["changed"] == len(ids)
        assert {device["owner"] for device in simulator.state()["devices"]} == {"demo@example.com"}
        assert simulator.stats()["by_route"]["POST /v1/products/:p/devices"] == 1

    def test_device_in_the_product_is_claimed(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, declare_devices(ids[:2]))
        result = run(http, declare_devices(ids[:2], claimed=True))
        assert [device["changes"] for device in result["devices"]] == [
            {"claimed": {"before": False, "after": True}}
        ] * 2
        assert simulator.device(ids[1])["owner"] == "demo@example.com"
        assert run(http, declare_devices(ids[:2], claimed=True))["changed"] is False

    def test_claim_is_removed_and_the_device_stays_in_the_product(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:1], claimed=True))
        assert run(http, declare_devices(ids[:1], claimed=False))["changed"] is True
        assert simulator.device(ids[0])["owner"] is None
        assert list_product_devices(simulator) == set(ids[:1])
        assert run(http, declare_devices(ids[:1], claimed=False))["changed"] is False

    @pytest.mark.parametrize("answer", [{"json": {"updated": 1}}, {"effect": "reset"}], ids=["taken", "in doubt"])
    def test_device_that_turns_out_to_have_another_owner_fails(
        self, scripted_cloud: ScriptedCloud, answer: dict[str, Any]
    ) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/user", json={"username": "demo@example.com"}, repeat=True)
        scripted_cloud.answer("GET", DEVICES, json={"devices": [row(one, quarantined=True)], "meta": {}})
        scripted_cloud.answer("POST", DEVICES, **answer)
        script(scripted_cloud, [row(one, owner="somebody@example.com")])
        with client(scripted_cloud.url) as http:
            result = run(http, declare_devices([one], claimed=True, approval="approved"))
        assert errors(result) == {one: "device_not_yours"}
        assert result["error"]["message"].endswith("is claimed by another account.")


class TestNewlyShownState:
    """Claims and notes that the cloud shows only after a device was imported or claimed."""

    @pytest.mark.parametrize("more", [{"claimed": False}, {"notes": ""}, {"claimed": False, "notes": ""}])
    def test_claim_and_notes_are_removed_in_the_run_that_imports(
        self, simulator: Simulator, http: RecordingHttp, claimed_device: str, more: dict[str, Any]
    ) -> None:
        result = run(http, declare_devices([claimed_device], **more), verify="none")
        assert result["summary"]["changed"] == 1
        found = simulator.device(claimed_device)
        assert (found["owner"] is None) is ("claimed" in more)
        assert (not found["notes"]) is ("notes" in more)
        assert http.writes.count(PUT) == ("notes" in more)
        assert run(http, declare_devices([claimed_device], **more))["changed"] is False

    def test_notes_are_removed_in_the_run_that_claims(
        self, simulator: Simulator, http: RecordingHttp, claimed_device: str
    ) -> None:
        run(http, {"devices": [{"id": claimed_device, "claimed": False}]}, confirm=True)
        result = run(http, {"devices": [{"id": claimed_device, "claimed": True, "notes": ""}]})
        assert result["summary"]["changed"] == 1
        assert not simulator.device(claimed_device)["notes"]

    def test_claim_that_cannot_be_removed_fails_its_device(
        self, simulator: Simulator, http: RecordingHttp, claimed_device: str
    ) -> None:
        refusal = {"route": "DELETE /v1/products/:p/devices/:id/owner", "effect": "status", "status": 400}
        simulator.set_faults([refusal])
        assert errors(run(http, declare_devices([claimed_device], claimed=False))) == {claimed_device: "cloud_error"}

    def test_devices_without_claim_or_notes_cost_one_list_and_no_write(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids, claimed=False, notes=""), verify="none")
        assert http.writes == ["POST /v1/products/:p/devices"]
        assert len([request.route for request in http.sent if request.route == "GET /v1/products/:p/devices"]) == 2


class TestRemoval:
    """Removal of devices with `state: absent`."""

    def test_devices_leave_mesh_groups_and_product(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:5])
        for device in data["devices"]:
            device["groups"] = ["north"]
        run(http, data)
        result = run(http, data, absent=True, confirm=True)
        assert result["summary"]["changed"] == 5
        assert list_product_devices(simulator) == set()
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert rows == []
        before = simulator.stats()["writes"]
        assert run(http, data, absent=True, confirm=True)["changed"] is False
        assert simulator.stats()["writes"] == before

    def test_absent_device_leaves_mesh_groups_and_product_while_others_stay(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:5])
        for device in data["devices"]:
            device["groups"] = ["north"]
        run(http, data)
        sim = simulator.device(ids[4])["iccid"]
        data["devices"][4]["state"] = "absent"
        predicted = run(http, data, check_mode=True)
        result = run(http, data)
        assert result["summary"]["changed"] == 1
        assert result["devices"] == predicted["devices"]
        outcome = result["devices"][4]
        assert outcome["changes"].keys() == {"product", "groups", "mesh"}
        assert outcome["sim"] == sim
        assert list_product_devices(simulator) == set(ids[:4])
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert {row["scope"]["value"] for row in rows} == set(ids[:4])
        http.sent.clear()
        assert run(http, data)["changed"] is False
        assert http.writes == []

    def test_absent_gateway_leaves_after_the_new_gateway_has_joined(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:3])
        run(http, data)
        data["devices"][0]["state"] = "absent"
        data["devices"].append({"id": ids[3], "name": "unit-0", "mesh": {"network": "barn", "role": "gateway"}})
        assert run(http, data)["summary"] | {"networks": {}} == {
            "total": 4, "ok": 0, "changed": 4, "failed": 0, "pending": 0, "networks": {}
        }  # fmt: skip
        assert list_product_devices(simulator) == set(ids[1:4])
        assert simulator.device(ids[3])["name"] == "unit-0"
        assert run(http, data)["changed"] is False

    def test_absent_devices_count_as_removals(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        data = declare_devices(ids[:4])
        run(http, data)
        for device in data["devices"][:2]:
            device["state"] = "absent"
        before = simulator.stats()["writes"]
        with pytest.raises(ParticleError) as caught:
            run(http, data, confirm=["mesh_locks"])
        assert caught.value.code == "too_many_removals"
        assert simulator.stats()["writes"] == before
        assert run(http, data, confirm=["removals"])["summary"]["changed"] == 2

    def test_absent_device_keeps_its_claim_unless_declared(
        self, simulator: Simulator, http: RecordingHttp, claimed_device: str
    ) -> None:
        run(http, declare_devices([claimed_device]))
        owner = simulator.device(claimed_device)["owner"]
        assert owner
        run(http, declare_devices([claimed_device], state="absent"))
        assert simulator.device(claimed_device)["owner"] == owner
        run(http, declare_devices([claimed_device]))
        run(http, declare_devices([claimed_device], state="absent", claimed=False))
        assert simulator.device(claimed_device)["owner"] is None
        assert list_product_devices(simulator) == set()

    def test_absent_device_of_the_account_loses_its_claim(
        self, simulator: Simulator, http: RecordingHttp, claimed_device: str
    ) -> None:
        data = {"devices": [{"id": claimed_device, "claimed": False, "state": "absent"}]}
        assert run(http, data, check_mode=True)["summary"]["changed"] == 1
        assert run(http, data)["summary"]["changed"] == 1
        assert simulator.device(claimed_device)["owner"] is None
        assert run(http, data)["changed"] is False

    def test_absent_device_that_is_unknown_needs_nothing(self, http: RecordingHttp, ids: list[str]) -> None:
        data = {"product": PRODUCT, "devices": [{"serial_number": "P046UNKNOWN", "state": "absent"}]}
        assert run(http, data)["changed"] is False
        assert http.writes == []

    def test_device_imported_again_is_in_no_groups(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:2], groups=["north"]))
        run(http, declare_devices(ids[:2]), absent=True, confirm=True)
        run(http, declare_devices(ids[:2]))
        assert simulator.device(ids[0])["groups"] == []

    def test_removed_members_are_not_waited_for(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:3])
        run(http, data, verify="online")
        result = run(http, data, absent=True, confirm=True, verify="online")
        assert result["summary"]["changed"] == 3

    def test_device_is_removed_without_reading_the_user(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        script(scripted_cloud, [row(one, owner="you@example.com")]).answer("DELETE", f"{DEVICES}/{one}", status=204)
        with client(scripted_cloud.url) as http:
            result = run(http, declare_devices([one], claimed=True), absent=True, verify="none")
        assert result["summary"]["changed"] == 1

    @pytest.mark.parametrize(
        "refusal",
        [
            (403, {"error": "forbidden", "error_description": "missing scope ledgers:list"}),
            (404, {"ok": False, "error": "Not found"}),
        ],
    )
    def test_device_outside_a_mesh_is_removed_when_ledgers_are_unreadable(
        self, scripted_cloud: ScriptedCloud, refusal: tuple[int, dict[str, Any]]
    ) -> None:
        one, (status, body) = device_id(1), refusal
        product = {"product": {"id": 31337, "slug": PRODUCT}}
        scripted_cloud.answer("GET", f"/v1/products/{PRODUCT}", json=product, repeat=True)
        listed = {"devices": [row(one)], "meta": {"total_pages": 1}}
        scripted_cloud.answer("GET", DEVICES, json=listed, repeat=True)
        scripted_cloud.answer("GET", "/v1/ledgers", status, json=body, repeat=True)
        scripted_cloud.answer("DELETE", f"{DEVICES}/{one}", status=204)
        with client(scripted_cloud.url) as http:
            assert run(http, declare_devices([one]), absent=True, verify="none")["summary"]["changed"] == 1

    def test_lost_answer_does_not_count_as_a_failure_for_max_failures(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:4]))
        simulator.set_faults([{"route": REMOVE, "effect": "reset_after"}])
        result = run(http, declare_devices(ids[:4]), absent=True, confirm=True, max_failures=0)
        assert result["summary"]["changed"] == 4

    def test_undeclared_devices_stay_in_the_product(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:4]))
        run(http, declare_devices(ids[:1]), absent=True)
        assert list_product_devices(simulator) == set(ids[1:4])

    def test_claim_is_kept_unless_claimed_false_is_declared(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:2], claimed=True))
        data = declare_devices(ids[:2])
        data["devices"][1]["claimed"] = False
        run(http, data, absent=True, confirm=True)
        assert simulator.device(ids[0])["owner"] == "demo@example.com"
        assert simulator.device(ids[1])["owner"] is None

    def test_account_device_is_unclaimed_when_that_is_declared(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = {"devices": [{"id": ids[0], "claimed": True}]}
        run(http, data)
        data["devices"][0]["claimed"] = False
        assert run(http, data, absent=True)["changed"] is True
        assert simulator.device(ids[0])["owner"] is None
        assert run(http, data, absent=True)["changed"] is False

    def test_check_mode_shows_the_devices_to_remove(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:1], groups=["north"]))
        before = simulator.stats()["writes"]
        predicted = run(http, declare_devices(ids[:1]), absent=True, check_mode=True)
        assert simulator.stats()["writes"] == before
        changes = {"product": (PRODUCT, None), "groups": (["north"], [])}
        assert predicted["diff"] == Diff((ChangedItem(ids[0], changes, is_removal=True),))
        assert run(http, declare_devices(ids[:1]), absent=True)["diff"] == predicted["diff"]

    def test_lost_answer_of_a_removal_is_settled_by_reading_the_list_again(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:1]))
        simulator.set_faults([{"route": REMOVE, "effect": "reset_after"}])
        result = run(http, declare_devices(ids[:1]), absent=True)
        assert result["summary"]["changed"] == 1
        assert list_product_devices(simulator) == set()

    def test_device_declared_by_label_stays_until_instructions_are_deleted(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:1])
        data["devices"][0]["serial_number"] = simulator.device(data["devices"][0].pop("id"))["serial_number"]
        run(http, data)
        # After its removal, the cloud no longer shows the id that is the key of the instructions.
        simulator.set_faults([{"route": "DELETE /v1/ledgers/:name/instances/:scopeValue", "shape": "E4"}])
        assert run(http, data, absent=True)["summary"]["changed"] == 1
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert (rows, list_product_devices(simulator)) == ([], set())

    def test_forbidden_removal_fails_its_device(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, declare_devices(ids[:1]))
        refusal = {"error": "Permission Denied"}
        simulator.set_faults([{"route": REMOVE, "effect": "status", "status": 403, "body": refusal, "times": 5}])
        result = run(http, declare_devices(ids[:1]), absent=True)
        assert errors(result) == {ids[0]: "forbidden"}

    def test_device_is_removed_from_a_cloud_without_ledgers(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        product = {"product": {"id": 31337, "slug": PRODUCT}}
        scripted_cloud.answer("GET", f"/v1/products/{PRODUCT}", json=product, repeat=True)
        scripted_cloud.answer("GET", DEVICES, json={"devices": [{"id": one}], "meta": {"total_pages": 1}}, repeat=True)
        scripted_cloud.answer("GET", "/v1/ledgers", status=404, body=b"Not Found", repeat=True)
        scripted_cloud.answer("DELETE", f"{DEVICES}/{one}", status=204)
        with client(scripted_cloud.url) as http:
            assert run(http, declare_devices([one]), absent=True, verify="none")["summary"]["changed"] == 1


class TestTooManyRemovals:
    """Limit on the number of devices that are removed without confirmation."""

    @pytest.fixture
    def fleet(self, http: RecordingHttp, ids: list[str]) -> list[str]:
        run(http, declare_devices(ids))
        return ids

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_removal_of_the_whole_fleet_needs_confirmation(
        self, simulator: Simulator, http: RecordingHttp, fleet: list[str], check_mode: bool
    ) -> None:
        before = simulator.stats()["writes"]
        with pytest.raises(ParticleError) as caught:
            run(http, declare_devices(fleet), absent=True, check_mode=check_mode)
        assert caught.value.code == "too_many_removals"
        assert "20 devices would leave the product, but at most 2 may: " in caught.value.message
        assert "and 10 more" in caught.value.message
        assert simulator.stats()["writes"] == before

    def test_limit_says_what_would_become_of_the_devices(self, http: RecordingHttp, fleet: list[str]) -> None:
        data = declare_devices(fleet[:3])
        data["devices"][0]["approval"] = "denied"
        data["undeclared"] = "remove"
        with pytest.raises(ParticleError) as caught:
            run(http, data)
        assert caught.value.message.startswith("18 devices would leave the product or be denied, but at most 1 may: ")
        with pytest.raises(ParticleError) as caught:
            run(http, {**data, "undeclared": "ignore"}, max_removals=0)
        assert caught.value.message == f"1 device would be denied, but at most 0 may: {fleet[0]}."

    def test_one_device_is_removed_without_confirmation(
        self, simulator: Simulator, http: RecordingHttp, fleet: list[str]
    ) -> None:
        assert run(http, declare_devices(fleet[:1]), absent=True)["changed"] is True

    def test_max_removals_limits_the_removed_devices(self, http: RecordingHttp, fleet: list[str]) -> None:
        assert run(http, declare_devices(fleet[:3]), absent=True, max_removals=3)["changed"] is True
        with pytest.raises(ParticleError, match="at most 0 may"):
            run(http, declare_devices(fleet[3:4]), absent=True, max_removals=0)

    def test_confirmation_of_other_changes_confirms_no_removal(self, http: RecordingHttp, fleet: list[str]) -> None:
        with pytest.raises(ParticleError, match="at most 1 may"):
            run(http, declare_devices(fleet[:3]), absent=True, confirm=["mesh_locks", "rollout_locks"])
        assert run(http, declare_devices(fleet[:3]), absent=True, confirm=["removals"])["changed"] is True

    def test_devices_removed_earlier_do_not_count(self, http: RecordingHttp, fleet: list[str]) -> None:
        run(http, declare_devices(fleet[:3]), absent=True, max_removals=3)
        assert run(http, declare_devices(fleet[:4]), absent=True)["summary"]["changed"] == 1
