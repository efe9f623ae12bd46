# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test fingerprint, expiry, validity and revocation of access tokens."""

from __future__ import annotations

import base64
import datetime
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_expiry,
    compute_fingerprint,
    compute_seconds_until,
    is_token_valid,
    read_expiry,
    revoke_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud

TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"
ACCOUNT = ("demo@example.com", "demo-password")
LOGIN = PasswordLogin(*ACCOUNT)
BASIC = f"Basic {base64.b64encode(':'.join(ACCOUNT).encode()).decode()}"
BEARER = f"Bearer {TOKEN}"
CURRENT = "/v1/access_tokens/current"
BY_VALUE = f"/v1/access_tokens/{TOKEN}"
DEVICES = "/v1/devices"
INVALID = {"error": "invalid_token", "error_description": "The access token provided is invalid."}
EXPIRED = {"error": "invalid_token", "error_description": "The access token provided has expired."}
NOW = datetime.datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=datetime.UTC)

# Answers of clouds to a request for a route that they do not have.
MISSING_ROUTE_ANSWERS = [
    pytest.param(404, {"body": "Not Found"}, id="plain text"),
    pytest.param(404, {"body": f"<html><pre>Cannot DELETE {CURRENT}</pre></html>"}, id="page"),
    pytest.param(404, {"json": {"ok": False, "error": "Not found"}}, id="JSON"),
    pytest.param(400, {"json": {"ok": False, "error": "Unknown token"}}, id="taken for a value"),
    pytest.param(400, {"body": ""}, id="empty"),
]


def list_requests(cloud: ScriptedCloud) -> list[str]:
    return [f"{request.method} {request.path}" for request in cloud.requests]


def script_missing_route(
    cloud: ScriptedCloud, status: int = 404, content: dict[str, Any] | None = None
) -> ScriptedCloud:
    """Script a cloud without the route of the current token. The test scripts its answers about devices."""
    content = content or {"body": "Not Found"}
    for method in ("GET", "DELETE"):
        cloud.answer(method, CURRENT, status, **content, repeat=True)
    return cloud


@pytest.fixture
def other_timezone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the timezone of this process to one that differs from UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "ELSEWHERE-5:30")
        time.tzset()
        yield
    time.tzset()


# Fingerprint and expiry


def test_fingerprint_differs_by_token_and_does_not_reveal_it() -> None:
    assert compute_fingerprint("token") == "3c469e9d"
    assert compute_fingerprint(TOKEN) not in TOKEN
    assert compute_fingerprint(TOKEN) != compute_fingerprint(TOKEN[:-1])


@pytest.mark.parametrize(
    ("expires_in", "expiry"),
    [(None, None), (0, None), (1, "2026-02-01T00:00:00Z"), (90 * 86400, "2026-05-01T23:59:59Z")],
)
def test_expiry_is_computed_in_utc(other_timezone: None, expires_in: int | None, expiry: str | None) -> None:
    assert compute_expiry(expires_in, NOW.timestamp()) == expiry


@pytest.mark.parametrize(
    ("facts", "expiry"),
    [
        ({"expires_at": "2026-05-01T00:00:00Z"}, "2026-05-01T00:00:00Z"),
        ({"expires_at": "2026-05-01T00:00:00Z", "expires_in": 60}, "2026-05-01T00:00:00Z"),
        ({"expires_at": None, "expires_in": 60}, "1970-01-01T00:02:40Z"),
        ({"expires_in": "60"}, "1970-01-01T00:02:40Z"),
        ({"expires_in": 0}, None),
        ({"expires_in": None}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_at": None}, None),
        ({}, None),
    ],
)
def test_expiry_is_read_from_a_time_or_from_the_seconds_left(
    other_timezone: None, facts: dict[str, Any], expiry: str | None
) -> None:
    assert read_expiry(facts, 100.0) == expiry


@pytest.mark.parametrize(
    ("expiry", "seconds"),
    [
        ("1970-01-01T00:02:00Z", 20),
        ("1970-01-01T00:02:00.500+00:00", 20.5),
        ("1970-01-01T01:02:00+01:00", 20),
        ("1970-01-01T00:02:00", 20),
        ("1970-01-01T00:01:00Z", -40),
        ("soon", None),
        ("", None),
        (None, None),
        (120, None),
    ],
)
def test_seconds_until_expiry_are_computed_or_none_if_invalid(
    other_timezone: None, expiry: Any, seconds: float | None
) -> None:
    assert compute_seconds_until(expiry, 100.0) == seconds


# Validity


@pytest.fixture
def http_with_token(http: Http) -> Http:
    http.use_token(TOKEN)
    return http


def test_token_that_can_read_its_own_details_is_valid(http_with_token: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", CURRENT, json={"client": "particle"})
    assert is_token_valid(http_with_token) is True
    assert list_requests(scripted_cloud) == [f"GET {CURRENT}"]


@pytest.mark.parametrize(
    ("status", "content"),
    [(401, {"json": INVALID}), (401, {"json": EXPIRED}), (401, {"body": ""}), (400, {"json": INVALID})],
)
def test_token_that_the_cloud_refuses_is_invalid(
    http_with_token: Http, scripted_cloud: ScriptedCloud, status: int, content: dict[str, Any]
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, **content)
    assert is_token_valid(http_with_token) is False


@pytest.mark.parametrize(("status", "content"), MISSING_ROUTE_ANSWERS)
@pytest.mark.parametrize(("devices_status", "is_valid"), [(200, True), (401, False)])
def test_device_list_decides_validity_if_the_token_route_is_missing(
    http_with_token: Http,
    scripted_cloud: ScriptedCloud,
    status: int,
    content: dict[str, Any],
    devices_status: int,
    is_valid: bool,
) -> None:
    script_missing_route(scripted_cloud, status, content).answer(
        "GET", DEVICES, devices_status, body="[]" if is_valid else ""
    )
    assert is_token_valid(http_with_token) is is_valid
    assert list_requests(scripted_cloud) == [f"GET {CURRENT}", f"GET {DEVICES}"]


def test_forbidden_validity_check_is_an_error(http_with_token: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", CURRENT, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught:
        is_token_valid(http_with_token)
    assert caught.value.code == "forbidden"


# Revocation


def test_token_revokes_itself_without_its_value_in_the_path(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("DELETE", CURRENT, json={"ok": True})
    assert revoke_token(http, TOKEN, ACCOUNT) is True
    (request,) = scripted_cloud.requests
    assert request.headers["Authorization"] == BEARER
    assert (http.usage.requests, http.usage.writes) == (1, 0)


@pytest.mark.parametrize("content", [INVALID, EXPIRED])
def test_revoking_an_invalid_token_reports_no_change(
    http: Http, scripted_cloud: ScriptedCloud, content: dict[str, str]
) -> None:
    scripted_cloud.answer("DELETE", CURRENT, 401, json=content)
    assert revoke_token(http, TOKEN, None) is False
    assert list_requests(scripted_cloud) == [f"DELETE {CURRENT}"]


@pytest.mark.parametrize(("status", "content"), MISSING_ROUTE_ANSWERS)
def test_account_revokes_by_value_and_verifies_if_the_route_is_missing(
    http: Http, scripted_cloud: ScriptedCloud, status: int, content: dict[str, Any]
) -> None:
    script_missing_route(scripted_cloud, status, content).answer("GET", DEVICES, json=[]).answer("GET", DEVICES, 401)
    scripted_cloud.answer("DELETE", BY_VALUE, json={"ok": True})
    assert revoke_token(http, TOKEN, ACCOUNT) is True
    assert list_requests(scripted_cloud) == [
        f"DELETE {CURRENT}",
        f"GET {CURRENT}",
        f"GET {DEVICES}",
        f"DELETE {BY_VALUE}",
        f"GET {CURRENT}",
        f"GET {DEVICES}",
    ]
    headers = [request.headers["Authorization"] for request in scripted_cloud.requests]
    assert headers == [BEARER, BEARER, BEARER, BASIC, BEARER, BEARER]
    assert http.usage.writes == 0


def test_invalid_token_is_not_revoked_by_value_if_the_route_is_missing(
    http: Http, scripted_cloud: ScriptedCloud
) -> None:
    script_missing_route(scripted_cloud).answer("GET", DEVICES, 401)
    assert revoke_token(http, TOKEN, ACCOUNT) is False
    assert list_requests(scripted_cloud) == [f"DELETE {CURRENT}", f"GET {CURRENT}", f"GET {DEVICES}"]


def test_revocation_by_value_requires_the_account(http: Http, scripted_cloud: ScriptedCloud) -> None:
    script_missing_route(scripted_cloud).answer("GET", DEVICES, json=[])
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, None)
    assert (caught.value.code, caught.value.route) == ("unsupported", "DELETE /v1/access_tokens/current")
    assert caught.value.message == "Could not revoke the access token: this cloud does not let a token revoke itself."
    assert caught.value.hint == "Give username and password of the account in addition to access_token."
    assert f"DELETE {BY_VALUE}" not in list_requests(scripted_cloud)


def test_revocation_without_effect_is_an_error(http: Http, scripted_cloud: ScriptedCloud) -> None:
    script_missing_route(scripted_cloud).answer("GET", DEVICES, json=[], repeat=True)
    scripted_cloud.answer("DELETE", BY_VALUE, json={"ok": True})
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    assert (caught.value.code, caught.value.route) == ("cloud_error", "DELETE /v1/access_tokens/:token")
    assert caught.value.message == (
        "Could not revoke the access token: the cloud confirmed the revocation, but the token still works."
    )


@pytest.mark.parametrize(
    ("status", "description"), [(401, "Bad password"), (400, "Unknown user"), (503, "Wrong password")]
)
def test_refused_account_is_the_reported_cause_and_not_retried(
    http: Http, scripted_cloud: ScriptedCloud, status: int, description: str
) -> None:
    script_missing_route(scripted_cloud).answer("GET", DEVICES, json=[])
    scripted_cloud.answer("DELETE", BY_VALUE, status, json={"ok": False, "errors": [description]})
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    assert caught.value.code == "invalid_credentials"
    assert list_requests(scripted_cloud).count(f"DELETE {BY_VALUE}") == 1


def test_failed_revocation_by_value_shows_no_secret(http: Http, scripted_cloud: ScriptedCloud) -> None:
    script_missing_route(scripted_cloud).answer("GET", DEVICES, json=[])
    scripted_cloud.answer("DELETE", BY_VALUE, 403, body=f"Forbidden: {BY_VALUE} for {BASIC}")
    LOGIN.mask_secrets(http.redact)
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    failure = str(caught.value.as_failure())
    assert caught.value.route == "DELETE /v1/access_tokens/:token"
    assert not [secret for secret in (TOKEN, BASIC.split()[1], ACCOUNT[1]) if secret in failure]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_failed_revocation_is_an_error(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("DELETE", CURRENT, status, repeat=True)
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    assert caught.value.status == status
    assert set(list_requests(scripted_cloud)) == {f"DELETE {CURRENT}"}
