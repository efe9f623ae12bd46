# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The record of a rollout is the same after it was stored, fits into a ledger, and is refused if it is damaged."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import measure_json
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.begin import begin_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Device,
    Phase,
    Rollout,
    State,
    compute_rank,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    MAX_SIZE,
    Approval,
    Record,
    Restart,
    WaveRecord,
    keep_offline,
    read_record,
)
from support.fleet_files import device_id

T = 1_800_000_000.0
IDS = [device_id(number) for number in range(3_000)]
WAVE = WaveRecord(compute_rank(IDS[0]), (), T, T + 5, T + 9, T + 700, keep_offline(IDS[:3]))
RECORD = Record(
    version=2,
    phase=Phase.RUNNING,
    began=T,
    waves=(WAVE, WaveRecord(None, ("north", "south"), T, T, T, None, None)),
    approvals=(Approval(1, T, "owner@example.com"), Approval(2, T + 1)),
    accepted=frozenset(IDS[:2]),
    locks={2: frozenset(IDS[5:7]), 1: frozenset()},
    failed={IDS[3]: State.CRASHING},
    restarts={IDS[4]: Restart(T + 3, 2)},
    settings={"soak": 60, "waves": [{"count": 1}]},
)

moments = st.integers(0, 4_000_000_000).map(float)
ids = st.sampled_from(IDS[:40])
waves = st.builds(
    WaveRecord,
    through=st.sampled_from([compute_rank(device) for device in IDS[:9]]),
    groups=st.just(()),
    began=moments,
    targeted=moments,
    written=moments,
    decided=st.none() | moments,
    offline=st.none() | st.lists(ids).map(keep_offline),
)
records = st.builds(
    Record,
    version=st.integers(1, 65_534),
    phase=st.sampled_from(Phase),
    began=moments,
    waves=st.lists(waves, max_size=4).map(tuple),
    approvals=st.lists(st.builds(Approval, st.integers(1, 40), moments, st.none() | st.text()), max_size=4).map(tuple),
    accepted=st.frozensets(ids),
    locks=st.dictionaries(st.integers(1, 65_534), st.frozensets(ids), max_size=4),
    failed=st.dictionaries(ids, st.sampled_from(State)),
    restarts=st.dictionaries(ids, st.builds(Restart, moments, st.integers(1, 9))),
    settings=st.dictionaries(st.text(), st.integers(-(2**53), 2**53)),  # floating-point numbers hold these exactly
)


def store(record: Record, *, as_floats: bool = False) -> Record:
    """Return a record as it is after it was stored.

    :param as_floats: whether the place of storage turns all numbers into floating-point numbers.
    """
    parse_int = float if as_floats else int
    return read_record(json.loads(json.dumps(record.as_data()), parse_int=parse_int), "a test")


def test_stored_record_equals_the_record() -> None:
    assert store(RECORD) == RECORD


@given(records)
def test_any_small_record_equals_itself_after_storage(record: Record) -> None:
    assert store(record) == record
    found = store(record, as_floats=True)
    assert found == record
    assert isinstance(found.version, int)
    assert all(isinstance(each.wave, int) for each in found.approvals)


def test_record_has_no_names_and_no_secrets() -> None:
    assert set(RECORD.as_data()) == {
        *("format", "version", "phase", "began", "waves", "approvals", "accepted", "locks", "failed", "restarts"),
        "settings",
    }


def grow(**more: Any) -> Record:
    return Record(**{**RECORD.__dict__, **more})


@pytest.mark.parametrize(
    "more",
    [
        {"waves": tuple(WaveRecord(WAVE.through, (), T, T, T, T, keep_offline(IDS[:1_000])) for _unused in range(9))},
        {"failed": dict.fromkeys(IDS, State.FAILED_REFUSED)},
        {"restarts": dict.fromkeys(IDS, Restart(T, 2))},
        {"failed": dict.fromkeys(IDS, State.GONE), "restarts": dict.fromkeys(IDS, Restart(T, 2))},
    ],
)
def test_large_record_fits_into_a_ledger_and_keeps_what_only_it_knows(more: dict[str, Any]) -> None:
    record = grow(**more)
    assert measure_json(record.as_data()) <= MAX_SIZE
    found = store(record)
    kept = ("version", "phase", "began", "approvals", "accepted", "locks", "settings")
    assert [getattr(found, name) for name in kept] == [getattr(record, name) for name in kept]
    for wave, before in zip(found.waves, record.waves, strict=True):
        assert (wave.through, wave.decided) == (before.through, before.decided)
    assert store(found) == found, "a record that was shortened is stored without further losses"


def test_shortened_record_keeps_what_a_later_run_cannot_find_again() -> None:
    gone, crashing = IDS[:100], IDS[100:150]
    failed = {**dict.fromkeys(IDS, State.FAILED_REFUSED), **dict.fromkeys(gone, State.GONE)}
    restarts = {**dict.fromkeys(IDS, Restart(T)), **dict.fromkeys(crashing, Restart(T, 2))}
    found = store(grow(failed=failed, restarts=restarts))
    assert {device for device, state in found.failed.items() if state is State.GONE} == set(gone)
    found = store(grow(restarts=restarts))
    assert {device for device, restart in found.restarts.items() if restart.count == 2} == set(crashing)


def test_shortened_list_of_offline_devices_counts_as_unknown() -> None:
    waves = tuple(WaveRecord(WAVE.through, (), T, T, T, T, keep_offline(IDS[:900])) for _unused in range(4))
    found = store(grow(waves=waves))
    assert all(wave.may_have_been_offline(IDS[2_000]) and not wave.was_offline(IDS[0]) for wave in found.waves)


def test_too_many_offline_devices_count_as_unknown() -> None:
    assert keep_offline(IDS) is None
    kept = keep_offline(IDS[:500])
    assert kept is not None
    wave = WaveRecord(WAVE.through, (), T, T, T, T, kept)
    assert all(wave.was_offline(device) for device in IDS[:500])


def test_record_that_cannot_be_shortened_is_refused_with_a_remedy() -> None:
    with pytest.raises(ParticleError, match="too many waves, accepted devices and foreign locks") as caught:
        grow(locks={2: frozenset(IDS)}).as_data()
    assert caught.value.code == "conflict"


@pytest.mark.parametrize(
    "damage",
    [
        None,
        [],
        "text",
        {},
        {"format": 2},
        {"format": "1"},
        {"version": None},
        {"version": True},
        {"version": "2"},
        {"phase": "sleeping"},
        {"phase": None},
        {"began": None},
        {"began": 5},
        {"waves": None},
        {"waves": [None]},
        {"waves": [{}]},
        {"waves": {"a": 1}},
        {"approvals": [{"wave": 1}]},
        {"accepted": "abc"},
        {"accepted": None},
        {"locks": []},
        {"locks": {"x": []}},
        {"locks": {"2": "abc"}},
        {"failed": {"a": "sad"}},
        {"failed": [1]},
        {"restarts": {"a": 1}},
        {"restarts": {"a": {"at": "never", "count": 1}}},
        {"settings": None},
        {"settings": "abc"},
        {"version": float("nan")},
        {"version": float("inf")},
        {"version": 2.5},
    ],
)
def test_damaged_record_is_refused(damage: Any) -> None:
    data = {**RECORD.as_data(), **damage} if isinstance(damage, dict) and damage else damage
    with pytest.raises(ParticleError, match="The record of the rollout in ledger x is damaged") as caught:
        read_record(data, "ledger x")
    assert caught.value.code == "conflict"
    assert "Restore it, or remove it" in caught.value.hint


scalars = st.none() | st.booleans() | st.floats() | st.text()


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_other_data_is_read_or_refused_without_a_crash(data: Any) -> None:
    for name in (None, *RECORD.as_data()):
        with suppress(ParticleError):
            read_record(data if name is None else {**RECORD.as_data(), name: data}, "a test")


# ---------------------------------------------------------------------- locks of earlier rollouts


def test_versions_to_which_no_device_is_locked_are_forgotten() -> None:
    done = grow(phase=Phase.DONE, locks={number: frozenset(IDS[:1]) for number in range(1, 900)})
    devices = {IDS[0]: Device(IDS[0], lock=7), IDS[1]: Device(IDS[1], lock=8), IDS[2]: Device(IDS[2], lock=1_000)}
    begun = begin_rollout(Rollout(1_000), done, devices, {}, T)
    assert begun.locks == {7: frozenset(IDS[:1]), 8: frozenset(IDS[:1]), 1_000: frozenset({IDS[2]})}
    begun.as_data()


def test_lock_that_stood_before_does_not_belong_to_the_rollout() -> None:
    record = grow(locks={2: frozenset({IDS[0]})})
    assert record.owns_lock(IDS[1], 2)
    assert not record.owns_lock(IDS[0], 2)
    assert not record.owns_lock(IDS[1], 3)
    assert not record.owns_lock(IDS[1], None)
