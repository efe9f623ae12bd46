# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The life of a token after its grant, on clouds that let it end itself and on those that do not."""

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

# How clouds answer on a route that they do not have.
NO_SUCH_ROUTE = [
    pytest.param(404, {"body": "Not Found"}, id="plain text"),
    pytest.param(404, {"body": f"<html><pre>Cannot DELETE {CURRENT}</pre></html>"}, id="page"),
    pytest.param(404, {"json": {"ok": False, "error": "Not found"}}, id="JSON"),
    pytest.param(400, {"json": {"ok": False, "error": "Unknown token"}}, id="taken for a value"),
    pytest.param(400, {"body": ""}, id="empty"),
]


def trail(cloud: ScriptedCloud) -> list[str]:
    return [f"{request.method} {request.path}" for request in cloud.requests]


def self_hosted(cloud: ScriptedCloud, status: int = 404, said: dict[str, Any] | None = None) -> ScriptedCloud:
    """A cloud that does not know what "current" means; what it says about devices is left to the test."""
    said = said or {"body": "Not Found"}
    for method in ("GET", "DELETE"):
        cloud.answer(method, CURRENT, status, **said, repeat=True)
    return cloud


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another time than that of Greenwich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "ELSEWHERE-5:30")
        time.tzset()
        yield
    time.tzset()


# Fingerprint and expiry


def test_a_fingerprint_tells_tokens_apart_and_gives_nothing_away() -> None:
    assert compute_fingerprint("token") == "3c469e9d"
    assert compute_fingerprint(TOKEN) not in TOKEN
    assert compute_fingerprint(TOKEN) != compute_fingerprint(TOKEN[:-1])


@pytest.mark.parametrize(
    ("expires_in", "moment"),
    [(None, None), (0, None), (1, "2026-02-01T00:00:00Z"), (90 * 86400, "2026-05-01T23:59:59Z")],
)
def test_the_end_is_a_moment_in_universal_time_or_unknown(
    elsewhere: None, expires_in: int | None, moment: str | None
) -> None:
    assert compute_expiry(expires_in, NOW) == moment
    assert compute_expiry(expires_in, NOW.astimezone()) == moment


@pytest.mark.parametrize(
    ("facts", "end"),
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
def test_the_cloud_says_the_end_as_a_moment_or_as_what_is_left_or_not_at_all(
    elsewhere: None, facts: dict[str, Any], end: str | None
) -> None:
    assert read_expiry(facts, 100.0) == end


@pytest.mark.parametrize(
    ("moment", "seconds"),
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
def test_a_moment_is_so_and_so_far_away_or_no_moment(elsewhere: None, moment: Any, seconds: float | None) -> None:
    assert compute_seconds_until(moment, 100.0) == seconds


# Alive or dead


@pytest.fixture
def logged_in(http: Http) -> Http:
    http.use_token(TOKEN)
    return http


def test_a_token_that_may_look_at_itself_is_alive(logged_in: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", CURRENT, json={"client": "particle"})
    assert is_token_valid(logged_in) is True
    assert trail(scripted_cloud) == [f"GET {CURRENT}"]


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, {"json": INVALID}), (401, {"json": EXPIRED}), (401, {"body": ""}), (400, {"json": INVALID})],
)
def test_a_token_that_the_cloud_does_not_take_is_dead(
    logged_in: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any]
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, **said)
    assert is_token_valid(logged_in) is False


@pytest.mark.parametrize(("status", "said"), NO_SUCH_ROUTE)
@pytest.mark.parametrize(("answer", "alive"), [(200, True), (401, False)])
def test_a_cloud_without_that_route_is_asked_for_devices_instead(
    logged_in: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any], answer: int, alive: bool
) -> None:
    self_hosted(scripted_cloud, status, said).answer("GET", DEVICES, answer, body="[]" if alive else "")
    assert is_token_valid(logged_in) is alive
    assert trail(scripted_cloud) == [f"GET {CURRENT}", f"GET {DEVICES}"]


def test_what_is_not_known_is_not_called_dead(logged_in: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", CURRENT, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught:
        is_token_valid(logged_in)
    assert caught.value.code == "forbidden"


# Revocation


def test_a_token_revokes_itself_without_being_named(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("DELETE", CURRENT, json={"ok": True})
    assert revoke_token(http, TOKEN, ACCOUNT) is True
    (request,) = scripted_cloud.requests
    assert request.headers["Authorization"] == BEARER
    assert (http.usage.requests, http.usage.writes) == (1, 0)


@pytest.mark.parametrize("said", [INVALID, EXPIRED])
def test_a_dead_token_need_not_be_revoked(http: Http, scripted_cloud: ScriptedCloud, said: dict[str, str]) -> None:
    scripted_cloud.answer("DELETE", CURRENT, 401, json=said)
    assert revoke_token(http, TOKEN, None) is False
    assert trail(scripted_cloud) == [f"DELETE {CURRENT}"]


@pytest.mark.parametrize(("status", "said"), NO_SUCH_ROUTE)
def test_where_no_token_revokes_itself_the_account_does_it_by_value_and_it_is_proven(
    http: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any]
) -> None:
    self_hosted(scripted_cloud, status, said).answer("GET", DEVICES, json=[]).answer("GET", DEVICES, 401)
    scripted_cloud.answer("DELETE", BY_VALUE, json={"ok": True})
    assert revoke_token(http, TOKEN, ACCOUNT) is True
    assert trail(scripted_cloud) == [
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


def test_where_no_token_revokes_itself_a_dead_one_is_seen_before_it_is_named(
    http: Http, scripted_cloud: ScriptedCloud
) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, 401)
    assert revoke_token(http, TOKEN, ACCOUNT) is False
    assert trail(scripted_cloud) == [f"DELETE {CURRENT}", f"GET {CURRENT}", f"GET {DEVICES}"]


def test_where_no_token_revokes_itself_the_account_is_asked_for(http: Http, scripted_cloud: ScriptedCloud) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[])
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, None)
    assert (caught.value.code, caught.value.route) == ("unsupported", "DELETE /v1/access_tokens/current")
    assert caught.value.message == "Could not revoke the access token: this cloud does not let a token revoke itself."
    assert caught.value.hint == "Give username and password of the account in addition to access_token."
    assert f"DELETE {BY_VALUE}" not in trail(scripted_cloud)


def test_a_revocation_that_did_not_take_effect_is_not_believed(http: Http, scripted_cloud: ScriptedCloud) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[], repeat=True)
    scripted_cloud.answer("DELETE", BY_VALUE, json={"ok": True})
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    assert (caught.value.code, caught.value.route) == ("cloud_error", "DELETE /v1/access_tokens/:token")
    assert caught.value.message == (
        "Could not revoke the access token: the cloud confirmed the revocation, but the token still works."
    )


@pytest.mark.parametrize(("status", "said"), [(401, "Bad password"), (400, "Unknown user"), (503, "Wrong password")])
def test_an_account_that_the_cloud_refuses_is_named_as_the_cause_after_one_attempt(
    http: Http, scripted_cloud: ScriptedCloud, status: int, said: str
) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[])
    scripted_cloud.answer("DELETE", BY_VALUE, status, json={"ok": False, "errors": [said]})
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    assert caught.value.code == "invalid_credentials"
    assert trail(scripted_cloud).count(f"DELETE {BY_VALUE}") == 1


def test_a_token_in_a_path_is_not_in_the_words_about_it(http: Http, scripted_cloud: ScriptedCloud) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[])
    scripted_cloud.answer("DELETE", BY_VALUE, 403, body=f"Forbidden: {BY_VALUE} for {BASIC}")
    LOGIN.mask_secrets(http.redact)
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    failure = str(caught.value.as_failure())
    assert caught.value.route == "DELETE /v1/access_tokens/:token"
    assert not [secret for secret in (TOKEN, BASIC.split()[1], ACCOUNT[1]) if secret in failure]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_failure_to_revoke_is_told(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("DELETE", CURRENT, status, repeat=True)
    with pytest.raises(ParticleError) as caught:
        revoke_token(http, TOKEN, ACCOUNT)
    assert caught.value.status == status
    assert set(trail(scripted_cloud)) == {f"DELETE {CURRENT}"}
