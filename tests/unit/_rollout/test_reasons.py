# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Each step of a rollout says why it comes, and when it is worth looking again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import LockWrite
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Brake,
    DeclaredWave,
    Device,
    Health,
    Next,
    Phase,
    Progress,
    Releases,
    Rollout,
    Share,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record, WaveRecord
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
from support.fleet_files import device_id
from support.rollouts import NEW, OLD

T = 1_800_000_000.0
NOW = T + 5_000
WAVES = (DeclaredWave(groups=("bench",)), DeclaredWave(groups=("north",)))
ROLLOUT = Rollout(NEW, waves=WAVES, brake=Brake(at_least=99), health=Health(soak=600))
BENCH = WaveRecord(None, ("bench",), T, T, T, T + 4_000)
NORTH = WaveRecord(None, ("north",), T, T, T, T + 4_000)
OFFLINE = {"online": False, "heard": T - 90_000, "handshake": T - 99_000, "version": OLD}
REFUSES = {"version": OLD, "handshake": T - 9}


def build_device(number: int, group: str = "bench", **more: Any) -> Device:
    """Return a device that runs the new version healthily, unless `more` says otherwise."""
    healthy = {"version": NEW, "lock": NEW, "online": True, "heard": NOW - 1, "handshake": T + 60, "is_cellular": True}
    return Device(device_id(number), groups=frozenset({group}), **{**healthy, **more})


def situate(*devices: Device, waves: tuple[WaveRecord, ...] = (BENCH,), **more: Any) -> Situation:
    """Return a situation 5,000 seconds after the first devices were targeted."""
    record = Record(NEW, more.pop("phase", Phase.RUNNING), T, waves=waves, locks={NEW: frozenset()})
    record = replace(record, **more.pop("record", {}))
    release = Release(default=False, groups=(), intelligent=False)
    rollout = replace(ROLLOUT, **more.pop("options", {}))
    fields = {"rollout": rollout, "releases": Releases(OLD), "release": release, **more}
    return Situation(record=record, devices={device.id: device for device in devices}, now=NOW, **fields)


WAITING = build_device(9, "north", version=OLD, lock=None)


@pytest.mark.parametrize(
    ("situation", "progress", "seconds", "why"),
    [
        (
            situate(build_device(1), options={"phase": Phase.PAUSED}),
            *(Progress.PAUSED, None, "The rollout is paused. Set state to present to continue it."),
        ),
        (
            situate(*(build_device(n, **REFUSES) for n in range(4)), options={"brake": Brake()}),
            *(Progress.BRAKED, None),
            "The brake has stopped the rollout. Accept or repair the failed devices, or roll out another version.",
        ),
        (
            situate(
                build_device(1, lock=OLD, version=None), WAITING, record={"locks": {OLD: frozenset(), NEW: frozenset()}}
            ),
            *(Progress.RUNNING, 60, "Firmware locks of an earlier rollout are taken back."),
        ),
        (situate(WAITING, build_device(1)), Progress.RUNNING, 60, f"1 device gets version {NEW}."),
        (
            situate(WAITING, replace(WAITING, id=device_id(8)), build_device(1)),
            *(Progress.RUNNING, 60, f"2 devices get version {NEW}."),
        ),
        (
            situate(build_device(1, version=OLD, handshake=NOW - 9), waves=(replace(BENCH, decided=None),)),
            *(Progress.RUNNING, 60, "1 device is updating."),
        ),
        (
            situate(build_device(1, **OFFLINE), build_device(2, **OFFLINE), WAITING),
            *(Progress.HELD, 60),
            f"No device runs version {NEW} yet. Most likely, all devices of the begun waves are offline.",
        ),
        (
            situate(build_device(1, **REFUSES), build_device(2, **OFFLINE), WAITING),
            *(Progress.HELD, 60),
            f"No device runs version {NEW} yet, and 1 of 2 targeted devices failed. Repair them, or set accept to "
            "their ids.",
        ),
        (
            situate(build_device(1, handshake=None), WAITING),
            *(Progress.HELD, 60),
            "The cloud does not show when the sessions of 1 device began, which would prove the update.",
        ),
        (
            situate(build_device(1), WAITING, waves=(replace(BENCH, decided=NOW - 100),)),
            *(Progress.SOAKING, 500, "Wave 1 must stay healthy for 600 seconds before the rollout continues."),
        ),
        (
            situate(build_device(1), WAITING, options={"needs_approval": True, "approved": 1}),
            *(Progress.AWAITING_APPROVAL, None),
            "Wave 2 with 1 device waits for approval. Set approved to 2 to begin it.",
        ),
        (
            situate(build_device(1), build_device(2, "south"), options={"waves": WAVES[:1]}),
            *(Progress.HELD, None),
            "The declared waves reach 1 of 2 devices. Declare another wave to continue.",
        ),
        (
            situate(
                *(build_device(1), build_device(2, **OFFLINE, lock=None)),
                options={"waves": WAVES[:1], "unavailable": Share(50), "release": None},
            ),
            *(Progress.HELD, 60),
            "1 device is offline or has updates switched off. With a disruption budget, they are targeted when they "
            "can be updated.",
        ),
        (
            situate(
                *(build_device(1), build_device(2, **OFFLINE, lock=None), build_device(3, **OFFLINE, lock=None)),
                options={"waves": WAVES[:1], "unavailable": Share(50), "release": None},
            ),
            *(Progress.HELD, 60),
            "2 devices are offline or have updates switched off. With a disruption budget, they are targeted when they "
            "can be updated.",
        ),
        (situate(waves=()), Progress.HELD, None, "The selection contains no device that can be updated."),
        (
            situate(
                *(build_device(1), build_device(8, "north", **{**OFFLINE, "heard": NOW - 9_000}), WAITING),
                options={"unavailable": Share(50)},
            ),
            *(Progress.HELD, 60),
            "The disruption budget of these device groups is used up: north. Devices there are updating, offline or "
            "not yet stable.",
        ),
        (
            situate(
                *(build_device(1), build_device(7, "north", **REFUSES), WAITING),
                waves=(BENCH, NORTH),
                options={"unavailable": Share(count=1)},
            ),
            *(Progress.HELD, 60),
            "The disruption budget of these device groups is used up: north. The update of 1 device has failed there. "
            "Repair these devices, or set accept to their ids.",
        ),
    ],
)
def test_step_says_why_and_when(situation: Situation, progress: Progress, seconds: float | None, why: str) -> None:
    decision = decide(situation)
    for _look in range(3):
        if decision.has_writes or decision.record == situation.record:
            break
        situation = replace(situation, record=decision.record)
        decision = decide(situation)
    assert decision.progress is progress
    assert decision.next == Next(None if seconds is None else NOW + seconds, why)


DEFAULT = Release(default=True, groups=(), intelligent=False)


@pytest.mark.parametrize(
    ("phase", "more", "locks", "why"),
    [
        (Phase.ABORTING, {}, [LockWrite(device_id(2), None)], "Firmware locks are taken back."),
        (
            *(Phase.ROLLING_BACK, {}),
            [LockWrite(device_id(1), OLD, flash=True), LockWrite(device_id(2), OLD, flash=True)],
            "Devices are rolled back.",
        ),
        (
            *(Phase.ROLLING_BACK, {"releases": Releases(NEW)}),
            [LockWrite(device_id(1), None), LockWrite(device_id(2), None)],
            "Devices are rolled back.",
        ),
        (
            *(Phase.RELEASING, {"releases": Releases(NEW), "release": DEFAULT}),
            [LockWrite(device_id(1), None), LockWrite(device_id(2), None)],
            "Firmware locks are taken back.",
        ),
        (Phase.RELEASING, {}, [], "Firmware locks are taken back."),
    ],
)
def test_end_of_a_rollout_says_what_is_written(
    phase: Phase, more: dict[str, Any], locks: list[LockWrite], why: str
) -> None:
    decision = decide(situate(build_device(1), build_device(2, **REFUSES), phase=phase, **more))
    assert (decision.progress, list(decision.locks)) == (Progress.RUNNING, locks)
    assert decision.next == Next(NOW + 60, why)
    assert (decision.release is not None) == (not locks)


@pytest.mark.parametrize("phase", [Phase.ABORTING, Phase.ROLLING_BACK, Phase.RELEASING])
def test_end_of_a_rollout_waits_for_devices_that_could_not_be_written(phase: Phase) -> None:
    ids = frozenset({device_id(1), device_id(2)})
    releasing = {"releases": Releases(NEW), "release": DEFAULT} if phase is Phase.RELEASING else {}
    devices = build_device(1, **REFUSES), build_device(2, **REFUSES)
    decision = decide(situate(*devices, phase=phase, unwritable=ids, **releasing))
    assert (decision.progress, decision.locks, decision.record.phase) == (Progress.RUNNING, (), phase)


def test_locks_of_an_earlier_rollout_are_removed_except_those_in_use() -> None:
    late = build_device(1, lock=OLD, version=None)
    done, other, foreign = (
        build_device(2, lock=OLD, version=OLD),
        build_device(3),
        build_device(4, lock=OLD, version=None),
    )
    locks = {OLD: frozenset({foreign.id}), NEW: frozenset[str]()}
    decision = decide(situate(late, done, other, foreign, record={"locks": locks}))
    assert decision.locks == (LockWrite(late.id, None),)
    refused = decide(situate(late, done, other, record={"locks": locks}, unwritable=frozenset({late.id})))
    assert LockWrite(late.id, None) not in refused.locks
