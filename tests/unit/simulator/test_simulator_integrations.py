# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test integrations of each type on each path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulator_client import PRODUCT, Cloud, User

BASES = pytest.mark.parametrize("base", ["/v1/integrations", f"{PRODUCT}/integrations"])
OLD_BASES = pytest.mark.parametrize("base", ["/v1/webhooks", f"{PRODUCT}/webhooks"])
WEBHOOK = {
    "integration_type": "Webhook",
    "event": "reading",
    "url": "https://hooks.example.net/in",
    "requestType": "POST",
}
OTHER_TYPES = {
    "AzureIotHub": {"hub_name": "h", "policy_name": "p", "policy_key": "k"},
    "GoogleCloudPubSub": {"topic": "t"},
    "GoogleMaps": {"api_key": "k"},
}
INTEGRATIONS = "/v1/integrations"


def create_webhook(user: User, base: str = INTEGRATIONS, **fields: Any) -> dict[str, Any]:
    answer = user.post(base, WEBHOOK | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@BASES
def test_answer_to_a_new_webhook_has_its_address(demo: User, base: str) -> None:
    body = create_webhook(demo, base)
    assert body["ok"] is True
    assert body["hookUrl"] == f"https://api.particle.io/v1/webhooks/{body['id']}"
    assert body["name"] == "reading for hooks.example.net"
    assert (body["disabled"], body["rejectUnauthorized"], body["noDefaults"]) == (False, True, False)
    assert [row["id"] for row in demo.get(base)] == [body["id"]]


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_integration_of_another_type_has_its_own_fields(demo: User, kind: str) -> None:
    fields = {"integration_type": kind, "event": "reading", **OTHER_TYPES[kind]}
    answer = demo.post(INTEGRATIONS, fields)
    assert answer.status_code == 201
    assert answer.json().items() >= fields.items()
    assert "integrationUrl" in answer.json()
    for missing in OTHER_TYPES[kind]:
        assert demo.post(INTEGRATIONS, fields | {missing: ""}).status_code == 400


@OLD_BASES
def test_older_webhook_path_needs_no_integration_type(demo: User, base: str) -> None:
    fields = {key: value for key, value in WEBHOOK.items() if key != "integration_type"}
    body = demo.post(base, fields).json()
    assert demo.get(f"{base}/{body['id']}")["webhook"]["url"] == WEBHOOK["url"]
    assert [row["id"] for row in demo.get(base)] == [body["id"]]
    assert demo.call("DELETE", f"{base}/{body['id']}").status_code == 204
    answer = demo.call("DELETE", f"{base}/{body['id']}")
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Webhook not found"})


@pytest.mark.parametrize(
    ("base", "topic"),
    [
        (INTEGRATIONS, "hook-response/{{PARTICLE_EVENT_NAME}}"),
        (f"{PRODUCT}/integrations", "{{PARTICLE_DEVICE_ID}}/hook-response/{{PARTICLE_EVENT_NAME}}"),
    ],
)
def test_webhook_with_an_event_and_an_address_has_the_defaults(demo: User, base: str, topic: str) -> None:
    minimal = {key: WEBHOOK[key] for key in ("integration_type", "event", "url")}
    answer = demo.post(base, minimal)
    assert answer.status_code == 201
    shown = demo.get(f"{base}/{answer.json()['id']}")["integration"]
    assert shown["requestType"] == "POST"
    assert shown["responseTopic"] == topic
    assert shown["errorResponseTopic"] == "hook-error/{{PARTICLE_EVENT_NAME}}"
    assert (shown["rejectUnauthorized"], shown["unchunked"], shown["dataUrlResponseEvent"]) == (True, False, False)


@pytest.mark.parametrize("spelling", ["deviceID", "deviceId", "deviceid"])
def test_device_id_is_accepted_in_each_spelling_of_its_key(demo: User, spelling: str) -> None:
    assert create_webhook(demo, **{spelling: "e00f"})["deviceID"] == "e00f"


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
def test_malformed_integration_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(INTEGRATIONS, WEBHOOK | fields).status_code == 400


def test_edit_replaces_all_fields(demo: User) -> None:
    hook = create_webhook(demo, headers={"X": "1"}, name="mine")
    assert demo.get(f"{INTEGRATIONS}/{hook['id']}")["integration"]["headers"] == {"X": "1"}
    answer = demo.put(f"{INTEGRATIONS}/{hook['id']}", WEBHOOK | {"event": "other"})
    body = answer.json()["integration"]
    assert (body["event"], "headers" in body, body["name"]) == ("other", False, "other for hooks.example.net")
    assert body["created_at"] == hook["created_at"]
    assert demo.put(f"{INTEGRATIONS}/{hook['id']}", {"event": "x"}).status_code == 400
    assert demo.put(f"{INTEGRATIONS}/{hook['id']}", WEBHOOK | {"integration_type": "GoogleMaps"}).status_code == 400


def test_trial_of_a_webhook_passes_or_records_an_error(demo: User) -> None:
    good, bad = create_webhook(demo), create_webhook(demo, url="https://nobody.invalid/in")
    assert demo.call("POST", f"{INTEGRATIONS}/{good['id']}/test").json() == {"pass": True, "data": None}
    body = demo.post(f"{INTEGRATIONS}/{bad['id']}/test", {"data": "x"}).json()
    assert body["pass"] is False
    assert "nobody.invalid" in body["error"]
    for _unused in range(12):
        demo.call("POST", f"{INTEGRATIONS}/{bad['id']}/test")
    shown = demo.get(f"{INTEGRATIONS}/{bad['id']}")["integration"]
    assert (len(shown["logs"]), len(shown["errors"])) == (10, 10)
    assert shown["counters"] == {"success": 0, "error": 13}


def test_integration_of_another_user_is_not_found(demo: User, other: User) -> None:
    hook = create_webhook(demo)
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
        answer = other.call(method, f"{INTEGRATIONS}/{hook['id']}{path}", json=WEBHOOK)
        assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Webhook not found"})
    assert other.call("GET", f"{PRODUCT}/integrations").status_code == 403


def test_request_type_of_a_webhook_defaults_to_post(demo: User) -> None:
    hook = create_webhook(demo, requestType=None)
    assert demo.get(f"{INTEGRATIONS}/{hook['id']}")["integration"]["requestType"] == "POST"


def test_boolean_fields_of_a_webhook_default_to_false(demo: User) -> None:
    default, other = create_webhook(demo), create_webhook(demo, unchunked=True, dataUrlResponseEvent="true")
    shown = [demo.get(f"{INTEGRATIONS}/{hook['id']}")["integration"] for hook in (default, other)]
    assert [(hook["unchunked"], hook["dataUrlResponseEvent"]) for hook in shown] == [(False, False), (True, True)]


@pytest.mark.parametrize(("flags", "shown_secret"), [((), "s3cret"), (("--mask-secrets",), "********")])
def test_secrets_are_masked_only_with_the_mask_secrets_flag(
    cloud_with: Callable[..., Cloud], flags: tuple[str, ...], shown_secret: str
) -> None:
    user = cloud_with(*flags).user()
    secret = {"headers": {"X-Site": "barn", "Authorization": "s3cret"}, "auth": {"username": "u", "password": "s3cret"}}
    hook = create_webhook(user, **secret)
    shown = {
        "headers": {"X-Site": "barn", "Authorization": shown_secret},
        "auth": {"username": "u", "password": shown_secret},
    }
    answers = [
        user.get(f"{INTEGRATIONS}/{hook['id']}")["integration"],
        user.get(f"/v1/webhooks/{hook['id']}")["webhook"],
        user.put(f"{INTEGRATIONS}/{hook['id']}", WEBHOOK | secret).json()["integration"],
    ]
    assert [{key: answer[key] for key in shown} for answer in answers] == [shown] * 3
    for kind, name in (("AzureIotHub", "policy_key"), ("GoogleMaps", "api_key")):
        fields = {"integration_type": kind, "event": "reading", **OTHER_TYPES[kind], name: "s3cret"}
        created = user.post(INTEGRATIONS, fields).json()
        shown_row = user.get(f"{INTEGRATIONS}/{created['id']}")["integration"]
        assert (created[name], shown_row[name], shown_row["event"]) == ("s3cret", shown_secret, "reading")
