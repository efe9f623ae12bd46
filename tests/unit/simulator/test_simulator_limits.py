# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the lock-out after refused logins and the documented rate limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
import requests
from simulator_client import (
    CODED,
    DEMO,
    DEVICES,
    FREE,
    OTHER,
    PRODUCT,
    TIMEOUT_SECONDS,
    Cloud,
    User,
    open_stream,
    publish,
)

WRONG = (DEMO[0], "wrong")
TOO_MANY = {"error": "rate_limit_exceeded"}
FIVE_MINUTES = 301
HALF_AN_HOUR = 1801


@pytest.fixture
def limited(cloud_with: Callable[..., Cloud]) -> Cloud:
    """Return a cloud that enforces the documented rate limits."""
    return cloud_with("--limits", "documented")


def repeat_request(cloud: Cloud, count: int, method: str, path: str, **options: object) -> list[int]:
    """Send the same request `count` times, and return the statuses."""
    return [cloud.call(method, path, **options).status_code for _unused in range(count)]


def is_throttled(answer: requests.Response) -> bool:
    return (answer.status_code, answer.json()) == (429, TOO_MANY)


# ---------------------------------------------------------------------- lock-out, with and without rate limits


def test_ten_refused_logins_lock_out_even_the_right_password(cloud: Cloud) -> None:
    assert [cloud.ask_token(WRONG).status_code for _unused in range(10)] == [400] * 10
    assert is_throttled(cloud.ask_token())
    stats = cloud.stats()
    assert (stats["refusals"], stats["throttled"], stats["grants"]) == (10, 1, 0)


def test_lock_out_ends_after_half_an_hour(cloud: Cloud) -> None:
    for _unused in range(10):
        cloud.ask_token(WRONG)
    cloud.advance(HALF_AN_HOUR - 60)
    assert is_throttled(cloud.ask_token())
    cloud.advance(60)
    assert cloud.ask_token().status_code == 200


def test_existing_tokens_work_during_a_lock_out(cloud: Cloud, demo: User) -> None:
    for _unused in range(10):
        cloud.ask_token(WRONG)
    assert demo.call("GET", "/v1/user").status_code == 200


def test_successful_login_resets_the_count_of_refusals(cloud: Cloud) -> None:
    for _unused in range(2):
        for _unused in range(9):
            cloud.ask_token(WRONG)
        assert cloud.ask_token().status_code == 200


@pytest.mark.parametrize("form", [{"client_secret": "wrong"}, {"grant_type": "magic"}, {"username": None}])
def test_each_kind_of_refused_token_request_counts_as_refusal(cloud: Cloud, form: dict[str, str | None]) -> None:
    for _unused in range(10):
        assert cloud.ask_token(**form).status_code == 400
    assert is_throttled(cloud.ask_token())


def test_requests_for_a_code_do_not_count_as_refusals(cloud: Cloud) -> None:
    for _unused in range(12):
        assert cloud.ask_token(CODED).status_code == 403
    assert cloud.ask_token().status_code == 200


def test_faults_on_the_token_route_do_not_count_as_refusals(cloud: Cloud) -> None:
    cloud.break_route("POST /oauth/token", "status", times=12, status=503)
    for _unused in range(12):
        assert cloud.ask_token().status_code == 503
    assert cloud.ask_token().status_code == 200


def test_lock_out_does_not_affect_another_address(cloud: Cloud) -> None:
    for _unused in range(10):
        cloud.ask_token(WRONG)
    other_client = Cloud(cloud.base)
    other_client.http.mount("http://", FromAddress("127.0.0.2"))
    assert other_client.ask_token().status_code == 200


class FromAddress(requests.adapters.HTTPAdapter):
    """Adapter that sends from another address of the loopback network."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        kwargs["source_address"] = (self._address, 0)
        super().init_poolmanager(*args, **kwargs)  # type: ignore[no-untyped-call]


# ---------------------------------------------------------------------- documented rate limits


def test_requests_are_not_throttled_without_limits(cloud: Cloud) -> None:
    assert set(repeat_request(cloud, 150, "DELETE", "/v1/access_tokens/nope")) == {401}


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
def test_guarded_route_allows_a_hundred_requests_in_five_minutes(
    limited: Cloud, method: str, path: str, answer: int
) -> None:
    assert repeat_request(limited, 101, method, path) == [answer] * 100 + [429]
    assert limited.stats()["throttled"] == 1
    limited.advance(FIVE_MINUTES)
    assert repeat_request(limited, 1, method, path) == [answer]


def test_each_address_has_its_own_limit_and_count(limited: Cloud) -> None:
    for address in ("127.0.0.2", "127.0.0.3"):
        other_client = Cloud(limited.base)
        other_client.http.mount("http://", FromAddress(address))
        assert repeat_request(other_client, 101, "DELETE", "/v1/access_tokens/nope") == [401] * 100 + [429]
    assert limited.stats()["by_address"] == {"127.0.0.2": 101, "127.0.0.3": 101}


def test_login_beyond_the_limit_is_throttled_and_not_refused(limited: Cloud) -> None:
    assert {limited.ask_token().status_code for _unused in range(100)} == {200}
    assert is_throttled(limited.ask_token())
    stats = limited.stats()
    assert (stats["grants"], stats["refusals"], stats["throttled"]) == (100, 0, 1)


def test_limit_counts_the_requests_of_the_last_five_minutes(limited: Cloud) -> None:
    assert set(repeat_request(limited, 60, "DELETE", "/v1/access_tokens/nope")) == {401}
    limited.advance(200)
    assert repeat_request(limited, 41, "DELETE", "/v1/access_tokens/nope") == [401] * 40 + [429]
    limited.advance(101)
    assert repeat_request(limited, 61, "DELETE", "/v1/access_tokens/nope") == [401] * 60 + [429]


def test_throttled_route_does_not_affect_other_routes(limited: Cloud) -> None:
    repeat_request(limited, 101, "DELETE", "/v1/access_tokens/nope")
    assert limited.ask_token().status_code == 200


def test_serial_number_limit_is_fifty_per_hour_for_each_account(limited: Cloud) -> None:
    demo, other = limited.user(DEMO), limited.user(OTHER)
    path = "/v1/serial_numbers/B40HAB000000100"
    assert [demo.call("GET", path).status_code for _unused in range(51)] == [200] * 50 + [429]
    assert limited.user(DEMO).call("GET", path).status_code == 429
    assert other.call("GET", path).status_code == 200
    limited.advance(3601)
    assert demo.call("GET", path).status_code == 200


def send_many(cloud: Cloud, path: str, times: int) -> set[int]:
    """Send many requests on one connection, and return the statuses that occurred."""
    connection = HTTPConnection(cloud.base.removeprefix("http://"), timeout=TIMEOUT_SECONDS)
    statuses = set()
    for _unused in range(times):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        statuses.add(answer.status)
    connection.close()
    return statuses


@pytest.mark.only_full
def test_all_routes_are_throttled_after_ten_thousand_requests(limited: Cloud) -> None:
    user = limited.user()
    assert send_many(limited, f"/v1/user?access_token={user.token}", 9_999) == {200}
    assert is_throttled(user.call("GET", "/v1/user"))
    assert limited.call("GET", "/v1/nothing/here").status_code == 429
    assert limited.stats()["throttled"] == 2
    limited.advance(FIVE_MINUTES)
    assert user.call("GET", "/v1/user").status_code == 200


def test_limit_of_opened_streams_is_a_hundred_in_five_minutes(limited: Cloud) -> None:
    user = limited.user()
    for _unused in range(100):
        with open_stream(user) as stream:
            assert stream.status_code == 200
    assert is_throttled(open_stream(user))
    limited.advance(FIVE_MINUTES)
    with open_stream(user) as stream:
        assert stream.status_code == 200


@pytest.fixture
def limited_org(cloud_with: Callable[..., Cloud]) -> Cloud:
    """Return a cloud that enforces the documented rate limits, and whose product belongs to an organization."""
    return cloud_with("--limits", "documented", "--org", "green-acres")


STREAM_PATHS = [
    "/v1/events/spark",
    "/v1/devices/events",
    "/v1/devices/events/spark",
    f"/v1/devices/{FREE[0]}/events",
    f"{DEVICES}/{FREE[0]}/events/spark",
    f"{PRODUCT}/events",
    f"{PRODUCT}/events/spark",
    "/v1/orgs/green-acres/events",
    f"/v1/orgs/green-acres/devices/{FREE[0]}/events",
    f"/v1/orgs/green-acres/devices/{FREE[0]}/events/spark",
]


def test_streams_of_all_routes_count_together(limited_org: Cloud) -> None:
    user = limited_org.user()
    user.bring_in(FREE[0])
    for _unused in range(10):
        for path in STREAM_PATHS:
            with open_stream(user, path) as stream:
                assert stream.status_code == 200
    assert {open_stream(user, path).status_code for path in STREAM_PATHS} == {429}
    publish(user, "hello")


def test_limit_of_open_streams_is_a_hundred_at_a_time(limited: Cloud) -> None:
    user = limited.user()
    with ExitStack() as streams:
        for _unused in range(2):
            for _unused in range(50):
                assert streams.enter_context(open_stream(user)).status_code == 200
            limited.advance(FIVE_MINUTES)
        assert is_throttled(open_stream(user))
    assert succeeds_soon(lambda: open_stream(user))


def test_ended_streams_free_their_places_at_once(limited: Cloud) -> None:
    user = limited.user()
    with ExitStack() as streams:
        opened = [streams.enter_context(open_stream(user)) for _unused in range(100)]
        limited.advance(FIVE_MINUTES)
        assert is_throttled(open_stream(user))
        assert limited.stats()["streams"] == 100
        assert limited.call("POST", "/_simulator/streams", json={"cut": True}).json() == {"streams": 100}
        assert {stream.raw.read() for stream in opened} == {b":ok\n\n"}
        for _unused in range(99):
            assert streams.enter_context(open_stream(user)).status_code == 200


def succeeds_soon(send: Callable[[], requests.Response]) -> bool:
    """Return whether a repeated request succeeds before the timeout."""
    # The server notices a closed connection with a delay.
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        with send() as answer:
            if answer.status_code == 200:
                return True
        time.sleep(0.05)
    return False


def test_admin_requests_are_not_limited(limited: Cloud) -> None:
    repeat_request(limited, 150, "GET", "/_simulator/stats")
    assert limited.stats()["throttled"] == 0
