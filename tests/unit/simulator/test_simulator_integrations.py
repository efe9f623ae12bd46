# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Integrations of every type, on every path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator_client import PRODUCT, Cloud, User

BASES = pytest.mark.parametrize("base", ["/v1/integrations", f"{PRODUCT}/integrations"])
OLD_BASES = pytest.mark.parametrize("base", ["/v1/webhooks", f"{PRODUCT}/webhooks"])
HOOK = {
    "integration_type": "Webhook",
    "event": "reading",
    "url": "https://hooks.example.net/in",
    "requestType": "POST",
}
OTHERS = {
    "AzureIotHub": {"hub_name": "h", "policy_name": "p", "policy_key": "k"},
    "GoogleCloudPubSub": {"topic": "t"},
    "GoogleMaps": {"api_key": "k"},
}
ALL = "/v1/integrations"


def created(user: User, base: str = ALL, **fields: Any) -> dict[str, Any]:
    answer = user.post(base, HOOK | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@BASES
def test_given_a_webhook_then_the_answer_has_its_address(demo: User, base: str) -> None:
    body = created(demo, base)
    assert body["ok"] is True
    assert body["hookUrl"] == f"https://api.particle.io/v1/webhooks/{body['id']}"
    assert body["name"] == "reading for hooks.example.net"
    assert (body["disabled"], body["rejectUnauthorized"], body["noDefaults"]) == (False, True, False)
    assert [row["id"] for row in demo.get(base)] == [body["id"]]


@pytest.mark.parametrize("kind", OTHERS)
def test_given_another_type_then_it_has_its_own_fields(demo: User, kind: str) -> None:
    fields = {"integration_type": kind, "event": "reading", **OTHERS[kind]}
    answer = demo.post(ALL, fields)
    assert answer.status_code == 201
    assert answer.json().items() >= fields.items()
    assert "integrationUrl" in answer.json()
    for missing in OTHERS[kind]:
        assert demo.post(ALL, fields | {missing: ""}).status_code == 400


@OLD_BASES
def test_given_the_older_path_then_the_type_goes_without_saying(demo: User, base: str) -> None:
    fields = {key: value for key, value in HOOK.items() if key != "integration_type"}
    body = demo.post(base, fields).json()
    assert demo.get(f"{base}/{body['id']}")["webhook"]["url"] == HOOK["url"]
    assert [row["id"] for row in demo.get(base)] == [body["id"]]
    assert demo.call("DELETE", f"{base}/{body['id']}").status_code == 204
    answer = demo.call("DELETE", f"{base}/{body['id']}")
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Webhook not found"})


@pytest.mark.parametrize("spelling", ["deviceID", "deviceId", "deviceid"])
def test_given_any_spelling_of_the_device_then_it_is_understood(demo: User, spelling: str) -> None:
    assert created(demo, **{spelling: "e00f"})["deviceID"] == "e00f"


@pytest.mark.parametrize(
    "fields",
    [
        {"integration_type": "Carrier pigeon"},
        {"event": ""},
        {"url": "ftp://example.com"},
        {"url": None},
        {"requestType": "LOOK"},
        {"json": 1},
        {"json": {"value": 1}, "form": {"value": "1"}},
        {"unchunked": "perhaps"},
        {"disabled": "maybe"},
        {"name": 5},
    ],
)
def test_given_a_malformed_integration_then_it_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(ALL, HOOK | fields).status_code == 400


def test_given_an_edit_then_everything_is_replaced(demo: User) -> None:
    hook = created(demo, headers={"X": "1"}, name="mine")
    assert demo.get(f"{ALL}/{hook['id']}")["integration"]["headers"] == {"X": "1"}
    answer = demo.put(f"{ALL}/{hook['id']}", HOOK | {"event": "other"})
    body = answer.json()["integration"]
    assert (body["event"], "headers" in body, body["name"]) == ("other", False, "other for hooks.example.net")
    assert body["created_at"] == hook["created_at"]
    assert demo.put(f"{ALL}/{hook['id']}", {"event": "x"}).status_code == 400
    assert demo.put(f"{ALL}/{hook['id']}", HOOK | {"integration_type": "GoogleMaps"}).status_code == 400


def test_given_a_test_then_it_passes_or_leaves_an_error(demo: User) -> None:
    good, bad = created(demo), created(demo, url="https://nobody.invalid/in")
    assert demo.call("POST", f"{ALL}/{good['id']}/test").json() == {"pass": True, "data": None}
    body = demo.post(f"{ALL}/{bad['id']}/test", {"data": "x"}).json()
    assert body["pass"] is False
    assert "nobody.invalid" in body["error"]
    for _unused in range(12):
        demo.call("POST", f"{ALL}/{bad['id']}/test")
    shown = demo.get(f"{ALL}/{bad['id']}")["integration"]
    assert (len(shown["logs"]), len(shown["errors"])) == (10, 10)
    assert shown["counters"] == {"success": 0, "error": 13}


def test_given_somebody_elses_integration_then_it_is_not_found(demo: User, other: User) -> None:
    hook = created(demo)
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
        answer = other.call(method, f"{ALL}/{hook['id']}{path}", json=HOOK)
        assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Webhook not found"})
    assert other.call("GET", f"{PRODUCT}/integrations").status_code == 403


def test_webhook_without_request_type_is_sent_by_post(demo: User) -> None:
    hook = created(demo, requestType=None)
    assert demo.get(f"{ALL}/{hook['id']}")["integration"]["requestType"] == "POST"


def test_switches_of_a_webhook_are_off_unless_set(demo: User) -> None:
    usual, other = created(demo), created(demo, unchunked=True, dataUrlResponseEvent="true")
    shown = [demo.get(f"{ALL}/{hook['id']}")["integration"] for hook in (usual, other)]
    assert [(hook["unchunked"], hook["dataUrlResponseEvent"]) for hook in shown] == [(False, False), (True, True)]


@pytest.mark.parametrize(("flags", "seen"), [((), "s3cret"), (("--mask-secrets",), "********")])
def test_secrets_are_masked_only_when_asked_for(
    cloud_with: Callable[..., Cloud], flags: tuple[str, ...], seen: str
) -> None:
    user = cloud_with(*flags).user()
    secret = {"headers": {"X-Site": "barn", "Authorization": "s3cret"}, "auth": {"username": "u", "password": "s3cret"}}
    hook = created(user, **secret)
    shown = {"headers": {"X-Site": "barn", "Authorization": seen}, "auth": {"username": "u", "password": seen}}
    answers = [
        user.get(f"{ALL}/{hook['id']}")["integration"],
        user.get(f"/v1/webhooks/{hook['id']}")["webhook"],
        user.put(f"{ALL}/{hook['id']}", HOOK | secret).json()["integration"],
    ]
    assert [{key: answer[key] for key in shown} for answer in answers] == [shown] * 3
