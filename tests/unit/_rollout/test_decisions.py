# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test decisions about rollouts in which devices come late, or locks belong to a user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.begin import begin_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision, LockWrite
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DeclaredWave,
    Device,
    Health,
    Phase,
    Progress,
    Releases,
    Rollout,
    Share,
    State,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    MAX_FOREIGN_LOCKS,
    Record,
    WaveRecord,
    keep_offline,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
from support.fleet_files import device_id
from support.rollouts import NEW, OLD

T = 1_800_000_000.0
NEWER = 3
UNRELEASED = Release(default=False, groups=(), intelligent=False)
WAVES = (DeclaredWave(groups=("bench",)), DeclaredWave(groups=("north",)), DeclaredWave(Share(100)))
ROLLOUT = Rollout(NEW, waves=WAVES, health=Health(soak=600))
RECORD = Record(NEW, Phase.RUNNING, T, locks={NEW: frozenset()})


def build_device(number: int, group: str, *, runs: int = NEW, lock: int | None = NEW, **more: Any) -> Device:
    """Return an online device that was heard just before the moment at which these tests decide."""
    session = {"heard": T + 4_999, "handshake": T - 9 if runs == OLD else T + 60}
    fields: dict[str, Any] = {"groups": frozenset({group}), "online": True, "is_cellular": True, **session, **more}
    return Device(device_id(number), version=runs, lock=lock, **fields)


def build_wave(group: str, targeted: float, decided: float | None) -> WaveRecord:
    return WaveRecord(None, (group,), targeted, targeted, targeted, decided)


def build_situation(devices: Iterable[Device], record: Record, **more: Any) -> Situation:
    """Return a situation 5,000 seconds after the rollout has begun."""
    fields: dict[str, Any] = {"rollout": ROLLOUT, "releases": Releases(OLD), "release": UNRELEASED, **more}
    return Situation(record=record, devices={device.id: device for device in devices}, now=T + 5_000, **fields)


def follow(situation: Situation) -> Decision:
    """Carry out the steps of a run, and return the last decision."""
    for _unused in range(20):
        decision = decide(situation)
        if not decision.has_writes and decision.record == situation.record:
            return decision
        devices = dict(situation.devices)
        for write in decision.locks:
            devices[write.device] = replace(devices[write.device], lock=write.lock)
        situation = replace(situation, record=decision.record, devices=devices)
    raise AssertionError("the run does not end")


# ---------------------------------------------------------------------- devices that join a wave late

BEGUN = [build_device(1, "bench"), build_device(2, "north")]
WAITING = [build_device(number, "south", runs=OLD, lock=None) for number in range(20, 40)]


def test_next_wave_waits_for_late_devices_of_an_earlier_wave() -> None:
    late = [build_device(number, "bench", runs=OLD, handshake=T - 9) for number in range(5, 10)]
    waves = (build_wave("bench", T + 4_950, None), build_wave("north", T + 1_000, T + 1_100))
    decision = follow(build_situation([*BEGUN, *late, *WAITING], replace(RECORD, waves=waves)))
    assert (decision.progress, decision.next and decision.next.why) == (Progress.RUNNING, "5 devices are updating.")
    assert len(decision.record.waves) == 2


def test_many_devices_that_join_a_begun_wave_are_targeted_in_steps() -> None:
    waves = (build_wave("bench", T, T + 100), build_wave("north", T + 1_000, T + 1_100))
    late = [build_device(number, "bench", runs=OLD, lock=None) for number in range(100, 140)]
    found, targeted = [*BEGUN, *WAITING], []
    for _step in range(4):
        decision = decide(build_situation([*found, *late], replace(RECORD, waves=waves)))
        targeted.append(len(decision.locks))
        found += [build_device(number, "bench") for number in range(100 + sum(targeted[:-1]), 100 + sum(targeted))]
        late = late[len(decision.locks) :]
    assert targeted == [5, 7, 14, 14], "each step at most doubles the number of targeted devices"


def test_wave_remembers_its_offline_devices_when_late_devices_join() -> None:
    asleep = build_device(5, "bench", runs=OLD, online=False, heard=T - 60)
    woken, late = build_device(6, "bench"), build_device(7, "bench", runs=OLD, lock=None)
    bench = replace(build_wave("bench", T, None), offline=keep_offline({asleep.id, woken.id}))
    decision = decide(build_situation([*BEGUN, asleep, woken, late, *WAITING], replace(RECORD, waves=(bench,))))
    assert decision.locks == (LockWrite(late.id, NEW, flash=True),)
    (wave,) = decision.record.waves
    assert [wave.was_offline(device.id) for device in (asleep, woken, late)] == [True, False, False]


def test_interrupted_beginning_of_a_wave_is_completed_at_once() -> None:
    waves = (build_wave("bench", T, T + 100), build_wave("north", T + 4_000, None))
    missing = [build_device(number, "north", runs=OLD, lock=None) for number in range(100, 140)]
    decision = decide(build_situation([*BEGUN, *missing, *WAITING], replace(RECORD, waves=waves)))
    assert len(decision.locks) == len(missing)


def test_next_wave_waits_for_the_soak_time_of_late_devices() -> None:
    waves = (build_wave("bench", T + 4_000, T + 4_500), build_wave("north", T + 1_000, T + 1_100))
    decision = follow(build_situation([*BEGUN, *WAITING], replace(RECORD, waves=waves)))
    assert (decision.progress, decision.next and decision.next.when) == (Progress.SOAKING, T + 5_100)
    assert decision.next is not None
    assert decision.next.why.startswith("Wave 1 must stay healthy")


def test_next_wave_needs_a_proof_although_devices_wait_for_the_budget() -> None:
    rollout = replace(ROLLOUT, unavailable=Share(50))
    asleep = [build_device(number, "bench", runs=OLD, lock=None, online=False) for number in range(4)]
    record = replace(RECORD, waves=(build_wave("bench", T, T + 100),))
    decision = follow(build_situation([*asleep, *WAITING], record, rollout=rollout))
    assert (decision.progress, decision.locks) == (Progress.HELD, ())
    assert decision.next is not None
    assert decision.next.why.startswith(f"No device runs version {NEW} yet.")
    assert len(decision.record.waves) == 1


def test_device_that_allows_updates_late_is_not_failed_at_once() -> None:
    busy = build_device(1, "bench", runs=OLD, lock=None, accepts_updates=False)
    rollout = replace(ROLLOUT, waves=WAVES[:1])
    decision = decide(build_situation([busy], RECORD, rollout=rollout))
    assert decision.locks == (LockWrite(busy.id, NEW, flash=True),)
    hours = {"lock": NEW, "accepts_updates": True, "heard": T + 19_999}
    for fields, state in (({}, State.PENDING_HANDSHAKE), ({"handshake": T + 19_990}, State.UPDATING)):
        allowing = replace(busy, **hours, **fields)
        later = replace(build_situation([allowing], decision.record, rollout=rollout), now=T + 20_000)
        assert decide(later).assessments[busy.id].state is state


# ---------------------------------------------------------------------- locks of users


def test_foreign_lock_is_the_evidence_for_a_skipped_device() -> None:
    locked = build_device(5, "south", runs=OLD, lock=OLD)
    assessment = decide(build_situation([*BEGUN, locked], RECORD)).assessments[locked.id]
    assert assessment.state is State.SKIPPED_LOCKED
    assert assessment.evidence == f"is locked to version {OLD}, and not by a rollout"


@pytest.mark.parametrize("phase", [Phase.RELEASING, Phase.ABORTING, Phase.ROLLING_BACK])
def test_lock_that_a_user_sets_after_a_rollout_is_foreign(phase: Phase) -> None:
    runs = NEW if phase is Phase.RELEASING else OLD
    device = build_device(1, "bench", runs=runs)
    record = replace(RECORD, phase=phase, waves=(build_wave("bench", T, T + 100),))
    release, releases = Release(default=True, groups=(), intelligent=False), Releases(NEW)
    ended = follow(build_situation([device], record, release=release, releases=releases)).record
    assert ended.phase.is_over
    pinned = replace(device, lock=NEW)  # by a user, after the rollout has taken its lock back
    begun = begin_rollout(Rollout(NEWER), ended, {pinned.id: pinned}, {}, T + 9_000)
    assert not begun.owns_lock(pinned.id, NEW)


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.ABORTED])
def test_done_rollout_is_not_released_by_a_pause_or_an_abort(phase: Phase) -> None:
    done = replace(RECORD, phase=Phase.DONE, settings={"release": "none"})
    assert begin_rollout(Rollout(NEW), done, {}, {}, T).phase is Phase.RELEASING
    assert begin_rollout(Rollout(NEW, phase=phase), done, {}, {}, T).phase is Phase.DONE


def test_locks_that_remain_after_a_rollout_belong_to_it() -> None:
    device = build_device(1, "bench")
    foreign = build_device(2, "north", runs=OLD)
    waves = (build_wave("bench", T, T + 100),)
    record = replace(RECORD, phase=Phase.ABORTING, waves=waves, locks={NEW: frozenset({foreign.id})})
    ended = follow(build_situation([device, foreign], record)).record
    assert ended.phase is Phase.ABORTED
    assert ended.locks == {NEW: frozenset({foreign.id})}


def test_rollback_is_written_although_users_have_many_locks() -> None:
    others = [build_device(number, "south", runs=OLD, lock=OLD) for number in range(100, 100 + 2 * MAX_FOREIGN_LOCKS)]
    record = replace(RECORD, phase=Phase.ROLLING_BACK, waves=(build_wave("bench", T, T + 100),))
    decision = decide(build_situation([*BEGUN, *others], record))
    assert decision.locks == tuple(LockWrite(device.id, OLD, flash=True) for device in BEGUN)
    decision.record.as_data()
    assert not decision.record.owns_lock(others[0].id, OLD)


@pytest.mark.parametrize(("age", "progress"), [(600, Progress.SOAKING), (1_300, Progress.BRAKED)])
def test_restarts_of_many_devices_reach_the_brake_after_two_soaks(age: float, progress: Progress) -> None:
    devices = [build_device(number, "bench", handshake=T + 4_990) for number in range(40)]
    record = replace(RECORD, waves=(build_wave("bench", T, T + 5_000 - age),))
    decision = decide(build_situation(devices, record))
    assert decision.progress is progress
    if progress is Progress.BRAKED:
        assert {assessment.state for assessment in decision.assessments.values()} == {State.CRASHING}
        assert len(decision.tally.failed) == 40
