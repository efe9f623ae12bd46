# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""One conversation with one cloud: what is repeated, what is not, and what it costs."""

from __future__ import annotations

import email.utils
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from turned_clock import TurnedClock, conversation

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
from ansible_collections.meshfleet.particle.plugins.module_utils._http.proxies import find_proxies
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry
from support.scripted import ScriptedCloud
from support.scripted import scripted_cloud as another_cloud
from support.simulator import running_simulator

TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"
PATH = "/v1/devices/x"
ATTEMPTS = 5
SAFE = ["GET", "PUT", "DELETE"]
PASSING = [408, 500, 502, 503, 504]
TOO_FAST = [429, 529]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, and on which nobody else can start to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def talk(clock: TurnedClock, no_proxies: None) -> Iterator[Callable[..., Http]]:
    """Makes conversations, and ends them with the test."""
    made: list[Http] = []

    def make(api_url: str, **options: Any) -> Http:
        made.append(conversation(api_url, clock, **options))
        return made[-1]

    yield make
    for http in made:
        http.close()


def send(http: Http, method: str = "GET", **arguments: Any) -> Any:
    """One call to one device; gives back what it said."""
    return http.send(Request(f"{method} /v1/devices/:id", "test device x", {"id": "x"}, **arguments)).data


def failure_of(http: Http, method: str = "GET", **arguments: Any) -> ParticleError:
    with pytest.raises(ParticleError) as caught:
        send(http, method, **arguments)
    return caught.value


def pauses_of(clock: TurnedClock) -> list[float]:
    """What was slept between two requests each, which is done in naps: the last of them is no whole second."""
    pauses = [0.0]
    for nap in clock.slept:
        pauses[-1] += nap
        if nap != 1:
            pauses.append(0.0)
    return [pause for pause in pauses if pause]


def costs(http: Http) -> tuple[int, int, int]:
    return http.usage.requests, http.usage.writes, http.usage.retries


# What is repeated


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("status", PASSING + TOO_FAST)
def test_what_may_be_sent_twice_is_repeated_after_a_passing_failure(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status).answer(method, PATH, status).answer(method, PATH, json={"ok": True})
    assert send(http, method) == {"ok": True}
    assert costs(http) == (3, 0 if method == "GET" else 3, 2)
    assert len(pauses_of(clock)) == 2


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("effect", ["reset", "truncate"])
def test_what_may_be_sent_twice_is_repeated_after_a_broken_connection(
    http: Http, scripted_cloud: ScriptedCloud, method: str, effect: Any
) -> None:
    scripted_cloud.answer(method, PATH, json={"name": "x"}, effect=effect).answer(method, PATH, json={"name": "x"})
    assert send(http, method) == {"name": "x"}
    assert http.usage.retries == 1


@pytest.mark.parametrize("method", SAFE)
def test_what_may_be_sent_twice_is_repeated_after_silence(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, method: str
) -> None:
    scripted_cloud.answer(method, PATH, effect="hang").answer(method, PATH, json={"name": "x"})
    assert send(talk(scripted_cloud.url, timeout=0.05), method) == {"name": "x"}


def test_silence_that_lasts_is_told_as_such(talk: Callable[..., Http], scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, effect="hang", repeat=True)
    error = failure_of(talk(scripted_cloud.url, timeout=0.05))
    assert error.code == "unreachable"
    assert error.message.endswith("did not answer within 0.05 seconds.")
    assert len(scripted_cloud.requests) == ATTEMPTS


@pytest.mark.parametrize("method", [*SAFE, "POST"])
def test_a_refused_connection_is_tried_again_by_every_method_because_nothing_was_sent(
    talk: Callable[..., Http], closed_port: int, method: str
) -> None:
    http = talk(f"http://127.0.0.1:{closed_port}")
    error = failure_of(http, method)
    assert (error.code, error.status) == ("unreachable", None)
    assert error.message == f"Could not test device x: no connection to 127.0.0.1:{closed_port}."
    assert costs(http)[::2] == (ATTEMPTS, ATTEMPTS - 1)


def test_a_proxy_that_is_down_has_sent_nothing_on_either(
    talk: Callable[..., Http], closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    http = talk("http://cloud.invalid")
    error = failure_of(http, "POST")
    assert error.code == "unreachable"
    assert (
        error.message == "Could not test device x: the proxy cannot be reached, or does not connect to cloud.invalid."
    )
    assert http.usage.requests == ATTEMPTS


@pytest.mark.parametrize("status", TOO_FAST)
def test_a_post_is_repeated_when_it_was_refused_for_being_too_fast(
    http: Http, scripted_cloud: ScriptedCloud, status: int
) -> None:
    scripted_cloud.answer("POST", PATH, status).answer("POST", PATH, 201, json={"id": "x"})
    assert send(http, "POST", json={"id": "x"}) == {"id": "x"}
    assert [request.json for request in scripted_cloud.requests] == [{"id": "x"}] * 2
    assert costs(http) == (2, 2, 1)


def test_a_file_is_sent_whole_each_time(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, 429).answer("POST", PATH, json={})
    send(http, "POST", file=b"e00f\ne00e\n")
    for request in scripted_cloud.requests:
        assert request.headers["Content-Type"].startswith("multipart/form-data")
        assert b'name="file"' in request.body
        assert b"e00f\ne00e\n" in request.body


def test_a_failure_that_stays_ends_after_five_attempts_with_what_was_said(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 503, json={"error": "Down for repair"}, repeat=True)
    error = failure_of(http)
    assert (error.code, error.status) == ("cloud_error", 503)
    assert "Down for repair" in error.message
    assert costs(http) == (ATTEMPTS, 0, ATTEMPTS - 1)
    assert http.usage.throttled_seconds == 0


def test_pauses_grow_and_differ(http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    scripted_cloud.answer("GET", PATH, 503, repeat=True)
    failure_of(http)
    failure_of(http)
    pauses = pauses_of(clock)
    assert all(2**n / 4 <= pause <= 2**n / 2 for n, pause in zip([1, 2, 3, 4] * 2, pauses, strict=True))
    assert pauses[:4] != pauses[4:]


# What is not


@pytest.mark.parametrize("status", PASSING)
def test_a_post_that_may_have_taken_effect_is_ambiguous_and_not_repeated(
    http: Http, scripted_cloud: ScriptedCloud, status: int
) -> None:
    scripted_cloud.answer("POST", PATH, status, json={"error": "Oops"}, headers={"Retry-After": "1"})
    error = failure_of(http, "POST")
    assert (error.code, error.status) == ("ambiguous_write", status)
    assert error.message.startswith("It is not known whether the attempt to test device x took effect: ")
    assert costs(http) == (1, 1, 0)


@pytest.mark.parametrize("effect", ["reset", "truncate", "hang"])
def test_a_post_whose_answer_is_lost_is_ambiguous_and_not_repeated(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, effect: Any
) -> None:
    scripted_cloud.answer("POST", PATH, json={"id": "x"}, effect=effect)
    http = talk(scripted_cloud.url, timeout=0.2)
    assert failure_of(http, "POST").code == "ambiguous_write"
    assert costs(http) == (1, 1, 0)


def test_a_post_that_writes_nothing_fails_as_it_failed(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, effect="reset")
    assert failure_of(http, "POST", writes=False).code == "unreachable"
    assert costs(http) == (1, 0, 0)


@pytest.mark.parametrize("status", PASSING + TOO_FAST)
def test_what_must_never_be_repeated_is_sent_once(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("GET", PATH, status)
    assert failure_of(http, retry=Retry.NEVER).status == status
    assert costs(http) == (1, 0, 0)


def test_a_write_that_is_safe_to_repeat_may_say_so(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, 503).answer("POST", PATH, json={})
    send(http, "POST", retry=Retry.SAFE)
    assert costs(http) == (2, 2, 1)


@pytest.mark.parametrize("method", [*SAFE, "POST"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 501])
def test_a_plain_refusal_is_final(http: Http, scripted_cloud: ScriptedCloud, method: str, status: int) -> None:
    scripted_cloud.answer(method, PATH, status, json={"error": "No"})
    error = failure_of(http, method)
    assert (error.status, error.route) == (status, f"{method} /v1/devices/:id")
    assert costs(http) == (1, 0 if method == "GET" else 1, 0)


# When the cloud asks to wait


def in_seconds(seconds: float, clock: TurnedClock) -> str:
    """A date that lies ahead, as in the headers of HTTP."""
    return email.utils.formatdate(clock.now + seconds, usegmt=True)


@pytest.mark.parametrize("status", [503, *TOO_FAST])
def test_the_cloud_says_for_how_long_to_wait(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, status: int
) -> None:
    scripted_cloud.answer("GET", PATH, status, headers={"Retry-After": "120"}).answer("GET", PATH, json={})
    send(http)
    assert sum(clock.slept) == 120
    assert http.usage.throttled_seconds == 120


def test_the_cloud_may_say_until_when_to_wait(http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": in_seconds(120, clock)})
    scripted_cloud.answer("GET", PATH, json={})
    send(http)
    assert sum(clock.slept) == 120


def test_a_moment_that_has_passed_is_no_wait(http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": in_seconds(-60, clock)})
    scripted_cloud.answer("GET", PATH, json={})
    send(http)
    assert sum(clock.slept) == 0
    assert http.usage.retries == 1


@pytest.mark.parametrize(
    "header", ["", "soon", "-1", "1.5", "\xb2", "Wed, 99 Foo 2026", "Wed, 01 Jan 99999 00:00:00 GMT"]
)
def test_a_wait_that_nobody_can_read_is_ours_to_choose(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, header: str
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": header}).answer("GET", PATH, json={})
    send(http)
    (slept,) = clock.slept
    assert 0.5 <= slept <= 1
    assert http.usage.throttled_seconds == slept


@pytest.mark.parametrize("method", SAFE)
@pytest.mark.parametrize("status", [500, 503, *TOO_FAST])
@pytest.mark.parametrize("dated", [False, True])
def test_a_wait_longer_than_the_longest_that_was_allowed_ends_the_call_at_once(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, method: str, status: int, dated: bool
) -> None:
    header = in_seconds(3600, clock) if dated else "301"
    scripted_cloud.answer(method, PATH, status, headers={"Retry-After": header})
    error = failure_of(http, method)
    assert (error.code, error.status) == ("rate_limited", status)
    assert "but max_wait allows 300" in error.message
    assert clock.slept == []
    assert http.usage.throttled_seconds == 0


def test_the_longest_wait_is_an_option(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "900"}).answer("GET", PATH, json={})
    send(talk(scripted_cloud.url, max_wait=900))
    assert sum(clock.slept) == 900


def test_no_pause_of_ours_is_longer_either_and_only_what_was_waited_is_counted(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, repeat=True)
    http = talk(scripted_cloud.url, max_wait=0.25)
    assert failure_of(http).code == "rate_limited"
    assert clock.slept == [0.25]
    assert http.usage.throttled_seconds == 0.25


@pytest.mark.parametrize("method", [*SAFE, "POST"])
@pytest.mark.parametrize("status", TOO_FAST)
def test_a_busy_cloud_that_names_no_time_is_asked_again_until_the_longest_wait_is_over(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status, json={"error": "Too many"}, repeat=True)
    error = failure_of(http, method)
    assert (error.code, error.status) == ("rate_limited", status)
    assert sum(clock.slept) == pytest.approx(300)
    assert http.usage.throttled_seconds == pytest.approx(300)
    pauses = pauses_of(clock)
    assert http.usage.retries == len(pauses) == len(scripted_cloud.requests) - 1
    assert all(2**n / 4 <= pause <= 2**n / 2 for n, pause in enumerate(pauses[:5], start=1))
    assert all(15 <= pause <= 30 for pause in pauses[6:-1])
    assert len(set(pauses)) == len(pauses)


def test_a_busy_cloud_is_waited_for_longer_than_a_broken_one(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    for _unused in range(2 * ATTEMPTS):
        scripted_cloud.answer("GET", PATH, 429)
    scripted_cloud.answer("GET", PATH, json={})
    assert send(http) == {}
    assert len(pauses_of(clock)) == 2 * ATTEMPTS


@pytest.mark.parametrize("status", TOO_FAST)
def test_who_is_told_to_wait_and_does_has_not_failed_however_often(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock, status: int
) -> None:
    for _unused in range(2 * ATTEMPTS):
        scripted_cloud.answer("PUT", PATH, status, headers={"Retry-After": "30"})
    scripted_cloud.answer("PUT", PATH, json={})
    assert send(http, "PUT") == {}
    assert sum(clock.slept) == http.usage.throttled_seconds == 2 * ATTEMPTS * 30


def test_all_that_one_request_is_made_to_wait_is_bounded_and_told(
    http: Http, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "40"}, repeat=True)
    error = failure_of(http)
    assert (error.code, error.status) == ("rate_limited", 429)
    assert "still exceeded after 280 seconds" in error.message
    assert "max_wait allows 300" in error.message
    assert sum(clock.slept) == 280


def test_work_that_is_ended_while_the_cloud_has_it_wait_sends_no_more(
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


def test_a_cloud_that_always_says_to_come_at_once_is_not_asked_for_ever(
    http: Http, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", PATH, 429, headers={"Retry-After": "0"}, repeat=True)
    assert failure_of(http).code == "rate_limited"
    assert len(scripted_cloud.requests) == ATTEMPTS


def test_a_limit_of_the_cloud_is_waited_for_until_its_window_has_passed(no_proxies: None) -> None:
    with running_simulator("--limits", "documented") as simulator:
        address = f"{simulator.url}/_simulator/clock"
        clock = TurnedClock()

        def turn(seconds: float) -> None:
            requests.post(address, json={"advance": seconds}, timeout=10).raise_for_status()
            clock.sleep(seconds)

        with closing(Http(Connection(simulator.url), budget=Budget(Allowance({})), clock=Clock(turn, clock))) as http:
            for _unused in range(101):  # a hundred are allowed in five minutes, be there such a token or not
                with pytest.raises(ParticleError) as caught:
                    http.send(Request("DELETE /v1/access_tokens/:token", "revoke", {"token": TOKEN}))
                assert caught.value.code != "rate_limited"
        assert simulator.stats()["throttled"] == http.usage.retries > 0
    assert 250 <= round(http.usage.throttled_seconds, 3) <= 300


def budget_of(requests: int, clock: TurnedClock) -> Budget:
    """So many requests in ten minutes."""
    return Budget(Allowance({EVERY_ROUTE: Limit(requests, 600 - MAX_TRAVEL_SECONDS)}, 1), clock=clock)


def test_the_wait_for_our_own_budget_is_counted_apart(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    http = talk(scripted_cloud.url, budget=budget_of(2, clock), max_wait=1)  # which is about the cloud's wishes alone
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


def test_attempts_count_against_the_budget_like_any_request(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, 503).answer("GET", PATH, json={}).answer("GET", PATH, json={})
    http = talk(scripted_cloud.url, budget=budget_of(2, clock))
    send(http)
    send(http)
    assert clock.now == 600
    assert http.usage.requests == 3


def test_work_that_is_ended_while_it_waits_for_the_budget_sends_no_more(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    http = talk(scripted_cloud.url, budget=budget_of(1, clock))
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


@pytest.mark.parametrize("kind", ["budget_wait_seconds", "throttled_seconds"])
def test_what_many_threads_wait_at_once_is_waited_once(
    scripted_cloud: ScriptedCloud, no_proxies: None, kind: str
) -> None:
    clock, all_wait = TurnedClock(), threading.Barrier(4, timeout=10)

    def sleep_together(seconds: float) -> None:
        all_wait.wait()
        if threading.current_thread() is threads[0]:
            clock.sleep(100)
        all_wait.wait()

    if kind == "throttled_seconds":
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
    assert getattr(http.usage, kind) == 100


# Odd answers


@pytest.mark.parametrize(("status", "body"), [(200, ""), (200, " \n"), (204, ""), (202, "")])
def test_an_empty_success_is_a_success(http: Http, scripted_cloud: ScriptedCloud, status: int, body: str) -> None:
    scripted_cloud.answer("PUT", PATH, status, body=body)
    assert send(http, "PUT") is None


@pytest.mark.parametrize("data", [[], {}, None, 0, "word", {"ok": True}, {"ok": None}, [{"ok": False}]])
def test_data_is_given_back_as_it_is(http: Http, scripted_cloud: ScriptedCloud, data: Any) -> None:
    scripted_cloud.answer("GET", PATH, body=json.dumps(data))
    assert send(http) == data


@pytest.mark.parametrize("method", [*SAFE, "POST"])
def test_a_success_that_says_it_is_none_is_a_refusal(http: Http, scripted_cloud: ScriptedCloud, method: str) -> None:
    scripted_cloud.answer(method, PATH, 200, json={"ok": False, "errors": [["Core isn't online", 404]]})
    error = failure_of(http, method)
    assert (error.code, error.status) == ("device_offline", 200)
    assert http.usage.retries == 0


@pytest.mark.parametrize("body", ['{"id": "x', "[", "OK", "[" * 100_000, b"\xff\xfe{"])
def test_a_garbled_success_is_asked_for_again_and_then_a_bad_response(
    http: Http, scripted_cloud: ScriptedCloud, body: str | bytes
) -> None:
    scripted_cloud.answer("GET", PATH, body=body, repeat=True)
    error = failure_of(http)
    assert (error.code, error.status) == ("bad_response", 200)
    assert http.usage.requests == ATTEMPTS


@pytest.mark.parametrize("body", ["", " \n"])
def test_a_question_that_is_answered_by_nothing_is_asked_again(
    http: Http, scripted_cloud: ScriptedCloud, body: str
) -> None:
    scripted_cloud.answer("GET", PATH, 200, body=body)
    scripted_cloud.answer("GET", PATH, 200, json=[1])
    assert send(http, "GET") == [1]
    assert http.usage.retries == 1


def test_a_question_whose_answer_is_that_there_is_nothing_is_answered(
    http: Http, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", PATH, 204, body="")
    assert send(http, "GET") is None


def test_a_garbled_success_of_a_post_is_ambiguous(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", PATH, body='{"id": "x')
    assert failure_of(http, "POST").code == "ambiguous_write"


@pytest.mark.parametrize("method", [*SAFE, "POST"])
@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_web_page_is_not_a_cloud_and_not_asked_again(
    http: Http, scripted_cloud: ScriptedCloud, method: str, status: int
) -> None:
    scripted_cloud.answer(method, PATH, status, body="<html>Welcome to the hotel</html>")
    assert failure_of(http, method).code == "not_a_cloud"
    assert http.usage.requests == 1


@pytest.mark.parametrize("status", [408, 429, 502, 504])
def test_the_page_of_a_busy_gateway_is_a_passing_failure(
    http: Http, scripted_cloud: ScriptedCloud, status: int
) -> None:
    scripted_cloud.answer("GET", PATH, status, body="<html>timed out</html>").answer("GET", PATH, json={})
    assert send(http) == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_token_goes_nowhere(
    http: Http, scripted_cloud: ScriptedCloud, status: int
) -> None:
    with another_cloud() as elsewhere:
        scripted_cloud.answer("GET", PATH, status, headers={"Location": f"{elsewhere.url}/v1/devices"})
        http.use_token(TOKEN)
        error = failure_of(http)
        assert (error.code, error.status) == ("not_a_cloud", status)
        assert elsewhere.requests == []
    assert len(scripted_cloud.requests) == 1


def test_words_that_may_hold_what_was_sent_are_kept_back(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PUT", PATH, 400, json={"error": "join key k3y is too short"})
    scripted_cloud.answer("PUT", PATH, 200, json={"ok": False, "error": "join key k3y is too short"})
    for _unused in range(2):
        error = failure_of(http, "PUT", json={"key": "k3y"}, private=True)
        assert error.code == "cloud_error"
        assert "k3y" not in error.message


# Credentials on the way


def test_the_token_travels_in_the_header_and_never_in_the_address(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PUT", PATH, json={})
    http.use_token(TOKEN)
    send(http, "PUT", json={"name": "y"}, query={"page": "1"})
    (request,) = scripted_cloud.requests
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (request.path, request.query, request.json) == (PATH, {"page": "1"}, {"name": "y"})


def test_an_account_replaces_the_token_for_one_request(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    http.use_token(TOKEN)
    send(http, basic=("jörg@example.com", "pä€ss"))
    send(http)
    basic, bearer = [request.headers["Authorization"] for request in scripted_cloud.requests]
    assert basic == "Basic asO2cmdAZXhhbXBsZS5jb206cMOk4oKsc3M="
    assert bearer == f"Bearer {TOKEN}"


def test_without_a_token_nothing_is_sent_as_one(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json={})
    send(http)
    assert "Authorization" not in scripted_cloud.requests[0].headers


def test_a_token_in_use_is_hidden_in_what_the_cloud_says(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, 400, json={"error": "odd-token is odd"})
    http.use_token("odd-token")
    assert failure_of(http).message.endswith("(HTTP 400: ******** is odd).")


def test_a_netrc_file_changes_nothing(
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
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", scripted_cloud.url)
    scripted_cloud.answer("GET", PATH, json={"by": "proxy"})
    assert send(talk("http://cloud.invalid")) == {"by": "proxy"}


def test_a_host_without_proxy_is_reached_directly(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    scripted_cloud.answer("GET", PATH, json={"by": "cloud"})
    assert send(talk(scripted_cloud.url)) == {"by": "cloud"}


def test_proxies_come_from_the_environment_that_is_given_and_no_other(
    talk: Callable[..., Http], scripted_cloud: ScriptedCloud, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    scripted_cloud.answer("GET", PATH, json={"by": "proxy"}).answer("GET", PATH, json={"by": "cloud"})
    assert send(talk("http://cloud.invalid", environment={"http_proxy": scripted_cloud.url})) == {"by": "proxy"}
    assert send(talk(scripted_cloud.url, environment={})) == {"by": "cloud"}


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
def test_a_proxy_is_named_in_the_usual_ways(environment: dict[str, str], proxy: str | None) -> None:
    url = "http://cloud.example.com"
    assert requests.utils.select_proxy(url, find_proxies(url, environment)) == proxy


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
        ("http://[fd00::1]", "fd00::/8", True),
    ],
)
def test_a_host_is_excepted_in_the_usual_ways(name: str, url: str, exceptions: str, direct: bool) -> None:
    environment = {"http_proxy": "http://p:1", name: exceptions}
    assert (find_proxies(url, environment) == {}) is direct


# Addresses


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
def test_a_value_stays_one_segment_of_the_path(
    http: Http, scripted_cloud: ScriptedCloud, value: object, segment: str
) -> None:
    scripted_cloud.answer("GET", f"/v1/products/{segment}/devices", json=[])
    http.send(Request("GET /v1/products/:p/devices", "list", {"p": value}))
    assert scripted_cloud.requests[0].path == f"/v1/products/{segment}/devices"


@pytest.mark.parametrize("value", ["", ".", ".."])
@pytest.mark.parametrize("route", ["DELETE /v1/access_tokens/:id", "GET /v1/products/:id/devices"])
def test_a_value_that_would_lead_to_another_path_is_not_sent(
    http: Http, scripted_cloud: ScriptedCloud, route: str, value: str
) -> None:
    with pytest.raises(ParticleError, match="no request was sent") as caught:
        http.send(Request(route, "revoke", {"id": value}))
    assert caught.value.code == "not_found"
    assert scripted_cloud.requests == []


def test_an_address_may_have_a_path_of_its_own(talk: Callable[..., Http], scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", f"/particle{PATH}", json={})
    assert send(talk(f"{scripted_cloud.url}/particle")) == {}


def test_a_host_that_cannot_be_one_is_not_a_cloud(talk: Callable[..., Http]) -> None:
    assert failure_of(talk("http://.example.com")).code == "not_a_cloud"


# Connections and threads


def test_a_hundred_requests_share_one_connection(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    for _unused in range(100):
        send(http)
    assert scripted_cloud.connections == 1


def test_a_refusal_does_not_cost_the_connection(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", PATH, 404, json={"error": "No"}, repeat=True)
    for _unused in range(10):
        assert failure_of(http).code == "not_found"
    assert scripted_cloud.connections == 1


def test_sixteen_workers_share_sixteen_connections_and_every_request_is_counted(
    http: Http, scripted_cloud: ScriptedCloud
) -> None:
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
    assert costs(http) == (440, 440, 40)
    assert len(scripted_cloud.requests) == 440
    assert scripted_cloud.connections <= 16
    assert {request.headers["Authorization"] for request in scripted_cloud.requests} == {f"Bearer {TOKEN}"}
    assert all(request.path == f"/v1/devices/{request.json['name']}" for request in scripted_cloud.requests)


def test_more_threads_than_connections_take_turns(scripted_cloud: ScriptedCloud, no_proxies: None) -> None:
    scripted_cloud.answer("GET", PATH, json={}, repeat=True)
    with closing(Http(Connection(scripted_cloud.url), workers=2)) as http, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _unused: send(http), range(100)))
    assert scripted_cloud.connections <= 2
