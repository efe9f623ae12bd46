# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The result of a run has the documented shape, fits on a screen, and cannot be forged by names of devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import describe_diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision, LockWrite
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DeclaredWave,
    Device,
    Phase,
    Progress,
    Releases,
    Rollout,
    Share,
    State,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import (
    Outcome,
    build_brake_error,
    describe_progress,
    show_nothing,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    Approval,
    Record,
    WaveRecord,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
from ansible_collections.meshfleet.particle.plugins.modules.rollout import RETURN
from support.fleet_files import device_id
from support.rollouts import NEW, OLD, Driver, running_product
from support.simulator import Simulator

T = 1_800_000_000.0
UNRELEASED = Release(default=False, groups=(), intelligent=False)
HOSTILE = "\x1b[2J\r\nok: [localhost] <b>1</b> {{ lookup('pipe', 'id') }} \N{RIGHT-TO-LEFT OVERRIDE}" * 9


def build_situation(devices: list[Device], phase: Phase = Phase.RUNNING, **more: Any) -> Situation:
    """Return the situation of a rollout with one wave, 5,000 seconds after all devices were targeted."""
    wave = WaveRecord("f" * 16, (), T, T, T, more.pop("decided", None))
    record = Record(NEW, phase, T, waves=(wave,), locks={NEW: frozenset()})
    return Situation(
        more.pop("rollout", Rollout(NEW)),
        record,
        {device.id: device for device in devices},
        Releases(),
        UNRELEASED,
        T + 5_000,
        **more,
    )


def build_device(number: int, *, is_bad: bool = False, name: str | None = None) -> Device:
    """Return a targeted device that was heard just now. A bad device has refused the update."""
    return Device(
        device_id(number),
        name,
        version=OLD if is_bad else NEW,
        lock=NEW,
        online=True,
        heard=T + 4_999,
        handshake=T - 9 if is_bad else T + 60,
        is_cellular=True,
    )


def show(situation: Situation, *, noted: bool = True) -> dict[str, Any]:
    outcome = Outcome()
    outcome.note_decision(decide(situation), situation, situation.record if noted else None)
    return outcome.as_result()


def test_error_of_the_brake_fits_on_a_screen_and_has_a_remedy() -> None:
    result = show(build_situation([build_device(number, is_bad=number < 300) for number in range(900)]))
    assert (result["failed"], result["error"]["code"]) == (True, "braked")
    lines = result["msg"].splitlines()
    assert lines[0] == (
        "The brake has stopped the rollout of version 2: the update of 300 of 900 targeted devices failed (limit 5%)."
    )
    assert len(lines) == 13
    assert "failed_refused: is online, has not restarted since it was targeted" in lines[1]
    assert lines[11] == "  and 290 more"
    for option in ("accept", "rollback", "supersede"):
        assert option in lines[12]
    assert len(result["msg"]) < 3_000
    assert "\n" not in result["error"]["message"]


def test_hostile_names_are_escaped_in_messages_and_evidence() -> None:
    devices = [build_device(number, is_bad=True, name=f"{number} {HOSTILE}") for number in range(3)]
    devices[0] = Device(
        devices[0].id,
        devices[0].name,
        0,
        NEW,
        heard=T + 4_999,
        handshake=T + 9,
        in_safe_mode=True,
        device_os=HOSTILE,
        online=True,
    )
    result = show(build_situation(devices))
    assert len(result["msg"].splitlines()) == 5
    assert all(line.isprintable() for line in result["msg"].splitlines())
    assert all(len(line) < 400 for line in result["msg"].splitlines())
    assert all(row["evidence"].isprintable() for row in result["devices"])
    assert [row["name"] for row in result["devices"]] == [device.name for device in devices], "data is not changed"


def test_diff_of_hostile_names_has_one_printable_line_for_each_device() -> None:
    devices = [build_device(number, name=f"{number} {HOSTILE}") for number in range(2)]
    situation, outcome = build_situation(devices), Outcome(changed=True)
    outcome.note_locks([LockWrite(device.id, None) for device in devices], situation.devices, {})
    outcome.note_decision(decide(situation), situation, None)
    text = describe_diff(outcome.as_result()["diff"], lambda value: value)
    assert len(text.splitlines()) == 3
    assert all(line.isprintable() for line in text.splitlines())
    assert text.splitlines()[0] == "rollout of version 2: phase null -> 'running'"
    assert text.splitlines()[1].endswith("firmware_lock 2 -> null")


def test_diff_of_a_new_rollout_begins_without_the_phase_of_the_earlier_one() -> None:
    situation, outcome = build_situation([build_device(1, name="pump")]), Outcome(changed=True)
    outcome.note_locks([LockWrite(device_id(1), None)], situation.devices, {})
    outcome.note_decision(decide(situation), situation, replace(situation.record, version=OLD, phase=Phase.DONE))
    phase, lock = outcome.as_result()["diff"].items
    assert (phase.key, phase.changes) == ("rollout of version 2", {"phase": (None, "running")})
    assert (lock.key, lock.name, lock.changes) == (device_id(1), "pump", {"firmware_lock": (NEW, None)})
    outcome = Outcome(changed=True)
    outcome.note_decision(decide(situation), situation, replace(situation.record, phase=Phase.PAUSED))
    assert outcome.as_result()["diff"].items[0].changes == {"phase": ("paused", "running")}


def test_error_about_a_device_names_it_and_its_reason() -> None:
    situation, outcome = build_situation([build_device(1, name="pump")]), Outcome()
    error = ParticleError("forbidden", f"Could not set lock of device {device_id(1)}.", hint="Ask.", route="PUT /v1/x")
    outcome.note_locks([LockWrite(device_id(1), None)], situation.devices, {device_id(1): error})
    outcome.note_decision(decide(situation), situation, situation.record)
    headline, *lines = outcome.as_result()["msg"].splitlines()
    assert headline == f"1 device was not written, and the others were. {error.message}"
    assert (len(lines), lines[-1]) == (2, "Ask.")
    assert "pump" in lines[0]
    assert outcome.as_result()["error"]["route"] == "PUT /v1/x"


def test_lock_that_is_written_twice_is_shown_from_first_to_last() -> None:
    device = Device(device_id(1), "unit-1", lock=None)
    situation, outcome = build_situation([device]), Outcome(changed=True)
    outcome.note_locks([LockWrite(device.id, 2, flash=True)], situation.devices, {})
    outcome.note_locks([LockWrite(device.id, None)], {device.id: build_device(1)}, {})
    outcome.note_release(2, UNRELEASED, Release(default=True, groups=("north",), intelligent=False))
    outcome.note_decision(decide(situation), situation, situation.record)
    text = describe_diff(outcome.as_result()["diff"], lambda value: value)
    assert text == "firmware 2: release.default false -> true; release.groups [] -> ['north']\n"
    assert outcome.writes == 3


def test_devices_that_were_not_written_are_named_with_the_reason() -> None:
    devices = [build_device(number, name=f"unit-{number}\x07") for number in range(300)]
    situation, outcome = build_situation(devices), Outcome(changed=True)
    errors = {
        device.id: ParticleError("forbidden", f"Could not set lock of device {device.id}: HTTP 403.", status=403)
        for device in devices[:299]
    }
    writes = [LockWrite(device.id, NEW, flash=True) for device in devices]
    outcome.note_locks(writes, situation.devices, errors)
    outcome.note_decision(decide(situation), situation, situation.record)
    result = outcome.as_result()
    assert (result["failed"], result["error"]["code"], result["error"]["status"]) == (True, "forbidden", 403)
    lines = result["msg"].splitlines()
    assert lines[0].startswith("299 devices were not written, and the others were.")
    assert len(lines) <= 16
    assert all(line.isprintable() for line in lines)
    outcome.note_locks(writes, situation.devices, {})
    assert "failed" not in outcome.as_result(), "a later check has written them"


def test_result_has_exactly_the_documented_keys() -> None:
    documented = yaml.safe_load(RETURN)
    common = {"error", "msg", "cloud", "credentials_source", "devices_omitted"}
    result = show(build_situation([build_device(1), build_device(2, is_bad=True)], decided=T + 4_000))
    assert set(documented) - common - {"diff"} == set(result) - {"changed", "diff"} - common
    for name in ("waves", "devices"):
        assert set(documented[name]["contains"]) == set(result[name][0]), name
    assert set(show_nothing()) == set(result) - {"changed", "diff"}
    assert set(result["brake"]) == set(documented["brake"]["contains"])
    assert set(result["next"]) == set(documented["next"]["contains"])


def test_result_shows_what_a_run_has_found() -> None:
    situation = build_situation([build_device(1, name="pump"), build_device(2, is_bad=True)], decided=T + 4_000)
    result = show(situation)
    assert [
        (row["id"], row["name"], row["state"], row["wave"], row["firmware_version"]) for row in result["devices"]
    ] == [
        (device_id(2), None, "failed_refused", 1, OLD),
        (device_id(1), "pump", "updated", 1, NEW),
    ]
    (wave,) = result["waves"]
    assert {name: wave[name] for name in ("number", "devices", "total", "groups", "began", "decided")} == {
        **{"number": 1, "devices": 2, "total": 2, "groups": []},
        **{"began": "2027-01-15T08:00:00Z", "decided": "2027-01-15T09:06:40Z"},
    }
    assert sorted(wave["members"]) == [device_id(1), device_id(2)]
    assert (wave["approved_by"], wave["approved_at"]) == (None, None)
    assert (result["state"], result["version"], result["began"]) == ("soaking", NEW, "2027-01-15T08:00:00Z")
    assert result["brake"] == {
        **{"tripped": False, "devices": 2, "failed": 1, "offline": 0},
        **{"failed_limit": "5%", "offline_limit": "10%", "at_least": 2},
    }
    assert result["next"]["when"] is not None


@pytest.mark.parametrize(
    ("is_rolled_back", "hint"),
    [
        (True, "Roll out a corrected version, or set supersede to begin again."),
        (
            False,
            "Repair these devices and run again, set accept to their ids to continue without them, set rollback to "
            "lock to restore the previous versions, or roll out a corrected version with supersede.",
        ),
    ],
)
def test_error_of_the_brake_has_the_remedy_for_its_kind_of_rollout(is_rolled_back: bool, hint: str) -> None:
    situation = build_situation([build_device(number, is_bad=number < 2) for number in range(9)])
    error = build_brake_error(decide(situation), Rollout(NEW, is_rolled_back=is_rolled_back), situation.devices)
    headline, *lines = error.message.split("\n")
    assert (error.code, error.hint, len(lines)) == ("braked", hint, 2)
    assert headline == (
        "The brake has stopped the rollout of version 2: the update of 2 of 9 targeted devices failed (limit 5%)."
    )


def test_rollback_tells_which_devices_get_their_version_back() -> None:
    devices = [build_device(number, is_bad=True) for number in range(4)]
    situation, outcome = build_situation(devices), Outcome(changed=True)
    outcome.note_trip(decide(situation), situation)
    refused = {devices[3].id: ParticleError("forbidden", "No.")}
    versions = (OLD, OLD, None, OLD)
    writes = [LockWrite(device.id, version) for device, version in zip(devices, versions, strict=True)]
    outcome.note_locks(writes, situation.devices, refused)
    outcome.note_decision(decide(situation), situation, situation.record)
    assert outcome.unwritten == {devices[3].id}
    assert outcome.as_result()["error"]["hint"].startswith(
        "2 devices get the previous version. 1 targeted device keeps the present version, because no release gives "
        "another one. 1 device was not written; run again to roll back the rest. "
    )


def test_bad_devices_come_first_and_skipped_devices_last() -> None:
    devices = [
        build_device(1),
        Device(device_id(2), in_development=True),
        build_device(3, is_bad=True),
        Device(device_id(4), lock=7),
        Device(device_id(5), lock=NEW, version=OLD),
    ]
    result = show(build_situation(devices))
    assert [row["state"] for row in result["devices"]] == [
        "failed_refused",
        "pending_offline",
        "updated",
        "skipped_development",
        "skipped_locked",
    ]
    assert [row["wave"] for row in result["devices"]] == [1, 1, 1, None, None]
    assert sum(result["counts"].values()) == len(devices)
    assert sum(result["waves"][0]["counts"].values()) == 3


@pytest.mark.parametrize(
    ("phase", "devices", "decided", "expected"),
    [
        (Phase.RUNNING, [build_device(1)], T + 4_000, "soaking"),
        (Phase.RUNNING, [build_device(1)], T + 1_000, "complete"),
        (Phase.DONE, [build_device(1)], T + 1_000, "complete"),
        (Phase.ABORTED, [build_device(1)], T + 1_000, "complete"),
        (Phase.ABORTED, [Device(device_id(1))], None, "ended"),
        (Phase.ROLLED_BACK, [Device(device_id(1))], None, "ended"),
    ],
)
def test_state_of_a_wave_follows_its_record(
    phase: Phase, devices: list[Device], decided: float | None, expected: str
) -> None:
    situation = build_situation(devices, phase, decided=decided)
    assert show(situation)["waves"][0]["state"] == expected


def describe(decision: Decision) -> str:
    line = describe_progress(decision)
    assert line.isprintable()
    assert len(line) < 120
    return line


def test_progress_is_one_line_with_counts() -> None:
    devices = [build_device(number, is_bad=number in (1, 2)) for number in range(1_200)]
    devices.append(Device(device_id(5_000), lock=NEW, version=OLD))
    devices.append(Device(device_id(5_001), in_development=True))
    decision = decide(build_situation(devices, decided=T + 4_000))
    assert describe(decision) == "wave 1/1 | 1,198 of 1,201 updated | 1 pending | 2 failed | soaking"


def test_progress_of_each_state_is_words() -> None:
    for progress in Progress:
        decision = decide(build_situation([build_device(1)]))
        line = describe(Decision(**{**decision.__dict__, "progress": progress}))
        assert line.endswith(progress.value.replace("_", " "))


def test_wave_is_shown_with_the_approval_that_includes_it() -> None:
    waves = (DeclaredWave(Share(count=1)), DeclaredWave(Share(count=2)), DeclaredWave(Share(100)))
    approvals = (Approval(1, T, "jane"), Approval(40, T + 60, "joe"))
    situation = build_situation([build_device(number) for number in range(4)], rollout=Rollout(NEW, waves))
    record = replace(situation.record, approvals=approvals, waves=())
    result = show(replace(situation, record=record))
    assert [(wave["approved_by"], wave["approved_at"]) for wave in result["waves"]] == [
        ("jane", "2027-01-15T08:00:00Z"),
        ("joe", "2027-01-15T08:01:00Z"),
        ("joe", "2027-01-15T08:01:00Z"),
    ]


def test_approval_of_many_waves_needs_little_room_in_the_record() -> None:
    situation = build_situation([build_device(1)], rollout=Rollout(NEW, needs_approval=True, approved=1_000))
    assert decide(replace(situation, approver="jane")).record.approvals == (Approval(1_000, T + 5_000, "jane"),)
    again = replace(situation, record=decide(situation).record)
    assert decide(again).record.approvals == (Approval(1_000, T + 5_000, None),)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (replace(build_device(1), handshake=None), "The cloud does not show when the sessions of 1 device began"),
        (Device(device_id(1), lock=NEW, version=OLD), "Most likely, all devices of the begun waves are offline."),
    ],
)
def test_rollout_without_a_decided_device_is_held_with_its_reason(device: Device, reason: str) -> None:
    decision = decide(build_situation([device], decided=T + 100))
    assert decision.progress is Progress.HELD
    assert decision.next is not None
    assert reason in decision.next.why


# ---------------------------------------------------------------------- with a cloud


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    others: Mapping[str, Mapping[str, Any]] = {device_id(1): {"name": HOSTILE[:100]}}
    with running_product(tmp_path_factory.mktemp("fleet"), 12, others=others) as simulator:
        yield simulator


def test_check_mode_shows_the_diff_of_the_run(running: Simulator) -> None:
    driver = Driver(running, {"waves": [{"count": 5}]})
    predicted = driver.run(check_mode=True)
    before = running.stats()["writes"]
    done = driver.run()
    assert before == 0
    for key in ("changed", "diff", "state", "waves", "counts", "brake"):
        left, right = ({**each, "began": None} for each in (predicted, done))
        assert left[key] == right[key], key
    text = describe_diff(done["diff"], lambda value: value)
    assert "firmware_lock null -> 2 on 5 devices" in text
    again = driver.run()
    assert (again["changed"], describe_diff(again["diff"], lambda value: value)) == (False, "")


def test_states_of_devices_are_all_documented() -> None:
    text = str(yaml.safe_load(RETURN)["devices"])
    assert [state.value for state in State if f"V({state.value})" not in text] == []
    text = str(yaml.safe_load(RETURN)["state"])
    assert [progress.value for progress in Progress if f"V({progress.value})" not in text] == []
