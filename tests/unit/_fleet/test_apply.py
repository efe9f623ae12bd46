# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the writes of a plan, and which errors fail one device and which end the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fleet_cloud import (
    DEVICES,
    EXPIRED,
    GROUPS,
    INSTANCES,
    OURS,
    RecordingHttp,
    client,
    device_id,
    done,
    grouped,
    target_of,
)

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import REFUSED_LOGIN
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import MemberPlan, SharedWrite
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import backend as ledger
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger import plan as ledger_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import DEFAULT_LEDGERS
from support.scripted import ScriptedCloud

IDS = [device_id(number) for number in range(1, 9)]
ONE, TWO, THREE = IDS[:3]
DENIED = {"error": "Permission Denied", "info": "I didn't recognize that device name or ID"}
NONE_REJECTED = {"updated": 0, "nonmemberDeviceIds": [], "invalidDeviceIds": []}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    """A client that sends one request at a time, so that their order is known."""
    with client(scripted_cloud.url, workers=1) as http:
        yield http


def plan_rename(device: str, **more: Any) -> DevicePlan:
    return DevicePlan(device, {"name": (None, "a")}, fields={"name": "a"}, **more)


def apply(http: RecordingHttp, *devices: DevicePlan, product: Product | None = OURS, **more: Any) -> RunState:
    plan = Plan(more.get("create_groups", ()), more.get("setup", ()), devices, {})
    return apply_plan(target_of(http, product), plan, ledger)


def script_updates(cloud: ScriptedCloud, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Script the answer to the update of each device."""
    for device, answer in answers.items():
        cloud.answer("PUT", f"{DEVICES}/{device}", **{"json": {}, **answer})


def error_codes(applied: RunState) -> dict[str, str]:
    return {device: error.code for device, error in applied.find_errors().items()}


class TestDevices:
    """Updates of devices, with one request for each device."""

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            ({"status": 403, "json": DENIED}, "device_not_yours"),
            ({"status": 404, "json": {"ok": False, "error": "Device not found."}}, "not_found"),
            ({"status": 400, "json": {"error": "invalid_request", "error_description": "name"}}, "cloud_error"),
            ({"status": 409, "json": {"ok": False, "errors": ["in use"]}}, "conflict"),
            ({"status": 200, "json": {"ok": False, "error": "no"}}, "cloud_error"),
        ],
    )
    def test_failed_device_leaves_the_other_devices_done(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: dict[str, Any], code: str
    ) -> None:
        script_updates(scripted_cloud, {ONE: {}, TWO: answer, THREE: {}})
        applied = apply(http, *map(plan_rename, (ONE, TWO, THREE)))
        assert (done(applied), error_codes(applied), applied.stopped) == ({ONE, THREE}, {TWO: code}, None)
        assert TWO in applied.find_errors()[TWO].message

    def test_all_fields_of_a_device_are_sent_in_one_request(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        script_updates(scripted_cloud, {ONE: {}})
        fields = {"name": "a", "notes": "b"}
        apply(http, DevicePlan(ONE, {name: (None, value) for name, value in fields.items()}, fields=fields))
        assert [request.json for request in scripted_cloud.requests] == [fields]

    def test_progress_is_reported_after_each_done_or_failed_device(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        script_updates(scripted_cloud, {ONE: {}, TWO: {"status": 403, "json": DENIED}, THREE: {}})
        reports: list[tuple[int, int, int]] = []
        plan = Plan((), (), (*map(plan_rename, (ONE, TWO, THREE)), DevicePlan(IDS[3], {})), {})
        apply_plan(target_of(http, OURS), plan, ledger, report=lambda *counts: reports.append(counts))
        assert reports == [(0, 0, 3), (1, 0, 3), (1, 1, 3), (2, 1, 3)]

    def test_progress_does_not_count_an_ambiguous_write_as_failed(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", 500, body="oops", repeat=True)
        reports: list[tuple[int, int, int]] = []
        plan = Plan((), (), (DevicePlan(ONE, {"claimed": (None, True)}, claims=True),), {})
        applied = apply_plan(target_of(http, None), plan, ledger, report=lambda *counts: reports.append(counts))
        assert error_codes(applied) == {ONE: "ambiguous_write"}
        assert reports[-1] == (0, 0, 1)

    def test_unchanged_device_is_not_written(self, http: RecordingHttp) -> None:
        applied = apply(http, DevicePlan(ONE, {}))
        assert (done(applied), http.sent) == (set(), [])

    def test_an_expired_token_ends_the_run(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        script_updates(scripted_cloud, {ONE: {}, TWO: {"status": 401, "json": EXPIRED}})
        applied = apply(http, *map(plan_rename, IDS))
        assert (done(applied), error_codes(applied)) == ({ONE}, {})
        assert applied.stopped is not None
        assert applied.stopped.code == "token_expired"
        assert len(scripted_cloud.requests) == 2

    @pytest.mark.parametrize("code", sorted(REFUSED_LOGIN))
    def test_a_refused_login_ends_the_run(self, scripted_cloud: ScriptedCloud, http: RecordingHttp, code: str) -> None:
        logins = self.expire_token(scripted_cloud, http, ParticleError(code, "No."))
        applied = apply(http, *map(plan_rename, IDS))
        assert (done(applied), error_codes(applied)) == ({ONE}, {})
        assert applied.stopped is not None
        assert applied.stopped.code == code
        assert (len(logins), len(scripted_cloud.requests)) == (1, 2)

    def test_login_that_fails_with_cloud_error_ends_the_run(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        logins = self.expire_token(scripted_cloud, http, ParticleError("cloud_error", "Oops.", route=TOKEN_ROUTE))
        applied = apply(http, *map(plan_rename, IDS))
        assert (done(applied), error_codes(applied), len(logins)) == ({ONE}, {}, 1)
        assert applied.stopped is not None

    @staticmethod
    def expire_token(cloud: ScriptedCloud, http: RecordingHttp, refusal: ParticleError) -> list[str]:
        """Let the token expire after one device and refuse new logins; return the tokens that were to be renewed."""
        script_updates(cloud, {ONE: {}, TWO: {"status": 401, "json": EXPIRED}})
        logins: list[str] = []

        def renew(expired: str) -> str:
            logins.append(expired)
            raise refusal

        http.use_token("dead")
        http.renew = renew
        return logins

    def test_web_page_in_reply_to_a_write_leaves_the_result_unknown(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        page = {"json": None, "body": "<html>Please log in to the Wi-Fi</html>"}
        script_updates(scripted_cloud, {ONE: page, TWO: {}})
        applied = apply(http, plan_rename(ONE), plan_rename(TWO))
        assert (done(applied), error_codes(applied), applied.stopped) == ({TWO}, {ONE: "ambiguous_write"}, None)

    def test_update_with_unreadable_answers_is_retried_and_then_fails(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        path = f"{DEVICES}/{ONE}"
        scripted_cloud.answer("PUT", path, body='{"id": "e0', repeat=True)
        script_updates(scripted_cloud, {TWO: {}})
        applied = apply(http, plan_rename(ONE), plan_rename(TWO))
        assert (done(applied), error_codes(applied), applied.stopped) == ({TWO}, {ONE: "bad_response"}, None)
        assert len(scripted_cloud.seen("PUT", path)) > 1

    def test_answers_that_are_not_http_end_the_run(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        for device in IDS:
            answer = {"body": "[]", "headers": {"Content-Encoding": "gzip"}}
            scripted_cloud.answer("PUT", f"{DEVICES}/{device}", repeat=True, **answer)
        applied = apply(http, *map(plan_rename, IDS))
        assert applied.stopped is not None
        assert (applied.stopped.code, applied.stopped.status) == ("bad_response", None)
        assert len({request.path for request in scripted_cloud.requests}) < len(IDS)

    def test_update_is_sent_again_when_its_answer_is_lost(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", effect="reset")
        script_updates(scripted_cloud, {ONE: {}})
        assert done(apply(http, plan_rename(ONE))) == {ONE}

    def test_update_with_an_empty_success_answer_is_done(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        script_updates(scripted_cloud, {ONE: {"json": None}})
        assert done(apply(http, plan_rename(ONE))) == {ONE}


class TestAccountDevices:
    """Devices of an account, with one request for each field."""

    def test_device_is_claimed_before_its_fields_are_set(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", json={"ok": True})
        scripted_cloud.answer("PUT", f"/v1/devices/{ONE}", json={}, repeat=True)
        fields = {"name": "a", "notes": "b"}
        applied = apply(http, DevicePlan(ONE, {"claimed": (None, True)}, claims=True, fields=fields), product=None)
        assert done(applied) == {ONE}
        bodies = [(request.method, request.json) for request in scripted_cloud.requests]
        assert bodies == [("POST", {"id": ONE}), ("PUT", {"name": "a"}), ("PUT", {"notes": "b"})]

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (404, {"ok": False, "errors": [["Device isn't online", 404]]}, "device_offline"),
            (403, {"errors": ["That belongs to someone else"]}, "device_not_yours"),
            (403, {"ok": False, "errors": ["Device already claimed"]}, "conflict"),
        ],
    )
    def test_refused_claim_has_the_error_code_of_its_reason(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any], code: str
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", status, json=body)
        applied = apply(http, DevicePlan(ONE, {"claimed": (None, True)}, claims=True), product=None)
        assert error_codes(applied) == {ONE: code}

    def test_claim_is_not_sent_again_when_its_answer_is_lost(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", effect="reset")
        applied = apply(http, DevicePlan(ONE, {"claimed": (None, True)}, claims=True), product=None)
        assert error_codes(applied) == {ONE: "ambiguous_write"}


class TestImport:
    """Imports, whose answers list the rejected devices by reason."""

    @staticmethod
    def plan_imports(*devices: str) -> list[DevicePlan]:
        return [DevicePlan(device, {"product": (None, "field-logger")}, imports=True) for device in devices]

    @pytest.mark.parametrize(
        ("rejection", "code", "reason"),
        [
            ("nonmemberDeviceIds", "device_not_yours", "it belongs to another account"),
            (
                "invalidDeviceIds",
                "device_not_yours",
                "the cloud rejects it as invalid: it does not exist, has another platform, or is in another product",
            ),
            ("protectedDeviceIds", "forbidden", "it is a protected device"),
        ],
    )
    def test_rejected_device_fails_with_the_reason_for_its_rejection(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, rejection: str, code: str, reason: str
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1, "updatedDeviceIds": [ONE], rejection: [TWO]})
        applied = apply(http, *self.plan_imports(ONE, TWO))
        assert (done(applied), error_codes(applied)) == ({ONE}, {TWO: code})
        assert (
            applied.find_errors()[TWO].message == f"Could not import device {TWO} into product field-logger: {reason}."
        )
        assert applied.find_errors()[TWO].hint

    def test_import_succeeds_when_the_answer_omits_the_imported_ids(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 2, "nonmemberDeviceIds": [], "invalidDeviceIds": []})
        assert done(apply(http, *self.plan_imports(ONE, TWO))) == {ONE, TWO}

    @pytest.mark.parametrize("status", [400, 413])
    def test_import_is_halved_until_the_invalid_device_is_found(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        # The import of 8 devices is refused and halved. The first 4 are accepted, the other 4 are refused and halved
        # again; their first 2 are refused and sent one by one.
        refusal = {"error": "invalid_request", "error_description": "No."}
        for accepted in (False, True, False, False, True, False, True):
            answer = NONE_REJECTED if accepted else refusal
            scripted_cloud.answer("POST", DEVICES, 200 if accepted else status, json=answer)
        applied = apply(http, *self.plan_imports(*IDS))
        sizes = [len(devices) for devices in http.imported]
        assert sizes == [8, 4, 4, 2, 1, 1, 2]
        assert set(error_codes(applied)) == {IDS[5]}
        assert done(applied) == set(IDS) - {IDS[5]}

    def test_import_is_halved_when_a_proxy_reports_it_as_too_large(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
        scripted_cloud.answer("POST", DEVICES, 413, body=page)
        scripted_cloud.answer("POST", DEVICES, json=NONE_REJECTED, repeat=True)
        applied = apply(http, *self.plan_imports(*IDS))
        assert (done(applied), applied.stopped) == (set(IDS), None)
        assert [len(devices) for devices in http.imported] == [8, 4, 4]

    @pytest.mark.parametrize(
        ("status", "answer", "code"),
        [
            (400, {"json": {"error": "unauthorized", "error_description": "API users may not"}}, "missing_scope"),
            (404, {"body": "<pre>Cannot POST /v1/products/31337/devices</pre>"}, "unsupported"),
        ],
    )
    def test_import_is_not_halved_when_no_device_causes_the_refusal(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, answer: dict[str, Any], code: str
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, status, **answer)
        applied = apply(http, *self.plan_imports(*IDS))
        assert error_codes(applied) == dict.fromkeys(IDS, code)
        assert len(scripted_cloud.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"effect": "reset"},
            {"json": [1]},
            {"body": '{"upd'},
            {"status": 502, "body": "<html>Bad Gateway</html>"},
        ],
    )
    def test_import_is_ambiguous_when_its_answer_is_missing_or_unreadable(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, **answer)
        applied = apply(http, *self.plan_imports(ONE, TWO))
        assert error_codes(applied) == dict.fromkeys((ONE, TWO), "ambiguous_write")
        assert len(scripted_cloud.requests) == 1

    def test_rejected_device_gets_no_further_writes(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1, "invalidDeviceIds": [ONE]})
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True})
        script_updates(scripted_cloud, {TWO: {}})
        plans = [plan_rename(device, imports=True, add_groups=frozenset({"north"})) for device in (ONE, TWO)]
        assert done(apply(http, *plans)) == {TWO}
        assert scripted_cloud.seen("PUT", DEVICES)[0].json["devices"] == [TWO]


class TestGroups:
    """Device groups, which are created for imported devices and then changed in batches."""

    def test_group_is_not_created_for_a_rejected_device(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1, "invalidDeviceIds": [ONE]})
        scripted_cloud.answer("POST", GROUPS, 201, json={}).answer("PUT", DEVICES, json={"ok": True})
        devices = [replace(grouped(ONE, "north"), imports=True), replace(grouped(TWO, "south"), imports=True)]
        assert done(apply(http, *devices, create_groups=("north", "south"))) == {TWO}
        assert [request.json for request in scripted_cloud.seen("POST", GROUPS)] == [{"name": "south"}]

    def test_group_that_cannot_be_created_fails_the_devices_that_need_it(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", GROUPS, 403, json={"ok": False, "error": "Permission denied"})
        script_updates(scripted_cloud, {TWO: {}})
        applied = apply(http, grouped(ONE, "north"), plan_rename(TWO), create_groups=("north",))
        assert (done(applied), error_codes(applied)) == ({TWO}, {ONE: "forbidden"})

    def test_groups_are_added_before_others_are_removed(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True}, repeat=True)
        moving = DevicePlan(ONE, {"groups": (["b"], ["a"])}, add_groups=frozenset("a"), remove_groups=frozenset("b"))
        assert done(apply(http, moving)) == {ONE}
        bodies = [request.json for request in scripted_cloud.requests]
        assert bodies == [
            {"action": "groups", "devices": [ONE], "metadata": {"add": ["a"]}},
            {"action": "groups", "devices": [ONE], "metadata": {"remove": ["b"]}},
        ]

    def test_forbidden_batch_is_not_halved(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", DEVICES, 403, json={"ok": False, "error": "Permission denied"})
        applied = apply(http, *[grouped(device, "north") for device in IDS])
        assert error_codes(applied) == dict.fromkeys(IDS, "forbidden")
        assert len(scripted_cloud.requests) == 1

    @pytest.mark.parametrize("status", [400, 404, 413])
    def test_batch_is_halved_until_the_invalid_device_is_found(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        for accepted in (False, False, True, False, True):
            body = {"ok": True} if accepted else {"ok": False, "error": "No."}
            scripted_cloud.answer("PUT", DEVICES, 200 if accepted else status, json=body)
        applied = apply(http, *[grouped(device, "north") for device in IDS[:4]])
        sent = [request.json["devices"] for request in scripted_cloud.requests]
        assert sent == [IDS[:4], IDS[:2], IDS[:1], IDS[1:2], IDS[2:4]]
        assert set(applied.find_errors()) == {TWO}
        assert done(applied) == {ONE, THREE, IDS[3]}


class TestConcurrentRuns:
    """Groups and ledgers that another run creates at the same time."""

    @pytest.mark.parametrize("status", [400, 409])
    def test_group_that_exists_after_a_refused_creation_counts_as_created(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        scripted_cloud.answer("POST", GROUPS, status, json={"ok": False, "error": "exists"})
        scripted_cloud.answer("GET", GROUPS, json={"groups": [{"name": "north"}]})
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True})
        assert done(apply(http, grouped(ONE, "north"), create_groups=("north",))) == {ONE}

    def test_missing_group_fails_with_the_message_of_the_cloud(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", GROUPS, 400, json={"ok": False, "error": "bad name"})
        scripted_cloud.answer("GET", GROUPS, json={"groups": []})
        applied = apply(http, grouped(ONE, "north"), create_groups=("north",))
        assert "bad name" in applied.find_errors()[ONE].message

    def test_ledger_that_exists_after_a_refused_creation_counts_as_created(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 409, json={"ok": False, "error": "exists"})
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": [{"name": "mesh"}]})
        assert apply(http, setup=plan_ledgers(ONE)[:1]).stopped is None


def plan_ledgers(*members: str) -> tuple[SharedWrite, ...]:
    """Plan the creation of both ledgers, which `members` need."""
    definitions = ledger_plan.build_definitions(DEFAULT_LEDGERS)
    return tuple(SharedWrite(ledger_plan.CreateLedger(definition), frozenset(members)) for definition in definitions)


class TestNetworks:
    """Networks of the ledger backend: ledgers are created first, and instructions are written last."""

    @staticmethod
    def plan_joins(devices: Sequence[str]) -> list[DevicePlan]:
        return [
            DevicePlan(
                device,
                {"mesh": (None, {"network": "barn", "role": "node"})},
                mesh=MemberPlan(writes=(ledger_plan.SetInstructions(device, {"network": "barn"}),)),
            )
            for device in devices
        ]

    def test_ledger_that_cannot_be_created_fails_only_the_members(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 403, json={"ok": False, "error": "Permission denied"})
        script_updates(scripted_cloud, {THREE: {}})
        applied = apply(http, *self.plan_joins([ONE, TWO]), plan_rename(THREE), setup=plan_ledgers(ONE, TWO))
        assert (done(applied), error_codes(applied)) == ({THREE}, {ONE: "forbidden", TWO: "forbidden"})

    def test_member_without_ledger_gets_only_the_writes_outside_the_mesh(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        refusal = {"ok": False, "error": "A ledger of that name is archived"}
        scripted_cloud.answer("POST", "/v1/ledgers", 409, json=refusal)
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": []})
        scripted_cloud.answer("POST", GROUPS, json={})
        scripted_cloud.answer("POST", DEVICES, json=NONE_REJECTED)
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True}, repeat=True)
        script_updates(scripted_cloud, {ONE: {}, TWO: {}})
        (member,) = self.plan_joins([ONE])
        member = replace(
            member,
            imports=True,
            fields={"name": "a"},
            add_groups=frozenset({"north", "mesh-barn", "mesh-node"}),
            remove_groups=frozenset({"mesh-old"}),
        )
        leaving = DevicePlan(
            TWO,
            {"mesh": ({"network": "barn", "role": "node"}, None)},
            remove_groups=frozenset({"mesh-barn"}),
            fields={"name": "a"},
            mesh=MemberPlan(remove_groups=frozenset({"mesh-barn"})),
        )
        applied = apply(
            http,
            member,
            leaving,
            setup=plan_ledgers(ONE),
            create_groups=("mesh-barn", "mesh-node", "north"),
        )

        assert (done(applied), error_codes(applied)) == ({TWO}, {ONE: "conflict"})
        assert "archived" in applied.find_errors()[ONE].message
        assert len(scripted_cloud.seen("POST", "/v1/ledgers")) == 1
        assert [request.json for request in scripted_cloud.seen("POST", GROUPS)] == [{"name": "north"}]
        assert http.imported == [[ONE]]
        batches = [
            (request.json["devices"], request.json["metadata"]) for request in scripted_cloud.seen("PUT", DEVICES)
        ]
        assert batches == [([ONE], {"add": ["north"]}), ([TWO], {"remove": ["mesh-barn"]})]
        assert scripted_cloud.seen("PUT", f"{DEVICES}/{ONE}")[0].json == {"name": "a"}
        assert scripted_cloud.seen("PUT", f"{INSTANCES}/{ONE}") == []

    def test_rejected_member_without_ledger_gets_no_further_writes(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 403, json={"ok": False, "error": "Permission denied"})
        scripted_cloud.answer("POST", DEVICES, json={"updated": 0, "invalidDeviceIds": [ONE]})
        (member,) = self.plan_joins([ONE])
        applied = apply(http, replace(member, imports=True, fields={"name": "a"}), setup=plan_ledgers(ONE))
        assert (done(applied), error_codes(applied)) == (set(), {ONE: "forbidden"})
        assert scripted_cloud.seen("PUT", f"{DEVICES}/{ONE}") == []

    def test_refused_instructions_fail_their_device(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", f"{INSTANCES}/{ONE}", 201, json={})
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 404, json={"ok": False, "error": "Device not found."})
        applied = apply(http, *self.plan_joins([ONE, TWO]))
        assert (done(applied), error_codes(applied)) == ({ONE}, {TWO: "not_found"})
