# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test which firmware locks belong to rollouts."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Phase
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.locks import RolloutLocks
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record

FOREIGN = "b" * 24


def build_locks(phase: Phase) -> RolloutLocks:
    return RolloutLocks(Record(3, phase, 0.0, locks={2: frozenset(), 3: frozenset({FOREIGN})}))


@pytest.mark.parametrize(
    ("device", "lock", "owned"),
    [
        ("a" * 24, 3, True),
        ("a" * 24, 2, True),  # of the rollout before
        ("a" * 24, 4, False),
        ("a" * 24, True, False),
        ("a" * 24, "unlocked", False),
        ("a" * 24, None, False),
        (FOREIGN, 3, False),  # the device had this lock before the rollout
        (FOREIGN, 2, True),
    ],
)
def test_lock_belongs_to_a_rollout_by_its_version(device: str, lock: object, owned: bool) -> None:
    assert build_locks(Phase.RUNNING).owns(device, lock) is owned
    assert RolloutLocks().owns(device, lock) is False
    assert RolloutLocks(is_damaged=True).owns(device, lock) is (isinstance(lock, int) and lock is not True)


@pytest.mark.parametrize("phase", Phase)
def test_rollout_may_be_running_until_it_is_over(phase: Phase) -> None:
    locks = build_locks(phase)
    is_over = phase in (Phase.DONE, Phase.ABORTED, Phase.ROLLED_BACK)
    assert locks.may_be_running is not is_over
    state = phase.value.replace("_", " ") if is_over else "not over"
    assert locks.describe() == f"the rollout of version 3, which is {state}"
    assert RolloutLocks(is_damaged=True).may_be_running
    assert not RolloutLocks().may_be_running
