# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The steps of a run come to an end and leave other devices alone, whatever the devices and the record look like."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Brake,
    DeclaredWave,
    Device,
    Phase,
    Progress,
    Releases,
    Rollout,
    Share,
    State,
    compute_rank,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import (
    describe_progress,
    show_decision,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    Record,
    Restart,
    WaveRecord,
    keep_offline,
    read_record,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
from support.counts import count
from support.fleet_files import device_id
from support.rollouts import NEW, OLD

T = 1_800_000_000.0
IDS = [device_id(number) for number in range(12)]
GROUPS = ["north", "south"]

times = st.none() | st.integers(-20_000, 20_000).map(lambda after: T + after)
shares = st.builds(Share, st.sampled_from([0.0, 5.0, 25.0, 100.0])) | st.builds(
    lambda number: Share(count=number), st.integers(0, 5)
)
devices = st.builds(
    Device,
    id=st.just(""),
    version=st.sampled_from([None, 0, OLD, NEW, 3]),
    lock=st.sampled_from([None, None, OLD, NEW, NEW, 3]),
    groups=st.frozensets(st.sampled_from(GROUPS)),
    online=st.booleans(),
    heard=times,
    handshake=times,
    in_safe_mode=st.booleans(),
    in_development=st.sampled_from([False, False, False, True]),
    accepts_updates=st.sampled_from([True, True, False]),
    is_cellular=st.booleans(),
    is_selected=st.sampled_from([True, True, False]),
    was_selected=st.booleans(),
)
moments = st.integers(0, 9_000).map(lambda before: T - before)


@st.composite
def wave_records(draw: st.DrawFn) -> WaveRecord:
    targeted = draw(moments)
    through = draw(st.none() | st.sampled_from(IDS).map(compute_rank))
    groups = tuple(draw(st.lists(st.sampled_from(GROUPS), min_size=1, unique=True))) if through is None else ()
    return WaveRecord(
        through,
        groups,
        targeted,
        targeted,
        targeted,
        draw(st.none() | moments),
        draw(st.none() | st.lists(st.sampled_from(IDS)).map(keep_offline)),
    )


records = st.builds(
    Record,
    version=st.just(NEW),
    phase=st.sampled_from(Phase),
    began=moments,
    waves=st.lists(wave_records(), max_size=3).map(tuple),
    accepted=st.frozensets(st.sampled_from(IDS), max_size=2),
    locks=st.fixed_dictionaries({NEW: st.frozensets(st.sampled_from(IDS), max_size=2)}),
    failed=st.dictionaries(st.sampled_from(IDS), st.sampled_from([state for state in State if state.is_bad])),
    restarts=st.dictionaries(st.sampled_from(IDS), st.builds(Restart, moments, st.integers(1, 3))),
)
waves = st.lists(
    st.builds(DeclaredWave, st.sampled_from([Share(count=1), Share(count=3), Share(50), Share(100)]))
    | st.builds(lambda name: DeclaredWave(groups=(name,)), st.sampled_from(GROUPS)),
    min_size=1,
    max_size=4,
).map(tuple)
rollouts = st.builds(
    Rollout,
    version=st.just(NEW),
    waves=waves,
    brake=st.builds(Brake, shares, shares, st.integers(1, 3)),
    release=st.sampled_from([None, {"default": True}, {"default": False, "groups": ["north"]}]),
    needs_approval=st.booleans(),
    approved=st.integers(0, 3),
    unavailable=st.none() | st.sampled_from([Share(25), Share(count=1)]),
    is_rolled_back=st.booleans(),
    phase=st.sampled_from([Phase.RUNNING, Phase.RUNNING, Phase.PAUSED, Phase.ABORTED]),
    accepted=st.frozensets(st.sampled_from(IDS), max_size=1),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    found = draw(st.lists(devices, min_size=len(IDS), max_size=len(IDS)))
    default = draw(st.sampled_from([None, OLD, NEW]))
    release = Release(default == NEW, (), intelligent=False)
    return Situation(
        draw(rollouts),
        draw(records),
        {name: replace(device, id=name) for name, device in zip(IDS, found, strict=True)},
        Releases(default, draw(st.sampled_from([{}, {"north": OLD}, {"south": 3}]))),
        release,
        T,
        unwritable=draw(st.frozensets(st.sampled_from(IDS), max_size=1)),
    )


def carry_out(situation: Situation, decision: Decision) -> Situation:
    """Return the situation after a step whose writes the cloud accepts."""
    found = dict(situation.devices)
    for write in decision.locks:
        found[write.device] = replace(found[write.device], lock=write.lock)
    situation = replace(situation, record=decision.record, devices=found)
    if decision.release is None:
        return situation
    default = NEW if decision.release.default else situation.releases.default
    by_group = {**situation.releases.by_group, **dict.fromkeys(decision.release.groups, NEW)}
    return replace(situation, release=decision.release, releases=Releases(default, by_group))


@given(situations())
@settings(max_examples=count(quick=60, full=2_000), deadline=None)
def test_steps_end_and_write_only_to_devices_of_the_rollout(situation: Situation) -> None:
    before = situation
    for _step in range(60):
        decision = decide(situation)
        check(before, situation, decision)
        if not decision.has_writes and decision.record == situation.record:
            break
        situation = carry_out(situation, decision)
    else:
        raise AssertionError("a run never comes to an end")
    result = show_decision(decision, situation.rollout, situation.devices)
    assert sum(result["counts"].values()) == len(result["devices"])
    assert describe_progress(decision).isprintable()
    assert read_record(decision.record.as_data(), "a test") == decision.record


def check(before: Situation, situation: Situation, decision: Decision) -> None:
    """Check a step of a run.

    :param before: the situation at the beginning of the run.
    """
    record = before.record
    for write in decision.locks:
        device = before.devices[write.device]
        belongs = device.lock == NEW and record.owns_lock(device.id, device.lock)
        assert device.is_selected or belongs or device.was_selected, "the device is outside of the selection"
        assert device.lock is None or record.owns_lock(device.id, device.lock), "the lock is foreign"
        assert not device.in_development
        assert device.id not in situation.unwritable
        if situation.record.waves:  # a rollout that is begun again writes each lock once
            assert situation.devices[write.device].lock != write.lock, "the device has this lock already"
    targets = [write for write in decision.locks if write.lock == NEW]
    if record.phase.is_over or decision.progress in (Progress.BRAKED, Progress.PAUSED):
        assert decision.locks == ()
    if targets:
        assert all(write.flash for write in targets)
        assert decision.record.phase is Phase.RUNNING
        assert decision.record.waves
    for state in (assessment.state for assessment in decision.assessments.values()):
        assert isinstance(state, State)
