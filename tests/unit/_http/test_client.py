# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The HTTP client retries safe requests, keeps to rate limits and max_wait, and protects credentials."""

from __future__ import annotations

import email.utils
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import (
    EVERY_ROUTE,
    MAX_TRAVEL_SECONDS,
    Allowance,
    Limit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.multipart import FilePart
from ansible_collections.meshfleet.particle.plugins.module_utils._http.proxies import find_proxy
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry
from support.scripted import ScriptedCloud
from support.scripted import scripted_cloud as another_cloud
from support.simulator import running_simulator
from support.turned_clock import TurnedClock, conversation

TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"
PATH = "/v1/devices/x"
ATTEMPTS = 5
SAFE_METHODS = ["GET", "PUT", "DELETE"]
TEMPORARY_STATUSES = [408, 500, 502, 503, 504]
RATE_LIMIT_STATUSES = [429, 529]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Reserve a port on which no server listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def make_client(clock: TurnedClock, no_proxies: None) -> Iterator[Callable[..., Http]]:
    """Return a function that creates clients, which are closed after the test."""
    clients: list[Http] = []

    def open_client(api_url: str, **options: Any) -> Http:
        clients.append(conversation(api_url, clock, **options))
        return clients[-1]

    yield open_client
    for http in clients:
        http.close()


def send(http: Http, method: str = "GET", **arguments: Any) -> Any:
    """Send one request for a device and return the data of the answer."""
    return http.send(Request(f"{method} /v1/devices/:id", "test device x", {"id": "x"}, **arguments)).data


def catch_error(http: Http, method: str = "GET", **arguments: Any) -> ParticleError:
    """Send one request for a device and return its error."""
    with pytest.raises(ParticleError) as caught:
        send(http, method, **arguments)
    return caught.value


def list_pauses(clock: TurnedClock) -> list[float]:
    """Return the length of each pause between two requests.

    The client sleeps one second at a time. The last sleep of a pause is not exactly one second.
    """
    pauses = [0.0]
    for nap in clock.slept:
        pauses[-1] += nap
        if nap != 1:
            pauses.append(0.0)
    return [pause for pause in pauses if pause]


def read_usage(http: Http) -> tuple[int, int, int]:
    """Return the numbers of requests, writes and retries."""
    return http.usage.requests, http.usage.writes, http.usage.retries


# Headers and bodies


def test_request_can_replace_headers_and_send_any_body(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PUT", PATH, json={"ok": True})
    send(http, "PUT", headers={"Accept": "text/plain", "Content-Type": "application/vnd.api+json"}, body=b"[1]")
    (seen,) = scripted_cloud.seen("PUT", PATH)
    assert (seen.headers["Accept"], seen.headers["Content-Type"]) == ("text/plain", "application/vnd.api+json")
    assert seen.body == b"[1]"


# Requests that are repeated


@pytest.mark.parametrize("method", SAFE_METHODS)
@pytest.mark.parametrize("status", TEMPORARY_STATUSES + RATE_LIMIT_STATUSES)
def test_safe_request_is_repeated_after_a_temporary_error(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status).answer(method, PATH, status).answer(method, PATH, json={"ok": True})
    assert send(http, method) == {"ok": True}
    assert read_usage(http) == (3, 0 if method == "GET" else 3, 2)
    assert len(list_pauses(clock)) == 2


@pytest.mark.parametrize("method", SAFE_METHODS)
@pytest.mark.parametrize("effect", ["reset", "truncate"])
def test_safe_request_is_repeated_after_a_broken_connection(
    http: Http, scripted_cloud: ScriptedCloud, method: str, effect: Any
) -> None:
    scripted_cloud.answer(method, PATH, json={"name": "x"}, effect=effect).answer(method, PATH, json={"name": "x"})
    assert send(http, method) == {"name": "x"}
    assert http.usage.retries == 1


@pytest.mark.parametrize("method", SAFE_METHODS)
def test_safe_request_is_repeated_after_a_timeout(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, method: str
) -> None:
    scripted_cloud.answer(method, PATH, effect="hang").answer(method, PATH, json={"name": "x"})
    assert send(make_client(scripted_cloud.url, timeout=1), method) == {"name": "x"}


def test_repeated_timeouts_end_as_unreachable(make_client: Callable[..., Http], scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, effect="hang", repeat=True)
    error = catch_error(make_client(scripted_cloud.url, timeout=0.05))
    assert error.code == "unreachable"
    assert error.message.endswith("did not answer within 0.05 seconds.")
    assert len(scripted_cloud.requests) == ATTEMPTS


@pytest.mark.parametrize("method", [*SAFE_METHODS, "POST"])
def test_refused_connection_is_retried_by_every_method(
    make_client: Callable[..., Http], closed_port: int, method: str
) -> None:
    http = make_client(f"http://127.0.0.1:{closed_port}")
    error = catch_error(http, method)
    assert (error.code, error.status) == ("unreachable", None)
    assert error.message == f"Could not test device x: no connection to 127.0.0.1:{closed_port}."
    assert read_usage(http)[::2] == (ATTEMPTS, ATTEMPTS - 1)


def test_unreachable_proxy_is_retried_even_for_a_post(
    make_client: Callable[..., Http], closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    http = make_client("http://cloud.invalid")
    error = catch_error(http, "POST")
    assert error.code == "unreachable"
    assert (
        error.message == "Could not test device x: the proxy that http_proxy sets cannot be reached, "
        "or does not connect to cloud.invalid."
    )
    assert http.usage.requests == ATTEMPTS


def test_post_without_an_answer_is_not_repeated_through_a_proxy(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", scripted_cloud.url)
    scripted_cloud.answer("POST", PATH, effect="reset", repeat=True)
    http = make_client("http://cloud.invalid")
    assert (catch_error(http, "POST").code, len(scripted_cloud.requests)) == ("ambiguous_write", 1)


@pytest.mark.parametrize("target", ["http://[", "http://[x]/", "\xff\xfe", "/elsewhere"])
def test_redirect_is_refused_whatever_its_target(http: Http, scripted_cloud: ScriptedCloud, target: str) -> None:
    scripted_cloud.answer("GET", PATH, 302, body="", headers={"Location": target})
    assert catch_error(http, "GET").status == 302


@pytest.mark.parametrize("status", RATE_LIMIT_STATUSES)
def test_rate_limited_post_is_repeated(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("POST", PATH, status).answer("POST", PATH, 201, json={"id": "x"})
    assert send(http, "POST", json={"id": "x"}) == {"id": "x"}
    assert [request.json for request in scripted_cloud.requests] == [{"id": "x"}] * 2
    assert read_usage(http) == (2, 2, 1)


def test_file_is_sent_completely_in_each_attempt(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, 429).answer("POST", PATH, json={})
    send(http, "POST", file=FilePart("devices.txt", b"e00f\ne00e\n", "text/plain"))
    for request in scripted_cloud.requests:
        assert request.headers["Content-Type"].startswith("multipart/form-data")
        assert b'name="file"' in request.body
        assert b"e00f\ne00e\n" in request.body


def test_lasting_error_is_reported_after_five_attempts(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 503, json={"error": "Down for repair"}, repeat=True)
    error = catch_error(http)
    assert (error.code, error.status) == ("cloud_error", 503)
    assert "Down for repair" in error.message
    assert read_usage(http) == (ATTEMPTS, 0, ATTEMPTS - 1)
    assert http.usage.throttled_seconds == 0


def test_pauses_between_attempts_grow_and_differ(http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    scripted_cloud.answer("GET", PATH, 503, repeat=True)
    catch_error(http)
    catch_error(http)
    pauses = list_pauses(clock)
    assert all(2**n / 4 <= pause <= 2**n / 2 for n, pause in zip([1, 2, 3, 4] * 2, pauses, strict=True))
    assert pauses[:4] != pauses[4:]


# Requests that are not repeated


@pytest.mark.parametrize("status", TEMPORARY_STATUSES)
def test_a_post_that_may_have_taken_effect_is_ambiguous_and_not_repeated(
    http: Http, scripted_cloud: ScriptedCloud, status: int
) -> None:
    scripted_cloud.answer("POST", PATH, status, json={"error": "Oops"}, headers={"Retry-After": "1"})
    error = catch_error(http, "POST")
    assert (error.code, error.status) == ("ambiguous_write", status)
    assert error.message.startswith("It is not known whether the attempt to test device x took effect: ")
    assert read_usage(http) == (1, 1, 0)


@pytest.mark.parametrize("effect", ["reset", "truncate", "hang"])
def test_a_post_whose_answer_is_lost_is_ambiguous_and_not_repeated(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, effect: Any
) -> None:
    scripted_cloud.answer("POST", PATH, json={"id": "x"}, effect=effect)
    http = make_client(scripted_cloud.url, timeout=0.2)
    assert catch_error(http, "POST").code == "ambiguous_write"
    assert read_usage(http) == (1, 1, 0)


def test_post_that_writes_nothing_is_not_ambiguous(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, effect="reset")
    assert catch_error(http, "POST", writes=False).code == "unreachable"
    assert read_usage(http) == (1, 0, 0)


@pytest.mark.parametrize("status", TEMPORARY_STATUSES + RATE_LIMIT_STATUSES)
def test_request_with_retry_never_is_sent_once(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("GET", PATH, status)
    assert catch_error(http, retry=Retry.NEVER).status == status
    assert read_usage(http) == (1, 0, 0)


def test_post_with_retry_safe_is_repeated(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, 503).answer("POST", PATH, json={})
    send(http, "POST", retry=Retry.SAFE)
    assert read_usage(http) == (2, 2, 1)


@pytest.mark.parametrize("method", [*SAFE_METHODS, "POST"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 501])
def test_refusal_is_not_retried(http: Http, scripted_cloud: ScriptedCloud, method: str, status: int) -> None:
    scripted_cloud.answer(method, PATH, status, json={"error": "No"})
    error = catch_error(http, method)
    assert (error.status, error.route) == (status, f"{method} /v1/devices/:id")
    assert read_usage(http) == (1, 0 if method == "GET" else 1, 0)


# Waits


def format_date(seconds: float) -> str:
    """Return a date of the turned clock, which begins at 0, in the format of HTTP headers."""
    return email.utils.formatdate(seconds, usegmt=True)


@pytest.mark.parametrize("status", [503, *RATE_LIMIT_STATUSES])
def test_retry_after_in_seconds_is_followed(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, status: int
) -> None:
    scripted_cloud.answer("GET", PATH, status, headers={"Retry-After": "120"}).answer("GET", PATH, json={})
    send(http)
    assert sum(clock.slept) == 120
    assert http.usage.throttled_seconds == 120


def test_retry_after_as_a_date_is_followed(http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": format_date(120)})
    scripted_cloud.answer("GET", PATH, json={})
    send(http)
    assert sum(clock.slept) == 120


@pytest.mark.parametrize(
    "header",
    [
        *("", "0", "00", "soon", "-1", "1.5", "NaN", "inf", "\xb2"),
        *("Wed, 99 Foo 2026", "Wed, 01 Jan 99999 00:00:00 GMT", format_date(-60)),
    ],
)
@pytest.mark.parametrize("status", [503, *RATE_LIMIT_STATUSES])
def test_retry_after_without_a_wait_causes_the_default_pause(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, header: str, status: int
) -> None:
    scripted_cloud.answer("GET", PATH, status, headers={"Retry-After": header}).answer("GET", PATH, json={})
    send(http)
    (slept,) = clock.slept
    assert 0.5 <= slept <= 1


def test_longest_of_several_retry_after_headers_is_followed(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "0", "retry-after": "90", "RETRY-AFTER": "soon"})
    scripted_cloud.answer("GET", PATH, json={})
    send(http)
    assert sum(clock.slept) == 90


@pytest.mark.parametrize("header", ["9" * 30, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_absurdly_long_retry_after_is_refused_with_a_number(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, header: str
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": header})
    error = catch_error(http)
    assert error.code == "rate_limited"
    assert "asks to wait 1000000000 seconds" in error.message
    assert clock.slept == []


@pytest.mark.parametrize("method", SAFE_METHODS)
@pytest.mark.parametrize("status", [500, 503, *RATE_LIMIT_STATUSES])
@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_longer_than_max_wait_fails_at_once(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, method: str, status: int, dated: bool
) -> None:
    header = format_date(3600) if dated else "301"
    scripted_cloud.answer(method, PATH, status, headers={"Retry-After": header})
    error = catch_error(http, method)
    assert (error.code, error.status) == ("rate_limited", status)
    assert "but max_wait allows only 300 seconds" in error.message
    assert clock.slept == []
    assert http.usage.throttled_seconds == 0


def test_larger_max_wait_allows_a_longer_retry_after(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "900"}).answer("GET", PATH, json={})
    send(make_client(scripted_cloud.url, max_wait=900))
    assert sum(clock.slept) == 900


def test_max_wait_also_limits_the_default_pauses(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, repeat=True)
    http = make_client(scripted_cloud.url, max_wait=0.25)
    assert catch_error(http).code == "rate_limited"
    assert clock.slept == [0.25]
    assert http.usage.throttled_seconds == 0.25


@pytest.mark.parametrize("method", [*SAFE_METHODS, "POST"])
@pytest.mark.parametrize("status", RATE_LIMIT_STATUSES)
def test_rate_limit_without_retry_after_is_retried_until_max_wait(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status, json={"error": "Too many"}, repeat=True)
    error = catch_error(http, method)
    assert (error.code, error.status) == ("rate_limited", status)
    assert sum(clock.slept) == pytest.approx(300)
    assert http.usage.throttled_seconds == pytest.approx(300)
    pauses = list_pauses(clock)
    assert http.usage.retries == len(pauses) == len(scripted_cloud.requests) - 1
    assert all(2**n / 4 <= pause <= 2**n / 2 for n, pause in enumerate(pauses[:5], start=1))
    assert all(15 <= pause <= 30 for pause in pauses[6:-1])
    assert len(set(pauses)) == len(pauses)


def test_rate_limited_request_may_take_more_than_five_attempts(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    for _unused in range(2 * ATTEMPTS):
        scripted_cloud.answer("GET", PATH, 429)
    scripted_cloud.answer("GET", PATH, json={})
    assert send(http) == {}
    assert len(list_pauses(clock)) == 2 * ATTEMPTS


@pytest.mark.parametrize("status", RATE_LIMIT_STATUSES)
def test_waits_on_request_do_not_use_up_attempts(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, status: int
) -> None:
    for _unused in range(2 * ATTEMPTS):
        scripted_cloud.answer("PUT", PATH, status, headers={"Retry-After": "30"})
    scripted_cloud.answer("PUT", PATH, json={})
    assert send(http, "PUT") == {}
    assert sum(clock.slept) == http.usage.throttled_seconds == 2 * ATTEMPTS * 30


def test_max_wait_limits_the_sum_of_all_waits(http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "40"}, repeat=True)
    error = catch_error(http)
    assert (error.code, error.status) == ("rate_limited", 429)
    assert "still exceeded after 280 seconds" in error.message
    assert "max_wait allows only 300 seconds" in error.message
    assert sum(clock.slept) == 280


def test_work_ended_during_a_retry_wait_sends_no_more_requests(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "120"}, repeat=True)

    def end_after_ten_seconds() -> None:
        if clock.now >= 10:
            raise SystemExit

    http.before_request = end_after_ten_seconds
    with pytest.raises(SystemExit):
        send(http)
    assert clock.now <= 11
    assert len(scripted_cloud.requests) == 1


def test_repeated_retry_after_of_zero_is_retried_until_max_wait(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "0"}, repeat=True)
    assert catch_error(http).code == "rate_limited"
    assert http.usage.requests > ATTEMPTS
    assert http.usage.throttled_seconds == pytest.approx(300)


def test_rate_limit_of_the_simulator_is_waited_out(no_proxies: None) -> None:
    with running_simulator("--limits", "documented") as simulator:
        address = f"{simulator.url}/_simulator/clock"
        clock = TurnedClock()

        def advance(seconds: float) -> None:
            requests.post(address, json={"advance": seconds}, timeout=10).raise_for_status()
            clock.sleep(seconds)

        with closing(
            Http(Connection(simulator.url), budget=Budget(Allowance({})), clock=Clock(advance, clock))
        ) as http:
            for _unused in range(101):  # 100 are allowed in five minutes, also for unknown tokens
                with pytest.raises(ParticleError) as caught:
                    http.send(Request("DELETE /v1/access_tokens/:token", "revoke", {"token": TOKEN}))
                assert caught.value.code != "rate_limited"
        assert simulator.stats()["throttled"] == http.usage.retries > 0
    assert 250 <= round(http.usage.throttled_seconds, 3) <= 300


def build_budget(requests: int, clock: TurnedClock) -> Budget:
    """Return a budget of so many requests in ten minutes."""
    return Budget(Allowance({EVERY_ROUTE: Limit(requests, 600 - MAX_TRAVEL_SECONDS)}, 1), clock=clock)


def test_wait_for_the_budget_is_counted_separately(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    # max_wait does not limit waits for the budget.
    http = make_client(scripted_cloud.url, budget=build_budget(2, clock), max_wait=1)
    for _unused in range(3):
        send(http)
    assert clock.now == 600
    assert http.usage.as_result() == {
        "requests": 3,
        "writes": 0,
        "retries": 0,
        "throttled_seconds": 0.0,
        "budget_wait_seconds": 600,
    }


def test_retries_count_against_the_budget(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 503).answer("GET", PATH, json={}).answer("GET", PATH, json={})
    http = make_client(scripted_cloud.url, budget=build_budget(2, clock))
    send(http)
    send(http)
    assert clock.now == 600
    assert http.usage.requests == 3


def test_work_ended_during_a_budget_wait_sends_no_more_requests(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    http = make_client(scripted_cloud.url, budget=build_budget(1, clock))
    send(http)

    def end_after_a_minute() -> None:
        if clock.now >= 60:
            raise SystemExit

    http.before_request = end_after_a_minute
    with pytest.raises(SystemExit):
        send(http)
    assert clock.now <= 61
    assert len(scripted_cloud.requests) == http.usage.requests == 1
    assert http.usage.budget_wait_seconds == clock.now


@pytest.mark.parametrize("counter", ["budget_wait_seconds", "throttled_seconds"])
def test_simultaneous_waits_of_threads_are_counted_once(
    scripted_cloud: ScriptedCloud, no_proxies: None, counter: str
) -> None:
    clock, barrier = TurnedClock(), threading.Barrier(4, timeout=10)

    def sleep_together(seconds: float) -> None:
        barrier.wait()
        if threading.current_thread() is threads[0]:
            clock.sleep(100)
        barrier.wait()

    if counter == "throttled_seconds":
        for _unused in range(4):
            scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "1"})
        budget = Budget(Allowance({}))
    else:
        budget = Budget(Allowance({EVERY_ROUTE: Limit(4, 100 - MAX_TRAVEL_SECONDS)}, 1), clock=clock)
        for _unused in range(4):
            budget.take_place(f"GET {PATH}")
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    http = Http(Connection(scripted_cloud.url, timeout=5), budget=budget, clock=Clock(sleep_together, clock))
    threads = [threading.Thread(target=send, args=(http,)) for _unused in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    http.close()
    assert getattr(http.usage, counter) == 100


# Unusual answers


@pytest.mark.parametrize(("status", "body"), [(200, ""), (200, " \n"), (204, ""), (202, "")])
def test_empty_success_returns_no_data(http: Http, scripted_cloud: ScriptedCloud, status: int, body: str) -> None:
    scripted_cloud.answer("PUT", PATH, status, body=body)
    assert send(http, "PUT") is None


@pytest.mark.parametrize("data", [[], {}, None, 0, "word", {"ok": True}, {"ok": None}, [{"ok": False}]])
def test_data_is_returned_unchanged(http: Http, scripted_cloud: ScriptedCloud, data: Any) -> None:
    scripted_cloud.answer("GET", PATH, body=json.dumps(data))
    assert send(http) == data


@pytest.mark.parametrize("method", [*SAFE_METHODS, "POST"])
def test_success_status_with_ok_false_is_a_refusal(http: Http, scripted_cloud: ScriptedCloud, method: str) -> None:
    scripted_cloud.answer(method, PATH, 200, json={"ok": False, "errors": [["Core isn't online", 404]]})
    error = catch_error(http, method)
    assert (error.code, error.status) == ("device_offline", 200)
    assert http.usage.retries == 0


@pytest.mark.parametrize("body", ['{"id": "x', "[", "OK", "[" * 100_000, b"\xff\xfe{"])
def test_invalid_json_is_retried_and_then_a_bad_response(
    http: Http, scripted_cloud: ScriptedCloud, body: str | bytes
) -> None:
    scripted_cloud.answer("GET", PATH, body=body, repeat=True)
    error = catch_error(http)
    assert (error.code, error.status) == ("bad_response", 200)
    assert http.usage.requests == ATTEMPTS


@pytest.mark.parametrize("body", ["", " \n"])
def test_get_with_an_empty_answer_is_retried(http: Http, scripted_cloud: ScriptedCloud, body: str) -> None:
    scripted_cloud.answer("GET", PATH, 200, body=body)
    scripted_cloud.answer("GET", PATH, 200, json=[1])
    assert send(http, "GET") == [1]
    assert http.usage.retries == 1


def test_get_with_status_204_returns_no_data(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, 204, body="")
    assert send(http, "GET") is None


def test_invalid_json_after_a_post_is_ambiguous(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, body='{"id": "x')
    assert catch_error(http, "POST").code == "ambiguous_write"


@pytest.mark.parametrize("method", [*SAFE_METHODS, "POST"])
@pytest.mark.parametrize("status", [200, 403, 404])
def test_web_page_is_not_a_cloud_and_is_not_retried(
    http: Http, scripted_cloud: ScriptedCloud, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status, body="<html>Welcome to the hotel</html>")
    error = catch_error(http, method)
    assert error.code == ("not_a_cloud" if method == "GET" else "ambiguous_write")
    assert "the server that answered is not a Particle cloud" in error.message
    assert http.usage.requests == 1


@pytest.mark.parametrize("status", [408, 429, 502, 504])
def test_web_page_with_a_temporary_status_is_retried(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("GET", PATH, status, body="<html>timed out</html>").answer("GET", PATH, json={})
    assert send(http) == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    with another_cloud() as other:
        scripted_cloud.answer("GET", PATH, status, headers={"Location": f"{other.url}/v1/devices"})
        http.use_token(TOKEN)
        error = catch_error(http)
        assert (error.code, error.status) == ("not_a_cloud", status)
        assert other.requests == []
    assert len(scripted_cloud.requests) == 1


def test_error_text_of_a_private_request_is_withheld(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PUT", PATH, 400, json={"error": "join key k3y is too short"})
    scripted_cloud.answer("PUT", PATH, 200, json={"ok": False, "error": "join key k3y is too short"})
    for _unused in range(2):
        error = catch_error(http, "PUT", json={"key": "k3y"}, private=True)
        assert error.code == "cloud_error"
        assert "k3y" not in error.message


# Credentials and proxies


def test_token_is_sent_in_the_header_only(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PUT", PATH, json={})
    http.use_token(TOKEN)
    send(http, "PUT", json={"name": "y"}, query={"page": "1"})
    (request,) = scripted_cloud.requests
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (request.path, request.query, request.json) == (PATH, {"page": "1"}, {"name": "y"})


def test_basic_authentication_replaces_the_token_for_one_request(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    http.use_token(TOKEN)
    send(http, basic=("jörg@example.com", "pä€ss"))
    send(http)
    basic, bearer = [request.headers["Authorization"] for request in scripted_cloud.requests]
    assert basic == "Basic asO2cmdAZXhhbXBsZS5jb206cMOk4oKsc3M="
    assert bearer == f"Bearer {TOKEN}"


def test_other_token_is_sent_in_one_request_and_not_renewed(http: Http, scripted_cloud: ScriptedCloud) -> None:
    refusal = {"error": "invalid_token", "error_description": "The access token provided is invalid."}
    scripted_cloud.answer("GET", PATH, json={}).answer("GET", PATH, 401, json=refusal).answer("GET", PATH, json={})
    http.use_token(TOKEN)
    http.renew = lambda refused: pytest.fail("the token of the client was renewed")
    send(http, bearer="another")
    with pytest.raises(ParticleError, match="does not accept this access token"):
        send(http, bearer="another")
    send(http)
    sent = [request.headers["Authorization"] for request in scripted_cloud.requests]
    assert sent == ["Bearer another", "Bearer another", f"Bearer {TOKEN}"]


def test_request_without_token_has_no_authorization_header(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json={})
    send(http)
    assert "Authorization" not in scripted_cloud.requests[0].headers


def test_token_is_redacted_in_messages_of_the_cloud(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, 400, json={"error": "odd-token is odd"})
    http.use_token("odd-token")
    assert catch_error(http).message.endswith("(HTTP 400: ******** is odd).")


@pytest.mark.parametrize("token", ["a" * 9000, "a\r\nX-Other: b", "a b", "t\xf6ken", "a\x00b"])
def test_token_that_cannot_be_sent_is_refused_with_its_length(
    http: Http, scripted_cloud: ScriptedCloud, token: str
) -> None:
    http.use_token(token)
    error = catch_error(http)
    assert error.code == "token_invalid"
    assert f"{len(token)} characters" in error.message
    assert token not in error.message + error.hint
    assert scripted_cloud.requests == []


def test_echo_of_the_authorization_header_is_masked(http: Http, scripted_cloud: ScriptedCloud) -> None:
    token = "eyJ" + "".join(f"{number:x}z" for number in range(900))
    echo = f"Malformed header: Bearer {token[:250]}"
    scripted_cloud.answer("GET", PATH, 400, json={"error": echo})
    scripted_cloud.answer("GET", PATH, 400, json={"error": echo.replace(" ", "%20")})
    scripted_cloud.answer("GET", PATH, 400, body=echo, headers={"Content-Type": "text/plain"})
    http.use_token(token)
    for _unused in range(3):
        message = catch_error(http).message
        assert "Malformed" in message
        assert token[:10] not in message


def test_netrc_file_is_ignored(
    http: Http, scripted_cloud: ScriptedCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\ndefault login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    send(http)
    http.use_token(TOKEN)
    send(http)
    before, after = scripted_cloud.requests
    assert "Authorization" not in before.headers
    assert after.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_proxy_of_the_environment_is_used(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", scripted_cloud.url)
    scripted_cloud.answer("GET", PATH, json={"by": "proxy"})
    assert send(make_client("http://cloud.invalid")) == {"by": "proxy"}


def test_host_in_no_proxy_is_reached_directly(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    scripted_cloud.answer("GET", PATH, json={"by": "cloud"})
    assert send(make_client(scripted_cloud.url)) == {"by": "cloud"}


def test_proxies_are_read_from_the_given_environment_only(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    scripted_cloud.answer("GET", PATH, json={"by": "proxy"}).answer("GET", PATH, json={"by": "cloud"})
    assert send(make_client("http://cloud.invalid", environment={"http_proxy": scripted_cloud.url})) == {"by": "proxy"}
    assert send(make_client(scripted_cloud.url, environment={})) == {"by": "cloud"}


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"http_proxy": "http://p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://p:2"}, "http://p:1"),
        ({"http_proxy": "", "HTTP_PROXY": "http://p:2"}, None),
        ({"https_proxy": "http://p:1"}, None),
        ({"all_proxy": "http://p:1"}, "http://p:1"),
        ({"ALL_PROXY": "http://p:2", "http_proxy": "http://p:1"}, "http://p:1"),
    ],
)
def test_proxy_is_read_from_the_usual_variables(environment: dict[str, str], proxy: str | None) -> None:
    found = find_proxy("http://cloud.example.com", environment)
    assert (None if found is None else found.url) == proxy


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http://:3128",
        "http://proxy:port",
        "http://[::1",
        "ftp://proxy:21",
        "://",
        "http://a b:1",
        "http://p:0",
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_invalid_proxy_variable_is_named_before_the_first_request(
    make_client: Callable[..., Http], variable: str, value: str
) -> None:
    error = catch_error(http := make_client("http://cloud.invalid", environment={variable: value}), "POST")
    assert error.code == "invalid_option"
    assert error.message == f"The variable {variable} does not contain a valid URL of a proxy."
    assert error.hint.startswith(f"Correct {variable}")
    assert http.usage.requests == 0


def test_invalid_proxy_variable_for_another_scheme_is_ignored(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", PATH, json={})
    assert send(make_client(scripted_cloud.url, environment={"https_proxy": "ftp://"})) == {}


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "SOCKS5"])
def test_socks_proxy_without_pysocks_is_named(
    make_client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    error = catch_error(make_client("http://cloud.invalid", environment={"all_proxy": f"{scheme}://user:pw@p:1080"}))
    assert error.code == "invalid_option"
    assert "all_proxy names a SOCKS proxy" in error.message
    assert "Install PySocks" in error.hint
    assert "pw" not in error.message + error.hint


@pytest.mark.parametrize("login", ["", "jo:s3cret@"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_requires_a_password_is_named_and_not_retried(
    make_client: Callable[..., Http], scripted_cloud: ScriptedCloud, scheme: str, login: str
) -> None:
    answer = {"body": "<html>Please log in</html>", "headers": {"Proxy-Authenticate": "Basic"}}
    scripted_cloud.answer("POST", PATH, 407, **answer)
    scripted_cloud.answer("CONNECT", "443", 407, **answer)  # the "path" of cloud.invalid:443
    proxy = scripted_cloud.url.replace("http://", f"http://{login}")
    http = make_client(f"{scheme}://cloud.invalid", environment={f"{scheme}_proxy": proxy})
    error = catch_error(http, "POST")
    assert (error.code, error.status) == ("unreachable", 407)
    assert "proxy" in error.message
    assert ("does not accept the username" if login else "requires a username") in error.message
    assert f"{scheme}_proxy" in error.hint
    assert "s3cret" not in error.message + error.hint
    assert len(scripted_cloud.requests) == 1


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize(
    ("url", "exceptions", "direct"),
    [
        ("http://cloud.example.com", "example.com", True),
        ("http://cloud.example.com", "other.org, .Example.com", True),
        ("http://cloud.example.com", "*", True),
        ("http://cloud.example.com:8080", "cloud.example.com:8080", True),
        ("http://cloud.example.com:8080", "cloud.example.com:9090", False),
        ("http://cloud.example.com", "ample.com", False),
        ("http://cloud.example.com", "", False),
        ("http://10.1.2.3:8080", "10.0.0.0/8", True),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://cloud.example.com", "10.0.0.0/8", False),
        ("http://10.1.2.3", "nonsense/8", False),
        ("http://[::1]:8080", "::1", True),
        ("http://[::1]:8080", "[::1]", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://[::1]:8080", "[::2]", False),
        ("http://[fd00::1]", "fd00::/8", True),
    ],
)
def test_no_proxy_variable_excludes_hosts(name: str, url: str, exceptions: str, direct: bool) -> None:
    environment = {"http_proxy": "http://p:1", name: exceptions}
    assert (find_proxy(url, environment) is None) is direct


# Paths and host names


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("plain-id_1.2~", "plain-id_1.2~"),
        ("a/b", "a%2Fb"),
        ("../users", "..%2Fusers"),
        ("...", "..."),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("a%2Fb", "a%252Fb"),
        ("two words", "two%20words"),
        ("naïve €", "na%C3%AFve%20%E2%82%AC"),
        ("a\\b;c:d@e", "a%5Cb%3Bc%3Ad%40e"),
        (31337, "31337"),
    ],
)
def test_value_is_escaped_into_one_segment_of_the_path(
    http: Http, scripted_cloud: ScriptedCloud, value: object, segment: str
) -> None:
    scripted_cloud.answer("GET", f"/v1/products/{segment}/devices", json=[])
    http.send(Request("GET /v1/products/:p/devices", "list", {"p": value}))
    assert scripted_cloud.requests[0].path == f"/v1/products/{segment}/devices"


@pytest.mark.parametrize("value", ["", ".", ".."])
@pytest.mark.parametrize("route", ["DELETE /v1/access_tokens/:id", "GET /v1/products/:id/devices"])
def test_value_that_would_change_the_path_is_not_sent(
    http: Http, scripted_cloud: ScriptedCloud, route: str, value: str
) -> None:
    with pytest.raises(ParticleError, match="no request was sent") as caught:
        http.send(Request(route, "revoke", {"id": value}))
    assert caught.value.code == "not_found"
    assert scripted_cloud.requests == []


@pytest.mark.parametrize(
    "place", [{"path_params": {"id": "caf\udce9"}}, {"query": {"name": "\ud800"}}, {"form": {"name": "caf\udce9"}}]
)
def test_value_that_cannot_be_encoded_is_not_sent(
    http: Http, scripted_cloud: ScriptedCloud, place: dict[str, dict[str, str]]
) -> None:
    route = "PUT /v1/devices/:id" if "path_params" in place else "POST /v1/devices"
    with pytest.raises(ParticleError, match="No request was sent") as caught:
        http.send(Request(route, "rename device", **place))  # type: ignore[arg-type]
    (values,) = place.values()
    (name,) = values
    assert caught.value.code == "invalid_option"
    assert f"the value of {name} contains half of a surrogate pair" in caught.value.message
    assert scripted_cloud.requests == []


def test_api_url_may_contain_a_path(make_client: Callable[..., Http], scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", f"/particle{PATH}", json={})
    assert send(make_client(f"{scripted_cloud.url}/particle")) == {}


def test_invalid_host_name_is_not_a_cloud(make_client: Callable[..., Http]) -> None:
    assert catch_error(make_client("http://.example.com")).code == "not_a_cloud"


# Connections and threads


def test_a_hundred_requests_share_one_connection(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    for _unused in range(100):
        send(http)
    assert scripted_cloud.connections == 1


def test_connection_is_reused_after_a_refusal(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, 404, json={"error": "No"}, repeat=True)
    for _unused in range(10):
        assert catch_error(http).code == "not_found"
    assert scripted_cloud.connections == 1


def test_sixteen_workers_use_at_most_sixteen_connections(http: Http, scripted_cloud: ScriptedCloud) -> None:
    for number in range(400):
        path = f"/v1/devices/{number}"
        if number % 10 == 0:
            scripted_cloud.answer("PUT", path, 503)
        scripted_cloud.answer("PUT", path, json={"number": number})

    def rename(number: int) -> int:
        route = "PUT /v1/devices/:id"
        return int(http.send(Request(route, "rename", {"id": number}, json={"name": str(number)})).data["number"])

    http.use_token(TOKEN)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(rename, range(400))) == list(range(400))
    assert read_usage(http) == (440, 440, 40)
    assert len(scripted_cloud.requests) == 440
    assert scripted_cloud.connections <= 16
    assert {request.headers["Authorization"] for request in scripted_cloud.requests} == {f"Bearer {TOKEN}"}
    assert all(request.path == f"/v1/devices/{request.json['name']}" for request in scripted_cloud.requests)


def test_more_threads_than_workers_share_the_connections(scripted_cloud: ScriptedCloud, no_proxies: None) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    with closing(Http(Connection(scripted_cloud.url), workers=2)) as http, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _unused: send(http), range(100)))
    assert scripted_cloud.connections <= 2
