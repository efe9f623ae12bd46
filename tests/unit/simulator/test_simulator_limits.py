# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The lock-out after refused logins, and the documented limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
import requests
from simulator_client import CODED, DEMO, OTHER, TIMEOUT_SECONDS, Cloud, User

WRONG = (DEMO[0], "wrong")
TOO_MANY = {"error": "rate_limit_exceeded"}
FIVE_MINUTES = 301
HALF_AN_HOUR = 1801


@pytest.fixture
def limited(cloud_with: Callable[..., Cloud]) -> Cloud:
    """A cloud in which the documented limits hold."""
    return cloud_with("--limits", "documented")


def statuses(cloud: Cloud, count: int, method: str, path: str, **options: object) -> list[int]:
    return [cloud.call(method, path, **options).status_code for _unused in range(count)]


def is_throttled(answer: requests.Response) -> bool:
    return (answer.status_code, answer.json()) == (429, TOO_MANY)


# ---------------------------------------------------------------------- the lock-out, limits or no limits


def test_given_ten_refused_logins_then_even_the_right_password_is_locked_out(cloud: Cloud) -> None:
    assert [cloud.ask_token(WRONG).status_code for _unused in range(10)] == [400] * 10
    assert is_throttled(cloud.ask_token())
    stats = cloud.stats()
    assert (stats["refusals"], stats["throttled"], stats["grants"]) == (10, 1, 0)


def test_given_a_lock_out_then_it_ends_after_half_an_hour(cloud: Cloud) -> None:
    for _unused in range(10):
        cloud.ask_token(WRONG)
    cloud.advance(HALF_AN_HOUR - 60)
    assert is_throttled(cloud.ask_token())
    cloud.advance(60)
    assert cloud.ask_token().status_code == 200


def test_given_a_lock_out_then_tokens_that_exist_still_work(cloud: Cloud, demo: User) -> None:
    for _unused in range(10):
        cloud.ask_token(WRONG)
    assert demo.call("GET", "/v1/user").status_code == 200


def test_given_a_success_then_the_refusals_are_counted_from_nothing(cloud: Cloud) -> None:
    for _unused in range(2):
        for _unused in range(9):
            cloud.ask_token(WRONG)
        assert cloud.ask_token().status_code == 200


@pytest.mark.parametrize("form", [{"client_secret": "wrong"}, {"grant_type": "magic"}, {"username": None}])
def test_given_any_kind_of_refused_token_request_then_it_counts(cloud: Cloud, form: dict[str, str | None]) -> None:
    for _unused in range(10):
        assert cloud.ask_token(**form).status_code == 400
    assert is_throttled(cloud.ask_token())


def test_given_questions_for_a_code_then_they_are_no_refusals(cloud: Cloud) -> None:
    for _unused in range(12):
        assert cloud.ask_token(CODED).status_code == 403
    assert cloud.ask_token().status_code == 200


def test_given_faults_at_the_token_route_then_they_are_no_refusals(cloud: Cloud) -> None:
    cloud.break_route("POST /oauth/token", "status", times=12, status=503)
    for _unused in range(12):
        assert cloud.ask_token().status_code == 503
    assert cloud.ask_token().status_code == 200


def test_given_another_address_then_it_is_not_locked_out(cloud: Cloud) -> None:
    for _unused in range(10):
        cloud.ask_token(WRONG)
    elsewhere = Cloud(cloud.base)
    elsewhere.http.mount("http://", FromAddress("127.0.0.2"))
    assert elsewhere.ask_token().status_code == 200


class FromAddress(requests.adapters.HTTPAdapter):
    """Sends from another address of the loopback network."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        kwargs["source_address"] = (self._address, 0)
        super().init_poolmanager(*args, **kwargs)  # type: ignore[no-untyped-call]


# ---------------------------------------------------------------------- the documented limits


def test_given_no_limits_then_nothing_is_throttled(cloud: Cloud) -> None:
    assert set(statuses(cloud, 150, "DELETE", "/v1/access_tokens/nope")) == {401}


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("DELETE", "/v1/access_tokens/nope", 401),
        ("GET", "/v1/access_tokens", 404),
        ("POST", "/v1/users", 400),
        ("DELETE", "/v1/user", 400),
        ("POST", "/v1/user/password-reset", 400),
    ],
)
def test_given_a_hundred_requests_to_a_guarded_route_then_the_next_waits_five_minutes(
    limited: Cloud, method: str, path: str, answer: int
) -> None:
    assert statuses(limited, 101, method, path) == [answer] * 100 + [429]
    assert limited.stats()["throttled"] == 1
    limited.advance(FIVE_MINUTES)
    assert statuses(limited, 1, method, path) == [answer]


def test_given_two_addresses_then_each_has_windows_of_its_own_and_is_counted_apart(limited: Cloud) -> None:
    for address in ("127.0.0.2", "127.0.0.3"):
        elsewhere = Cloud(limited.base)
        elsewhere.http.mount("http://", FromAddress(address))
        assert statuses(elsewhere, 101, "DELETE", "/v1/access_tokens/nope") == [401] * 100 + [429]
    assert limited.stats()["by_address"] == {"127.0.0.2": 101, "127.0.0.3": 101}


def test_given_a_hundred_logins_then_the_next_is_throttled_and_is_no_refusal(limited: Cloud) -> None:
    assert {limited.ask_token().status_code for _unused in range(100)} == {200}
    assert is_throttled(limited.ask_token())
    stats = limited.stats()
    assert (stats["grants"], stats["refusals"], stats["throttled"]) == (100, 0, 1)


def test_given_a_full_window_then_places_come_free_one_by_one(limited: Cloud) -> None:
    assert set(statuses(limited, 60, "DELETE", "/v1/access_tokens/nope")) == {401}
    limited.advance(200)
    assert statuses(limited, 41, "DELETE", "/v1/access_tokens/nope") == [401] * 40 + [429]
    limited.advance(101)
    assert statuses(limited, 61, "DELETE", "/v1/access_tokens/nope") == [401] * 60 + [429]


def test_given_one_route_is_throttled_then_the_others_are_not(limited: Cloud) -> None:
    statuses(limited, 101, "DELETE", "/v1/access_tokens/nope")
    assert limited.ask_token().status_code == 200


def test_given_fifty_look_ups_then_the_account_waits_an_hour_and_others_do_not(limited: Cloud) -> None:
    demo, other = limited.user(DEMO), limited.user(OTHER)
    path = "/v1/serial_numbers/B40HAB000000100"
    assert [demo.call("GET", path).status_code for _unused in range(51)] == [200] * 50 + [429]
    assert limited.user(DEMO).call("GET", path).status_code == 429
    assert other.call("GET", path).status_code == 200
    limited.advance(3601)
    assert demo.call("GET", path).status_code == 200


def hammer(cloud: Cloud, path: str, times: int) -> set[int]:
    """The statuses of many requests in a row on one connection."""
    line = HTTPConnection(cloud.base.removeprefix("http://"), timeout=TIMEOUT_SECONDS)
    seen = set()
    for _unused in range(times):
        line.request("GET", path)
        answer = line.getresponse()
        answer.read()
        seen.add(answer.status)
    line.close()
    return seen


def test_given_ten_thousand_requests_in_five_minutes_then_everything_is_throttled(limited: Cloud) -> None:
    user = limited.user()
    assert hammer(limited, f"/v1/user?access_token={user.token}", 9_999) == {200}
    assert is_throttled(user.call("GET", "/v1/user"))
    assert limited.call("GET", "/v1/nothing/here").status_code == 429
    assert limited.stats()["throttled"] == 2
    limited.advance(FIVE_MINUTES)
    assert user.call("GET", "/v1/user").status_code == 200


def listen(user: User) -> requests.Response:
    """Opens a stream of events; who asks must close it."""
    return user.call("GET", "/v1/devices/events", stream=True)


def test_given_a_hundred_opened_streams_then_the_next_waits_five_minutes(limited: Cloud) -> None:
    user = limited.user()
    for _unused in range(100):
        with listen(user) as stream:
            assert stream.status_code == 200
    assert is_throttled(listen(user))
    limited.advance(FIVE_MINUTES)
    with listen(user) as stream:
        assert stream.status_code == 200


def test_given_a_hundred_open_streams_then_one_must_close_before_the_next(limited: Cloud) -> None:
    user = limited.user()
    with ExitStack() as streams:
        for _unused in range(2):
            for _unused in range(50):
                assert streams.enter_context(listen(user)).status_code == 200
            limited.advance(FIVE_MINUTES)
        assert is_throttled(listen(user))
    assert eventually(lambda: listen(user))


def eventually(ask: Callable[[], requests.Response]) -> bool:
    """Whether an answer is good soon: a server learns of a closed connection a moment later."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        with ask() as answer:
            if answer.status_code == 200:
                return True
        time.sleep(0.05)
    return False


def test_given_admin_requests_then_no_limit_holds_for_them(limited: Cloud) -> None:
    statuses(limited, 150, "GET", "/_simulator/stats")
    assert limited.stats()["throttled"] == 0
