# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test invariants of the decisions about arbitrary devices, with arbitrary changes between two runs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.begin import begin_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Brake,
    DeclaredWave,
    Device,
    Health,
    Phase,
    Releases,
    Rollout,
    Share,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    MAX_FOREIGN_LOCKS,
    Record,
    read_record,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import plan_waves
from support.fleet_files import device_id

OLD, NEW, OTHER = 1, 2, 7
START = 1_800_000_000.0
MAX_STEPS = 12
"""More steps than a run can take: it begins a wave, or ends the rollout by a release and the locks that are left."""
NO_RELEASE = Release(default=False, groups=(), intelligent=False)

numbers = st.integers(0, 15)
groups = st.frozensets(st.sampled_from(["north", "south"]))
waves = st.lists(
    st.one_of(
        st.integers(1, 100).map(lambda percent: DeclaredWave(Share(float(percent)))),
        st.just(DeclaredWave(groups=("north",))),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
rollouts = st.builds(
    Rollout,
    version=st.just(NEW),
    waves=waves,
    health=st.builds(Health, soak=st.sampled_from([0.0, 60.0, 3600.0])),
    brake=st.builds(Brake, at_least=st.sampled_from([1, 2, 100])),
    release=st.sampled_from([None, {"default": True}, {"groups": ["north"]}]),
    needs_approval=st.booleans(),
    approved=st.integers(0, 4),
    unavailable=st.sampled_from([None, Share(25.0), Share(count=1)]),
    is_rolled_back=st.booleans(),
    phase=st.sampled_from([Phase.RUNNING] * 8 + [Phase.PAUSED, Phase.ABORTED]),
    accepted=st.frozensets(numbers.map(device_id), max_size=3),
)


@st.composite
def draw_devices(draw: st.DrawFn, known: dict[str, Device], now: float) -> dict[str, Device]:
    """Draw the devices of a check: those that are known, and new ones, in any state, with the locks that they have."""
    devices = {}
    for device in sorted({*known, *map(device_id, draw(st.sets(numbers, max_size=5)))}):
        times = st.one_of(st.none(), st.integers(0, 8_000).map(lambda age: now - age))
        before = known.get(device)
        devices[device] = Device(
            id=device,
            version=draw(st.sampled_from([OLD, NEW, NEW, None, 0])),
            lock=before.lock if before is not None else draw(st.sampled_from([None, None, None, OTHER, NEW])),
            groups=before.groups if before is not None else draw(groups),
            online=draw(st.booleans()),
            heard=draw(times),
            handshake=draw(times),
            in_safe_mode=draw(st.sampled_from([False, False, False, True])),
            in_development=draw(st.sampled_from([False, False, False, True])),
            accepts_updates=draw(st.sampled_from([True, True, True, False])),
            is_cellular=draw(st.booleans()),
            is_selected=draw(st.sampled_from([True, True, True, False])),
        )
    return devices


def carry_out(situation: Situation) -> tuple[Decision, Situation]:
    """Carry out all steps of a run, and check each one."""
    for _unused in range(MAX_STEPS):
        decision = decide(situation)
        check_step(situation, decision)
        if not decision.has_writes and decision.record == situation.record:
            return decision, situation
        devices, release, releases = dict(situation.devices), situation.release, situation.releases
        for write in decision.locks:
            devices[write.device] = replace(devices[write.device], lock=write.lock)
        if decision.release is not None:
            release = decision.release
            by_group = {**releases.by_group, **dict.fromkeys(release.groups, NEW)}
            releases = Releases(NEW if release.default else releases.default, by_group)
        situation = replace(situation, record=decision.record, devices=devices, release=release, releases=releases)
    raise AssertionError(f"the run does not end: {decision.progress} {decision.next}")


def check_step(situation: Situation, decision: Decision) -> None:
    """Check that a step contains only permitted writes."""
    rollout, record = situation.rollout, decision.record
    eligible = [
        device
        for device in situation.devices.values()
        if not device.in_development
        if device.lock is None or record.owns_lock(device.id, device.lock)
        if device.is_selected or device.lock == NEW
    ]
    planned = plan_waves(rollout.waves, record.waves, eligible)
    begun = {device for wave in planned if wave.record is not None for device in wave.members}
    for write in decision.locks:
        device = situation.devices[write.device]
        assert not device.in_development
        assert device.lock is None or situation.record.owns_lock(device.id, device.lock), "the lock is foreign"
        # The first wave sends the version again to devices that an aborted rollout has locked.
        assert write.lock != device.lock or not situation.record.waves, "the lock is written already"
        if write.lock == NEW:
            assert device.id in begun
            assert device.is_selected
            assert rollout.phase is Phase.RUNNING
            assert record.phase is Phase.RUNNING
    if rollout.phase is Phase.PAUSED:
        assert not decision.has_writes
    if decision.release is not None:
        assert record.phase is Phase.RELEASING


@given(rollouts, st.data())
def test_any_course_of_a_rollout_ends_each_run_and_keeps_foreign_locks(rollout: Rollout, data: st.DataObject) -> None:
    now, devices = START, dict[str, Device]()
    record: Record | None = None
    release, releases = NO_RELEASE, Releases(data.draw(st.sampled_from([None, OLD])))
    foreign: set[str] = set()
    for look in range(data.draw(st.integers(1, 6))):
        now += data.draw(st.sampled_from([10, 300, 3_600, 86_400]))
        devices = data.draw(draw_devices(devices, now))
        if record is None:
            record = begin_rollout(rollout, None, devices, {}, now)
            foreign = {device.id for device in devices.values() if device.lock is not None}
        before = {device: each.lock for device, each in devices.items()}
        decision, situation = carry_out(Situation(rollout, record, devices, releases, release, now))
        devices, release, releases = dict(situation.devices), situation.release, situation.releases
        assert all(devices[device].lock == before[device] for device in foreign), f"look {look}"
        assert set(decision.assessments) <= set(devices) | set(decision.record.failed)
        record = decision.record
        assert read_record(record.as_data(), "test") == record
        again, _unused = carry_out(Situation(rollout, record, devices, releases, release, now))
        assert (again.progress, again.record) == (decision.progress, record), "a second run at once changes something"


@given(st.integers(0, MAX_FOREIGN_LOCKS))
def test_foreign_locks_of_a_large_product_are_stored(count: int) -> None:
    devices = {device_id(number): Device(device_id(number), lock=NEW) for number in range(count)}
    record = begin_rollout(Rollout(NEW), None, devices, {}, START)
    assert not any(record.owns_lock(device, NEW) for device in devices)
    assert record.owns_lock(device_id(count), NEW)
