# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A run stays inside what the cloud allows: it bursts, then goes on as slots free. Long times cost nothing here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._budget import (
    DOCUMENTED,
    EVERY_ROUTE,
    SHARE,
    Budget,
    Limit,
)

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"


def most_in_any_window(moments: list[float], seconds: float) -> int:
    """The most of `moments` that lie within any `seconds`; each window starts with one of them."""
    return max((sum(start <= other < start + seconds for other in moments) for start in moments), default=0)


# Whole numbers, so that no rounding blurs which window a moment belongs to.
CALLS = st.lists(st.tuples(st.sampled_from([LOGIN, LIST]), st.integers(0, 20)), max_size=60)


@given(calls=CALLS, total=st.integers(1, 8), logins=st.integers(1, 4), seconds=st.integers(1, 40))
def test_no_window_ever_holds_more_than_its_limit(
    calls: list[tuple[str, int]], total: int, logins: int, seconds: int
) -> None:
    clock = TurnedClock()
    limits = {EVERY_ROUTE: Limit(total, seconds), LOGIN: Limit(logins, 2 * seconds)}
    budget = Budget(limits, share=1, clock=clock, sleep=clock.sleep)
    sent: list[tuple[str, float]] = []
    for route, pause in calls:
        clock.now += pause
        budget.wait_for(route)
        sent.append((route, clock.now))
    assert most_in_any_window([moment for _, moment in sent], seconds) <= total
    assert most_in_any_window([moment for route, moment in sent if route == LOGIN], 2 * seconds) <= logins


@given(calls=CALLS, total=st.integers(1, 8), logins=st.integers(1, 4), seconds=st.integers(1, 40))
def test_no_window_overflows_either_when_all_slots_are_taken_at_once_by_many_workers(
    calls: list[tuple[str, int]], total: int, logins: int, seconds: int
) -> None:
    # Nobody has slept yet: each worker holds the slot that it was given, which is now plus its wait.
    clock = TurnedClock()
    limits = {EVERY_ROUTE: Limit(total, seconds), LOGIN: Limit(logins, 2 * seconds)}
    budget = Budget(limits, share=1, clock=clock, sleep=lambda _: None)
    sent: list[tuple[str, float]] = []
    for route, pause in calls:
        clock.now += pause
        sent.append((route, clock.now + budget.wait_for(route)))
    assert most_in_any_window([moment for _, moment in sent], seconds) <= total
    assert most_in_any_window([moment for route, moment in sent if route == LOGIN], 2 * seconds) <= logins


@given(requests=st.integers(1, 200), share=st.floats(0.01, 1))
def test_the_share_is_what_a_run_may_use_and_never_less_than_one_request(requests: int, share: float) -> None:
    clock = TurnedClock()
    budget = Budget({EVERY_ROUTE: Limit(requests, 300)}, share=share, clock=clock, sleep=clock.sleep)
    allowed = max(1, int(requests * share))
    waits = [budget.wait_for(LIST) for _ in range(allowed + 1)]
    assert waits == [0.0] * allowed + [300.0]


def test_it_bursts_first_and_then_goes_on_as_slots_free(clock: TurnedClock) -> None:
    budget = Budget({EVERY_ROUTE: Limit(3, 60)}, share=1, clock=clock, sleep=clock.sleep)
    waits = []
    for _ in range(6):
        waits.append(budget.wait_for(LIST))
        clock.now += 10
    # Sent at 0, 10, 20; then whenever the one that is three back is a minute old.
    assert waits == [0, 0, 0, 30, 0, 0]
    assert clock.slept == [30]


def test_a_wait_ends_in_the_moment_in_which_the_oldest_request_leaves_its_window(clock: TurnedClock) -> None:
    budget = Budget({EVERY_ROUTE: Limit(1, 60)}, share=1, clock=clock, sleep=clock.sleep)
    budget.wait_for(LIST)
    clock.now = 59
    assert budget.wait_for(LIST) == 1
    assert clock.now == 60


def test_a_route_with_a_limit_of_its_own_is_held_back_alone(clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(100, 60), LOGIN: Limit(2, 60)}
    budget = Budget(limits, share=1, clock=clock, sleep=clock.sleep)
    assert [budget.wait_for(LOGIN) for _ in range(2)] == [0, 0]
    assert [budget.wait_for(LIST) for _ in range(50)] == [0] * 50
    assert budget.wait_for(LOGIN) == 60


def test_a_route_with_a_limit_of_its_own_counts_among_all_others_too(clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(2, 60)}
    budget = Budget(limits, share=1, clock=clock, sleep=clock.sleep)
    assert [budget.wait_for(route) for route in (LOGIN, LOGIN, LIST, LIST)] == [0, 0, 0, 60]


def test_without_a_limit_nobody_waits(clock: TurnedClock) -> None:
    budget = Budget({}, clock=clock, sleep=clock.sleep)
    assert {budget.wait_for(LIST) for _ in range(1000)} == {0}


@pytest.mark.parametrize(("route", "requests"), [(LIST, 10_000), (LOGIN, 100)])
def test_the_documented_limits_are_kept_with_a_part_left_for_the_neighbours(
    clock: TurnedClock, route: str, requests: int
) -> None:
    budget = Budget(clock=clock, sleep=clock.sleep)
    allowed = int(requests * SHARE)
    assert {budget.wait_for(route) for _ in range(allowed)} == {0}
    assert budget.wait_for(route) == 300
    assert DOCUMENTED[EVERY_ROUTE] == Limit(10_000, 300)


def test_a_fleet_of_ten_thousand_paces_itself_at_the_rate_of_the_cloud(clock: TurnedClock) -> None:
    budget = Budget(clock=clock, sleep=clock.sleep)
    for _ in range(20_500):
        budget.wait_for(LIST)
    assert clock.now == 600  # 9,500 at once, 9,500 after five minutes, the rest after ten


def test_sixteen_threads_never_take_the_same_slot(clock: TurnedClock) -> None:
    budget = Budget({EVERY_ROUTE: Limit(100, 60)}, share=1, clock=clock, sleep=lambda _: None)
    with ThreadPoolExecutor(16) as pool:
        slots = sorted(pool.map(lambda _: budget.wait_for(LIST), range(1000)))
    assert slots == [60 * (number // 100) for number in range(1000)]
