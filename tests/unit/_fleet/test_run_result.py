# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The result of a run is computed from its plan and the states of its devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Observed,
    ObservedDevice,
    Plan,
    Replaced,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.outcome import (
    Outcome,
    build_failure,
    build_result,
    count_members,
    describe_success,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Bounds, Run, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import MemberPlan

ONE, TWO, THREE = (device_id(number) for number in (1, 2, 3))
RENAMED = {"name": ("pump", "well")}
REFUSED = ParticleError("forbidden", "The cloud refused it.", hint="Ask.", status=403, route="PUT /v1/x")
LATE = ParticleError("budget_exhausted", "Too many requests.", hint="Wait.")


def start_run(*devices: Mapping[str, Any], **more: Any) -> Run:
    """Return a run that has sent no request."""
    manifest = read_manifest({"product": "field-logger", "devices": list(devices), **more})
    return Run(cast(Any, None), manifest, Bounds(), cast(Any, None))


def plan(*devices: DevicePlan, **more: Any) -> Plan:
    return Plan((), (), devices, more.pop("refusals", {}), **more)


def finish(
    run: Run, *devices: DevicePlan, check_mode: bool = False, states: Mapping[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    return build_result(run, plan(*devices, **more), states, check_mode=check_mode)


class TestResult:
    """The documented return values."""

    def test_result_shows_what_has_changed(self) -> None:
        run = start_run({"id": ONE, "name": "well"}, {"serial_number": "P046AB000000002"})
        run.state.mark_device(ONE, WriteState.DONE)
        run.state.wrote = True
        assert finish(run, DevicePlan(ONE, RENAMED, name="pump")) == {
            "changed": True,
            "msg": "2 devices: 1 changed, 1 unchanged.",
            "summary": {"total": 2, "ok": 1, "changed": 1, "failed": 0, "pending": 0},
            "devices": [
                {
                    **{"id": ONE, "identifier": ONE, "name": "well", "status": "changed", "mesh": None, "error": None},
                    "changes": {"name": {"before": "pump", "after": "well"}},
                },
                {
                    **{"id": None, "identifier": "P046AB000000002", "name": None, "status": "ok", "changes": {}},
                    **{"mesh": None, "error": None},
                },
            ],
            "managed": {ONE: "well"},
            "networks": {},
            "diff": Diff((ChangedItem(ONE, RENAMED, "pump"),)),
            "undeclared": {"count": 0, "ids": []},
            "ended_early": False,
        }

    def test_check_mode_predicts_changes_and_manages_nothing(self) -> None:
        run = start_run({"id": ONE, "name": "well"})
        result = finish(run, DevicePlan(ONE, RENAMED), check_mode=True)
        assert (result["changed"], result["msg"], result["managed"]) == (True, "1 device: 1 would change.", {})
        assert finish(run, check_mode=True)["changed"] is False

    def test_run_that_wrote_nothing_has_changed_nothing(self) -> None:
        assert finish(start_run({"id": ONE}), DevicePlan(ONE, RENAMED))["changed"] is False

    def test_undeclared_devices_are_reported_unless_they_are_ignored(self) -> None:
        run = start_run({"id": ONE})
        run.observed = Observed({}, undeclared={TWO: "well"}, unread=4)
        result = finish(run)
        assert result["undeclared"] == {"count": 5, "ids": [TWO]}
        assert result["msg"] == "1 device: 1 unchanged. The manifest does not declare 5 more devices."
        assert "undeclared" not in finish(start_run({"id": ONE}, undeclared="ignore"))

    def test_changes_of_later_plans_are_shown(self) -> None:
        run = start_run({"id": ONE}, {"id": TWO})
        run.later_changes = {ONE: {"notes": ("east", "")}}
        run.unneeded_devices = {TWO}
        result = finish(run, DevicePlan(ONE, RENAMED), DevicePlan(TWO, RENAMED), check_mode=True)
        assert [sorted(device["changes"]) for device in result["devices"]] == [["name", "notes"], []]

    @pytest.mark.parametrize(
        ("number", "check_mode", "sentence"),
        [
            (1, False, "1 device restarts to apply environment variables, at once if online."),
            (2, False, "2 devices restart to apply environment variables, at once if online."),
            (2, True, "2 devices would restart to apply environment variables, at once if online."),
        ],
    )
    def test_restarts_are_announced(self, number: int, check_mode: bool, sentence: str) -> None:
        ids = [ONE, TWO, THREE][:number]
        run = start_run({"id": device_id(9)}, *({"id": device} for device in ids))
        run.state.mark_devices(ids, WriteState.DONE)
        result = finish(run, *(DevicePlan(id, {"environment": (None, {})}) for id in ids), check_mode=check_mode)
        assert result["msg"].endswith(sentence)
        assert [device.get("restarts") for device in result["devices"]] == [None] + [True] * number

    def test_sims_of_removed_devices_are_named(self) -> None:
        ids = [device_id(number) for number in range(5)]
        run = start_run(*({"id": device, "state": "absent"} for device in ids))
        run.state.mark_devices(ids[1:], WriteState.DONE)
        gone = {"product": ("field-logger", None)}
        devices = [DevicePlan(device, gone, removes=True, sim=f"89-{n}") for n, device in enumerate(ids)]
        result = finish(run, *devices)
        assert result["msg"].endswith("SIMs of removed devices, which are not released: 89-1, 89-2, 89-3 and 1 more.")
        assert [device["sim"] for device in result["devices"]] == [f"89-{n}" for n in range(5)]

    def test_error_outside_of_devices_fails_the_run(self) -> None:
        run = start_run({"id": ONE})
        run.state.other_errors = [LATE, REFUSED]
        result = finish(run)
        assert (result["failed"], result["error"]["code"], result["msg"]) == (
            *(True, "budget_exhausted", "Too many requests. Wait."),
        )


class TestStatus:
    """The status of each device follows from its plan and its state."""

    def find(self, run: Run, *devices: DevicePlan, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = finish(run, *devices, **more)["devices"][0]
        return found

    def test_planned_device_that_was_not_reached_is_pending(self) -> None:
        device = self.find(start_run({"id": ONE}), DevicePlan(ONE, RENAMED))
        assert (device["status"], device["error"], "written" in device) == ("pending", None, False)

    def test_device_that_waits_is_pending_with_its_reason(self) -> None:
        run = start_run({"id": ONE})
        run.state.mark_device(ONE, WriteState.WAITING, LATE)
        device = self.find(run, DevicePlan(ONE, RENAMED))
        assert (device["status"], device["error"]["code"]) == ("pending", "budget_exhausted")

    @pytest.mark.parametrize("is_refused_in_plan", [True, False])
    def test_failed_device_shows_its_error(self, is_refused_in_plan: bool) -> None:
        run = start_run({"id": ONE}, {"id": TWO})
        if not is_refused_in_plan:
            run.state.mark_device(ONE, WriteState.FAILED, REFUSED)
        device = self.find(run, refusals={ONE: REFUSED} if is_refused_in_plan else {})
        assert (device["status"], device["error"]) == ("failed", REFUSED.as_result())

    @pytest.mark.parametrize(("mesh", "status"), [("joined", "ok"), ("pending", "pending"), ("lost", "pending")])
    def test_member_that_has_not_joined_is_pending(self, mesh: str, status: str) -> None:
        device = self.find(start_run({"id": ONE}), states={ONE: mesh})
        assert (device["status"], device["mesh"], "written" in device) == (status, mesh, False)

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_member_whose_writes_are_sent_but_that_is_not_done_is_written(self, check_mode: bool) -> None:
        run = start_run({"id": ONE})
        run.state.mark_device(ONE, WriteState.DONE)
        leaving = DevicePlan(ONE, {"mesh": ("barn", None)}, mesh=MemberPlan(pending="It has not left yet."))
        device = self.find(run, leaving, check_mode=check_mode)
        assert (device["status"], device["written"]) == ("pending", True)
        assert (device["error"]["code"], device["error"]["message"]) == ("device_offline", "It has not left yet.")
        assert device["error"]["hint"] == (
            "Run again when the device has been online, or remove it from the product if it will not come back."
        )

    def test_kept_device_is_pending(self) -> None:
        run = start_run({"id": ONE})
        run.state.kept = {ONE}
        assert self.find(run)["status"] == "pending"

    def test_device_that_check_mode_cannot_judge_is_uncertain(self) -> None:
        run = start_run({"id": ONE}, {"id": TWO})
        run.uncertain = frozenset({ONE})
        result = finish(run, DevicePlan(ONE, RENAMED), check_mode=True)
        assert [device.get("uncertain") for device in result["devices"]] == [True, None]


class TestReplacement:
    """Both devices of a replacement show it, and an error tells what is left of it."""

    NEW = DevicePlan(ONE, {"product": (None, "p")}, imports=True, fields={"name": "a"}, replaces=Replaced(TWO, "89"))
    OLD = DevicePlan(TWO, {"product": ("p", None)}, removes=True, replaced_by=ONE)

    def start(self) -> Run:
        run = start_run({"id": ONE, "replaces": TWO}, {"id": TWO, "state": "absent"}, {"id": THREE})
        new, old, other = run.manifest.devices
        run.manifest = replace(run.manifest, devices=(new, replace(old, replaced_by=ONE), other))
        return run

    def test_devices_of_a_replacement_name_each_other(self) -> None:
        new, old, other = finish(self.start(), self.NEW, self.OLD, check_mode=True)["devices"]
        assert (new["replaces"], old["replaced_by"]) == ({"id": TWO, "sim": "89"}, ONE)
        assert not {"replaces", "replaced_by"} & other.keys()

    @pytest.mark.parametrize("failed", [ONE, TWO])
    def test_error_of_a_replacement_names_its_steps(self, failed: str) -> None:
        run = self.start()
        run.observed = Observed({ONE: ObservedDevice(ONE, {})})
        run.state.done_steps = {ONE: {"name and other fields"}, THREE: {"import"}}
        run.state.mark_device(failed, WriteState.FAILED, REFUSED)
        (message,) = [d["error"]["message"] for d in finish(run, self.NEW, self.OLD)["devices"] if d["error"]]
        assert message == (
            f"The cloud refused it. The replacement of device {TWO} is not complete. Done: import, name and other "
            "fields. Left: removal of the replaced device from the product. The next run continues it."
        )

    def test_error_is_short_if_the_run_ended_early_or_for_another_device(self) -> None:
        run = self.start()
        run.state.mark_device(THREE, WriteState.FAILED, REFUSED)
        assert finish(run, self.NEW, self.OLD)["devices"][2]["error"]["message"] == REFUSED.message
        run = self.start()
        run.state.mark_device(ONE, WriteState.FAILED, REFUSED)
        run.state.stopped = LATE
        assert finish(run, self.NEW, self.OLD)["devices"][0]["error"]["message"] == REFUSED.message


class TestFailure:
    """The error of a task counts the devices and names those that have failed."""

    @staticmethod
    def build(statuses: Iterable[str], stopped: ParticleError | None = None) -> str | None:
        outcomes = [
            Outcome(id, id, None, status, {}, REFUSED if status == "failed" else None)
            for id, status in zip("abcd", statuses, strict=False)
        ]
        error = build_failure(outcomes, stopped)
        return error and error.message

    @pytest.mark.parametrize(
        ("statuses", "message"),
        [
            (["ok", "changed", "pending"], None),
            (["failed"], "1 of 1 device failed. The cloud refused it.\n  a"),
            (["failed", "ok"], "1 of 2 devices failed, all others are done. The cloud refused it.\n  a"),
            (
                ["pending", "failed", "failed", "ok"],
                "2 of 4 devices failed, 1 device is pending. The cloud refused it.\n  b\n  c",
            ),
        ],
    )
    def test_failed_and_pending_devices_are_counted(self, statuses: list[str], message: str | None) -> None:
        assert self.build(statuses) == message

    def test_early_end_gives_its_reason(self) -> None:
        assert self.build(["pending", "pending", "ok"], LATE) == (
            "The run ended early, and 2 devices are pending. Too many requests."
        )

    def test_early_end_also_names_the_devices_that_failed_before(self) -> None:
        assert self.build(["failed", "pending"], LATE) == (
            "The run ended early, and 1 device is pending. Too many requests.\n"
            "1 of 2 devices failed. The cloud refused it. Ask.\n  a"
        )

    def test_early_end_because_of_failures_names_the_reason_once(self) -> None:
        limit = ParticleError("forbidden", "More devices have failed than max_failures allows. The cloud refused it.")
        assert self.build(["failed", "pending"], limit) == (
            "The run ended early, and 1 device is pending. More devices have failed than max_failures allows. "
            "1 of 2 devices failed. The cloud refused it. Ask.\n  a"
        )

    def test_error_keeps_the_details_of_its_first_reason(self) -> None:
        error = build_failure([Outcome("a", "a", None, "failed", {}, REFUSED)], None)
        assert error is not None
        assert (error.code, error.hint, error.status, error.route) == ("forbidden", "Ask.", 403, "PUT /v1/x")


@pytest.mark.parametrize(
    ("counts", "changed", "check_mode", "sentence"),
    [
        ({"total": 0}, False, False, "0 devices."),
        ({"total": 1, "ok": 1}, True, False, "1 device: 1 unchanged. Device groups or networks changed."),
        ({"total": 1, "ok": 1}, True, True, "1 device: 1 unchanged. Device groups or networks would change."),
        (
            {"total": 1_500, "ok": 1_100, "changed": 100, "failed": 200, "pending": 100},
            *(True, False, "1,500 devices: 100 changed, 1,100 unchanged, 100 pending, 200 failed."),
        ),
    ],
)
def test_success_is_described_with_numbers(
    counts: dict[str, int], changed: bool, check_mode: bool, sentence: str
) -> None:
    summary = {"ok": 0, "changed": 0, "failed": 0, "pending": 0, **counts}
    assert describe_success(summary, changed=changed, check_mode=check_mode) == sentence


def test_members_are_counted_by_role_and_state() -> None:
    members = [{"id": device_id(n), "mesh": {"network": "barn", "role": "node"}} for n in range(4)]
    gateway = {"id": ONE.replace("1", "9"), "mesh": {"network": "barn", "role": "gateway"}}
    networks = {"barn": {}, "shed": {"gateways": [THREE.replace("3", "8")]}}
    manifest = start_run(*members, gateway, {"id": device_id(7)}, networks=networks).manifest
    empty = {"gateways": 0, "nodes": 0}
    assert count_members(manifest, None) == {"barn": {"gateways": 1, "nodes": 4}, "shed": empty}
    states = {device_id(0): "joined", device_id(1): "lost", device_id(2): "pending"}
    assert count_members(manifest, states) == {
        "barn": {"gateways": 1, "nodes": 4, "joined": 1, "lost": 1, "pending": 3},
        "shed": {**empty, "joined": 0, "lost": 0, "pending": 0},
    }
    summary = finish(start_run(*members, gateway, networks=networks), states=states)["summary"]
    assert summary["networks"] == count_members(manifest, states)


def test_title_of_a_device_has_its_name_identifier_and_place() -> None:
    assert (
        Outcome("a", "a", "pump", "ok", {}, place="fleet.yml:3 devices[0]").title == "pump (a, fleet.yml:3 devices[0])"
    )
    assert Outcome("a", "35", None, "ok", {}).title == "35"
    assert Outcome("a", "35", None, "ok", {}).identifiers == ("35", "a")
    assert Outcome("a", "a", None, "ok", {}).identifiers == ("a",)
