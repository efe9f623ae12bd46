# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test whole runs of the fleet engine: the state that they reach and the result that they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from fleet_cloud import (
    DEVICES,
    EXPIRED,
    GROUPS,
    INSTANCES,
    LEDGER_ROWS,
    PRODUCT,
    REPORTS,
    RecordingHttp,
    barn,
    client,
    device_id,
    errors,
    ids_of,
    instance,
    named,
    row,
    run,
    script,
    statuses,
    user,
)
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import remove_product_device
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import HINTS
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock as HttpClock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from support.plays import read_counts
from support.scripted import ScriptedCloud
from support.scripted import scripted_cloud as new_scripted_cloud
from support.simulator import PRODUCT_ID, Simulator, running_simulator

IMPORT = "POST /v1/products/:p/devices"
UPDATE = "PUT /v1/products/:p/devices/:id"
SET_INSTRUCTIONS = "PUT /v1/ledgers/:name/instances/:scopeValue"
DELETE_INSTRUCTIONS = "DELETE /v1/ledgers/:name/instances/:scopeValue"
ONE, TWO, THREE = (device_id(number) for number in (1, 2, 3))


@pytest.fixture
def http(simulator: Simulator) -> Iterator[RecordingHttp]:
    """A client that is logged in as the simulator's user."""
    with user(simulator) as http:
        yield http


@pytest.fixture
def ids(simulator: Simulator) -> list[str]:
    return ids_of(simulator)


def omit(key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Build a copy of a row that lacks a key."""
    return {name: value for name, value in fields.items() if name != key}


def count_writes(simulator: Simulator) -> int:
    """Return how many writes the cloud has received."""
    return int(simulator.stats()["writes"])


class TestProduct:
    """Fleets of a product, with names, notes, groups and a mesh."""

    def test_run_brings_a_product_to_the_declared_state(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids, channel=15)
        for device in data["devices"]:
            device.update(groups=["north"], notes="by hand")

        result = run(http, data, verify="online")

        assert "failed" not in result
        assert result["changed"]
        assert read_counts(result) == {"total": 20, "ok": 0, "changed": 20, "failed": 0, "pending": 0}
        assert result["networks"] == {"barn": {"gateways": 1, "nodes": 19, "joined": 20, "lost": 0, "pending": 0}}
        found = simulator.device(ids[1])
        assert (found["product"], found["name"], found["notes"]) == (PRODUCT_ID, "unit-1", "by hand")
        assert sorted(found["groups"]) == ["mesh-barn", "mesh-node", "north"]

    def test_outcomes_are_in_the_order_of_the_manifest(self, http: RecordingHttp, ids: list[str]) -> None:
        data = barn(ids)
        data["devices"].reverse()
        result = run(http, data)
        assert [device["id"] for device in result["devices"]] == ids[::-1]
        first = result["devices"][0]
        assert first["name"] == "unit-19"
        assert first["changes"]["name"] == {"before": None, "after": "unit-19"}
        assert first["changes"]["product"] == {"before": None, "after": PRODUCT}

    def test_second_run_writes_nothing(self, simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
        run(http, barn(ids))
        before = count_writes(simulator)
        again = run(http, barn(ids))
        assert count_writes(simulator) == before
        assert (again["changed"], again["summary"]["ok"], again["diff"]) == (False, 20, Diff())

    def test_check_mode_predicts_the_run_without_a_write(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        before = count_writes(simulator)
        predicted = run(http, barn(ids), check_mode=True)
        assert count_writes(simulator) == before

        real = run(http, barn(ids))
        assert all(device.pop("uncertain") for device in predicted["devices"])  # no list shows a new device
        assert [predicted[key] for key in ("changed", "diff", "devices")] == [
            real[key] for key in ("changed", "diff", "devices")
        ]

        after = run(http, barn(ids), check_mode=True)
        assert (after["changed"], after["diff"]) == (False, Diff())

    def test_members_move_to_another_network_and_leave(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, barn(ids[:3]))
        data = named(ids[:3])
        data["networks"] = {"shed": {"parameters": {"key": "hush"}}}
        data["devices"][0]["mesh"] = {"network": "shed", "role": "gateway"}
        data["devices"][1]["mesh"] = {"state": "absent"}

        result = run(http, data)

        assert result["devices"][0]["changes"]["mesh"] == {
            "before": {"network": "barn", "role": "gateway"},
            "after": {"network": "shed", "role": "gateway"},
        }
        groups = [sorted(simulator.device(device)["groups"]) for device in ids[:3]]
        assert groups == [["mesh-gateway", "mesh-shed"], [], ["mesh-barn", "mesh-node"]]
        instructions = {entry["name"]: entry["instances"] for entry in simulator.state()["ledgers"]}["mesh"]
        assert {entry["scope_value"]: entry["data"]["network"] for entry in instructions} == {
            ids[0]: "shed",
            ids[1]: None,
            ids[2]: "barn",
        }
        assert "hush" not in repr(result)

    def test_exact_groups_mode_keeps_only_declared_and_mesh_groups(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = barn(ids[:1])
        data["devices"][0]["groups"] = ["north", "beta"]
        run(http, data)
        del data["devices"][0]["mesh"]
        data["devices"][0]["groups"] = ["beta"]
        run(http, data)
        assert sorted(simulator.device(ids[0])["groups"]) == ["beta", "mesh-barn", "mesh-gateway", "north"]
        run(http, {**data, "groups_mode": "exact"})
        assert sorted(simulator.device(ids[0])["groups"]) == ["beta", "mesh-barn", "mesh-gateway"]

    def test_undeclared_fields_and_groups_are_kept(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(
            http,
            {"product": PRODUCT, "devices": [{"id": ids[0], "name": "kept", "notes": "kept", "groups": ["north"]}]},
        )
        result = run(http, {"product": PRODUCT, "groups_mode": "exact", "devices": [{"id": ids[0]}]})
        found = simulator.device(ids[0])
        assert (found["name"], found["notes"], found["groups"]) == ("kept", "kept", ["north"])
        assert result["changed"] is False

    def test_declared_approval_is_an_import(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [row(ONE, quarantined=True), row(TWO)])
        scripted_cloud.answer("POST", DEVICES)  # the answer may be empty; the list is then read again
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1})
        with client(scripted_cloud.url) as http:
            devices = [{"id": ONE, "approval": "approved"}, {"id": TWO}]
            result = run(http, {"product": PRODUCT, "devices": devices}, verify="none")
            assert http.imported == [[ONE], [ONE]]
        assert statuses(result) == {ONE: "changed", TWO: "ok"}

    @pytest.mark.parametrize("approval", ["approved", "denied"])
    def test_unapproved_device_with_another_label_is_not_written(
        self, scripted_cloud: ScriptedCloud, approval: str
    ) -> None:
        script(scripted_cloud, [row(ONE, quarantined=True, serial_number="P046AB000000001")])
        device = {"id": ONE, "serial_number": "P046AB000000002", "approval": approval}
        with client(scripted_cloud.url) as http:
            result = run(http, {"product": PRODUCT, "devices": [device]}, verify="none")
            assert http.writes == []
        assert errors(result) == {ONE: "conflict"}

    def test_device_is_read_singly_when_the_list_omits_its_notes(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [omit("notes", row(ONE)), omit("notes", row(TWO))])
        scripted_cloud.answer("GET", f"{DEVICES}/{ONE}", json=row(ONE, notes="a"))
        devices = [{"id": ONE, "notes": "a"}, {"id": TWO}]
        with client(scripted_cloud.url) as http:
            assert run(http, {"product": PRODUCT, "devices": devices})["changed"] is False

    def test_device_is_read_singly_when_the_list_omits_its_groups(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [omit("groups", row(ONE)), omit("groups", row(TWO))], groups=["north"])
        scripted_cloud.answer("GET", f"{DEVICES}/{ONE}", json=row(ONE, groups=["north"]))
        devices = [{"id": ONE, "groups": ["north"]}, {"id": TWO}]
        with client(scripted_cloud.url) as http:
            assert run(http, {"product": PRODUCT, "devices": devices})["changed"] is False

    def test_omitted_notes_are_missing_when_another_row_shows_notes(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [omit("notes", row(ONE)), row(TWO, notes="b")])
        devices = [{"id": ONE, "notes": ""}, {"id": TWO, "notes": "b"}]
        with client(scripted_cloud.url) as http:
            assert run(http, {"product": PRODUCT, "devices": devices})["changed"] is False
            assert "GET /v1/products/:p/devices/:id" not in [request.route for request in http.sent]

    def test_all_devices_are_read_singly_when_no_row_shows_notes(self, scripted_cloud: ScriptedCloud) -> None:
        ids = [device_id(number) for number in range(1, 9)]
        script(scripted_cloud, [omit("notes", row(device)) for device in ids])
        for number, device in enumerate(ids):
            scripted_cloud.answer("GET", f"{DEVICES}/{device}", json=row(device, notes="a" if number > 6 else None))
        warnings: list[str] = []
        devices = [{"id": device, "notes": ""} for device in ids[:7]] + [{"id": ids[7], "notes": "a"}]
        with client(scripted_cloud.url) as http:
            assert run(http, {"product": PRODUCT, "devices": devices}, warnings=warnings)["changed"] is False
        assert warnings == ["The list of devices lacks notes: 8 devices are read one by one."]

    def test_device_is_found_when_the_list_shows_its_id_in_upper_case(self, scripted_cloud: ScriptedCloud) -> None:
        rows = [row(ONE.upper(), name="unit-0"), row(f" {TWO} ", name="unit-1")]
        script(scripted_cloud, rows)
        for device, shown in zip((ONE, TWO), rows, strict=True):
            scripted_cloud.answer("GET", f"{DEVICES}/{device}", json=shown)
        with client(scripted_cloud.url) as http:
            result = run(http, named([ONE, TWO], firmware_lock="unlocked"))
        assert (result["changed"], result["undeclared"]["count"]) == (False, 0)

    def test_owner_is_compared_without_regard_to_case(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [row(ONE, owner="Demo@Example.com")])
        scripted_cloud.answer("GET", "/v1/user", json={"username": "demo@example.com"})
        with client(scripted_cloud.url) as http:
            assert run(http, {"product": PRODUCT, "devices": [{"id": ONE, "claimed": True}]})["changed"] is False

    def test_omitted_groups_do_not_matter_when_none_are_declared(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [{"id": ONE, "name": "unit-0"}])
        with client(scripted_cloud.url) as http:
            assert run(http, named([ONE]))["changed"] is False

    @pytest.mark.parametrize(("steady", "warned"), [(True, 0), (False, 1)])
    def test_list_that_changes_while_it_is_read_is_read_again(
        self, scripted_cloud: ScriptedCloud, steady: bool, warned: int
    ) -> None:
        def show(total: int, *devices: str) -> None:
            rows = [row(device, name=f"unit-{[ONE, TWO, THREE].index(device)}") for device in devices]
            scripted_cloud.answer("GET", DEVICES, json={"devices": rows, "meta": {"total_pages": total}})

        show(2, ONE)
        show(1)  # the second page is gone, and its devices have moved to the first one
        show(1, ONE)
        show(1)
        show(2, ONE)
        show(2 if steady else 3, TWO, THREE)
        show(2, ONE)
        show(2 if steady else 3, TWO, THREE)
        script(scripted_cloud)
        warnings: list[str] = []
        with client(scripted_cloud.url, workers=1) as http:
            result = run(http, named([ONE, TWO, THREE]), warnings=warnings)
        assert set(statuses(result).values()) == {"ok"}
        assert len(scripted_cloud.seen("GET", DEVICES)) == 8
        assert len(warnings) == warned

    def test_list_is_read_whole_when_the_cloud_ignores_filters(self, scripted_cloud: ScriptedCloud) -> None:
        last = 10
        unfiltered = filtered = [1, last]
        for page in (*unfiltered, *filtered, 1, last, *range(1, last), last):
            rows = [row(device_id(page), name=f"unit-{page}")]
            scripted_cloud.answer("GET", DEVICES, json={"devices": rows, "meta": {"total_pages": last}})
        script(scripted_cloud)
        with client(scripted_cloud.url, workers=1) as http:
            result = run(http, {"product": PRODUCT, "devices": [{"id": device_id(5), "name": "unit-5"}]})
        assert (result["changed"], result["undeclared"]["count"]) == (False, last - 1)
        assert len(scripted_cloud.seen("GET", DEVICES)) == last + 6

    def test_two_readings_of_a_changing_list_are_merged(self, scripted_cloud: ScriptedCloud) -> None:
        first = ((2, ONE, "old"), (3, TWO, "unit-1"))
        again = ((2, ONE, "unit-0"), (3, ONE, "unit-0"))
        for total, device, name in (*first, *first, *again, *again):
            page = {"devices": [row(device, name=name)], "meta": {"total_pages": total}}
            scripted_cloud.answer("GET", DEVICES, json=page)
        script(scripted_cloud)
        with client(scripted_cloud.url, workers=1) as http:
            assert run(http, named([ONE, TWO]))["changed"] is False

    def test_listed_device_is_not_imported_when_its_single_read_is_empty(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [{"id": ONE}]).answer("GET", f"{DEVICES}/{ONE}", json=[])
        scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", json={})
        with client(scripted_cloud.url) as http:
            run(http, named([ONE]), verify="none")
            assert http.imported == []


class TestAccount:
    """Devices of an account, without a product."""

    def test_devices_are_claimed_and_named_and_second_run_writes_nothing(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        data = {"devices": [{"id": device, "name": f"own-{device[-4:]}", "claimed": True} for device in ids[:3]]}
        first = run(http, data)
        assert set(statuses(first).values()) == {"changed"}
        assert simulator.device(ids[0])["owner"] == "demo@example.com"
        before = count_writes(simulator)
        assert run(http, data)["changed"] is False
        assert count_writes(simulator) == before

    def test_unclaimed_device_fails_and_the_others_are_done(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        devices = [{"id": ids[0], "name": "a"}, {"id": ids[1], "name": "b", "claimed": True}]
        result = run(http, {"devices": devices})
        assert statuses(result) == {ids[0]: "failed", ids[1]: "changed"}
        assert errors(result) == {ids[0]: "device_not_yours"}
        assert "claimed: true" in result["error"]["hint"]
        assert simulator.device(ids[0])["name"] is None

    def test_lost_answer_of_a_claim_is_settled_by_reading_the_list_again(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        simulator.set_faults([{"route": "POST /v1/devices", "effect": "reset_after"}])
        result = run(http, {"devices": [{"id": ids[0], "name": "a", "claimed": True}]})
        assert statuses(result) == {ids[0]: "changed"}
        assert simulator.stats()["by_route"]["POST /v1/devices"] == 1
        assert simulator.device(ids[0])["name"] == "a"


class TestErrorsBeforeTheFirstWrite:
    """Errors that concern the whole run and end it before any write."""

    @pytest.mark.parametrize(
        ("method", "path", "status", "answer", "code"),
        [
            (
                "GET",
                f"/v1/products/{PRODUCT}",
                404,
                {"json": {"ok": False, "error": "Product not found."}},
                "not_found",
            ),
            ("GET", f"/v1/products/{PRODUCT}", 403, {"json": {"ok": False, "error": "Permission denied"}}, "not_found"),
            ("GET", f"/v1/products/{PRODUCT}", 200, {"json": {"product": []}}, "bad_response"),
            ("GET", DEVICES, 401, {"json": EXPIRED}, "token_expired"),
            ("GET", DEVICES, 200, {"body": "<html>Please log in</html>"}, "not_a_cloud"),
            ("GET", DEVICES, 200, {"json": {"rows": []}}, "bad_response"),
            ("GET", GROUPS, 404, {"json": {"ok": False, "error": "Not found."}}, "unsupported"),
            ("GET", GROUPS, 403, {"json": {"ok": False, "error": "Permission denied"}}, "forbidden"),
            ("GET", GROUPS, 200, {"json": {"groups": ["north"]}}, "bad_response"),
            ("GET", "/v1/ledgers", 404, {"json": {"ok": False, "error": "Not found."}}, "unsupported"),
            ("GET", "/v1/ledgers", 200, {"json": {"ledgers": [{**LEDGER_ROWS[0], "scope": "Owner"}]}}, "conflict"),
        ],
    )
    def test_refused_or_invalid_read_ends_the_run(
        self, scripted_cloud: ScriptedCloud, method: str, path: str, status: int, answer: Mapping[str, Any], code: str
    ) -> None:
        script(scripted_cloud.answer(method, path, status, **answer))
        scripted_cloud.answer("GET", "/v1/user/products", json={"products": []})  # read if the product is not found
        with client(scripted_cloud.url) as http:
            with pytest.raises(ParticleError) as caught:
                run(http, barn([ONE, TWO]))
            assert http.writes == []
        assert caught.value.code == code


class TestGatewayOfAnotherManifest:
    """Networks whose gateway is in another manifest, and whose parameters this manifest does not declare."""

    def test_joining_node_gets_the_parameters_of_its_network(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, barn(ids[:2], channel=15))
        node = {"id": ids[2], "mesh": {"network": "barn"}}
        run(http, {"product": PRODUCT, "networks": {"barn": {"gateways": [ids[0]]}}, "devices": [node]})
        rows = http.send(Request("GET /v1/ledgers/:name/instances", "look", {"name": "mesh"})).data["instances"]
        assert [row["data"]["parameters"] for row in rows] == [{"channel": 15}] * 3


class TestFailedDevice:
    """Failures of single devices: all others are done, and then the task fails."""

    @pytest.mark.parametrize(
        ("status", "code"), [(400, "cloud_error"), (403, "forbidden"), (404, "not_found"), (500, "cloud_error")]
    )
    def test_failed_device_leaves_the_others_done(
        self, simulator: Simulator, ids: list[str], status: int, code: str
    ) -> None:
        times = 5 if status == 500 else 1
        refusal = {"ok": False, "error": "No."}
        with user(simulator, workers=1) as http:
            simulator.set_faults(
                [{"route": UPDATE, "effect": "status", "status": status, "body": refusal, "times": times}]
            )
            result = run(http, named(ids))
        assert errors(result) == {ids[0]: code}
        assert read_counts(result) == {"total": 20, "ok": 0, "changed": 19, "failed": 1, "pending": 0}
        assert result["failed"]
        assert (result["error"]["code"], result["changed"]) == (code, True)
        assert result["msg"].startswith("1 of 20 devices failed, all others are done. Could not set name")
        assert simulator.device(ids[19])["name"] == "unit-19"

    def test_message_names_no_others_if_all_devices_fail(self, simulator: Simulator, ids: list[str]) -> None:
        refusal = {"route": UPDATE, "effect": "status", "status": 403, "body": {"error": "No."}, "times": 20}
        with user(simulator) as http:
            simulator.set_faults([refusal])
            result = run(http, named(ids))
        assert result["msg"].startswith("20 of 20 devices failed. Could not set name")

    def test_run_that_exceeds_max_failures_names_the_failed_devices(self, simulator: Simulator, ids: list[str]) -> None:
        refusal = {"route": UPDATE, "effect": "status", "status": 403, "body": {"error": "No."}, "times": 20}
        with user(simulator) as http:
            simulator.set_faults([refusal])
            result = run(http, named(ids), max_failures=0)
        failed = [device["id"] for device in result["devices"] if device["status"] == "failed"]
        first, *titles, _hint = result["msg"].splitlines()
        assert f"More devices have failed than max_failures allows. {len(failed)} of 20 devices failed. " in first
        assert first.count("Could not set name") == 1
        assert all(device in title for device, title in zip(failed[:10], titles, strict=False))

    def test_run_that_ends_early_names_the_devices_that_failed_before(
        self, simulator: Simulator, ids: list[str]
    ) -> None:
        refusal = {"route": UPDATE, "effect": "status", "status": 403, "body": {"error": "No."}, "times": 1}
        with user(simulator) as http:
            simulator.set_faults([refusal, {"route": UPDATE, "effect": "status", "status": 401, "times": 90}])
            result = run(http, named(ids))
        assert result["msg"].startswith("The run ended early, and 19 devices are pending. ")
        assert "\n1 of 20 devices failed. Could not set name" in result["msg"]

    def test_device_refused_before_any_write_counts_for_max_failures(self, http: RecordingHttp, ids: list[str]) -> None:
        unclaimed, claimed = ids[:2]
        data = {"devices": [{"id": unclaimed, "name": "theirs"}, {"id": claimed, "claimed": True}]}
        result = run(http, data, max_failures=0)
        assert statuses(result) == {unclaimed: "failed", claimed: "pending"}
        assert "More devices have failed than max_failures allows. 1 of 2 devices failed. " in result["msg"]
        assert http.writes == []
        assert statuses(run(http, data, max_failures=1)) == {unclaimed: "failed", claimed: "changed"}

    def test_rejected_import_fails_only_the_unknown_device(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        unknown = device_id(4711)
        result = run(http, named([*ids[:2], unknown]))
        assert errors(result) == {unknown: "device_not_yours"}
        assert result["error"]["message"].endswith("or is in another product.")
        assert statuses(result)[ids[0]] == "changed"

    def test_rejected_import_is_not_a_change_in_any_run(self, http: RecordingHttp) -> None:
        unknown = [device_id(4711), device_id(4712)]
        for _unused in range(2):
            result = run(http, named(unknown))
            assert errors(result) == dict.fromkeys(unknown, "device_not_yours")
            assert result["changed"] is False
        assert http.imported == [unknown, unknown]

    def test_failed_devices_are_done_by_the_next_run(self, simulator: Simulator, ids: list[str]) -> None:
        with user(simulator) as http:
            run(http, barn(ids[:1]))
            simulator.set_faults([{"route": SET_INSTRUCTIONS, "effect": "status", "status": 403, "times": 3}])
            first = run(http, barn(ids))
            second = run(http, barn(ids))
        assert first["summary"]["failed"] == 3
        assert len(first["msg"].splitlines()) == 1 + 3 + 1  # the reason, the devices and the hint
        assert read_counts(second) == {"total": 20, "ok": 17, "changed": 3, "failed": 0, "pending": 0}

    def test_device_fails_when_the_cloud_ignores_an_accepted_write(self, simulator: Simulator, ids: list[str]) -> None:
        with user(simulator, workers=1) as http:
            ignored = {"route": UPDATE, "effect": "status", "status": 200, "body": {"id": "x"}}
            simulator.set_faults([ignored])
            result = run(http, named(ids))
            assert errors(result) == {ids[0]: "conflict"}
            assert "still differs: name is None instead of 'unit-0'." in result["error"]["message"]
            assert result["summary"]["changed"] == 19

    def test_ignored_write_is_not_noticed_without_verification(self, simulator: Simulator, ids: list[str]) -> None:
        with user(simulator) as http:
            simulator.set_faults([{"route": UPDATE, "effect": "status", "status": 200, "body": {"id": "x"}}])
            result = run(http, named(ids), verify="none")
        assert result["summary"]["changed"] == 20


class TestNetworkWithoutLedger:
    """Networks whose ledger is missing: its creation is a write, even if no device needs one."""

    @staticmethod
    def script_missing_ledger(cloud: ScriptedCloud, *, lists_without: int) -> None:
        """Script a gateway that is as declared, and a ledger that the first `lists_without` lists do not show."""
        instructions = {"network": "barn", "role": "gateway", "gateways": [ONE], "parameters": {}}
        for _unused in range(lists_without):
            cloud.answer("GET", "/v1/ledgers", json={"ledgers": LEDGER_ROWS[:1]})
        groups = ["mesh-barn", "mesh-gateway"]
        script(cloud, [row(ONE, name="unit-0", groups=groups)], groups=groups, instances=[instance(ONE, instructions)])

    def test_missing_ledger_is_predicted_and_created(self, scripted_cloud: ScriptedCloud) -> None:
        self.script_missing_ledger(scripted_cloud, lists_without=2)
        scripted_cloud.answer("POST", "/v1/ledgers", 201, json={})
        with client(scripted_cloud.url) as http:
            predicted, real, after = (run(http, barn([ONE]), check_mode=check) for check in (True, False, False))
            assert http.writes == ["POST /v1/ledgers"]
        assert predicted["changed"] is real["changed"] is True
        assert predicted["diff"] == real["diff"] == Diff(created={"ledgers": ("mesh-status",)})
        assert statuses(real) == {ONE: "ok"}
        assert (after["changed"], after["diff"]) == (False, Diff())

    @pytest.mark.parametrize(("lists_without", "creations"), [(3, 2), (1, 1)], ids=["before", "after"])
    def test_missing_ledger_is_created_despite_a_lost_answer(
        self, scripted_cloud: ScriptedCloud, lists_without: int, creations: int
    ) -> None:
        self.script_missing_ledger(scripted_cloud, lists_without=lists_without)
        scripted_cloud.answer("POST", "/v1/ledgers", effect="reset").answer("POST", "/v1/ledgers", 201, json={})
        with client(scripted_cloud.url) as http:
            result = run(http, barn([ONE]))
            assert len(http.writes) == creations
        assert ("failed" in result, result["changed"], statuses(result)) == (False, True, {ONE: "ok"})

    def test_ledger_that_cannot_be_created_fails_all_members(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, barn(ids))
        http.send(Request("DELETE /v1/ledgers/:name", "archive the reports", {"name": "mesh-status"}))
        result = run(http, barn(ids))
        assert (result["failed"], result["changed"], result["error"]["code"]) == (True, False, "conflict")
        assert "Could not create ledger mesh-status: " in result["msg"]
        assert set(errors(result)) == set(ids)

    def test_members_are_imported_and_named_when_the_ledger_is_refused(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        simulator.set_faults([{"route": "POST /v1/ledgers", "effect": "status", "status": 403}])
        result = run(http, barn(ids))
        assert set(errors(result).values()) == {"forbidden"}
        found = simulator.device(ids[1])
        assert (found["product"], found["name"], found["groups"]) == (PRODUCT_ID, "unit-1", [])
        assert set(http.writes) == {IMPORT, UPDATE, "POST /v1/ledgers"}
        assert_all_done(simulator, run(http, barn(ids)), ids)


class TestStoppedRun:
    """Runs that stop early: devices that were not reached are pending, and the next run continues with them."""

    def test_expired_token_leaves_all_unfinished_devices_pending(self, simulator: Simulator, ids: list[str]) -> None:
        with user(simulator, workers=1) as http:
            simulator.set_faults([{"route": SET_INSTRUCTIONS, "effect": "status", "status": 401, "body": EXPIRED}])
            first = run(http, barn(ids))
            assert read_counts(first) == {"total": 20, "ok": 0, "changed": 0, "failed": 0, "pending": 20}
            assert first["failed"]
            assert (first["error"]["code"], first["error"]["status"]) == ("token_expired", 401)
            assert first["msg"].startswith("The run ended early, and 20 devices are pending.")
            assert http.writes.count(SET_INSTRUCTIONS) == 1

            second = run(http, barn(ids))
        assert read_counts(second) == {"total": 20, "ok": 0, "changed": 20, "failed": 0, "pending": 0}

    def test_devices_done_before_the_run_stopped_stay_done(self, scripted_cloud: ScriptedCloud) -> None:
        script(scripted_cloud, [row(device) for device in (ONE, TWO, THREE)])
        scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", json={})
        scripted_cloud.answer("PUT", f"{DEVICES}/{TWO}", 401, json=EXPIRED)
        with client(scripted_cloud.url, workers=1) as http:
            result = run(http, named([ONE, TWO, THREE]))
        assert statuses(result) == {ONE: "changed", TWO: "pending", THREE: "pending"}
        assert errors(result) == {}
        assert (result["changed"], result["failed"], result["error"]["code"]) == (True, True, "token_expired")

    def test_device_with_an_ambiguous_write_is_pending_when_the_run_stops(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", DEVICES, json={"devices": []})
        scripted_cloud.answer("GET", DEVICES, 401, json=EXPIRED)
        script(scripted_cloud).answer("POST", DEVICES, effect="reset")
        with client(scripted_cloud.url) as http:
            result = run(http, named([ONE, TWO]))
        assert statuses(result) == {ONE: "pending", TWO: "pending"}
        assert result["error"]["code"] == "token_expired"

    def test_unreachable_cloud_stops_the_run(self, simulator: Simulator, ids: list[str]) -> None:
        with user(simulator, workers=1) as http:
            simulator.set_faults([{"route": UPDATE, "effect": "reset_before", "times": 5}])
            result = run(http, named(ids))
        assert result["summary"]["pending"] == 20
        assert result["error"]["code"] == "unreachable"


class TestLostAnswers:
    """Writes whose answer is lost: another read shows whether they took effect."""

    @pytest.mark.parametrize("effect", ["reset_after", "empty", "truncated"])
    def test_import_that_took_effect_is_not_repeated(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], effect: str
    ) -> None:
        simulator.set_faults([{"route": IMPORT, "effect": effect}])
        result = run(http, barn(ids))
        assert http.imported == [ids]
        assert simulator.stats()["by_route"][IMPORT] == 1
        assert_all_done(simulator, result, ids)

    def test_import_that_took_effect_completes_a_device_without_fields(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        simulator.set_faults([{"route": IMPORT, "effect": "reset_after"}])
        result = run(http, {"product": PRODUCT, "devices": [{"id": device} for device in ids]})
        assert set(statuses(result).values()) == {"changed"}
        assert http.writes == [IMPORT]

    def test_import_that_took_effect_is_a_change_when_a_later_write_fails(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        refusal = {"effect": "status", "status": 400, "body": {"error": "No."}}
        simulator.set_faults([{"route": IMPORT, "effect": "reset_after"}, {"route": UPDATE, **refusal}])
        result = run(http, named(ids[:1]))
        assert statuses(result) == {ids[0]: "failed"}
        assert result["changed"] is True

    @pytest.mark.parametrize("effect", ["reset_before", "html"])
    def test_import_without_effect_is_sent_once_more(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], effect: str
    ) -> None:
        simulator.set_faults([{"route": IMPORT, "effect": effect}])
        result = run(http, barn(ids))
        assert http.imported == [ids, ids]
        assert simulator.stats()["by_route"][IMPORT] == 2
        assert_all_done(simulator, result, ids)

    def test_ambiguous_import_fails_and_is_done_by_the_next_run(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        simulator.set_faults([{"route": IMPORT, "effect": "reset_before", "times": 2}])
        first = run(http, barn(ids))
        assert set(errors(first).values()) == {"ambiguous_write"}
        assert first["summary"]["failed"] == 20
        assert_all_done(simulator, run(http, barn(ids)), ids)

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after", "empty", "truncated", "html"])
    @pytest.mark.parametrize(
        "route",
        [
            "POST /v1/products/:p/groups",
            "POST /v1/ledgers",
            "PUT /v1/products/:p/devices",
            UPDATE,
            SET_INSTRUCTIONS,
        ],
    )
    def test_devices_are_done_despite_lost_answers_to_other_writes(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], route: str, effect: str
    ) -> None:
        simulator.set_faults([{"route": route, "effect": effect, "times": 2}])
        assert_all_done(simulator, run(http, barn(ids)), ids)

    @pytest.mark.parametrize(("route", "changed"), [(UPDATE, 1), ("PUT /v1/products/:p/devices", 20)])
    def test_write_with_unreadable_answers_is_verified_by_reading(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], route: str, changed: int
    ) -> None:
        run(http, named(ids, groups=["north"]))
        data = named(ids, groups=["north", *(["pilot"] if route != UPDATE else [])])
        if route == UPDATE:
            data["devices"][0]["name"] = "another"
        simulator.set_faults([{"route": route, "effect": "truncated", "times": 5}])
        result = run(http, data)
        assert read_counts(result) == {"total": 20, "ok": 20 - changed, "changed": changed, "failed": 0, "pending": 0}
        assert result["changed"]
        assert run(http, data)["changed"] is False

    @pytest.mark.parametrize("route", ["PUT /v1/products/:p/devices", UPDATE, SET_INSTRUCTIONS])
    def test_remaining_writes_are_done_after_unreadable_answers(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], route: str
    ) -> None:
        one = ids[:1]
        simulator.set_faults([{"route": route, "effect": "truncated", "times": 5}])
        assert_all_done(simulator, run(http, barn(one)), one)

    def test_write_that_failed_every_retry_is_not_started_again(self, scripted_cloud: ScriptedCloud) -> None:
        one = device_id(1)
        script(scripted_cloud, [row(one, name="old")])
        scripted_cloud.answer("PUT", f"{DEVICES}/{one}", body='{"id": ', repeat=True)
        with client(scripted_cloud.url) as http:
            result = run(http, named([one]))
        assert errors(result) == {one: "bad_response"}
        assert len(scripted_cloud.seen("PUT", f"{DEVICES}/{one}")) == 5

    def test_member_with_an_ambiguous_import_gets_the_shared_parameters(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str]
    ) -> None:
        run(http, barn(ids[:3], channel=15))
        data = barn(ids[:4])
        del data["networks"]["barn"]["parameters"]
        simulator.set_faults([{"route": IMPORT, "effect": "reset_before"}])
        assert statuses(run(http, data))[ids[3]] == "changed"
        instructions = {ledger["name"]: ledger["instances"] for ledger in simulator.state()["ledgers"]}["mesh"]
        assert [entry["data"]["parameters"] for entry in instructions] == [{"channel": 15}] * 4

    @pytest.mark.parametrize("effect", ["reset_before", "reset_after"])
    def test_members_leave_despite_a_lost_answer(
        self, simulator: Simulator, http: RecordingHttp, ids: list[str], effect: str
    ) -> None:
        run(http, barn(ids[:2]))
        data = named(ids[:2], mesh={"state": "absent"})
        for route, status in ((SET_INSTRUCTIONS, "pending"), (DELETE_INSTRUCTIONS, "changed")):
            simulator.set_faults([{"route": route, "effect": effect}])
            assert statuses(run(http, data)) == {ids[0]: status, ids[1]: status}
        assert run(http, data)["changed"] is False


def assert_all_done(simulator: Simulator, result: Mapping[str, Any], ids: list[str]) -> None:
    """Assert that every device is changed and has its product, name and mesh, and that another run writes nothing."""
    assert set(statuses(result).values()) == {"changed"}, result.get("msg")
    found = {device["id"]: device for device in simulator.state()["devices"]}
    for index, device in enumerate(ids):
        role = "node" if index else "gateway"
        assert (found[device]["product"], found[device]["name"]) == (PRODUCT_ID, f"unit-{index}")
        assert sorted(found[device]["groups"]) == ["mesh-barn", f"mesh-{role}"]
    before = count_writes(simulator)
    with user(simulator) as http:
        assert run(http, barn(ids))["changed"] is False
    assert count_writes(simulator) == before


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def read(self) -> float:
        return self.now


class TestMeshVerification:
    """Waiting for members to join: those that do not join in time are pending, not failed."""

    @staticmethod
    def script_network(cloud: ScriptedCloud, *lists: Mapping[str, str]) -> None:
        """Script a network of two members that is as declared, and the reports of its members in each list."""
        roles = {ONE: "gateway", TWO: "node"}
        devices = [
            row(device, name=f"unit-{index}", groups=["mesh-barn", f"mesh-{role}"])
            for index, (device, role) in enumerate(roles.items())
        ]
        instructions = [
            instance(device, {"network": "barn", "role": role, "gateways": [ONE], "parameters": {}})
            for device, role in roles.items()
        ]
        script(cloud, devices, groups=["mesh-barn", "mesh-gateway", "mesh-node"], instances=instructions)
        for number, states in enumerate(lists, start=1):
            reports = [
                instance(device, {"network": "barn", "role": roles[device], "state": state}, "mesh-status")
                for device, state in states.items()
            ]
            cloud.answer("GET", REPORTS, json={"instances": reports}, repeat=number == len(lists))

    @staticmethod
    def run_until_joined(cloud: ScriptedCloud, clock: Clock, timeout: float, *, strict: bool = False) -> dict[str, Any]:
        with client(cloud.url) as http:
            return reconcile(
                http,
                read_manifest(barn([ONE, TWO])),
                RunSettings(False, Verification("online", timeout, strict, clock=clock.read, sleep=clock.sleep)),
                Callbacks(list[str]().append),
            )

    def test_wait_ends_when_all_members_have_joined(self, scripted_cloud: ScriptedCloud) -> None:
        clock = Clock()
        joined = {ONE: "joined", TWO: "joined"}
        self.script_network(scripted_cloud, {}, {ONE: "joined", TWO: "joining"}, joined)
        result = self.run_until_joined(scripted_cloud, clock, 300)
        assert statuses(result) == {ONE: "ok", TWO: "ok"}
        assert result["networks"]["barn"] == {"gateways": 1, "nodes": 1, "joined": 2, "lost": 0, "pending": 0}
        assert len(clock.slept) == 2

    def test_wait_ends_at_the_timeout_with_pending_members(self, scripted_cloud: ScriptedCloud) -> None:
        clock = Clock()
        self.script_network(scripted_cloud, {ONE: "joined", TWO: "lost"})
        result = self.run_until_joined(scripted_cloud, clock, 12)
        assert statuses(result) == {ONE: "ok", TWO: "pending"}
        assert result["networks"]["barn"] == {"gateways": 1, "nodes": 1, "joined": 1, "lost": 1, "pending": 0}
        assert "failed" not in result
        assert clock.slept == [5, 5, 2]

    @pytest.mark.parametrize("strict", [False, True])
    def test_member_in_another_network_is_reported_as_wrong_network(
        self, scripted_cloud: ScriptedCloud, strict: bool
    ) -> None:
        elsewhere = {"network": "shed", "role": "node", "state": "joined"}
        here = {"network": "barn", "role": "gateway", "state": "joined"}
        rows = [instance(ONE, here, "mesh-status"), instance(TWO, elsewhere, "mesh-status")]
        scripted_cloud.answer("GET", REPORTS, json={"instances": rows}, repeat=True)
        self.script_network(scripted_cloud)
        result = self.run_until_joined(scripted_cloud, Clock(), 60, strict=strict)
        assert [device["mesh"] for device in result["devices"]] == ["joined", "wrong_network"]
        assert statuses(result) == {ONE: "ok", TWO: "failed" if strict else "pending"}
        assert errors(result) == ({TWO: "conflict"} if strict else {})
        assert result["networks"]["barn"] == {"gateways": 1, "nodes": 1, "joined": 1, "lost": 0, "pending": 1}

    def test_reports_are_read_once_when_the_timeout_is_zero(self, scripted_cloud: ScriptedCloud) -> None:
        clock = Clock()
        self.script_network(scripted_cloud, {})
        result = self.run_until_joined(scripted_cloud, clock, 0)
        assert set(statuses(result).values()) == {"pending"}
        assert len(scripted_cloud.seen("GET", REPORTS)) == 1

    def test_failed_member_is_not_waited_for(self, scripted_cloud: ScriptedCloud) -> None:
        clock = Clock()
        scripted_cloud.answer("GET", INSTANCES, json={"instances": []})
        scripted_cloud.answer("PUT", f"{INSTANCES}/{ONE}", 201, json={})
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 403, json={"ok": False, "error": "Permission denied"})
        self.script_network(scripted_cloud, {ONE: "joined"})
        result = self.run_until_joined(scripted_cloud, clock, 60)
        assert statuses(result) == {ONE: "changed", TWO: "failed"}
        assert clock.slept == []

    def test_token_that_expires_during_the_wait_fails_the_task(self, scripted_cloud: ScriptedCloud) -> None:
        scripted_cloud.answer("GET", REPORTS, 401, json=EXPIRED)
        self.script_network(scripted_cloud, {})
        result = self.run_until_joined(scripted_cloud, Clock(), 60)
        assert (result["failed"], result["error"]["code"]) == (True, "token_expired")
        assert set(statuses(result).values()) == {"ok"}


KEYS = st.sampled_from(
    "product devices groups ledgers instances meta total_pages id slug org name notes quarantined scope direction type "
    "value data network role gateways parameters updated invalidDeviceIds nonmemberDeviceIds ok error errors".split()
)
VALUES = st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["", "mesh", "Device", PRODUCT, ONE, TWO])
JUNK = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=10
)
ROUTES = {
    ("GET", f"/v1/products/{PRODUCT}"): JUNK | st.fixed_dictionaries({"product": JUNK}),
    ("GET", DEVICES): JUNK | st.fixed_dictionaries({"devices": JUNK, "meta": JUNK}),
    ("GET", GROUPS): JUNK | st.fixed_dictionaries({"groups": JUNK}),
    ("GET", "/v1/ledgers"): JUNK | st.fixed_dictionaries({"ledgers": JUNK}),
    ("GET", INSTANCES): JUNK
    | st.fixed_dictionaries({"instances": st.lists(st.fixed_dictionaries({"scope": JUNK, "data": JUNK}))}),
    ("POST", DEVICES): JUNK | st.fixed_dictionaries({"invalidDeviceIds": JUNK}),
    ("POST", GROUPS): JUNK,
    ("PUT", DEVICES): JUNK,
    ("PUT", f"{DEVICES}/{ONE}"): JUNK,
    ("PUT", f"{INSTANCES}/{ONE}"): JUNK,
}


@given(st.data(), st.sampled_from(sorted(ROUTES)))
def test_run_ends_with_a_result_or_an_error_for_any_answer(data: st.DataObject, route: tuple[str, str]) -> None:
    with new_scripted_cloud() as cloud, client(cloud.url, workers=2) as http:
        cloud.answer(*route, json=data.draw(ROUTES[route]))
        instructions = {"network": "barn", "role": "gateway", "gateways": [], "parameters": {}}
        script(cloud, [row(TWO)], instances=[instance(ONE, instructions)])
        cloud.answer("POST", DEVICES, json={"updated": 1}, repeat=True)
        for method, path in ROUTES:
            if method != "GET":
                cloud.answer(method, path, json={"ok": True}, repeat=True)
        manifest = barn([ONE])
        reason = None
        try:
            run(http, manifest, verify="none")
        except ParticleError as error:
            reason = error.code
        cloud.unscripted.clear()  # an answer may cause requests without a scripted answer
    assert reason in (None, *HINTS.keys() - {"internal"})


def test_requests_for_two_hundred_devices_stay_within_their_limits() -> None:
    with running_simulator("--fleet", "200") as simulator, user(simulator) as http:
        ids = ids_of(simulator)
        data = barn(ids, channel=15)
        for index, device in enumerate(data["devices"]):
            device["groups"] = ["north" if index % 2 else "south"]
        new_groups = {"north", "south", "mesh-barn", "mesh-gateway", "mesh-node"}

        before = simulator.stats()
        first = run(http, data, verify="none")
        between = simulator.stats()
        second = run(http, data)
        after = simulator.stats()

    assert first["summary"]["changed"] == second["summary"]["ok"] == 200
    assert between["requests"] - before["requests"] <= 2.05 * 200 + 2 * len(new_groups) + 20
    assert after["requests"] - between["requests"] <= 0.05 * 200 + 10
    assert after["writes"] == between["writes"]
    assert after["throttled"] == 0
    assert after["connections"] <= 16 + 1


# --- a list that changes while it is read ---


class HttpWithConcurrentWrite(RecordingHttp):
    """A client during whose first list of devices another client writes after the first page."""

    def __init__(self, *arguments: Any, concurrent_write: Callable[[], None], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._concurrent_writes: list[Callable[[], None]] = [concurrent_write]

    def send(self, request: Request) -> Response:
        answer = super().send(request)
        if request.route == "GET /v1/products/:p/devices" and self._concurrent_writes:
            self._concurrent_writes.pop()()
        return answer


@pytest.mark.parametrize("absent", [False, True], ids=["present", "absent"])
def test_device_that_moves_between_two_pages_is_found_by_rereading(absent: bool) -> None:
    with running_simulator("--fleet", "110") as simulator, user(simulator) as http:
        ids = sorted(ids_of(simulator))
        run(http, named(ids, notes="old"), verify="none")

        def remove_device() -> None:
            remove_product_device(http, "31337", ids[5])

        moving = ids[100]  # moves from the first place of the second page to the last place of the first one
        with closing(
            HttpWithConcurrentWrite(
                Connection(simulator.url),
                workers=1,
                clock=HttpClock(sleep=lambda s: None),
                concurrent_write=remove_device,
            )
        ) as other:
            other.use_token(http.token)
            devices = [{"id": device, "notes": "old"} for device in ids[100:102]]
            data = {"product": PRODUCT, "devices": devices}
            result = run(other, data, absent=absent, confirm=True)
        assert statuses(result)[moving] == ("changed" if absent else "ok")
        left = [device["id"] for device in simulator.state()["devices"] if device["product"] is not None]
        assert (moving in left) is not absent
