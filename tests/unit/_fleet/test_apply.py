# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A plan is carried out: one device's failure is its own, and what concerns all ends the run."""

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
NOBODY_ELSE = {"updated": 0, "nonmemberDeviceIds": [], "invalidDeviceIds": []}


@pytest.fixture
def http(scripted_cloud: ScriptedCloud) -> Iterator[RecordingHttp]:
    """One request at a time, so that their order is known."""
    with client(scripted_cloud.url, workers=1) as http:
        yield http


def renamed(device: str, **more: Any) -> DevicePlan:
    return DevicePlan(device, {"name": (None, "a")}, fields={"name": "a"}, **more)


def apply(http: RecordingHttp, *devices: DevicePlan, product: Product | None = OURS, **more: Any) -> RunState:
    plan = Plan(more.get("create_groups", ()), more.get("setup", ()), devices, {})
    return apply_plan(target_of(http, product), plan, ledger)


def put_answers(cloud: ScriptedCloud, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """What the cloud says to a change of each device."""
    for device, answer in answers.items():
        cloud.answer("PUT", f"{DEVICES}/{device}", **{"json": {}, **answer})


def codes(applied: RunState) -> dict[str, str]:
    return {device: error.code for device, error in applied.find_errors().items()}


class TestDevices:
    """Devices are written one by one."""

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
    def test_one_that_fails_leaves_the_others_done(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: dict[str, Any], code: str
    ) -> None:
        put_answers(scripted_cloud, {ONE: {}, TWO: answer, THREE: {}})
        applied = apply(http, *map(renamed, (ONE, TWO, THREE)))
        assert (done(applied), codes(applied), applied.stopped) == ({ONE, THREE}, {TWO: code}, None)
        assert TWO in applied.find_errors()[TWO].message

    def test_all_fields_of_one_are_one_request(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        put_answers(scripted_cloud, {ONE: {}})
        fields = {"name": "a", "notes": "b"}
        apply(http, DevicePlan(ONE, {name: (None, value) for name, value in fields.items()}, fields=fields))
        assert [request.json for request in scripted_cloud.requests] == [fields]

    def test_each_that_is_done_or_fails_is_reported(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        put_answers(scripted_cloud, {ONE: {}, TWO: {"status": 403, "json": DENIED}, THREE: {}})
        reports: list[tuple[int, int, int]] = []
        plan = Plan((), (), (*map(renamed, (ONE, TWO, THREE)), DevicePlan(IDS[3], {})), {})
        apply_plan(target_of(http, OURS), plan, ledger, report=lambda *counts: reports.append(counts))
        assert reports == [(0, 0, 3), (1, 0, 3), (1, 1, 3), (2, 1, 3)]

    def test_what_is_in_doubt_is_not_reported_as_failed(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", 500, body="oops", repeat=True)
        reports: list[tuple[int, int, int]] = []
        plan = Plan((), (), (DevicePlan(ONE, {"claimed": (None, True)}, claims=True),), {})
        applied = apply_plan(target_of(http, None), plan, ledger, report=lambda *counts: reports.append(counts))
        assert codes(applied) == {ONE: "ambiguous_write"}
        assert reports[-1] == (0, 0, 1)

    def test_one_that_does_not_change_is_not_written(self, http: RecordingHttp) -> None:
        applied = apply(http, DevicePlan(ONE, {}))
        assert (done(applied), http.sent) == (set(), [])

    def test_an_expired_token_ends_the_run(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        put_answers(scripted_cloud, {ONE: {}, TWO: {"status": 401, "json": EXPIRED}})
        applied = apply(http, *map(renamed, IDS))
        assert (done(applied), codes(applied)) == ({ONE}, {})
        assert applied.stopped is not None
        assert applied.stopped.code == "token_expired"
        assert len(scripted_cloud.requests) == 2

    @pytest.mark.parametrize("code", sorted(REFUSED_LOGIN))
    def test_a_refused_login_ends_the_run(self, scripted_cloud: ScriptedCloud, http: RecordingHttp, code: str) -> None:
        logins = self.dying_token(scripted_cloud, http, ParticleError(code, "No."))
        applied = apply(http, *map(renamed, IDS))
        assert (done(applied), codes(applied)) == ({ONE}, {})
        assert applied.stopped is not None
        assert applied.stopped.code == code
        assert (len(logins), len(scripted_cloud.requests)) == (1, 2)

    def test_a_login_that_fails_otherwise_ends_the_run_too(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        logins = self.dying_token(scripted_cloud, http, ParticleError("cloud_error", "Oops.", route=TOKEN_ROUTE))
        applied = apply(http, *map(renamed, IDS))
        assert (done(applied), codes(applied), len(logins)) == ({ONE}, {}, 1)
        assert applied.stopped is not None

    @staticmethod
    def dying_token(cloud: ScriptedCloud, http: RecordingHttp, refusal: ParticleError) -> list[str]:
        """The token dies after one device, and the new login fails; gives back the logins that are tried."""
        put_answers(cloud, {ONE: {}, TWO: {"status": 401, "json": EXPIRED}})
        logins: list[str] = []

        def renew(dead: str) -> str:
            logins.append(dead)
            raise refusal

        http.use_token("dead")
        http.renew = renew
        return logins

    def test_a_page_of_a_proxy_ends_the_run(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        put_answers(scripted_cloud, {ONE: {"json": None, "body": "<html>Please log in to the Wi-Fi</html>"}})
        applied = apply(http, *map(renamed, IDS))
        assert (done(applied), codes(applied)) == (set(), {})
        assert applied.stopped is not None
        assert applied.stopped.code == "not_a_cloud"

    def test_garbage_is_asked_again_and_then_fails_its_device_alone(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        path = f"{DEVICES}/{ONE}"
        scripted_cloud.answer("PUT", path, body='{"id": "e0', repeat=True)
        put_answers(scripted_cloud, {TWO: {}})
        applied = apply(http, renamed(ONE), renamed(TWO))
        assert (done(applied), codes(applied), applied.stopped) == ({TWO}, {ONE: "bad_response"}, None)
        assert len(scripted_cloud.seen("PUT", path)) > 1

    def test_a_change_whose_answer_is_lost_is_sent_again(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("PUT", f"{DEVICES}/{ONE}", effect="reset")
        put_answers(scripted_cloud, {ONE: {}})
        assert done(apply(http, renamed(ONE))) == {ONE}

    def test_an_empty_success_is_one(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        put_answers(scripted_cloud, {ONE: {"json": None}})
        assert done(apply(http, renamed(ONE))) == {ONE}


class TestAnAccount:
    """Without a product each field is a request of its own."""

    def test_a_claim_comes_before_the_fields(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
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
    def test_a_claim_that_is_refused_says_why(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, body: dict[str, Any], code: str
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", status, json=body)
        applied = apply(http, DevicePlan(ONE, {"claimed": (None, True)}, claims=True), product=None)
        assert codes(applied) == {ONE: code}

    def test_a_claim_whose_answer_is_lost_is_not_sent_again(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/devices", effect="reset")
        applied = apply(http, DevicePlan(ONE, {"claimed": (None, True)}, claims=True), product=None)
        assert codes(applied) == {ONE: "ambiguous_write"}


class TestImport:
    """Success is partial: the answer has a list for each fate."""

    @staticmethod
    def imports(*devices: str) -> list[DevicePlan]:
        return [DevicePlan(device, {"product": (None, "field-logger")}, imports=True) for device in devices]

    @pytest.mark.parametrize(
        ("fate", "code", "reason"),
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
    def test_a_device_that_is_not_taken_fails_with_one_sentence(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, fate: str, code: str, reason: str
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1, "updatedDeviceIds": [ONE], fate: [TWO]})
        applied = apply(http, *self.imports(ONE, TWO))
        assert (done(applied), codes(applied)) == ({ONE}, {TWO: code})
        assert (
            applied.find_errors()[TWO].message == f"Could not import device {TWO} into product field-logger: {reason}."
        )
        assert applied.find_errors()[TWO].hint

    def test_the_answer_of_an_older_server_is_enough(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 2, "nonmemberDeviceIds": [], "invalidDeviceIds": []})
        assert done(apply(http, *self.imports(ONE, TWO))) == {ONE, TWO}

    @pytest.mark.parametrize("status", [400, 413])
    def test_a_refused_file_is_halved_down_to_the_culprit(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        # 8 are refused, so 4 and 4; the first 4 are taken; 2 of the others are refused, so 1 and 1.
        said = {"error": "invalid_request", "error_description": "No."}
        for taken in (False, True, False, False, True, False, True):
            scripted_cloud.answer("POST", DEVICES, 200 if taken else status, json=NOBODY_ELSE if taken else said)
        applied = apply(http, *self.imports(*IDS))
        sizes = [len(devices) for devices in http.imported]
        assert sizes == [8, 4, 4, 2, 1, 1, 2]
        assert set(codes(applied)) == {IDS[5]}
        assert done(applied) == set(IDS) - {IDS[5]}

    def test_a_file_that_a_proxy_finds_too_large_is_halved(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
        scripted_cloud.answer("POST", DEVICES, 413, body=page)
        scripted_cloud.answer("POST", DEVICES, json=NOBODY_ELSE, repeat=True)
        applied = apply(http, *self.imports(*IDS))
        assert (done(applied), applied.stopped) == (set(IDS), None)
        assert [len(devices) for devices in http.imported] == [8, 4, 4]

    @pytest.mark.parametrize(
        ("status", "answer", "code"),
        [
            (400, {"json": {"error": "unauthorized", "error_description": "API users may not"}}, "missing_scope"),
            (404, {"body": "<pre>Cannot POST /v1/products/31337/devices</pre>"}, "unsupported"),
        ],
    )
    def test_a_refusal_that_is_due_to_no_device_is_not_halved(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int, answer: dict[str, Any], code: str
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, status, **answer)
        applied = apply(http, *self.imports(*IDS))
        assert codes(applied) == dict.fromkeys(IDS, code)
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
    def test_an_answer_that_tells_nothing_leaves_its_devices_in_doubt(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, answer: dict[str, Any]
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, **answer)
        applied = apply(http, *self.imports(ONE, TWO))
        assert codes(applied) == dict.fromkeys((ONE, TWO), "ambiguous_write")
        assert len(scripted_cloud.requests) == 1

    def test_a_device_that_is_not_taken_is_not_touched_any_more(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1, "invalidDeviceIds": [ONE]})
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True})
        put_answers(scripted_cloud, {TWO: {}})
        plans = [renamed(device, imports=True, add_groups=frozenset({"north"})) for device in (ONE, TWO)]
        assert done(apply(http, *plans)) == {TWO}
        assert scripted_cloud.seen("PUT", DEVICES)[0].json["devices"] == [TWO]


class TestGroups:
    """Groups are created for those who have come, then changed in batches."""

    def test_for_a_device_that_is_not_taken_no_group_is_created(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", DEVICES, json={"updated": 1, "invalidDeviceIds": [ONE]})
        scripted_cloud.answer("POST", GROUPS, 201, json={}).answer("PUT", DEVICES, json={"ok": True})
        devices = [replace(grouped(ONE, "north"), imports=True), replace(grouped(TWO, "south"), imports=True)]
        assert done(apply(http, *devices, create_groups=("north", "south"))) == {TWO}
        assert [request.json for request in scripted_cloud.seen("POST", GROUPS)] == [{"name": "south"}]

    def test_a_group_that_cannot_be_created_fails_those_who_need_it(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", GROUPS, 403, json={"ok": False, "error": "Permission denied"})
        put_answers(scripted_cloud, {TWO: {}})
        applied = apply(http, grouped(ONE, "north"), renamed(TWO), create_groups=("north",))
        assert (done(applied), codes(applied)) == ({TWO}, {ONE: "forbidden"})

    def test_what_is_added_comes_before_what_is_removed(
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

    def test_a_batch_that_is_forbidden_is_not_halved(self, scripted_cloud: ScriptedCloud, http: RecordingHttp) -> None:
        scripted_cloud.answer("PUT", DEVICES, 403, json={"ok": False, "error": "Permission denied"})
        applied = apply(http, *[grouped(device, "north") for device in IDS])
        assert codes(applied) == dict.fromkeys(IDS, "forbidden")
        assert len(scripted_cloud.requests) == 1

    @pytest.mark.parametrize("status", [400, 404, 413])
    def test_a_refused_batch_is_halved_down_to_the_culprit(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        for taken in (False, False, True, False, True):
            body = {"ok": True} if taken else {"ok": False, "error": "No."}
            scripted_cloud.answer("PUT", DEVICES, 200 if taken else status, json=body)
        applied = apply(http, *[grouped(device, "north") for device in IDS[:4]])
        sent = [request.json["devices"] for request in scripted_cloud.requests]
        assert sent == [IDS[:4], IDS[:2], IDS[:1], IDS[1:2], IDS[2:4]]
        assert set(applied.find_errors()) == {TWO}
        assert done(applied) == {ONE, THREE, IDS[3]}


class TestAnotherRunBeside:
    """What two runs create at once is there, whoever was faster."""

    @pytest.mark.parametrize("status", [400, 409])
    def test_a_group_that_is_there_by_now_is_as_good_as_created(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp, status: int
    ) -> None:
        scripted_cloud.answer("POST", GROUPS, status, json={"ok": False, "error": "exists"})
        scripted_cloud.answer("GET", GROUPS, json={"groups": [{"name": "north"}]})
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True})
        assert done(apply(http, grouped(ONE, "north"), create_groups=("north",))) == {ONE}

    def test_a_group_that_is_not_there_is_a_failure_in_the_clouds_words(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", GROUPS, 400, json={"ok": False, "error": "bad name"})
        scripted_cloud.answer("GET", GROUPS, json={"groups": []})
        applied = apply(http, grouped(ONE, "north"), create_groups=("north",))
        assert "bad name" in applied.find_errors()[ONE].message

    def test_a_ledger_that_is_there_by_now_is_as_good_as_created(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 409, json={"ok": False, "error": "exists"})
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": [{"name": "mesh"}]})
        assert apply(http, setup=ledgers(ONE)[:1]).stopped is None


def ledgers(*members: str) -> tuple[SharedWrite, ...]:
    """Both ledgers, which ``members`` need."""
    definitions = ledger_plan.build_definitions(DEFAULT_LEDGERS)
    return tuple(SharedWrite(ledger_plan.CreateLedger(definition), frozenset(members)) for definition in definitions)


class TestNetworks:
    """Ledgers come first, orders of each device last."""

    @staticmethod
    def joining(devices: Sequence[str]) -> list[DevicePlan]:
        return [
            DevicePlan(
                device,
                {"mesh": (None, {"network": "barn", "role": "node"})},
                mesh=MemberPlan(writes=(ledger_plan.SetInstructions(device, {"network": "barn"}),)),
            )
            for device in devices
        ]

    def test_a_ledger_that_cannot_be_created_fails_the_members_only(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 403, json={"ok": False, "error": "Permission denied"})
        put_answers(scripted_cloud, {THREE: {}})
        applied = apply(http, *self.joining([ONE, TWO]), renamed(THREE), setup=ledgers(ONE, TWO))
        assert (done(applied), codes(applied)) == ({THREE}, {ONE: "forbidden", TWO: "forbidden"})

    def test_who_may_not_join_gets_all_the_rest_and_nothing_of_the_mesh(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        said = {"ok": False, "error": "A ledger of that name is archived"}
        scripted_cloud.answer("POST", "/v1/ledgers", 409, json=said)
        scripted_cloud.answer("GET", "/v1/ledgers", json={"ledgers": []})
        scripted_cloud.answer("POST", GROUPS, json={})
        scripted_cloud.answer("POST", DEVICES, json=NOBODY_ELSE)
        scripted_cloud.answer("PUT", DEVICES, json={"ok": True}, repeat=True)
        put_answers(scripted_cloud, {ONE: {}, TWO: {}})
        (member,) = self.joining([ONE])
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
            setup=ledgers(ONE),
            create_groups=("mesh-barn", "mesh-node", "north"),
        )

        assert (done(applied), codes(applied)) == ({TWO}, {ONE: "conflict"})
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

    def test_who_may_not_join_and_is_not_taken_either_is_left_alone(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("POST", "/v1/ledgers", 403, json={"ok": False, "error": "Permission denied"})
        scripted_cloud.answer("POST", DEVICES, json={"updated": 0, "invalidDeviceIds": [ONE]})
        (member,) = self.joining([ONE])
        applied = apply(http, replace(member, imports=True, fields={"name": "a"}), setup=ledgers(ONE))
        assert (done(applied), codes(applied)) == (set(), {ONE: "forbidden"})
        assert scripted_cloud.seen("PUT", f"{DEVICES}/{ONE}") == []

    def test_orders_that_are_refused_fail_their_device(
        self, scripted_cloud: ScriptedCloud, http: RecordingHttp
    ) -> None:
        scripted_cloud.answer("PUT", f"{INSTANCES}/{ONE}", 201, json={})
        scripted_cloud.answer("PUT", f"{INSTANCES}/{TWO}", 404, json={"ok": False, "error": "Device not found."})
        applied = apply(http, *self.joining([ONE, TWO]))
        assert (done(applied), codes(applied)) == ({ONE}, {TWO: "not_found"})
