# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What a large fleet costs: requests, which are the running time of a real one, and memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.counts import count
from support.fleets import NEW_GROUPS, Fleet, Measurement, running_fleet

N = count(quick=1_000, full=10_000)
LOTS = [f"lot-{number}" for number in range(5)]
IN_A_GROUP = count(quick=500, full=5_000)

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Cost:
    """What the engine says of itself, and what the cloud counted of it."""

    engine: Measurement
    requests: int
    writes: int


@dataclass(frozen=True)
class Story:
    """Runs one after another, each over all devices."""

    fresh: Cost
    again: Cost
    one_name: Cost
    one_group: Cost


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with running_fleet(N) as fleet:
        devices = fleet.manifest["devices"]
        for number, device in enumerate(devices):
            device["groups"] = [LOTS[number % len(LOTS)]]
        fresh, again = cost_of(fleet), cost_of(fleet)
        devices[-1]["name"] = "another"
        one_name = cost_of(fleet)
        for device in devices[:IN_A_GROUP]:
            device["groups"].append("pilot")
        yield Story(fresh, again, one_name, cost_of(fleet))


def cost_of(fleet: Fleet) -> Cost:
    before = fleet.cloud.stats()
    engine = fleet.run_engine()
    after = fleet.cloud.stats()
    return Cost(engine, after["requests"] - before["requests"], after["writes"] - before["writes"])


def test_a_fresh_fleet_with_names_groups_and_networks_takes_two_writes_for_a_device(story: Story) -> None:
    assert story.fresh.engine.summary == {"total": N, "ok": 0, "changed": N, "failed": 0, "pending": 0}
    assert story.fresh.requests <= 2.05 * N + 2 * (len(LOTS) + NEW_GROUPS) + 20


def test_a_second_run_reads_a_page_for_a_hundred_devices_and_writes_nothing(story: Story) -> None:
    assert story.again.requests <= 0.05 * N + 10
    assert story.again.writes == 0


def test_one_changed_name_is_one_write(story: Story) -> None:
    assert story.one_name.writes == 1
    assert story.one_name.requests <= 0.05 * N + 10 + 1


def test_a_group_for_half_of_the_fleet_is_a_few_writes(story: Story) -> None:
    assert story.one_group.engine.summary == {
        **{"total": N, "ok": N - IN_A_GROUP, "changed": IN_A_GROUP},
        **{"failed": 0, "pending": 0},
    }
    assert story.one_group.writes <= 10


def test_what_a_run_says_of_its_cost_is_what_the_cloud_counted(story: Story) -> None:
    for cost in (story.fresh, story.again, story.one_name, story.one_group):
        assert (cost.engine.requests, cost.engine.writes) == (cost.requests, cost.writes)


def test_the_memory_of_the_engine_stays_small(story: Story) -> None:
    # 200 MB for ten thousand devices, manifest included; what Python and requests take is there for one already.
    for cost in (story.fresh, story.again, story.one_name, story.one_group):
        assert cost.engine.megabytes < 50 + 15 * N / 1_000


@pytest.mark.only_full
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_devices_take_under_a_gigabyte() -> None:
    with running_fleet(100_000) as fleet:
        run = fleet.run_engine()
    assert run.summary == {"total": 100_000, "ok": 0, "changed": 100_000, "failed": 0, "pending": 0}
    assert run.megabytes < 1_000
