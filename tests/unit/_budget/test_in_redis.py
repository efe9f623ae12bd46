# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Machines behind one address share one budget through a Redis; a budget that cannot be kept is never dropped.

Where no clock is turned, all goes by that of the Redis, as it does in real life: then windows are short.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import barn, ids_of
from token_cloud import run_child
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._budget import in_redis
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    EVERY_ROUTE,
    MAX_TRAVEL_SECONDS,
    Allowance,
    Limit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.reconcile import (
    Callbacks,
    RunSettings,
    reconcile,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task, carry_out_work
from support.counts import count
from support.redis_server import RedisServer, running_redis
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"
CLOUD = "https://cloud.example.com"
TEN = {EVERY_ROUTE: Limit(10, 60)}
WINDOW = 60 + MAX_TRAVEL_SECONDS
CANARY = "c4nary-of/the store"
CANARY_IN_URL = "c4nary-of%2Fthe%20store"

# Processes, each with threads, of which the first has inherited its budget, go by the clock of the Redis. Each tells
# when it was allowed what, by the clock of the machine.
TOGETHER = """
import os, sys, threading, time
from ansible_collections.meshfleet.particle.plugins.module_utils._budget import limits
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget

url, processes, threads, each = sys.argv[1], *map(int, sys.argv[2:5])
allowed = {limits.EVERY_ROUTE: limits.Limit(400, 0.5), "POST /oauth/token": limits.Limit(120, 0.7)}

def work(budget):
    lines = []
    for number in range(each):
        route, waited = ("POST /oauth/token" if number % 5 == 0 else "GET /v1/devices"), 0.0
        while delay := budget.take_place(route, waited):
            time.sleep(delay)
            waited += delay
        lines.append(f"{route.split()[0]} {time.time()}\\n")
    os.write(1, "".join(lines).encode())

inherited = Budget(limits.Allowance(allowed), store=url)
children = []
for number in range(processes):
    child = os.fork()
    if child == 0:
        budget = inherited if number == 0 else Budget(limits.Allowance(allowed), store=url)
        workers = [threading.Thread(target=work, args=(budget,)) for _ in range(threads)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.fixture(autouse=True)
def _empty(store: RedisServer) -> None:
    store.empty()


@pytest.fixture
def own_store() -> Iterator[RedisServer]:
    """A Redis that a test may stop."""
    with running_redis() as server:
        yield server


def budget_in(store: RedisServer, **options: Any) -> Budget:
    allowance = Allowance(options.pop("limits", TEN), options.pop("share", 1))
    return Budget(allowance, **{"store": store.url, "cloud": CLOUD, **options})


def burst(budget: Budget) -> int:
    """How many requests may be sent at once."""
    return next(number for number in range(1000) if budget.take_place(LIST) > 0)


def most_in_any_window(moments: list[float], seconds: float) -> int:
    return max(sum(start <= other < start + seconds for other in moments) for start in moments)


# One budget for all


def test_processes_and_threads_together_never_send_more_than_one_budget(store: RedisServer) -> None:
    each = count(quick=60, full=200)
    child = run_child(TOGETHER, store.url, 4, 4, each)
    assert child.returncode == 0, child.stderr
    sent = [(method, float(moment)) for method, moment in map(str.split, child.stdout.splitlines())]
    assert len(sent) == 4 * 4 * each
    assert most_in_any_window([moment for _unused, moment in sent], 0.5) <= 380
    assert most_in_any_window([moment for method, moment in sent if method == "POST"], 0.7) <= 114


def test_machines_whose_clocks_differ_agree(store: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [budget_in(store).take_place(LIST) for _unused in range(7)] == [0] * 7
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    slow = budget_in(store)
    assert burst(slow) == 3
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert 0 < budget_in(store).take_place(LIST) <= WINDOW
    assert 0 < slow.take_place(LIST) <= WINDOW


def test_what_one_has_sent_another_may_not_and_clouds_and_limits_have_records_of_their_own(store: RedisServer) -> None:
    assert burst(budget_in(store)) == 10
    assert burst(budget_in(store)) == 0
    assert burst(budget_in(store, cloud="https://other.example.com")) == 10
    assert burst(budget_in(store, limits={EVERY_ROUTE: Limit(20, 60)})) == 20


def test_another_number_of_a_database_stands_for_another_address(store: RedisServer) -> None:
    assert burst(budget_in(store)) == 10
    elsewhere = Budget(Allowance(TEN, 1), store=f"{store.url}?db=1", cloud=CLOUD)
    assert burst(elsewhere) == 10


def test_a_place_is_taken_in_all_windows_or_in_none(store: RedisServer, clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(10, 60), LOGIN: Limit(2, 600)}
    one, another = (budget_in(store, limits=limits, clock=clock) for _unused in range(2))
    assert [one.take_place(LOGIN), another.take_place(LOGIN)] == [0, 0]
    assert {one.take_place(LOGIN) for _unused in range(20)} == {600 + MAX_TRAVEL_SECONDS}
    assert burst(another) == 8


def test_a_clock_that_is_set_back_costs_a_window_and_no_more(store: RedisServer, clock: TurnedClock) -> None:
    clock.now = 1_000_000.0
    budget = budget_in(store, clock=clock)
    burst(budget)
    clock.now -= 3600
    assert budget.take_place(LIST) == WINDOW
    clock.sleep(WINDOW)
    assert burst(budget) == 10


# What lies in the store


def test_a_record_names_no_cloud_holds_moments_alone_and_goes_when_nothing_counts(store: RedisServer) -> None:
    budget = budget_in(store)
    assert store.keys() == []  # nothing, for who has only looked
    budget.take_place(LIST)
    (key,) = store.keys()
    with store.client() as client:
        assert key.startswith("meshfleet.particle:budget:")
        assert "example" not in key
        assert client.strlen(key) == 2 * 8
        assert 0 < client.pttl(key) <= 1000 * WINDOW
        burst(budget)
        assert client.strlen(key) == 11 * 8


def test_the_library_is_not_even_loaded_where_no_store_is_named() -> None:
    code = """
import sys
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
Budget().take_place("GET /v1/devices")
print("redis" in sys.modules)
"""
    assert run_child(code).stdout == "False\n"


# A budget that cannot be kept


def failure_of(url: str) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        Budget(Allowance(TEN), store=url)
    return caught.value


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no answer gives up at once."""
    monkeypatch.setattr(in_redis, "_PAUSES", ())


def test_a_store_that_does_not_answer_fails_the_task_before_its_first_request(
    scripted_cloud: ScriptedCloud, own_store: RedisServer, hasty: None
) -> None:
    own_store.stop()
    options = {"api_url": scripted_cloud.url, "access_token": "ready", "budget_store": own_store.url}
    task = Task(options, False, lambda text: None, lambda text: None, environment={})

    def work(task: Task) -> dict[str, Any]:
        with task.open_session() as http:
            return {"devices": http.send(Request(LIST, "list")).data}

    result = carry_out_work(task, work)
    assert (result["failed"], result["error"]["code"]) == (True, "unreachable")
    assert "Check that Redis runs and can be reached" in result["error"]["hint"]
    assert scripted_cloud.requests == []


def test_without_the_library_words_say_what_to_install(store: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    error = failure_of(store.url)
    assert error.code == "unsupported"
    assert error.hint == f"Install redis for {sys.executable}, or leave budget_store out."


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("unix://:{wrong}@{socket}", "invalid_option"),
        ("unix://{socket}", "invalid_option"),  # without a password
        ("unix://:{right}@{socket}?db=999", "invalid_option"),
        ("unix://:{right}@{socket}?socket_timeout={right}", "invalid_option"),
        ("unix://:{right}@{socket}.not", "unreachable"),
        ("redis://:{right}@127.0.0.1:9/0", "unreachable"),
        ("redis://someone:{right}@127.0.0.1:9/0", "unreachable"),
    ],
)
def test_no_word_of_a_password_is_in_what_is_said_of_a_store(hasty: None, url: str, code: str) -> None:
    with running_redis(CANARY.replace(" ", "-")) as server:
        right = CANARY_IN_URL.replace("%20", "-")
        error = failure_of(url.format(socket=server.socket, right=right, wrong=f"{right}-wrong"))
    assert error.code == code
    assert "c4nary" not in f"{error} {error.as_result()}"
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_store_that_is_started_anew_meanwhile_ends_nothing(
    own_store: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = budget_in(own_store)
    budget.take_place(LIST)
    own_store.stop()
    pauses: list[float] = []

    def start_it_in_the_second(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            monkeypatch.undo()
            own_store.start()

    monkeypatch.setattr(time, "sleep", start_it_in_the_second)
    assert budget.take_place(LIST) == 0
    assert len(pauses) == 2


def test_a_run_whose_store_is_lost_ends_and_tells_who_was_not_reached(
    simulator: Simulator, own_store: RedisServer, monkeypatch: pytest.MonkeyPatch, hasty: None
) -> None:
    budget = Budget(store=own_store.url, cloud=simulator.url)
    http = Http(Connection(simulator.url), budget=budget)
    http.use_token(PasswordLogin(USERNAME, PASSWORD).obtain_grant(http, {}, {}).access_token)
    sent = http.usage.writes
    before = http.before_request

    def lose_it() -> None:
        before()
        if http.usage.writes == sent + 8:
            own_store.stop()

    http.before_request = lose_it
    manifest = read_manifest(barn(ids_of(simulator)))
    result = reconcile(http, manifest, RunSettings(False, Verification("read")), Callbacks(lambda text: None))
    http.close()
    assert result["failed"]
    assert result["error"]["code"] == "unreachable"
    assert "The Redis server at" in result["error"]["message"]
    assert budget.get_used_share() is None
    assert {device["status"] for device in result["devices"]} <= {"changed", "failed", "pending"}
    assert simulator.stats()["throttled"] == 0
