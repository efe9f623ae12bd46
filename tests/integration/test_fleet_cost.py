# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the number of requests and the memory that a large fleet takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.counts import count
from support.fleets import NEW_GROUPS, Fleet, Measurement, running_fleet

N = count(quick=400, full=10_000)
LOTS = [f"lot-{number}" for number in range(5)]
IN_A_GROUP = count(quick=200, full=5_000)

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Cost:
    """The measurements of the engine, and the requests that the cloud counted."""

    engine: Measurement
    requests: int
    writes: int


@dataclass(frozen=True)
class Costs:
    """The costs of successive runs on all devices."""

    first_run: Cost
    second_run: Cost
    one_name: Cost
    one_group: Cost


@pytest.fixture(scope="module")
def costs() -> Iterator[Costs]:
    with running_fleet(N) as fleet:
        devices = fleet.manifest["devices"]
        for number, device in enumerate(devices):
            device["groups"] = [LOTS[number % len(LOTS)]]
        first_run, second_run = measure(fleet), measure(fleet)
        devices[-1]["name"] = "another"
        one_name = measure(fleet)
        for device in devices[:IN_A_GROUP]:
            device["groups"].append("pilot")
        yield Costs(first_run, second_run, one_name, measure(fleet))


def measure(fleet: Fleet) -> Cost:
    before = fleet.cloud.stats()
    engine = fleet.run_engine()
    after = fleet.cloud.stats()
    return Cost(engine, after["requests"] - before["requests"], after["writes"] - before["writes"])


def test_first_run_takes_about_two_requests_per_device(costs: Costs) -> None:
    assert costs.first_run.engine.summary == {"total": N, "ok": 0, "changed": N, "failed": 0, "pending": 0}
    assert costs.first_run.requests <= 2.05 * N + 2 * (len(LOTS) + NEW_GROUPS) + 20


def test_second_run_writes_nothing_and_reads_few_pages(costs: Costs) -> None:
    assert costs.second_run.requests <= 0.05 * N + 10
    assert costs.second_run.writes == 0


def test_one_changed_name_causes_one_write(costs: Costs) -> None:
    assert costs.one_name.writes == 1
    assert costs.one_name.requests <= 0.05 * N + 10 + 1


def test_group_for_half_of_the_fleet_causes_few_writes(costs: Costs) -> None:
    assert costs.one_group.engine.summary == {
        **{"total": N, "ok": N - IN_A_GROUP, "changed": IN_A_GROUP},
        **{"failed": 0, "pending": 0},
    }
    assert costs.one_group.writes <= 10


def test_reported_requests_match_the_count_of_the_cloud(costs: Costs) -> None:
    for cost in (costs.first_run, costs.second_run, costs.one_name, costs.one_group):
        assert (cost.engine.requests, cost.engine.writes) == (cost.requests, cost.writes)


def test_memory_of_the_engine_stays_below_its_limit(costs: Costs) -> None:
    # The limit is 200 MB for ten thousand devices with their manifest; Python and requests alone take about 50 MB.
    for cost in (costs.first_run, costs.second_run, costs.one_name, costs.one_group):
        assert cost.engine.megabytes < 50 + 15 * N / 1_000


@pytest.mark.only_full
@pytest.mark.timeout(3600)
def test_hundred_thousand_devices_take_less_than_a_gigabyte() -> None:
    with running_fleet(100_000) as fleet:
        run = fleet.run_engine()
    assert run.summary == {"total": 100_000, "ok": 0, "changed": 100_000, "failed": 0, "pending": 0}
    assert run.megabytes < 1_000
