# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What is known of tokens is told by their fingerprints, and looking makes no login."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from token_cloud import (
    CURRENT,
    DEVICES,
    EXPIRED,
    INVALID,
    LOGIN,
    PASSWORD,
    USERNAME,
    granting,
    token,
    trail,
    turned_conversation,
    write_private,
)
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.one_time_code import compute_code
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore, identify_login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import compute_fingerprint
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_register import (
    report_listed_tokens,
    report_tokens,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud

TOKENS = "/v1/access_tokens"
READY = ReadyToken(token(1))
OTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture
def turned(scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None) -> Iterator[Http]:
    http = turned_conversation(scripted_cloud.url, clock)
    yield http
    http.close()


@pytest.fixture
def store(tmp_path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(tmp_path / "sessions.json", clock)


def looked_up(http: Http, login: Login | None, store: SessionStore, file: Path | None = None) -> dict[str, Any]:
    return report_tokens(http, login, lambda: store, file)


def listed(http: Http, store: SessionStore, account: PasswordLogin | None = LOGIN) -> dict[str, Any]:
    result = report_listed_tokens(http, account, lambda: store)
    assert not [secret for secret in (PASSWORD, token(1), token(2)) if secret in str(result)]
    return result


# The token in use


@pytest.mark.parametrize(
    ("said", "shown"),
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
def test_a_token_in_use_is_shown_with_what_the_cloud_says_of_it(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, said: dict[str, Any], shown: dict[str, Any]
) -> None:
    scripted_cloud.answer("GET", CURRENT, json=said)
    unknown: dict[str, Any] = {"expires_at": None, "days_left": None, "client": None, "scopes": [], "orgs": []}
    assert looked_up(turned, READY, store) == {
        "changed": False,
        "current": {"fingerprint": compute_fingerprint(token(1)), "alive": True, **unknown, **shown},
        "kept": [],
    }


@pytest.mark.parametrize("said", [INVALID, EXPIRED])
def test_a_dead_token_is_a_finding_and_no_failure(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, said: dict[str, str]
) -> None:
    scripted_cloud.answer("GET", CURRENT, 401, json=said)
    current = looked_up(turned, READY, store)["current"]
    assert (current["alive"], current["fingerprint"]) == (False, compute_fingerprint(token(1)))


@pytest.mark.parametrize(("status", "alive"), [(200, True), (401, False)])
def test_on_a_cloud_that_does_not_tell_it_is_still_known_whether_it_works(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, status: int, alive: bool
) -> None:
    scripted_cloud.answer("GET", CURRENT, 404, body="Not Found", repeat=True).answer("GET", DEVICES, status, json=[])
    assert looked_up(turned, READY, store)["current"]["alive"] is alive


def test_a_failure_that_says_nothing_about_the_token_is_a_failure(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", CURRENT, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught:
        looked_up(turned, READY, store)
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize("value", ["", "two words", f"{token(1)}\n", "tökén€"])
def test_what_cannot_be_a_token_is_told_before_any_request(turned: Http, store: SessionStore, value: str) -> None:
    with pytest.raises(ParticleError) as caught:
        looked_up(turned, ReadyToken(value), store)
    assert caught.value.code == "token_invalid"
    assert turned.usage.requests == 0


def test_of_credentials_the_shared_token_is_shown_and_where_there_is_none_nobody_logs_in(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    assert looked_up(turned, LOGIN, store)["current"] is None
    assert scripted_cloud.requests == []
    granting(scripted_cloud, token(2)).answer("GET", CURRENT, json={})
    store.get_token(identify_login(turned.connection, LOGIN), lambda memory: LOGIN.obtain_grant(turned, {}, memory))
    assert looked_up(turned, LOGIN, store)["current"]["fingerprint"] == compute_fingerprint(token(2))


def test_without_credentials_only_the_kept_ones_are_shown(turned: Http, store: SessionStore, tmp_path: Path) -> None:
    label = {"api_url": "https://cloud.example.com", "account": USERNAME, "client": "particle", "purpose": "report"}
    life = {"obtained_at": "1970-01-01T00:00:00Z", "expires_at": "1970-01-03T12:00:00Z"}
    entry = {**label, **life, "fingerprint": "1f0c5d6e", "access_token": token(1), "previous": [token(2)]}
    file = write_private(tmp_path / "tokens.json", {"tokens": [entry]})
    assert looked_up(turned, None, store, file) == {
        "changed": False,
        "current": None,
        "kept": [{**label, **life, "fingerprint": "1f0c5d6e", "days_left": 2}],
    }
    assert turned.usage.requests == 0


def test_the_listing_is_left_alone_unless_it_is_asked_for(turned: Http, store: SessionStore) -> None:
    assert set(looked_up(turned, None, store)) == {"changed", "current", "kept"}


# The listing


@pytest.mark.parametrize(
    "rows",
    [
        [{"token": token(1), "expires_at": None, "client": "__PASSWORD_ONLY__"}],
        [{"accessToken": token(1), "accessTokenExpiresAt": None, "client": "__PASSWORD_ONLY__"}],
    ],
    ids=["documented", "self-hosted"],
)
def test_where_a_cloud_lists_tokens_they_are_shown_by_their_fingerprints(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, rows: list[dict[str, Any]]
) -> None:
    scripted_cloud.answer("GET", TOKENS, json=rows)
    result = listed(turned, store)
    row = {"fingerprint": compute_fingerprint(token(1)), "client": "__PASSWORD_ONLY__", "expires_at": None}
    assert (result["listed"], result["listing_error"]) == ([row], None)
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    assert scripted_cloud.requests[0].headers["Authorization"] == f"Basic {basic}"


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (401, {"ok": False, "errors": ["Bad password"]}, "listing_refused"),
        (400, {"ok": False, "errors": ["Unknown user"]}, "listing_refused"),
        (401, {"error": "invalid_token"}, "listing_refused"),
        (404, {"ok": False, "error": "Not found"}, "listing_retired"),
        (410, {"ok": False}, "listing_retired"),
        (500, {"ok": False}, "cloud_error"),
    ],
)
def test_a_refused_listing_is_explained_and_no_failure(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any], code: str
) -> None:
    scripted_cloud.answer("GET", TOKENS, status, json=said, repeat=True)
    result = listed(turned, store)
    assert (result["listed"], result["listing_error"]["code"]) == (None, code)
    assert result["listing_error"]["hint"]


def test_a_client_in_the_place_of_an_account_is_named_as_the_cause(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", TOKENS, 401, json={"ok": False, "errors": ["Bad password"]})
    error = listed(turned, store, PasswordLogin("particle", "particle"))["listing_error"]
    assert "'particle' looks like an OAuth client" in error["message"]


@pytest.mark.parametrize(
    ("login", "codes"),
    [
        (LOGIN, [{}, {}]),
        (replace(LOGIN, otp="001234"), [{"otp": "001234"}] * 2),
        # The second code is another one, for a code is good once.
        (replace(LOGIN, otp_secret=OTP_SECRET), [{"otp": compute_code(OTP_SECRET, period)} for period in (0, 1)]),
    ],
    ids=["none", "code", "secret"],
)
def test_the_one_time_code_goes_with_the_account(
    turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud, login: PasswordLogin, codes: list[dict[str, str]]
) -> None:
    scripted_cloud.answer("GET", TOKENS, json=[], repeat=True)
    for _unused in codes:
        assert listed(turned, store, login)["listed"] == []
    assert [request.query for request in scripted_cloud.requests] == codes


def test_without_an_account_nothing_is_asked(turned: Http, store: SessionStore, scripted_cloud: ScriptedCloud) -> None:
    error = listed(turned, store, None)["listing_error"]
    assert (error["code"], trail(scripted_cloud)) == ("listing_refused", [])
    assert "username and password" in error["message"]
