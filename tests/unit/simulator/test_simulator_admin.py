# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the admin routes of the simulator: counters, faults, the list of writes and the reset."""

from __future__ import annotations

import pytest
import requests
from simulator_client import DEMO, DEVICES, FREE, UNKNOWN, Cloud, User


def test_unknown_route_is_answered_in_plain_text_and_counted(cloud: Cloud) -> None:
    answer = cloud.call("GET", "/v1/nothing/here")
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert cloud.stats()["unknown_routes"] == 1


def test_unknown_method_on_a_known_path_is_an_unknown_route(demo: User) -> None:
    assert demo.call("PATCH", "/v1/devices").status_code == 404
    assert demo.cloud.stats()["unknown_routes"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/networks"), ("POST", "/v1/networks"), ("DELETE", f"/v1/devices/{UNKNOWN}/network")],
)
def test_retired_mesh_route_is_not_found_but_not_counted_as_unknown(cloud: Cloud, method: str, path: str) -> None:
    answer = cloud.call(method, path)
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert cloud.stats()["unknown_routes"] == 0


def test_login_and_revocation_are_not_counted_as_writes(cloud: Cloud) -> None:
    user = cloud.user()
    user.call("DELETE", "/v1/access_tokens/current")
    stats = cloud.stats()
    assert (stats["requests"], stats["grants"], stats["revocations"], stats["writes"]) == (2, 1, 1, 0)


def test_refused_login_is_counted_as_refusal_and_not_as_grant(cloud: Cloud) -> None:
    cloud.ask_token((DEMO[0], "wrong"))
    stats = cloud.stats()
    assert (stats["grants"], stats["refusals"]) == (0, 1)


def test_login_that_needs_a_code_is_not_counted_as_refusal(cloud: Cloud) -> None:
    cloud.ask_token(("coded@example.com", "coded-password"))
    assert cloud.stats()["refusals"] == 0


def test_only_requests_that_may_change_the_fleet_count_as_writes(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.get(DEVICES)
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one"})
    demo.call("PUT", f"/v1/devices/{FREE[0]}/ping")
    demo.put(f"/v1/devices/{UNKNOWN}", {"name": "refused, but tried"})
    assert demo.cloud.stats()["writes"] == 3


def test_requests_are_counted_by_route_template(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.get("/v1/products/field-logger/devices")
    demo.get(f"{DEVICES}/{FREE[0]}")
    demo.get(f"/v1/devices/{FREE[0]}")
    assert demo.cloud.stats()["by_route"] == {
        "GET /v1/devices/:idOrName": 1,
        "GET /v1/products/:p/devices": 1,
        "GET /v1/products/:p/devices/:id": 1,
        "POST /oauth/token": 1,
        "POST /v1/products/:p/devices": 1,
    }


def test_admin_requests_and_their_connections_are_not_counted(cloud: Cloud) -> None:
    cloud.state()
    Cloud(cloud.base).state()
    stats = cloud.stats()
    assert (stats["requests"], stats["connections"]) == (0, 0)


def test_each_connection_is_counted_once(cloud: Cloud) -> None:
    for client in (Cloud(cloud.base), Cloud(cloud.base)):
        client.call("GET", "/v1/user")
        client.call("GET", "/v1/user")
    stats = cloud.stats()
    assert (stats["requests"], stats["connections"]) == (4, 2)


def test_reset_restores_the_start_state(demo: User) -> None:
    cloud = demo.cloud
    before = cloud.state()["devices"]
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one", "groups": ["north"]})
    demo.post("/v1/ledgers", {"ledger": {"name": "notes", "scope": "Device", "direction": "Upstream"}})
    cloud.break_route("*", "status")
    assert cloud.call("POST", "/_simulator/reset").status_code == 200
    state, stats = cloud.state(), cloud.stats()
    assert (state["devices"], state["ledgers"]) == (before, [])
    assert state["products"][0]["groups"] == []
    assert (stats["requests"], stats["by_route"]) == (0, {})
    assert cloud.call("GET", "/_simulator/faults").json() == []
    assert demo.call("GET", "/v1/user").status_code == 401


def test_reset_with_another_seed_chooses_other_bad_updates(cloud: Cloud) -> None:
    def choose(seed: int, share: float) -> dict[str, str]:
        body = {"seed": seed, "bad_updates": share}
        assert cloud.call("POST", "/_simulator/reset", json=body).status_code == 200
        return {device["id"]: device["update"] for device in cloud.state()["devices"] if device["update"]}

    first, other = choose(1, 0.5), choose(2, 0.5)
    assert len(first) == len(other) == len(cloud.state()["devices"]) // 2
    assert first != other
    assert choose(1, 0.5) == first
    assert cloud.call("POST", "/_simulator/reset").status_code == 200
    assert not any(device["update"] for device in cloud.state()["devices"])
    assert cloud.call("POST", "/_simulator/reset", json={"bad_updates": 2}).status_code == 400
    assert cloud.call("POST", "/_simulator/reset", json={"seed": "one"}).status_code == 400


def test_unknown_admin_route_is_not_found(cloud: Cloud) -> None:
    assert cloud.call("GET", "/_simulator/nope").status_code == 404


# ---------------------------------------------------------------------- faults


def test_status_fault_fires_the_given_number_of_times_without_a_write(demo: User) -> None:
    demo.bring_in(FREE[0])
    path, route = f"{DEVICES}/{FREE[0]}", "PUT /v1/products/:p/devices/:id"
    demo.cloud.break_route(
        route, "status", times=2, status=503, body={"error": "server_error"}, headers={"Retry-After": "1"}
    )
    answers = [demo.put(path, {"name": "one"}) for _unused in range(2)]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert (answers[0].json(), answers[0].headers["Retry-After"]) == ({"error": "server_error"}, "1")
    assert demo.cloud.device(FREE[0])["name"] is None
    assert demo.put(path, {"name": "one"}).status_code == 200


def test_fault_does_not_affect_other_routes(demo: User) -> None:
    demo.cloud.break_route("GET /v1/devices", "status")
    assert demo.call("GET", "/v1/user").status_code == 200


def test_throttling_fault_is_counted_as_throttled(demo: User) -> None:
    demo.cloud.break_route("GET /v1/devices", "status", status=429)
    demo.call("GET", "/v1/devices")
    assert demo.cloud.stats()["throttled"] == 1


def test_fault_on_the_token_route_is_not_counted_as_refusal(cloud: Cloud) -> None:
    cloud.break_route("POST /oauth/token", "status", status=503, body={"error": "server_error"})
    assert cloud.ask_token().status_code == 503
    assert cloud.stats()["refusals"] == 0


def test_html_fault_answers_an_html_page_with_status_502(demo: User) -> None:
    demo.cloud.break_route("*", "html")
    answer = demo.call("GET", "/v1/user")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")


def test_empty_fault_performs_the_write_and_sends_an_empty_answer(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.cloud.break_route("PUT /v1/products/:p/devices/:id", "empty")
    answer = demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert demo.cloud.device(FREE[0])["name"] == "one"


def test_truncated_fault_sends_incomplete_json(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "truncated")
    answer = demo.call("GET", "/v1/user")
    assert answer.text.startswith("{")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(("effect", "name"), [("reset_before", None), ("reset_after", "one")])
def test_reset_fault_breaks_the_connection_before_or_after_the_write(demo: User, effect: str, name: str | None) -> None:
    demo.bring_in(FREE[0])
    demo.cloud.break_route("PUT /v1/products/:p/devices/:id", effect)
    with pytest.raises(requests.exceptions.ConnectionError):
        demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one"})
    assert demo.cloud.device(FREE[0])["name"] == name


def test_silence_fault_sends_no_answer(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "silence")
    with pytest.raises(requests.exceptions.ReadTimeout):
        demo.call("GET", "/v1/user", timeout=0.3)
    assert demo.call("GET", "/v1/user").status_code == 200


def test_fault_schedule_shows_how_often_each_fault_has_fired(demo: User) -> None:
    demo.cloud.break_route("GET /v1/user", "status", times=2)
    demo.cloud.break_route("GET /v1/devices", "empty")
    demo.call("GET", "/v1/user")
    schedule = demo.cloud.call("GET", "/_simulator/faults").json()
    assert [(fault["effect"], fault["times"], fault["fired"]) for fault in schedule] == [
        ("status", 2, 1),
        ("empty", 1, 0),
    ]


@pytest.mark.parametrize(
    "schedule",
    [
        {},
        [{"route": "GET /v1/nope", "effect": "status"}],
        [{"route": "GET /v1/user", "effect": "explode"}],
        [{"route": "GET /v1/user", "effect": "status", "times": 0}],
        [{"route": "GET /v1/user", "effect": "status", "status": 99}],
        [{"route": "GET /v1/user", "effect": "status", "when": "later"}],
    ],
)
def test_malformed_fault_schedule_is_refused(cloud: Cloud, schedule: object) -> None:
    assert cloud.call("POST", "/_simulator/faults", json=schedule).status_code == 400
    assert cloud.call("GET", "/_simulator/faults").json() == []


def test_list_of_writes_names_the_fault_that_hit_a_response(demo: User) -> None:
    demo.bring_in(FREE[0])
    faults = [{"route": "PUT *", "effect": "truncated"}, {"route": "PUT *", "effect": "status", "status": 503}]
    demo.cloud.call("POST", "/_simulator/faults", json=faults)
    for name in ("damaged", "refused", "whole"):
        demo.put(f"{DEVICES}/{FREE[0]}", {"name": name})
    _imported, *renamed = demo.cloud.call("GET", "/_simulator/writes").json()
    assert [(write["fields"]["name"], write["fault"]) for write in renamed] == [
        ("damaged", "truncated"),
        ("whole", None),
    ]


def test_successful_writes_are_listed_in_order_until_a_reset(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.get(DEVICES)
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one"})
    demo.put(f"/v1/devices/{UNKNOWN}", {"name": "refused"})
    demo.call("DELETE", f"/v1/devices/{FREE[0]}/network")
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "two"})
    imported, *renamed = demo.cloud.call("GET", "/_simulator/writes").json()
    assert (imported["route"], imported["fields"]) == ("POST /v1/products/:p/devices", {"ids": [FREE[0]]})
    assert [write["fields"]["name"] for write in renamed] == ["one", "two"]
    assert renamed[0]["path"]["id"] == renamed[0]["answer"]["id"] == FREE[0]
    demo.cloud.call("POST", "/_simulator/reset")
    assert demo.cloud.call("GET", "/_simulator/writes").json() == []
