# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Fields, claims and the way out again: whole runs over a product and an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import DEVICES, PRODUCT, RecordingHttp, barn, client, device_id, errors, ids_of, row, run, script, user

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


def of_product(ids: list[str], **more: Any) -> dict[str, Any]:
    """A manifest that says the same of each device."""
    return {"product": PRODUCT, "devices": [{"id": device, **more} for device in ids]}


def members(simulator: Simulator) -> set[str]:
    """The devices that are in a product."""
    return {str(device["id"]) for device in simulator.state()["devices"] if device["product"]}


class TestFields:
    """All fields of a device go in one request, and rest when they are as declared."""

    def test_one_request_sets_all_of_them(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        data = of_product(ids[:1], name="a", notes="b", development=True)
        assert run(http, data)["changed"] is True
        assert simulator.stats()["by_route"][PUT] == 1
        before = simulator.stats()["writes"]
        assert run(http, data)["changed"] is False
        assert simulator.stats()["writes"] == before

    def test_development_can_be_taken_back(self, http: RecordingHttp, ids: list[str]) -> None:
        run(http, of_product(ids[:1], development=True))
        result = run(http, of_product(ids[:1], development=False))
        assert result["devices"][0]["changes"] == {"development": {"before": True, "after": False}}
        assert run(http, of_product(ids[:1], development=False))["changed"] is False

    def test_a_lock_is_set_and_taken_off(self, scripted_cloud: ScriptedCloud) -> None:
        one, two = device_id(1), device_id(2)
        script(scripted_cloud, [row(one, desired_firmware_version=None), row(two, desired_firmware_version=42)])
        for device in (one, two):
            scripted_cloud.answer("PUT", f"{DEVICES}/{device}", json={})
        data = of_product([one, two])
        data["devices"][0]["firmware_version"] = 42
        data["devices"][1]["firmware_version"] = "unlocked"
        with client(scripted_cloud.url) as http:
            result = run(http, data, verify="none")
            bodies = [request.json for request in http.sent if request.route == PUT]
        assert sorted(map(str, bodies)) == [
            "{'desired_firmware_version': 42}",
            "{'desired_firmware_version': None}",
        ]
        assert result["diff"] == {
            "before": {one: {"firmware_version": "unlocked"}, two: {"firmware_version": 42}},
            "after": {one: {"firmware_version": 42}, two: {"firmware_version": "unlocked"}},
        }

    @pytest.mark.parametrize("more", [{"development": False}, {"firmware_version": "unlocked"}])
    def test_what_a_cloud_never_mentions_is_not_set(self, scripted_cloud: ScriptedCloud, more: dict[str, Any]) -> None:
        one = device_id(1)
        script(scripted_cloud, [row(one)]).answer("GET", f"{DEVICES}/{one}", json={"id": one}, repeat=True)
        with client(scripted_cloud.url) as http:
            assert run(http, of_product([one], **more))["changed"] is False

    def test_outside_a_product_a_field_that_is_set_is_a_change_also_when_the_next_one_fails(
        self, scripted_cloud: ScriptedCloud
    ) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/devices", json=[{"id": one, "name": None, "notes": None}], repeat=True)
        scripted_cloud.answer("PUT", f"/v1/devices/{one}", json={})
        scripted_cloud.answer("PUT", f"/v1/devices/{one}", 400, json={"error": "invalid_request"})
        with client(scripted_cloud.url) as http:
            result = run(http, {"devices": [{"id": one, "name": "a", "notes": "b"}]}, verify="none")
        assert (result["changed"], result["summary"]["failed"]) == (True, 1)

    @pytest.mark.parametrize("more", [{"development": True}, {"firmware_version": 1}])
    def test_outside_a_product_there_is_nothing_of_the_kind(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], more: dict[str, Any]
    ) -> None:
        with pytest.raises(ParticleError) as caught:
            run(http, {"devices": [{"id": ids[0], **more}]})
        assert caught.value.code == "unsupported"
        assert simulator.stats()["writes"] == 0


class TestClaimsInAProduct:
    """A claim goes with the import, or with another one."""

    def test_the_import_claims(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        result = run(http, of_product(ids, claimed=True))
        assert result["summary"]["changed"] == len(ids)
        assert {device["owner"] for device in simulator.state()["devices"]} == {"demo@example.com"}
        assert simulator.stats()["by_route"]["POST /v1/products/:p/devices"] == 1

    def test_who_is_there_is_claimed_later(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, of_product(ids[:2]))
        result = run(http, of_product(ids[:2], claimed=True))
        assert [device["changes"] for device in result["devices"]] == [
            {"claimed": {"before": False, "after": True}}
        ] * 2
        assert simulator.device(ids[1])["owner"] == "demo@example.com"
        assert run(http, of_product(ids[:2], claimed=True))["changed"] is False

    def test_a_claim_is_given_up_and_the_device_stays(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, of_product(ids[:1], claimed=True))
        assert run(http, of_product(ids[:1], claimed=False))["changed"] is True
        assert simulator.device(ids[0])["owner"] is None
        assert members(simulator) == set(ids[:1])
        assert run(http, of_product(ids[:1], claimed=False))["changed"] is False

    @pytest.mark.parametrize("answer", [{"json": {"updated": 1}}, {"effect": "reset"}], ids=["taken", "in doubt"])
    def test_who_turns_out_to_be_claimed_by_somebody_else_has_failed(
        self, scripted_cloud: ScriptedCloud, answer: dict[str, Any]
    ) -> None:
        one = device_id(1)
        scripted_cloud.answer("GET", "/v1/user", json={"username": "demo@example.com"}, repeat=True)
        scripted_cloud.answer("GET", DEVICES, json={"devices": [row(one, quarantined=True)], "meta": {}})
        scripted_cloud.answer("POST", DEVICES, **answer)
        script(scripted_cloud, [row(one, owner="somebody@example.com")])
        with client(scripted_cloud.url) as http:
            result = run(http, of_product([one], claimed=True))
        assert errors(result) == {one: "device_not_yours"}
        assert result["error"]["message"].endswith("is claimed by another account.")


class TestWhatADeviceBringsAlong:
    """A device that comes into the product from elsewhere shows only then what it is to be without."""

    @pytest.fixture
    def own(self, http: RecordingHttp, ids: list[str]) -> str:
        """A device that its user has claimed and written notes about, and that is in no product yet."""
        run(http, {"devices": [{"id": ids[0], "claimed": True, "notes": "bought used"}]})
        http.sent.clear()
        return ids[0]

    @pytest.mark.parametrize("more", [{"claimed": False}, {"notes": ""}, {"claimed": False, "notes": ""}])
    def test_is_taken_away_in_the_same_run(
        self, simulator: Simulator, http: RecordingHttp, own: str, more: dict[str, Any]
    ) -> None:
        result = run(http, of_product([own], **more), verify="none")
        assert result["summary"]["changed"] == 1
        found = simulator.device(own)
        assert (found["owner"] is None) is ("claimed" in more)
        assert (not found["notes"]) is ("notes" in more)
        assert http.writes.count(PUT) == ("notes" in more)
        assert run(http, of_product([own], **more))["changed"] is False

    def test_is_taken_away_from_who_is_claimed_too(self, simulator: Simulator, http: RecordingHttp, own: str) -> None:
        run(http, {"devices": [{"id": own, "claimed": False}]}, confirm=True)
        result = run(http, {"devices": [{"id": own, "claimed": True, "notes": ""}]})
        assert result["summary"]["changed"] == 1
        assert not simulator.device(own)["notes"]

    def test_a_claim_that_cannot_be_given_up_is_a_failure(
        self, simulator: Simulator, http: RecordingHttp, own: str
    ) -> None:
        refusal = {"route": "DELETE /v1/products/:p/devices/:id/owner", "effect": "status", "status": 400}
        simulator.set_faults([refusal])
        assert errors(run(http, of_product([own], claimed=False))) == {own: "cloud_error"}

    def test_who_brings_nothing_along_costs_one_more_look_and_no_write(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, of_product(ids, claimed=False, notes=""), verify="none")
        assert http.writes == ["POST /v1/products/:p/devices"]
        assert len([request.route for request in http.sent if request.route == "GET /v1/products/:p/devices"]) == 2


class TestTheWayOut:
    """``absent`` undoes what ``present`` has done, and no more."""

    def test_devices_leave_mesh_groups_and_product(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:5])
        for device in data["devices"]:
            device["groups"] = ["north"]
        run(http, data)
        result = run(http, data, absent=True, confirm=True)
        assert result["summary"]["changed"] == 5
        assert members(simulator) == set()
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert rows == []
        before = simulator.stats()["writes"]
        assert run(http, data, absent=True, confirm=True)["changed"] is False
        assert simulator.stats()["writes"] == before

    def test_devices_that_come_back_are_as_new(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, of_product(ids[:2], groups=["north"]))
        run(http, of_product(ids[:2]), absent=True, confirm=True)
        run(http, of_product(ids[:2]))
        assert simulator.device(ids[0])["groups"] == []

    def test_nobody_waits_for_those_who_left_to_join(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:3])
        run(http, data, verify="online")
        result = run(http, data, absent=True, confirm=True, verify="online")
        assert result["summary"]["changed"] == 3

    def test_a_user_of_the_api_need_not_say_who_it_is_to_take_devices_out(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        script(scripted_cloud, [row(one, owner="you@example.com")]).answer("DELETE", f"{DEVICES}/{one}", status=204)
        with client(scripted_cloud.url) as http:
            result = run(http, of_product([one], claimed=True), absent=True, verify="none")
        assert result["summary"]["changed"] == 1

    @pytest.mark.parametrize(
        "refusal",
        [
            (403, {"error": "forbidden", "error_description": "missing scope ledgers:list"}),
            (404, {"ok": False, "error": "Not found"}),
        ],
    )
    def test_who_was_never_in_a_mesh_leaves_also_where_nobody_may_look_at_ledgers(
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
            assert run(http, of_product([one]), absent=True, verify="none")["summary"]["changed"] == 1

    def test_a_run_that_stops_at_the_first_failure_does_not_stop_at_a_lost_answer(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, of_product(ids[:4]))
        simulator.set_faults([{"route": REMOVE, "effect": "reset_after"}])
        result = run(http, of_product(ids[:4]), absent=True, confirm=True, max_failures=0)
        assert result["summary"]["changed"] == 4

    def test_others_stay(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, of_product(ids[:4]))
        run(http, of_product(ids[:1]), absent=True)
        assert members(simulator) == set(ids[1:4])

    def test_a_claim_stays_unless_it_is_said(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, of_product(ids[:2], claimed=True))
        data = of_product(ids[:2])
        data["devices"][1]["claimed"] = False
        run(http, data, absent=True, confirm=True)
        assert simulator.device(ids[0])["owner"] == "demo@example.com"
        assert simulator.device(ids[1])["owner"] is None

    def test_the_accounts_own_are_unclaimed(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        data = {"devices": [{"id": ids[0], "claimed": True}]}
        run(http, data)
        data["devices"][0]["claimed"] = False
        assert run(http, data, absent=True)["changed"] is True
        assert simulator.device(ids[0])["owner"] is None
        assert run(http, data, absent=True)["changed"] is False

    def test_a_dry_run_says_who_would_leave(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, of_product(ids[:1], groups=["north"]))
        before = simulator.stats()["writes"]
        predicted = run(http, of_product(ids[:1]), absent=True, check_mode=True)
        assert simulator.stats()["writes"] == before
        assert predicted["diff"]["before"] == {ids[0]: {"product": PRODUCT, "groups": ["north"]}}
        assert run(http, of_product(ids[:1]), absent=True)["diff"] == predicted["diff"]

    def test_a_removal_whose_answer_is_lost_is_settled_by_another_look(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, of_product(ids[:1]))
        simulator.set_faults([{"route": REMOVE, "effect": "reset_after"}])
        result = run(http, of_product(ids[:1]), absent=True)
        assert result["summary"]["changed"] == 1
        assert members(simulator) == set()

    def test_who_is_known_by_a_label_stays_until_its_orders_are_really_gone(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:1])
        data["devices"][0]["serial_number"] = simulator.device(data["devices"][0].pop("id"))["serial_number"]
        run(http, data)
        # Once it has left, nobody tells the id that its orders are kept under.
        simulator.set_faults([{"route": "DELETE /v1/ledgers/:name/instances/:scopeValue", "shape": "E4"}])
        assert run(http, data, absent=True)["summary"]["changed"] == 1
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert (rows, members(simulator)) == ([], set())

    def test_a_removal_that_is_forbidden_is_a_failure(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, of_product(ids[:1]))
        refusal = {"error": "Permission Denied"}
        simulator.set_faults([{"route": REMOVE, "effect": "status", "status": 403, "body": refusal, "times": 5}])
        result = run(http, of_product(ids[:1]), absent=True)
        assert errors(result) == {ids[0]: "forbidden"}

    def test_a_cloud_without_a_mesh_lets_devices_go(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        product = {"product": {"id": 31337, "slug": PRODUCT}}
        scripted_cloud.answer("GET", f"/v1/products/{PRODUCT}", json=product, repeat=True)
        scripted_cloud.answer("GET", DEVICES, json={"devices": [{"id": one}], "meta": {"total_pages": 1}}, repeat=True)
        scripted_cloud.answer("GET", "/v1/ledgers", status=404, body=b"Not Found", repeat=True)
        scripted_cloud.answer("DELETE", f"{DEVICES}/{one}", status=204)
        with client(scripted_cloud.url) as http:
            assert run(http, of_product([one]), absent=True, verify="none")["summary"]["changed"] == 1


class TestTooManyRemovals:
    """Who is about to lose a fleet is asked first."""

    @pytest.fixture
    def fleet(self, http: RecordingHttp, ids: list[str]) -> list[str]:
        run(http, of_product(ids))
        return ids

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_more_than_one_in_ten_want_a_confirmation(
        self, simulator: Simulator, http: RecordingHttp, fleet: list[str], check_mode: bool
    ) -> None:
        before = simulator.stats()["writes"]
        with pytest.raises(ParticleError) as caught:
            run(http, of_product(fleet), absent=True, check_mode=check_mode)
        assert caught.value.code == "too_many_removals"
        assert "20 devices would leave" in caught.value.message
        assert "and 10 more" in caught.value.message
        assert simulator.stats()["writes"] == before

    def test_one_may_always_leave(self, simulator: Simulator, http: RecordingHttp, fleet: list[str]) -> None:
        assert run(http, of_product(fleet[:1]), absent=True)["changed"] is True

    def test_as_many_as_are_allowed_may_leave(self, http: RecordingHttp, fleet: list[str]) -> None:
        assert run(http, of_product(fleet[:3]), absent=True, max_removals=3)["changed"] is True
        with pytest.raises(ParticleError, match="at most 0 may"):
            run(http, of_product(fleet[3:4]), absent=True, max_removals=0)

    def test_who_is_gone_already_is_not_counted(self, http: RecordingHttp, fleet: list[str]) -> None:
        run(http, of_product(fleet[:3]), absent=True, max_removals=3)
        assert run(http, of_product(fleet[:4]), absent=True)["summary"]["changed"] == 1
