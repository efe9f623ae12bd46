# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the report of tokens, which shows their fingerprints and makes no login."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import OrphanSearch
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.one_time_code import compute_code
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_fingerprint
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import (
    report_listed_tokens,
    report_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud
from support.token_cloud import (
    CURRENT,
    DEVICES,
    EXPIRED,
    INVALID,
    LOGIN,
    PASSWORD,
    USERNAME,
    list_requests,
    script_grants,
    token,
    write_private,
)
from support.turned_clock import TurnedClock

TOKENS = "/v1/access_tokens"
READY = ReadyToken(token(1))
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture
def store(tmp_path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(tmp_path / "sessions.json", clock)


def get_report(http: Http, login: Login | None, store: SessionStore, file: Path | None = None) -> dict[str, Any]:
    kept = None if file is None else TokenStore(file)
    return report_tokens(OrphanSearch(http, store), login, kept)


def get_listing(http: Http, store: SessionStore, account: PasswordLogin | None = LOGIN) -> dict[str, Any]:
    """Return the listing, after checking that it contains no secret."""
    result = report_listed_tokens(OrphanSearch(http, store), account)
    assert not [secret for secret in (PASSWORD, token(1), token(2)) if secret in str(result)]
    return result


# The current token


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"expires_at": "1970-01-11T12:00:00.000Z", "client": "particle-cli", "scopes": [], "orgs": []},
            {"expires_at": "1970-01-11T12:00:00.000Z", "days_left": 10, "client": "particle-cli"},
        ),
        ({"expires_in": 864000}, {"expires_at": "1970-01-11T00:00:00Z", "days_left": 10}),
        ({"expires_in": "3600", "expires_at": None}, {"expires_at": "1970-01-01T01:00:00Z", "days_left": 0}),
        ({"expires_in": 0}, {}),
        ({"expires_in": "soon"}, {}),
        (
            {"expires_at": None, "client_id": "my-client", "scopes": ["devices:list"], "orgs": [{"id": "1"}]},
            {"client": "my-client", "scopes": ["devices:list"], "orgs": [{"id": "1"}]},
        ),
        ({}, {}),
    ],
)
def test_current_token_is_reported_with_its_details(
    http: Http,
    store: SessionStore,
    scripted_cloud: ScriptedCloud,
    answer: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    scripted_cloud.answer("GET", CURRENT, json=answer)
    unknown: dict[str, Any] = {"expires_at": None, "days_left": None, "client": None, "scopes": [], "orgs": []}
    assert get_report(http, READY, store) == {
        "changed": False,
        "current": {"fingerprint": compute_fingerprint(token(1)), "alive": True, **unknown, **expected},
        "kept": [],
        "orphaned": [],
    }


@pytest.mark.parametrize("answer", [INVALID, EXPIRED])
def test_invalid_token_is_reported_as_not_alive(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud, answer: dict[str, str]
) -> None:
    scripted_cloud.answer("GET", CURRENT, 401, json=answer)
    current = get_report(http, READY, store)["current"]
    assert (current["alive"], current["fingerprint"]) == (False, compute_fingerprint(token(1)))


@pytest.mark.parametrize(("status", "is_alive"), [(200, True), (401, False)])
def test_validity_is_reported_if_the_cloud_shows_no_details(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud, status: int, is_alive: bool
) -> None:
    scripted_cloud.answer("GET", CURRENT, 404, body="Not Found", repeat=True).answer("GET", DEVICES, status, json=[])
    assert get_report(http, READY, store)["current"]["alive"] is is_alive


def test_failure_unrelated_to_the_token_is_an_error(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", CURRENT, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught:
        get_report(http, READY, store)
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize("value", ["", "two words", f"{token(1)}\n", "tökén€"])
def test_malformed_token_is_refused_before_any_request(http: Http, store: SessionStore, value: str) -> None:
    with pytest.raises(ParticleError) as caught:
        get_report(http, ReadyToken(value), store)
    assert caught.value.code == "token_invalid"
    assert http.usage.requests == 0


def test_shared_token_of_a_login_is_reported_without_logging_in(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    assert get_report(http, LOGIN, store)["current"] is None
    assert scripted_cloud.requests == []
    script_grants(scripted_cloud, token(2)).answer("GET", CURRENT, json={})
    store.get_token(identify_login(http.connection, LOGIN), lambda memory: LOGIN.obtain_grant(http, {}, memory))
    assert get_report(http, LOGIN, store)["current"]["fingerprint"] == compute_fingerprint(token(2))


def test_only_stored_tokens_are_reported_without_credentials(http: Http, store: SessionStore, tmp_path: Path) -> None:
    label = {"api_url": "https://cloud.example.com", "account": USERNAME, "client": "particle", "purpose": "report"}
    dates = {"obtained_at": "1970-01-01T00:00:00Z", "expires_at": "1970-01-03T12:00:00Z"}
    entry = {**label, **dates, "fingerprint": "1f0c5d6e", "access_token": token(1), "previous": [token(2)]}
    file = write_private(tmp_path / "tokens.json", {"tokens": [entry]})
    assert get_report(http, None, store, file) == {
        "changed": False,
        "current": None,
        "kept": [{**label, **dates, "fingerprint": "1f0c5d6e", "days_left": 2}],
        "orphaned": [],
    }
    assert http.usage.requests == 0


def test_report_contains_no_listing_by_default(http: Http, store: SessionStore) -> None:
    assert set(get_report(http, None, store)) == {"changed", "current", "kept", "orphaned"}


# The listing


@pytest.mark.parametrize(
    "rows",
    [
        [{"token": token(1), "expires_at": None, "client": "__PASSWORD_ONLY__"}],
        [{"accessToken": token(1), "accessTokenExpiresAt": None, "client": "__PASSWORD_ONLY__"}],
    ],
    ids=["documented", "self-hosted"],
)
def test_listed_tokens_are_reported_by_their_fingerprints(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud, rows: list[dict[str, Any]]
) -> None:
    scripted_cloud.answer("GET", TOKENS, json=rows)
    result = get_listing(http, store)
    row = {"fingerprint": compute_fingerprint(token(1)), "client": "__PASSWORD_ONLY__", "expires_at": None}
    assert (result["listed"], result["listing_error"]) == ([row], None)
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    assert scripted_cloud.requests[0].headers["Authorization"] == f"Basic {basic}"


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (401, {"ok": False, "errors": ["Bad password"]}, "listing_refused"),
        (400, {"ok": False, "errors": ["Unknown user"]}, "listing_refused"),
        (401, {"error": "invalid_token"}, "listing_refused"),
        (404, {"ok": False, "error": "Not found"}, "listing_retired"),
        (410, {"ok": False}, "listing_retired"),
        (500, {"ok": False}, "cloud_error"),
    ],
)
def test_failed_listing_is_explained_and_not_raised(
    http: Http,
    store: SessionStore,
    scripted_cloud: ScriptedCloud,
    status: int,
    answer: dict[str, Any],
    code: str,
) -> None:
    scripted_cloud.answer("GET", TOKENS, status, json=answer, repeat=True)
    result = get_listing(http, store)
    assert (result["listed"], result["listing_error"]["code"]) == (None, code)
    assert result["listing_error"]["hint"]


def test_failed_listing_points_out_a_client_given_as_account(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", TOKENS, 401, json={"ok": False, "errors": ["Bad password"]})
    error = get_listing(http, store, PasswordLogin("particle", "particle"))["listing_error"]
    assert "'particle' looks like an OAuth client" in error["message"]


@pytest.mark.parametrize(
    ("login", "codes"),
    [
        (LOGIN, [{}, {}]),
        (replace(LOGIN, otp="001234"), [{"otp": "001234"}] * 2),
        # A code can be used once, so the second request sends the next code.
        (replace(LOGIN, otp_secret=OTP_SECRET), [{"otp": compute_code(OTP_SECRET, period)} for period in (0, 1)]),
    ],
    ids=["none", "code", "secret"],
)
def test_one_time_code_is_sent_with_the_account(
    http: Http,
    store: SessionStore,
    scripted_cloud: ScriptedCloud,
    login: PasswordLogin,
    codes: list[dict[str, str]],
) -> None:
    scripted_cloud.answer("GET", TOKENS, json=[], repeat=True)
    for _unused in codes:
        assert get_listing(http, store, login)["listed"] == []
    assert [request.query for request in scripted_cloud.requests] == codes


def test_listing_without_an_account_sends_no_request(
    http: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    error = get_listing(http, store, None)["listing_error"]
    assert (error["code"], list_requests(scripted_cloud)) == ("listing_refused", [])
    assert "username and password" in error["message"]
