# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the number of requests and the memory that a rollout to a large fleet takes."""

from __future__ import annotations

import pytest

from support.counts import count
from support.rollout_costs import POLLS, SHARE, RolloutCosts, measure_rollout

N = count(quick=500, full=10_000)
PAGES = N // 100
FIRST = N * SHARE // 100

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def costs() -> RolloutCosts:
    return measure_rollout(N)


def test_planning_a_wave_takes_one_read_per_hundred_devices(costs: RolloutCosts) -> None:
    assert costs.planning.reads <= PAGES + 5
    assert costs.widening.reads <= PAGES + 5


def test_wave_takes_one_write_per_device_of_the_wave(costs: RolloutCosts) -> None:
    assert costs.planning.locks == FIRST
    assert costs.widening.locks == N - FIRST


def test_release_takes_one_more_write_per_device(costs: RolloutCosts) -> None:
    assert costs.ending.state == "done"
    assert (costs.ending.locks, costs.ending.releases) == (N, 1)


def test_run_writes_the_record_at_most_three_times(costs: RolloutCosts) -> None:
    assert max(cost.record_writes for cost in costs.all) <= 3


def test_run_after_the_update_writes_only_the_record(costs: RolloutCosts) -> None:
    assert costs.noticing.state == "soaking"
    assert costs.noticing.writes == costs.noticing.record_writes == 1


def test_poll_takes_one_request_per_hundred_devices(costs: RolloutCosts) -> None:
    assert costs.waiting.requests > POLLS * PAGES
    assert costs.waiting.poll <= PAGES + 2
    assert costs.waiting.writes == 0


def test_run_with_nothing_to_do_writes_nothing(costs: RolloutCosts) -> None:
    for cost in (costs.soaking, costs.repeated):
        assert cost.writes == 0
        assert cost.requests <= PAGES + 10


def test_memory_of_the_engine_stays_below_its_limit(costs: RolloutCosts) -> None:
    # The limit is 200 MB for ten thousand devices; Python and requests alone take about 35 MB.
    assert max(cost.megabytes for cost in costs.all) < 50 + 15 * N / 1_000
