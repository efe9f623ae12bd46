# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The schedule of faults: by chance, by shape, with a delay, and off again."""

from __future__ import annotations

import time

import pytest
from simulator_client import DEVICES, FREE, Cloud, User

STATUSES = {
    "E1": 503,
    "E2": 403,
    "E3": 403,
    "E4": 404,
    "E5": 408,
    "E6": 400,
    "E7": 404,
    "E8": 500,
    "E9": 403,
    "E10": 400,
    "E11": 422,
    "E12": 404,
    "E13": 200,
    "E14": 502,
}


@pytest.mark.parametrize(("shape", "status"), STATUSES.items())
def test_given_a_named_shape_then_the_answer_has_its_body_and_status(demo: User, shape: str, status: int) -> None:
    answer = demo.cloud.call("POST", "/_simulator/faults", json=[{"route": "GET /v1/user", "shape": shape}])
    assert answer.status_code == 200
    hit = demo.call("GET", "/v1/user")
    assert hit.status_code == status
    is_page = hit.headers["Content-Type"].startswith("text/html")
    assert is_page is (shape == "E14")
    assert is_page or isinstance(hit.json(), dict)


def test_given_a_shape_with_another_status_then_the_status_is_that_one(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", shape="E1", status=500)
    answer = demo.call("GET", "/v1/user")
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")


def hits(user: User, count: int) -> list[bool]:
    return [user.call("GET", "/v1/user").status_code == 500 for _unused in range(count)]


def test_given_a_probability_then_some_requests_are_hit_and_the_same_ones_again(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", probability=0.5)
    first = hits(demo, 40)
    assert 5 < sum(first) < 35
    demo.cloud.call("DELETE", "/_simulator/faults")
    demo.cloud.break_route("GET /v1/user", "status", probability=0.5)
    assert hits(demo, 40) == first


def test_given_a_probability_and_a_number_then_it_fires_no_more_often(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", probability=0.5, times=3)
    assert sum(hits(demo, 40)) == 3


def test_given_a_method_with_a_star_then_all_its_routes_are_hit_and_no_others(demo: User) -> None:
    demo.cloud.break_route("PUT *", "status", times=2)
    demo.bring_in(FREE[0])
    assert demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one"}).status_code == 500
    assert demo.put(f"/v1/devices/{FREE[0]}", {"name": "one"}).status_code == 500
    assert demo.put(f"/v1/devices/{FREE[0]}", {"name": "one"}).status_code == 200


def test_given_a_delay_then_the_answer_is_right_but_late(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "delay", delay=0.3)
    began = time.monotonic()
    assert demo.get("/v1/user")["username"] == "demo@example.com"
    assert time.monotonic() - began >= 0.3


def test_given_a_delayed_status_then_it_comes_late(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", delay=0.3, status=503)
    began = time.monotonic()
    assert demo.call("GET", "/v1/user").status_code == 503
    assert time.monotonic() - began >= 0.3


def test_given_a_cleared_schedule_then_nothing_goes_wrong_and_nothing_is_listed(demo: User) -> None:
    demo.cloud.break_route("*", "status", times=99)
    assert demo.cloud.call("DELETE", "/_simulator/faults").json() == []
    assert demo.call("GET", "/v1/user").status_code == 200
    assert demo.cloud.call("GET", "/_simulator/faults").json() == []


@pytest.mark.parametrize(
    "entry",
    [
        {"route": "GET /v1/user", "effect": "status", "shape": "E99"},
        {"route": "GET /v1/user", "effect": "status", "probability": 1.5},
        {"route": "GET /v1/user", "effect": "status", "probability": "often"},
        {"route": "GET /v1/user", "effect": "delay", "delay": -1},
        {"route": "BREW *", "effect": "status"},
        {"route": 5, "effect": "status"},
    ],
)
def test_given_a_malformed_entry_then_it_is_refused(cloud: Cloud, entry: dict[str, object]) -> None:
    assert cloud.call("POST", "/_simulator/faults", json=[entry]).status_code == 400
