# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Machines behind one address share one budget through Redis, and a run fails if Redis cannot be used."""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fleet_cloud import barn, ids_of

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
from support.token_cloud import run_child
from support.turned_clock import TurnedClock

LOGIN = "POST /oauth/token"
LIST = "GET /v1/devices"
CLOUD = "https://cloud.example.com"
TEN_PER_MINUTE = {EVERY_ROUTE: Limit(10, 60)}
WINDOW = 60 + MAX_TRAVEL_SECONDS
CANARY = "c4nary-of/the store"
CANARY_IN_URL = "c4nary-of%2Fthe%20store"

# Starts processes with threads; the first process inherits its budget. The clock is that of Redis, so windows are
# short. For each request, a thread prints the time of the machine.
PROCESSES_WITH_THREADS = """
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
def _empty_store(store: RedisServer) -> None:
    """Empty the Redis that all tests share."""
    store.empty()


@pytest.fixture
def own_store() -> Iterator[RedisServer]:
    """Start a Redis that a test can stop."""
    with running_redis() as server:
        yield server


def make_budget(store: RedisServer, **options: Any) -> Budget:
    allowance = Allowance(options.pop("limits", TEN_PER_MINUTE), options.pop("share", 1))
    return Budget(allowance, **{"store": store.url, "cloud": CLOUD, **options})


def count_burst(budget: Budget) -> int:
    """Send requests without waiting, and return how many were allowed."""
    return next(number for number in range(1000) if budget.take_place(LIST) > 0)


def count_most_in_period(moments: list[float], seconds: float) -> int:
    """Return the maximum number of `moments` in any period of `seconds`."""
    return max(sum(start <= other < start + seconds for other in moments) for start in moments)


# Sharing


def test_processes_and_threads_together_stay_within_one_budget(store: RedisServer) -> None:
    each = count(quick=25, full=200)
    child = run_child(PROCESSES_WITH_THREADS, store.url, 4, 4, each)
    assert child.returncode == 0, child.stderr
    sent = [(method, float(moment)) for method, moment in map(str.split, child.stdout.splitlines())]
    assert len(sent) == 4 * 4 * each
    assert count_most_in_period([moment for _unused, moment in sent], 0.5) <= 380
    assert count_most_in_period([moment for method, moment in sent if method == "POST"], 0.7) <= 114


def test_machines_with_different_clocks_share_the_budget(store: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [make_budget(store).take_place(LIST) for _unused in range(7)] == [0] * 7
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    behind = make_budget(store)
    assert count_burst(behind) == 3
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert 0 < make_budget(store).take_place(LIST) <= WINDOW
    assert 0 < behind.take_place(LIST) <= WINDOW


def test_budget_is_shared_for_the_same_cloud_and_limit_only(store: RedisServer) -> None:
    assert count_burst(make_budget(store)) == 10
    assert count_burst(make_budget(store)) == 0
    assert count_burst(make_budget(store, cloud="https://other.example.com")) == 10
    assert count_burst(make_budget(store, limits={EVERY_ROUTE: Limit(20, 60)})) == 20


def test_another_database_number_is_a_separate_budget(store: RedisServer) -> None:
    assert count_burst(make_budget(store)) == 10
    other = Budget(Allowance(TEN_PER_MINUTE, 1), store=f"{store.url}?db=1", cloud=CLOUD)
    assert count_burst(other) == 10


def test_a_place_is_taken_in_all_windows_or_in_none(store: RedisServer, clock: TurnedClock) -> None:
    limits = {EVERY_ROUTE: Limit(10, 60), LOGIN: Limit(2, 600)}
    one, other = (make_budget(store, limits=limits, clock=clock) for _unused in range(2))
    assert [one.take_place(LOGIN), other.take_place(LOGIN)] == [0, 0]
    assert {one.take_place(LOGIN) for _unused in range(20)} == {600 + MAX_TRAVEL_SECONDS}
    assert count_burst(other) == 8


def test_clock_set_back_delays_by_one_window(store: RedisServer, clock: TurnedClock) -> None:
    clock.now = 1_000_000.0
    budget = make_budget(store, clock=clock)
    count_burst(budget)
    clock.now -= 3600
    assert budget.take_place(LIST) == WINDOW
    clock.sleep(WINDOW)
    assert count_burst(budget) == 10


IMPOSSIBLE = [float("nan"), float("inf"), float("-inf"), 1e300, 2_000_000.0]


@pytest.mark.parametrize("number", [*IMPOSSIBLE, -1.0, 10.5, 10.0])
@pytest.mark.parametrize("moment", IMPOSSIBLE)
def test_impossible_values_delay_by_one_window_at_most(
    store: RedisServer, clock: TurnedClock, number: float, moment: float
) -> None:
    clock.now = 1_000_000.0
    budget = make_budget(store, clock=clock)
    budget.take_place(LIST)
    with store.client() as client:
        client.set(store.keys()[0], struct.pack("<11d", number, *[moment] * 10))
    assert 0 <= budget.take_place(LIST) <= WINDOW
    assert 0 <= budget.get_used_share() <= 1
    clock.sleep(WINDOW)
    assert count_burst(budget) <= 10
    clock.sleep(WINDOW)
    assert count_burst(budget) == 10


# Records in Redis


def test_record_contains_times_only_and_expires(store: RedisServer) -> None:
    budget = make_budget(store)
    assert store.keys() == []  # a budget without requests has no record
    budget.take_place(LIST)
    (key,) = store.keys()
    with store.client() as client:
        assert key.startswith("meshfleet.particle:budget:")
        assert "example" not in key
        assert client.strlen(key) == 2 * 8
        assert 0 < client.pttl(key) <= 1000 * WINDOW
        count_burst(budget)
        assert client.strlen(key) == 11 * 8


def test_redis_library_is_not_loaded_without_a_store() -> None:
    code = """
import sys
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
Budget().take_place("GET /v1/devices")
print("redis" in sys.modules)
"""
    assert run_child(code).stdout == "False\n"


# Errors of Redis


def catch_error(url: str) -> ParticleError:
    """Return the error of a budget with this URL."""
    with pytest.raises(ParticleError) as caught:
        Budget(Allowance(TEN_PER_MINUTE), store=url)
    return caught.value


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail after the first attempt to reach Redis."""
    monkeypatch.setattr(in_redis, "_PAUSES", ())


def test_unreachable_store_fails_the_task_before_any_request(
    scripted_cloud: ScriptedCloud, own_store: RedisServer, no_retries: None
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


def test_error_about_missing_library_says_what_to_install(store: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    error = catch_error(store.url)
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
def test_errors_about_the_store_do_not_contain_the_password(no_retries: None, url: str, code: str) -> None:
    with running_redis(CANARY.replace(" ", "-")) as server:
        right = CANARY_IN_URL.replace("%20", "-")
        error = catch_error(url.format(socket=server.socket, right=right, wrong=f"{right}-wrong"))
    assert error.code == code
    assert "c4nary" not in f"{error} {error.as_result()}"
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_restarted_store_is_used_after_retries(own_store: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = make_budget(own_store)
    budget.take_place(LIST)
    own_store.stop()
    pauses: list[float] = []

    def restart_in_second_pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            monkeypatch.undo()
            own_store.start()

    monkeypatch.setattr(time, "sleep", restart_in_second_pause)
    assert budget.take_place(LIST) == 0
    assert len(pauses) == 2


def test_run_that_loses_its_store_ends_as_unreachable(
    simulator: Simulator, own_store: RedisServer, monkeypatch: pytest.MonkeyPatch, no_retries: None
) -> None:
    budget = Budget(store=own_store.url, cloud=simulator.url)
    http = Http(Connection(simulator.url), budget=budget)
    http.use_token(PasswordLogin(USERNAME, PASSWORD).obtain_grant(http, {}, {}).access_token)
    writes_before = http.usage.writes
    before_request = http.before_request

    def stop_store_after_eight_writes() -> None:
        before_request()
        if http.usage.writes == writes_before + 8:
            own_store.stop()

    http.before_request = stop_store_after_eight_writes
    manifest = read_manifest(barn(ids_of(simulator)))
    result = reconcile(http, manifest, RunSettings(False, Verification("read")), Callbacks(lambda text: None))
    http.close()
    assert result["failed"]
    assert result["error"]["code"] == "unreachable"
    assert "The Redis server at" in result["error"]["message"]
    assert budget.get_used_share() is None
    assert {device["status"] for device in result["devices"]} <= {"changed", "failed", "pending"}
    assert simulator.stats()["throttled"] == 0


@pytest.mark.parametrize(
    ("prepare", "state", "hint"),
    [
        (lambda client, key: client.config_set("maxmemory", 1), "its memory is full", "raise its maxmemory"),
        (lambda client, key: client.replicaof("localhost", "1"), "it is a replica", "the primary server"),
        (
            lambda client, key: client.lpush(key, "x"),
            "another program uses the keys of the budget",
            "another database number",
        ),
    ],
    ids=["full", "replica", "other type"],
)
def test_server_that_cannot_store_is_not_called_a_wrong_password(
    own_store: RedisServer, no_retries: None, prepare: Callable[[Any, str], Any], state: str, hint: str
) -> None:
    budget = make_budget(own_store)
    budget.take_place(LIST)
    (key,) = own_store.keys()
    own_store.empty()
    with own_store.client() as client:
        prepare(client, key)
    with pytest.raises(ParticleError) as caught:
        budget.take_place(LIST)
    assert caught.value.code == "unreachable"
    assert caught.value.message.endswith(f"{state}.")
    assert hint in caught.value.hint
    assert "password" not in caught.value.hint
