# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A request to any route stays on the cloud, within the budget, and shows no secret."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.any_route import (
    AnyCall,
    has_secret,
    read_call,
    send_call,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud
from support.turned_clock import TurnedClock, conversation

TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"
GROUPS = "/v1/products/31337/groups"


def catch_mistakes(method: str = "GET", path: str = GROUPS, query: Any = None, body: Any = None) -> str:
    """Read a call that has mistakes, and return the message."""
    with pytest.raises(ParticleError) as caught:
        read_call(method, path, query, body)
    assert caught.value.code == "invalid_option"
    return caught.value.message


def catch_error(http: Http, call: AnyCall) -> ParticleError:
    """Send a call that fails, and return its error."""
    with pytest.raises(ParticleError) as caught:
        send_call(http, call)
    return caught.value


# Confinement


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "begin with /"),
        ("v1/devices", "begin with /"),
        ("https://other.example.com/v1/devices", "begin with /"),
        ("@other.example.com/v1/devices", "begin with /"),
        ("//other.example.com/v1/devices", "empty parts"),
        ("/v1//devices", "empty parts"),
        ("/v1/devices/", "empty parts"),
        ("/v1/products/../user", "no . or .."),
        ("/v1/products/%2e%2E/user", "no . or .."),
        ("/v1/./user", "no . or .."),
        ("/v1/products/a%2Fb", "percent code"),
        ("/v1/products/a%5cb", "percent code"),
        ("/v1/products/%252e%252e/user", "percent code"),
        ("/v1\\devices", "backslash"),
        ("/v1/devices\r\nHost: other.example.com", "line break"),
        ("/v1/devices%0d%0a", "line break"),
        ("/v1/devices%00", "line break"),
        ("/v1/devices%ff", "line break"),
        ("/v1/devices/\ud800", "line break"),
        ("/v1/devices?page=2", "in query"),
        ("/v1/devices#top", "in query"),
        ("/v1/products/:productIdOrSlug/team", "the placeholder :productIdOrSlug"),
    ],
)
def test_path_that_could_lead_elsewhere_is_refused(path: str, words: str) -> None:
    assert words in catch_mistakes(path=path)


@given(st.text(st.sampled_from("/.%\\@:?#;&+ ~vä2eEfF50dDaA\r\n\t\0") | st.characters(), max_size=20))
@example(".%2e")
@example("v1/@other")
def test_accepted_path_reaches_exactly_its_segments(text: str) -> None:
    path = f"/{text}"
    try:
        call = read_call("GET", path, None, None)
    except ParticleError:
        return
    url = requests.Request("GET", f"http://cloud.invalid{Request(call.route, 'read').path}").prepare().url
    assert url is not None
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("http", "cloud.invalid", "", "")
    assert tuple(map(unquote, parts.path.split("/")[1:])) == call.segments
    assert not {"", ".", ".."} & set(call.segments)


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/oauth/token", "access_token"),
        ("POST", "/OAuth/%54oken", "access_token"),
        ("DELETE", f"/v1/access_tokens/{TOKEN}", "access_token"),
        ("GET", "/v1/access_tokens/current", "access_token"),
        ("GET", "/v1/Access_Tokens", "access_token"),
        ("GET", "/v1/events/temperature", "event source"),
        ("GET", "/v1/devices/events", "event source"),
        ("GET", "/v1/devices/e00fce68aabbccddeeff0022/events", "event source"),
        ("GET", "/v1/products/31337/events/temperature", "event source"),
        ("GET", "/v1/orgs/acme/devices/barn/events", "event source"),
        ("GET", "/v1/products/31337/firmware/7/binary", "responds with a file"),
    ],
)
def test_route_that_needs_another_tool_is_refused(method: str, path: str, words: str) -> None:
    message = catch_mistakes(method, path)
    assert words in message
    assert TOKEN not in message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/products/31337/events"),
        ("GET", "/v1/products/31337/metrics/events"),
        ("PUT", "/v1/products/31337/team/bot@api.particle.io/token"),
        ("GET", "/v1/devices/my device"),
    ],
)
def test_similar_route_is_accepted(method: str, path: str) -> None:
    assert read_call(method, path, None, None).segments == tuple(path[1:].split("/"))


def test_all_mistakes_of_a_request_are_named_at_once() -> None:
    message = catch_mistakes("GET", "/v1//:id", {"access_token": TOKEN, "groups": ["a"], "page": None}, {"a": 1})
    for words in ("empty parts", ":id", "query must not", "query.groups must", "query.page must", "body cannot"):
        assert words in message
    assert TOKEN not in message
    assert "body must be a mapping or a list" in catch_mistakes("POST", body="name=canary")
    for value in (math.nan, math.inf, b"x", {"a"}):
        assert "value that JSON does not have" in catch_mistakes("POST", body={"a": [value]})


# Requests and responses


def test_query_and_body_are_sent_as_documented(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", GROUPS, json={"groups": []}).answer("POST", GROUPS, 201, json={"ok": True})
    scripted_cloud.answer("PATCH", "/v1/env", 204)
    query = {"page": 2, "all": True, "name": "a&b=c"}
    assert send_call(http, read_call("GET", GROUPS, query, None)).data == {"groups": []}
    created = send_call(http, read_call("POST", GROUPS, None, {"name": "canary"}))
    emptied = send_call(http, read_call("PATCH", "/v1/env", None, [{"op": "Unset"}]))
    assert (created.status, created.data, emptied.status, emptied.data) == (201, {"ok": True}, 204, None)
    read, create, patch = scripted_cloud.requests
    assert read.query == {"page": "2", "all": "true", "name": "a&b=c"}
    assert (create.json, patch.json, http.usage.writes) == ({"name": "canary"}, [{"op": "Unset"}], 2)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("answer", [{"effect": "reset"}, {"status": 503}, {"body": "{"}])
def test_unsafe_request_is_never_repeated_blindly(
    http: Http, scripted_cloud: ScriptedCloud, method: str, answer: dict[str, Any]
) -> None:
    scripted_cloud.answer(method, GROUPS, **answer)
    error = catch_error(http, read_call(method, GROUPS, None, {"name": "canary"}))
    assert (error.code, len(scripted_cloud.requests)) == ("ambiguous_write", 1)
    assert "a second time" in error.hint


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_safe_request_is_repeated(http: Http, scripted_cloud: ScriptedCloud, method: str) -> None:
    scripted_cloud.answer(method, GROUPS, effect="reset").answer(method, GROUPS, json={"ok": True})
    assert send_call(http, read_call(method, GROUPS, None, None)).data == {"ok": True}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_unsafe_request_over_the_rate_limit_is_repeated(http: Http, scripted_cloud: ScriptedCloud, method: str) -> None:
    scripted_cloud.answer(method, GROUPS, 429).answer(method, GROUPS, json={"ok": True})
    assert send_call(http, read_call(method, GROUPS, None, {"a": 1})).data == {"ok": True}


# Secrets


def test_values_of_body_and_query_are_masked_in_errors(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("PUT", GROUPS, 400, json={"error": "name c4nary-one and pin 48151623 are taken: q4nary"})
    body = {"name": "c4nary-one", "pins": [48151623], "flag": "a"}
    error = catch_error(http, read_call("PUT", GROUPS, {"filter": "q4nary"}, body))
    assert error.message.endswith("(HTTP 400: name ******** and pin ******** are taken: ********).")
    assert error.route == f"PUT {GROUPS}"


@pytest.mark.parametrize(
    "body",
    [
        {"password": "c4nary-one"},
        {"auth": {"clientSecret": {"value": "c4nary-one"}}},
        {"headers": [{"Authorization": "c4nary-one"}, {"X-Api-Key": "c4nary-one"}]},
    ],
)
def test_text_about_a_secret_body_is_withheld(http: Http, scripted_cloud: ScriptedCloud, body: Any) -> None:
    scripted_cloud.answer("POST", GROUPS, 400, json={"error": "C4NARY-ONE is not allowed"})
    call = read_call("POST", GROUPS, None, body)
    assert set(call.secrets) == {"c4nary-one"}
    message = catch_error(http, call).message
    assert "may contain a secret" in message
    assert "c4nary" not in message.lower()


@pytest.mark.parametrize("path", [f"/v1/devices/{TOKEN}", "/v1/devices/p4ss-word%20of-jane"])
def test_secret_in_a_url_is_found(path: str) -> None:
    redact = Redactor()
    redact.add_secret("p4ss-word of-jane")
    assert not read_call("GET", path, None, None).is_free_of(redact.mask_values)
    assert not read_call("GET", "/v1/devices", {"a": unquote(path)}, None).is_free_of(redact.mask_values)
    assert read_call("GET", "/v1/devices/barn", {"page": 1}, None).is_free_of(redact.mask_values)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"created": {"tokens": [{"token": "abc"}]}}, True),
        ([{"id": "x", "mobile_secret": "S3CRET"}], True),
        ({"data": TOKEN}, True),
        ({"mobile_secret": None, "token": "", "expires_token": True}, False),
        ({"devices": [{"name": "barn", "notes": "north"}]}, False),
        (None, False),
    ],
)
def test_response_with_a_secret_is_recognised(data: Any, expected: bool) -> None:
    assert has_secret(data) is expected


# Budget


def test_requests_share_the_budget_with_all_other_requests(
    scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None, tmp_path: Path
) -> None:
    """Given a folder with a budget of four requests, when two clients use it, then the fifth request waits."""
    scripted_cloud.answer("GET", GROUPS, json={"groups": []}, repeat=True)
    allowance = Allowance({EVERY_ROUTE: Limit(4, 300)}, 1)
    first, second = (
        conversation(scripted_cloud.url, clock, budget=Budget(allowance, folder=tmp_path, clock=clock))
        for _unused in range(2)
    )
    call = read_call("GET", GROUPS, None, None)
    for _unused in range(2):
        first.send(Request("GET /v1/products/:p/groups", "list groups", {"p": "31337"}))
        send_call(second, call)
    assert clock.now == 0
    send_call(second, call)
    assert (first.usage.budget_wait_seconds, second.usage.budget_wait_seconds >= 300) == (0, True)
    first.close()
    second.close()


def test_request_counts_against_the_limit_of_its_route(
    scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None
) -> None:
    path, route = "/v1/Serial_Numbers/P046AD450JU98WG", "GET /v1/serial_numbers/:serial"
    scripted_cloud.answer("GET", path.lower().replace("p046ad450ju98wg", "P046AD450JU98WG"), json={"ok": True})
    http = conversation(scripted_cloud.url, clock, budget=Budget(Allowance({route: Limit(1, 60)}, 1), clock=clock))
    send_call(http, read_call("GET", path, None, None))
    assert http.get_delay(route) > 0
    http.close()
