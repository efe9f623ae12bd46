# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A budget keeps requests within the rate limits, whether it is stored in memory, in files or in Redis."""

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
from support.turned_clock import TurnedClock

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"
CLOUD = "https://cloud.example.com"

# Whole numbers, so that rounding cannot move a request into another window.
CALLS = st.lists(st.tuples(st.sampled_from([LOGIN, LIST]), st.integers(0, 20)), max_size=60)

MakeBudget = Callable[..., Budget]

STORAGES = ["nowhere", "in files", "in a store"]


@contextmanager
def open_storage(storage: str, store: RedisServer) -> Iterator[dict[str, Any]]:
    """Yield the options of a budget in one of the `STORAGES`, which is empty at first."""
    if storage == "in files":
        with TemporaryDirectory() as folder:
            yield {"folder": Path(folder)}
    elif storage == "in a store":
        store.empty()
        yield {"store": store.url}
    else:
        yield {}


@pytest.fixture(params=STORAGES)
def make_budget(request: pytest.FixtureRequest, clock: TurnedClock, store: RedisServer) -> Iterator[MakeBudget]:
    """Return a function that creates budgets; those in files or in Redis share their windows."""

    def build(limits: Mapping[str, Limit] = DOCUMENTED_LIMITS, **options: Any) -> Budget:
        allowance = Allowance(limits, options.pop("share", DEFAULT_SHARE))
        return Budget(allowance, **{**storage_options, "cloud": CLOUD, "clock": clock, **options})

    with ExitStack() as stack:
        storage_options = stack.enter_context(open_storage(request.param, store))
        yield build


def send(budget: Budget, clock: TurnedClock, route: str = LIST) -> float:
    """Wait for a place as the client does, and return for how many seconds."""
    waited = 0.0
    while delay := budget.take_place(route, waited):
        clock.sleep(delay)
        waited += delay
    return waited


def add_travel_time(seconds: float) -> float:
    """Return for how many seconds a request counts in the budget, which is a little longer than in the cloud."""
    return seconds + MAX_TRAVEL_SECONDS


def count_most_in_period(moments: list[float], seconds: float) -> int:
    """Return the maximum number of `moments` in any period of `seconds`."""
    return max((sum(start <= other < start + seconds for other in moments) for start in moments), default=0)


@given(
    calls=CALLS,
    total=st.integers(1, 8),
    logins=st.integers(1, 4),
    seconds=st.integers(1, 40),
    storage=st.sampled_from(STORAGES),
)
def test_no_window_ever_holds_more_than_its_limit(
    store: RedisServer, calls: list[tuple[str, int]], total: int, logins: int, seconds: int, storage: str
) -> None:
    clock = TurnedClock()
    limits = {EVERY_ROUTE: Limit(total, seconds), LOGIN: Limit(logins, 2 * seconds)}
    sent: list[tuple[str, float]] = []
    with open_storage(storage, store) as storage_options:
        budget = Budget(Allowance(limits, 1), clock=clock, **storage_options)
        for route, pause in calls:
            clock.now += pause
            send(budget, clock, route)
            sent.append((route, clock.now))
    assert count_most_in_period([moment for _unused, moment in sent], add_travel_time(seconds)) <= total
    assert (
        count_most_in_period([moment for route, moment in sent if route == LOGIN], add_travel_time(2 * seconds))
        <= logins
    )


@given(calls=CALLS, total=st.integers(1, 8), seconds=st.integers(1, 40), storage=st.sampled_from(STORAGES))
def test_request_waits_only_if_its_window_is_full(
    store: RedisServer, calls: list[tuple[str, int]], total: int, seconds: int, storage: str
) -> None:
    clock = TurnedClock()
    sent: list[float] = []
    with open_storage(storage, store) as storage_options:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(total, seconds)}, 1), clock=clock, **storage_options)
        for _unused, pause in calls:
            clock.now += pause
            counting = sum(moment > clock.now - add_travel_time(seconds) for moment in sent)
            assert (send(budget, clock) > 0) == (counting == total)
            sent.append(clock.now)


@given(requests=st.integers(1, 200), share=st.floats(0.01, 1), storage=st.sampled_from(STORAGES))
def test_share_limits_requests_but_allows_at_least_one(
    store: RedisServer, requests: int, share: float, storage: str
) -> None:
    clock = TurnedClock()
    allowed = max(1, int(requests * share))
    with open_storage(storage, store) as storage_options:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(requests, 300)}, share), clock=clock, **storage_options)
        waits = [send(budget, clock) for _unused in range(allowed + 1)]
    assert waits == [0.0] * allowed + [add_travel_time(300)]


def test_requests_burst_and_then_wait_for_free_places(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(3, 60)}, share=1)
    waits = []
    for _unused in range(6):
        waits.append(send(budget, clock))
        clock.now += 10
    # Sent at 0, 10 and 20, and then as soon as the third last request no longer counts.
    assert waits == [0, 0, 0, add_travel_time(60) - 30, 0, 0]


def test_wait_ends_when_the_oldest_request_leaves_the_window(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(1, 60)}, share=1)
    send(budget, clock)
    clock.now = 59
    assert send(budget, clock) == add_travel_time(60) - 59
    assert clock.now == add_travel_time(60)


def test_request_that_must_wait_takes_no_place(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(1, 60)}, share=1)
    budget.take_place(LIST)
    assert {budget.take_place(LIST) for _unused in range(10)} == {add_travel_time(60)}
    clock.now = add_travel_time(60)
    assert budget.take_place(LIST) == 0


def test_limit_of_a_route_delays_only_that_route(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(100, 60), LOGIN: Limit(2, 60)}, share=1)
    assert [send(budget, clock, LOGIN) for _unused in range(2)] == [0, 0]
    assert [send(budget, clock, LIST) for _unused in range(50)] == [0] * 50
    assert send(budget, clock, LOGIN) == add_travel_time(60)


def test_route_with_a_separate_limit_counts_in_the_total_too(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(2, 60)}, share=1)
    assert [send(budget, clock, route) for route in (LOGIN, LOGIN, LIST, LIST)] == [0, 0, 0, add_travel_time(60)]


def test_waiting_for_one_route_takes_no_place_from_other_routes(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(1, 3600)}, share=1)
    send(budget, clock, LOGIN)
    for _unused in range(10):
        assert budget.take_place(LOGIN) == add_travel_time(3600)
    assert [send(budget, clock, LIST) for _unused in range(3)] == [0, 0, add_travel_time(60)]


def test_budget_without_limits_never_waits(make_budget: MakeBudget) -> None:
    budget = make_budget({})
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
def test_default_budget_uses_the_default_share_of_documented_limits(
    make_budget: MakeBudget, clock: TurnedClock, route: str, requests: int, seconds: int
) -> None:
    budget = make_budget()
    allowed = int(requests * DEFAULT_SHARE)
    assert {budget.take_place(route) for _unused in range(allowed)} == {0}
    assert send(budget, clock, route) == add_travel_time(seconds)


def test_each_documented_limit_is_for_an_existing_route() -> None:
    assert set(DOCUMENTED_LIMITS) - {EVERY_ROUTE} <= {route.key for route in TABLE.routes}


@pytest.mark.only_full
def test_twenty_thousand_requests_take_two_windows(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget()
    for _unused in range(20_500):
        send(budget, clock)
    # 9,500 at once, 9,500 after five minutes, the rest after ten.
    assert clock.now == 2 * add_travel_time(300)


# Without Redis, because it does not read this clock in the order of its requests; test_in_redis.py tests threads.
@pytest.mark.parametrize("make_budget", STORAGES[:2], indirect=True)
def test_sixteen_threads_together_stay_within_the_limit(make_budget: MakeBudget, clock: TurnedClock) -> None:
    seen = threading.local()

    def read() -> float:
        seen.moment = clock()
        return float(seen.moment)

    budget = make_budget({EVERY_ROUTE: Limit(100, 60)}, share=1, clock=read)

    def work(_unused: int) -> float:
        send(budget, clock)
        return float(seen.moment)

    with ThreadPoolExecutor(16) as pool:
        moments = list(pool.map(work, range(1000)))
    assert count_most_in_period(moments, add_travel_time(60)) <= 100


# The delay of a route


def test_get_delay_returns_the_wait_for_a_route_and_takes_no_place(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(3, 60), LOGIN: Limit(2, 3600)}, share=1)
    assert {budget.get_delay(LOGIN) for _unused in range(10)} == {0}
    assert [send(budget, clock, LOGIN) for _unused in range(2)] == [0, 0]
    assert budget.get_delay(LOGIN) == add_travel_time(3600)
    clock.now += 600
    assert {budget.get_delay(LOGIN) for _unused in range(10)} == {add_travel_time(3600) - 600}


def test_get_delay_ignores_the_limit_for_all_routes(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(1, 60), LOGIN: Limit(2, 3600)}, share=1)
    send(budget, clock)
    assert (budget.get_delay(LIST), budget.get_delay(LOGIN)) == (0, 0)


# The used share


def test_used_share_follows_the_requests_in_the_window(make_budget: MakeBudget, clock: TurnedClock) -> None:
    budget = make_budget({EVERY_ROUTE: Limit(10, 60)}, share=0.8)
    used = [budget.get_used_share()]
    for _unused in range(8):
        send(budget, clock)
        clock.now += 1
        used.append(budget.get_used_share())
    assert used == [number / 8 for number in range(9)]
    clock.now = add_travel_time(60) - 1
    later = []
    for _unused in range(9):
        later.append(budget.get_used_share())
        clock.now += 1
    assert later == [number / 8 for number in (8, 7, 6, 5, 4, 3, 2, 1, 0)]


@given(pauses=st.lists(st.integers(0, 20), max_size=40), allowed=st.integers(1, 10), storage=st.sampled_from(STORAGES))
def test_used_share_is_the_counted_part_of_the_allowed_requests(
    store: RedisServer, pauses: list[int], allowed: int, storage: str
) -> None:
    clock = TurnedClock()
    sent: list[float] = []
    with open_storage(storage, store) as storage_options:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(allowed, 60)}, 1), clock=clock, **storage_options)
        for pause in pauses:
            clock.now += pause
            send(budget, clock)
            sent.append(clock.now)
            assert budget.get_used_share() == sum(moment > clock.now - add_travel_time(60) for moment in sent) / allowed


def test_budget_without_limits_has_no_used_share(make_budget: MakeBudget) -> None:
    budget = make_budget({})
    budget.take_place(LIST)
    assert budget.get_used_share() is None


# Processes with different shares


SHARED_STORAGES = pytest.mark.parametrize("make_budget", STORAGES[1:], indirect=True)


@SHARED_STORAGES
def test_larger_share_sends_while_the_smaller_share_waits(make_budget: MakeBudget, clock: TurnedClock) -> None:
    small, large = (make_budget({EVERY_ROUTE: Limit(10, 60)}, share=share) for share in (0.5, 1))
    assert [small.take_place(LIST) for _unused in range(6)] == [0] * 5 + [add_travel_time(60)]
    assert [large.take_place(LIST) for _unused in range(6)] == [0] * 5 + [add_travel_time(60)]


@SHARED_STORAGES
def test_smaller_share_uses_the_whole_limit_after_two_windows(make_budget: MakeBudget, clock: TurnedClock) -> None:
    small, large = (make_budget({EVERY_ROUTE: Limit(10, 60)}, share=share) for share in (0.5, 1))
    waited, sent_by_large = 0.0, 0
    while True:
        sent_by_large += sum(large.take_place(LIST) == 0 for _unused in range(5))
        if small.take_place(LIST, waited) == 0:
            break
        sent_by_large += sum(large.take_place(LIST) == 0 for _unused in range(5))
        clock.sleep(1)
        waited += 1
        assert waited < 1000
    assert waited == 2 * add_travel_time(60)
    assert sent_by_large == 25  # ten in each of two windows, and five in the third before the small share
