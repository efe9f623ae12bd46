# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A run stays inside what the cloud allows: it bursts, then goes on as places come free. Long times cost nothing here.

Everything is true of a budget that one process keeps for itself, of one that is kept in files, and of one that is kept
in a Redis.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    DEFAULT_SHARE,
    DOCUMENTED_LIMITS,
    EVERY_ROUTE,
    MAX_TRAVEL_SECONDS,
    Allowance,
    Limit,
)
from particle_simulator.routes import TABLE
from support.redis_server import RedisServer

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"
CLOUD = "https://cloud.example.com"

# Whole numbers, so that no rounding blurs which window a moment belongs to.
CALLS = st.lists(st.tuples(st.sampled_from([LOGIN, LIST]), st.integers(0, 20)), max_size=60)

Make = Callable[..., Budget]

PLACES = ["nowhere", "in files", "in a store"]


@contextmanager
def kept(place: str, store: RedisServer) -> Iterator[dict[str, Any]]:
    """The options of a budget that is kept in one of the `PLACES`, where nothing is yet."""
    if place == "in files":
        with TemporaryDirectory() as folder:
            yield {"folder": Path(folder)}
    elif place == "in a store":
        store.empty()
        yield {"store": store.url}
    else:
        yield {}


@pytest.fixture(params=PLACES)
def make(request: pytest.FixtureRequest, clock: TurnedClock, store: RedisServer) -> Iterator[Make]:
    """Makes budgets that go by the turned clock; those that are kept somewhere know of each other."""

    def budget(limits: Mapping[str, Limit] = DOCUMENTED_LIMITS, **options: Any) -> Budget:
        allowance = Allowance(limits, options.pop("share", DEFAULT_SHARE))
        return Budget(allowance, **{**where, "cloud": CLOUD, "clock": clock, **options})

    with ExitStack() as stack:
        where = stack.enter_context(kept(request.param, store))
        yield budget


def send(budget: Budget, clock: TurnedClock, route: str = LIST) -> float:
    """Wait as a client does, and give back for how long."""
    waited = 0.0
    while delay := budget.take_place(route, waited):
        clock.sleep(delay)
        waited += delay
    return waited


def window(seconds: float) -> float:
    """After how many seconds a request no longer counts here; a little later than in the cloud."""
    return seconds + MAX_TRAVEL_SECONDS


def most_in_any_window(moments: list[float], seconds: float) -> int:
    """The most of `moments` that lie within any `seconds`; each window starts with one of them."""
    return max((sum(start <= other < start + seconds for other in moments) for start in moments), default=0)


@given(
    calls=CALLS,
    total=st.integers(1, 8),
    logins=st.integers(1, 4),
    seconds=st.integers(1, 40),
    place=st.sampled_from(PLACES),
)
def test_no_window_ever_holds_more_than_its_limit(
    store: RedisServer, calls: list[tuple[str, int]], total: int, logins: int, seconds: int, place: str
) -> None:
    clock = TurnedClock()
    limits = {EVERY_ROUTE: Limit(total, seconds), LOGIN: Limit(logins, 2 * seconds)}
    sent: list[tuple[str, float]] = []
    with kept(place, store) as where:
        budget = Budget(Allowance(limits, 1), clock=clock, **where)
        for route, pause in calls:
            clock.now += pause
            send(budget, clock, route)
            sent.append((route, clock.now))
    assert most_in_any_window([moment for _unused, moment in sent], window(seconds)) <= total
    assert most_in_any_window([moment for route, moment in sent if route == LOGIN], window(2 * seconds)) <= logins


@given(calls=CALLS, total=st.integers(1, 8), seconds=st.integers(1, 40), place=st.sampled_from(PLACES))
def test_nobody_waits_while_there_is_room(
    store: RedisServer, calls: list[tuple[str, int]], total: int, seconds: int, place: str
) -> None:
    clock = TurnedClock()
    sent: list[float] = []
    with kept(place, store) as where:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(total, seconds)}, 1), clock=clock, **where)
        for _unused, pause in calls:
            clock.now += pause
            counting = sum(moment > clock.now - window(seconds) for moment in sent)
            assert (send(budget, clock) > 0) == (counting == total)
            sent.append(clock.now)


@given(requests=st.integers(1, 200), share=st.floats(0.01, 1), place=st.sampled_from(PLACES))
def test_the_share_is_what_a_run_may_use_and_never_less_than_one_request(
    store: RedisServer, requests: int, share: float, place: str
) -> None:
    clock = TurnedClock()
    allowed = max(1, int(requests * share))
    with kept(place, store) as where:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(requests, 300)}, share), clock=clock, **where)
        waits = [send(budget, clock) for _unused in range(allowed + 1)]
    assert waits == [0.0] * allowed + [window(300)]


def test_it_bursts_first_and_then_goes_on_as_places_come_free(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(3, 60)}, share=1)
    waits = []
    for _unused in range(6):
        waits.append(send(budget, clock))
        clock.now += 10
    # Sent at 0, 10, 20; then whenever the one that is three back no longer counts.
    assert waits == [0, 0, 0, window(60) - 30, 0, 0]


def test_a_wait_ends_in_the_moment_in_which_the_oldest_request_leaves_its_window(
    make: Make, clock: TurnedClock
) -> None:
    budget = make({EVERY_ROUTE: Limit(1, 60)}, share=1)
    send(budget, clock)
    clock.now = 59
    assert send(budget, clock) == window(60) - 59
    assert clock.now == window(60)


def test_asking_takes_a_place_only_when_there_is_one(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(1, 60)}, share=1)
    budget.take_place(LIST)
    assert {budget.take_place(LIST) for _unused in range(10)} == {window(60)}
    clock.now = window(60)
    assert budget.take_place(LIST) == 0


def test_a_route_with_a_limit_of_its_own_is_held_back_alone(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(100, 60), LOGIN: Limit(2, 60)}, share=1)
    assert [send(budget, clock, LOGIN) for _unused in range(2)] == [0, 0]
    assert [send(budget, clock, LIST) for _unused in range(50)] == [0] * 50
    assert send(budget, clock, LOGIN) == window(60)


def test_a_route_with_a_limit_of_its_own_counts_among_all_others_too(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(2, 60)}, share=1)
    assert [send(budget, clock, route) for route in (LOGIN, LOGIN, LIST, LIST)] == [0, 0, 0, window(60)]


def test_who_waits_for_hours_for_one_route_takes_no_place_from_the_others(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(1, 3600)}, share=1)
    send(budget, clock, LOGIN)
    for _unused in range(10):
        assert budget.take_place(LOGIN) == window(3600)
    assert [send(budget, clock, LIST) for _unused in range(3)] == [0, 0, window(60)]


def test_without_a_limit_nobody_waits(make: Make) -> None:
    budget = make({})
    assert {budget.take_place(LIST) for _unused in range(1000)} == {0}


@pytest.mark.parametrize(
    ("route", "requests", "seconds"),
    [
        (LIST, 10_000, 300),
        (LOGIN, 100, 300),
        ("GET /v1/access_tokens", 100, 300),
        ("DELETE /v1/access_tokens/:token", 100, 300),
        ("GET /v1/serial_numbers/:serial", 50, 3600),
    ],
)
def test_the_documented_limits_are_kept_with_a_part_left_for_the_neighbours(
    make: Make, clock: TurnedClock, route: str, requests: int, seconds: int
) -> None:
    budget = make()
    allowed = int(requests * DEFAULT_SHARE)
    assert {budget.take_place(route) for _unused in range(allowed)} == {0}
    assert send(budget, clock, route) == window(seconds)


def test_each_limit_is_of_a_route_that_the_cloud_has() -> None:
    assert set(DOCUMENTED_LIMITS) - {EVERY_ROUTE} <= {route.key for route in TABLE.routes}


def test_a_fleet_of_ten_thousand_paces_itself_at_the_rate_of_the_cloud(make: Make, clock: TurnedClock) -> None:
    budget = make()
    for _unused in range(20_500):
        send(budget, clock)
    # 9,500 at once, 9,500 after five minutes, the rest after ten.
    assert clock.now == 2 * window(300)


# A store has the time itself, and nobody else's is read in the order of the requests: see test_budget_store.
@pytest.mark.parametrize("make", PLACES[:2], indirect=True)
def test_sixteen_threads_never_take_the_same_place(make: Make, clock: TurnedClock) -> None:
    seen = threading.local()

    def read() -> float:
        seen.moment = clock()
        return float(seen.moment)

    budget = make({EVERY_ROUTE: Limit(100, 60)}, share=1, clock=read)

    def work(_unused: int) -> float:
        send(budget, clock)
        return float(seen.moment)

    with ThreadPoolExecutor(16) as pool:
        moments = list(pool.map(work, range(1000)))
    assert most_in_any_window(moments, window(60)) <= 100


# Looking ahead


def test_who_looks_ahead_learns_how_long_a_route_is_held_back_and_takes_nothing(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(2, 3600)}, share=1)
    assert {budget.get_delay(LOGIN) for _unused in range(10)} == {0}
    assert [send(budget, clock, LOGIN) for _unused in range(2)] == [0, 0]
    assert budget.get_delay(LOGIN) == window(3600)
    clock.now += 600
    assert {budget.get_delay(LOGIN) for _unused in range(10)} == {window(3600) - 600}


def test_only_the_limit_of_a_route_itself_counts_when_looking_ahead(make: Make, clock: TurnedClock) -> None:
    budget = make({EVERY_ROUTE: Limit(1, 60), LOGIN: Limit(2, 3600)}, share=1)
    send(budget, clock)
    assert (budget.get_delay(LIST), budget.get_delay(LOGIN)) == (0, 0)


# How much is used


def test_what_is_used_grows_with_each_request_and_shrinks_as_they_leave_the_window(
    make: Make, clock: TurnedClock
) -> None:
    budget = make({EVERY_ROUTE: Limit(10, 60)}, share=0.8)
    used = [budget.get_used_share()]
    for _unused in range(8):
        send(budget, clock)
        clock.now += 1
        used.append(budget.get_used_share())
    assert used == [number / 8 for number in range(9)]
    clock.now = window(60) - 1
    later = []
    for _unused in range(9):
        later.append(budget.get_used_share())
        clock.now += 1
    assert later == [number / 8 for number in (8, 7, 6, 5, 4, 3, 2, 1, 0)]


@given(pauses=st.lists(st.integers(0, 20), max_size=40), allowed=st.integers(1, 10), place=st.sampled_from(PLACES))
def test_what_is_used_is_the_part_that_counts_now(
    store: RedisServer, pauses: list[int], allowed: int, place: str
) -> None:
    clock = TurnedClock()
    sent: list[float] = []
    with kept(place, store) as where:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(allowed, 60)}, 1), clock=clock, **where)
        for pause in pauses:
            clock.now += pause
            send(budget, clock)
            sent.append(clock.now)
            assert budget.get_used_share() == sum(moment > clock.now - window(60) for moment in sent) / allowed


def test_without_a_limit_there_is_nothing_to_use_up(make: Make) -> None:
    budget = make({})
    budget.take_place(LIST)
    assert budget.get_used_share() is None


# Who has another share


SHARED = pytest.mark.parametrize("make", PLACES[1:], indirect=True)


@SHARED
def test_who_may_use_more_goes_on_where_others_wait(make: Make, clock: TurnedClock) -> None:
    modest, greedy = (make({EVERY_ROUTE: Limit(10, 60)}, share=share) for share in (0.5, 1))
    assert [modest.take_place(LIST) for _unused in range(6)] == [0] * 5 + [window(60)]
    assert [greedy.take_place(LIST) for _unused in range(6)] == [0] * 5 + [window(60)]


@SHARED
def test_who_has_waited_for_two_windows_is_not_kept_out_by_larger_shares_for_ever(
    make: Make, clock: TurnedClock
) -> None:
    modest, greedy = (make({EVERY_ROUTE: Limit(10, 60)}, share=share) for share in (0.5, 1))
    waited, sent_by_others = 0.0, 0
    while True:
        sent_by_others += sum(greedy.take_place(LIST) == 0 for _unused in range(5))
        if modest.take_place(LIST, waited) == 0:
            break
        sent_by_others += sum(greedy.take_place(LIST) == 0 for _unused in range(5))
        clock.sleep(1)
        waited += 1
        assert waited < 1000
    assert waited == 2 * window(60)
    assert sent_by_others == 25  # two windows of ten, and the five that were quicker in the third
