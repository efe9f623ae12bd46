# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the schedule of faults: shapes, probabilities, delays and its removal."""

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
def test_named_shape_sets_body_and_status_of_the_answer(demo: User, shape: str, status: int) -> None:
    answer = demo.cloud.call("POST", "/_simulator/faults", json=[{"route": "GET /v1/user", "shape": shape}])
    assert answer.status_code == 200
    answer_with_fault = demo.call("GET", "/v1/user")
    assert answer_with_fault.status_code == status
    is_page = answer_with_fault.headers["Content-Type"].startswith("text/html")
    assert is_page is (shape == "E14")
    assert is_page or isinstance(answer_with_fault.json(), dict)


def test_status_of_a_fault_overrides_the_status_of_its_shape(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", shape="E1", status=500)
    answer = demo.call("GET", "/v1/user")
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")


def send_requests(user: User, count: int) -> list[bool]:
    """Send requests, and return for each whether the fault has answered it."""
    return [user.call("GET", "/v1/user").status_code == 500 for _unused in range(count)]


def test_fault_with_a_probability_hits_the_same_requests_again(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", probability=0.5)
    first = send_requests(demo, 40)
    assert 5 < sum(first) < 35
    demo.cloud.call("DELETE", "/_simulator/faults")
    demo.cloud.break_route("GET /v1/user", "status", probability=0.5)
    assert send_requests(demo, 40) == first


def test_times_limits_a_fault_with_a_probability(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", probability=0.5, times=3)
    assert sum(send_requests(demo, 40)) == 3


def test_fault_for_a_method_hits_all_its_routes_and_no_others(demo: User) -> None:
    demo.cloud.break_route("PUT *", "status", times=2)
    demo.bring_in(FREE[0])
    assert demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one"}).status_code == 500
    assert demo.put(f"/v1/devices/{FREE[0]}", {"name": "one"}).status_code == 500
    assert demo.put(f"/v1/devices/{FREE[0]}", {"name": "one"}).status_code == 200


def test_delay_fault_sends_the_right_answer_late(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "delay", delay=0.3)
    start = time.monotonic()
    assert demo.get("/v1/user")["username"] == "demo@example.com"
    assert time.monotonic() - start >= 0.3


def test_status_fault_with_a_delay_is_sent_late(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", delay=0.3, status=503)
    start = time.monotonic()
    assert demo.call("GET", "/v1/user").status_code == 503
    assert time.monotonic() - start >= 0.3


def test_cleared_schedule_lists_and_fires_no_faults(demo: User) -> None:
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
        {"route": "GET /v1/user", "effect": ["status"]},
        {"route": "GET /v1/user", "shape": ["E3"]},
    ],
)
def test_malformed_fault_is_refused(cloud: Cloud, entry: dict[str, object]) -> None:
    assert cloud.call("POST", "/_simulator/faults", json=[entry]).status_code == 400
