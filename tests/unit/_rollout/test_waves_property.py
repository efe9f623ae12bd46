# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test invariants of the waves and the batches of arbitrary devices."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DeclaredWave,
    Device,
    Share,
    compute_rank,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import WaveRecord
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import (
    Wave,
    can_update_now,
    choose_batch,
    plan_waves,
)
from support.fleet_files import device_id

GROUPS = ("north", "south", "west")


def build_device(number: int, groups: frozenset[str], *, online: bool, accepts_updates: bool) -> Device:
    return Device(device_id(number), groups=groups, online=online, accepts_updates=accepts_updates)


fleets = st.dictionaries(
    st.integers(0, 200),
    st.tuples(st.frozensets(st.sampled_from(GROUPS)), st.booleans(), st.sampled_from([True, True, True, False])),
    max_size=40,
).map(
    lambda drawn: [
        build_device(number, groups, online=online, accepts_updates=accepts)
        for number, (groups, online, accepts) in drawn.items()
    ]
)
shares = st.one_of(
    st.builds(Share, st.floats(0.1, 100)), st.builds(lambda count: Share(count=count), st.integers(1, 50))
)
declared = st.lists(
    st.one_of(
        st.builds(DeclaredWave, shares),
        st.builds(lambda names: DeclaredWave(groups=tuple(names)), st.lists(st.sampled_from(GROUPS), min_size=1)),
    ),
    min_size=1,
    max_size=5,
)


def begin(waves: list[Wave], number: int) -> list[WaveRecord]:
    """Return the records of the first waves."""
    return [WaveRecord(wave.through, wave.groups, 0.0, 0.0, 0.0) for wave in waves[:number]]


@given(declared, fleets, st.randoms(use_true_random=False))
def test_waves_do_not_depend_on_the_order_of_the_list(
    waves: list[DeclaredWave], fleet: list[Device], random: Random
) -> None:
    shuffled = random.sample(fleet, len(fleet))
    assert plan_waves(waves, (), shuffled) == plan_waves(waves, (), fleet)


@given(declared, fleets)
def test_each_device_is_in_at_most_one_wave(waves: list[DeclaredWave], fleet: list[Device]) -> None:
    planned = plan_waves(waves, (), fleet)
    members = [device for wave in planned for device in wave.members]
    assert len(members) == len(set(members))
    assert set(members) <= {device.id for device in fleet}
    assert [wave.number for wave in planned] == list(range(1, len(planned) + 1))
    assert [wave.total for wave in planned] == [
        sum(len(wave.members) for wave in planned[:number]) for number in range(1, len(planned) + 1)
    ]
    assert all(list(wave.members) == sorted(wave.members, key=compute_rank) for wave in planned)


@given(declared, fleets)
def test_wave_of_all_devices_makes_the_waves_complete(waves: list[DeclaredWave], fleet: list[Device]) -> None:
    planned = plan_waves([*waves, DeclaredWave(Share(100))], (), fleet)
    assert {device for wave in planned for device in wave.members} == {device.id for device in fleet}


@given(declared, declared, fleets, fleets, st.integers(0, 5))
def test_begun_waves_keep_their_members(
    waves: list[DeclaredWave], later: list[DeclaredWave], fleet: list[Device], others: list[Device], number: int
) -> None:
    before = plan_waves(waves, (), fleet)
    begun = begin(before, number)
    known = {device.id for device in fleet}
    after = plan_waves(later, begun, [*fleet, *(device for device in others if device.id not in known)])
    for old, new in zip(before[: len(begun)], after, strict=False):
        assert set(old.members) == set(new.members) & known
        assert new.record is not None
    left = {device.id for device in fleet[::2]}
    removed = plan_waves(later, begun, [device for device in fleet if device.id in left])
    for old, new in zip(before[: len(begun)], removed, strict=False):
        assert set(old.members) & left == set(new.members)


@given(fleets, shares, st.data())
def test_batch_never_exceeds_the_budget_of_a_group(fleet: list[Device], most: Share, data: st.DataObject) -> None:
    devices = {device.id: device for device in fleet}
    ids = st.frozensets(st.sampled_from(sorted(devices))) if devices else st.just(frozenset[str]())
    disrupted, away = data.draw(ids), data.draw(ids)
    wanted = [device for device in fleet if device.id not in disrupted]
    batch = choose_batch(wanted, most, devices, disrupted, away)
    assert set(batch.devices) <= {device.id for device in wanted if can_update_now(device)}
    sizes = Counter(group for device in fleet for group in device.groups)
    before = Counter(group for device in fleet for group in device.groups if device.id in disrupted | away)
    after = before + Counter(group for device in batch.devices for group in devices[device].groups)
    for group, size in sizes.items():
        limit = most.round_down(size)
        assert after[group] <= max(limit, before[group])
        assert (group in batch.full) <= (after[group] >= limit)
    # Each device that is left out is in a group that is full.
    for device in wanted:
        if can_update_now(device) and device.id not in batch.devices:
            assert not device.groups.isdisjoint(batch.full)


@given(fleets)
def test_batch_without_a_budget_contains_all_devices(fleet: list[Device]) -> None:
    devices = {device.id: device for device in fleet}
    assert choose_batch(fleet, None, devices, frozenset()).devices == tuple(devices)
