# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The life of a token after its grant, on clouds that let it end itself and on those that do not."""

from __future__ import annotations

import base64
import datetime
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth import check_grants
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.life import (
    expiry,
    fingerprint,
    is_alive,
    revoke,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.states import (
    CHECK_MODE_SECONDS,
    absent,
    present,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http
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


# Fingerprint and expiry


def test_a_fingerprint_tells_tokens_apart_and_gives_nothing_away() -> None:
    assert fingerprint("token") == "3c469e9d"
    assert fingerprint(TOKEN) not in TOKEN
    assert fingerprint(TOKEN) != fingerprint(TOKEN[:-1])


@pytest.mark.parametrize(
    ("expires_in", "moment"),
    [(None, None), (0, None), (1, "2026-02-01T00:00:00Z"), (90 * 86400, "2026-05-01T23:59:59Z")],
)
def test_the_end_is_a_moment_in_universal_time_or_unknown(expires_in: int | None, moment: str | None) -> None:
    assert expiry(expires_in, NOW) == moment


def test_the_zone_of_the_clock_does_not_matter() -> None:
    elsewhere = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    assert expiry(1, elsewhere) == expiry(1, NOW)


# Alive or dead


@pytest.fixture
def logged_in(http: Http) -> Http:
    http.authorize(TOKEN)
    return http


def test_a_token_that_may_look_at_itself_is_alive(logged_in: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", CURRENT, json={"client": "particle"})
    assert is_alive(logged_in) is True
    assert trail(scripted_cloud) == [f"GET {CURRENT}"]


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, {"json": INVALID}), (401, {"json": EXPIRED}), (401, {"body": ""}), (400, {"json": INVALID})],
)
def test_a_token_that_the_cloud_does_not_take_is_dead(
    logged_in: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any]
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, **said)
    assert is_alive(logged_in) is False


@pytest.mark.parametrize(("status", "said"), NO_SUCH_ROUTE)
@pytest.mark.parametrize(("answer", "alive"), [(200, True), (401, False)])
def test_a_cloud_without_that_route_is_asked_for_devices_instead(
    logged_in: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any], answer: int, alive: bool
) -> None:
    self_hosted(scripted_cloud, status, said).answer("GET", DEVICES, answer, body="[]" if alive else "")
    assert is_alive(logged_in) is alive
    assert trail(scripted_cloud) == [f"GET {CURRENT}", f"GET {DEVICES}"]


def test_what_is_not_known_is_not_called_dead(logged_in: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("GET", CURRENT, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught:
        is_alive(logged_in)
    assert caught.value.code == "forbidden"


# Revocation


def test_a_token_revokes_itself_without_being_named(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("DELETE", CURRENT, json={"ok": True})
    assert revoke(http, TOKEN, ACCOUNT) is True
    (request,) = scripted_cloud.requests
    assert request.headers["Authorization"] == BEARER
    assert (http.usage.requests, http.usage.writes) == (1, 0)


@pytest.mark.parametrize("said", [INVALID, EXPIRED])
def test_a_dead_token_need_not_be_revoked(http: Http, scripted_cloud: ScriptedCloud, said: dict[str, str]) -> None:
    scripted_cloud.answer("DELETE", CURRENT, 401, json=said)
    assert revoke(http, TOKEN, None) is False
    assert trail(scripted_cloud) == [f"DELETE {CURRENT}"]


@pytest.mark.parametrize(("status", "said"), NO_SUCH_ROUTE)
def test_where_no_token_revokes_itself_the_account_does_it_by_value_and_it_is_proven(
    http: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, Any]
) -> None:
    self_hosted(scripted_cloud, status, said).answer("GET", DEVICES, json=[]).answer("GET", DEVICES, 401)
    scripted_cloud.answer("DELETE", BY_VALUE, json={"ok": True})
    assert revoke(http, TOKEN, ACCOUNT) is True
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
    assert revoke(http, TOKEN, ACCOUNT) is False
    assert trail(scripted_cloud) == [f"DELETE {CURRENT}", f"GET {CURRENT}", f"GET {DEVICES}"]


def test_where_no_token_revokes_itself_the_account_is_asked_for(http: Http, scripted_cloud: ScriptedCloud) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[])
    with pytest.raises(ParticleError) as caught:
        revoke(http, TOKEN, None)
    assert (caught.value.code, caught.value.route) == ("unsupported", "DELETE /v1/access_tokens/current")
    assert "username and password" in caught.value.hint
    assert f"DELETE {BY_VALUE}" not in trail(scripted_cloud)


def test_a_revocation_that_did_not_take_effect_is_not_believed(http: Http, scripted_cloud: ScriptedCloud) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[], repeat=True)
    scripted_cloud.answer("DELETE", BY_VALUE, json={"ok": True})
    with pytest.raises(ParticleError, match="yet the token still works") as caught:
        revoke(http, TOKEN, ACCOUNT)
    assert caught.value.code == "cloud_error"


@pytest.mark.parametrize(("status", "said"), [(401, "Bad password"), (400, "Unknown user"), (503, "Wrong password")])
def test_an_account_that_the_cloud_refuses_is_named_as_the_cause_after_one_attempt(
    http: Http, scripted_cloud: ScriptedCloud, status: int, said: str
) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[])
    scripted_cloud.answer("DELETE", BY_VALUE, status, json={"ok": False, "errors": [said]})
    with pytest.raises(ParticleError) as caught:
        revoke(http, TOKEN, ACCOUNT)
    assert caught.value.code == "invalid_credentials"
    assert trail(scripted_cloud).count(f"DELETE {BY_VALUE}") == 1


def test_a_token_in_a_path_is_not_in_the_words_about_it(http: Http, scripted_cloud: ScriptedCloud) -> None:
    self_hosted(scripted_cloud).answer("GET", DEVICES, json=[])
    scripted_cloud.answer("DELETE", BY_VALUE, 403, body=f"Forbidden: {BY_VALUE} for {BASIC}")
    LOGIN.teach(http.redact)
    with pytest.raises(ParticleError) as caught:
        revoke(http, TOKEN, ACCOUNT)
    failure = str(caught.value.as_failure())
    assert caught.value.route == "DELETE /v1/access_tokens/:token"
    assert not [secret for secret in (TOKEN, BASIC.split()[1], ACCOUNT[1]) if secret in failure]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_failure_to_revoke_is_told(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    scripted_cloud.answer("DELETE", CURRENT, status, repeat=True)
    with pytest.raises(ParticleError) as caught:
        revoke(http, TOKEN, ACCOUNT)
    assert caught.value.status == status
    assert set(trail(scripted_cloud)) == {f"DELETE {CURRENT}"}


# The states that a user declares


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "check_mode"


def granting(cloud: ScriptedCloud) -> ScriptedCloud:
    return cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN, "expires_in": 3600})


def test_a_present_token_is_described_whole(http: Http, scripted_cloud: ScriptedCloud, notes: Path) -> None:
    granting(scripted_cloud)
    result = present(http, LOGIN, 3600, check_mode=False, notes=notes)
    expires_at = datetime.datetime.fromisoformat(result.pop("expires_at"))
    assert abs((expires_at - datetime.datetime.now(datetime.UTC)).total_seconds() - 3600) < 60
    assert result == {
        "changed": True,
        "access_token": TOKEN,
        "token_type": "bearer",
        "expires_in": 3600,
        "fingerprint": fingerprint(TOKEN),
        "reused": False,
    }
    assert not notes.exists()


@pytest.mark.parametrize(("wished", "asked"), [(None, CHECK_MODE_SECONDS), (3600, CHECK_MODE_SECONDS), (60, 60)])
def test_check_mode_asks_for_a_quarter_of_an_hour_at_most(
    http: Http, scripted_cloud: ScriptedCloud, notes: Path, wished: int | None, asked: int
) -> None:
    granting(scripted_cloud)
    present(http, LOGIN, wished, check_mode=True, notes=notes)
    assert scripted_cloud.requests[0].form["expires_in"] == str(asked)


@pytest.mark.parametrize("expires_in", [0, -1])
def test_a_token_without_end_is_not_asked_for(http: Http, notes: Path, expires_in: int) -> None:
    with pytest.raises(ParticleError, match="must end some time"):
        present(http, LOGIN, expires_in, check_mode=False, notes=notes)
    assert http.usage.requests == 0


def test_check_mode_ends_for_real_what_check_mode_began(http: Http, scripted_cloud: ScriptedCloud, notes: Path) -> None:
    granting(scripted_cloud).answer("DELETE", CURRENT, json={"ok": True})
    present(http, LOGIN, None, check_mode=True, notes=notes)
    assert absent(http, TOKEN, None, check_mode=True, notes=notes) == {
        "changed": True,
        "fingerprint": fingerprint(TOKEN),
    }
    assert trail(scripted_cloud) == ["POST /oauth/token", f"DELETE {CURRENT}"]
    assert not check_grants.knows(notes, TOKEN)


@pytest.mark.parametrize(("status", "alive"), [(200, True), (401, False)])
def test_check_mode_only_predicts_the_end_of_any_other_token(
    http: Http, scripted_cloud: ScriptedCloud, notes: Path, status: int, alive: bool
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, json={} if alive else INVALID)
    assert absent(http, TOKEN, None, check_mode=True, notes=notes)["changed"] is alive
    assert trail(scripted_cloud) == [f"GET {CURRENT}"]


@pytest.mark.parametrize(("status", "alive"), [(200, True), (401, False)])
def test_absent_reports_a_change_when_there_was_something_to_end(
    http: Http, scripted_cloud: ScriptedCloud, notes: Path, status: int, alive: bool
) -> None:
    scripted_cloud.answer("DELETE", CURRENT, status, json={"ok": True} if alive else INVALID)
    assert absent(http, TOKEN, None, check_mode=False, notes=notes)["changed"] is alive


# What check mode remembers


def test_a_note_is_private_and_does_not_hold_the_token(notes: Path) -> None:
    check_grants.prepare(notes)
    check_grants.remember(notes, TOKEN)
    (note,) = notes.iterdir()
    assert note.read_bytes() == b""
    assert TOKEN not in note.name
    assert stat.S_IMODE(notes.stat().st_mode) == 0o700
    assert stat.S_IMODE(note.stat().st_mode) == 0o600


def test_only_what_is_remembered_is_known_until_it_is_forgotten(notes: Path) -> None:
    assert check_grants.knows(notes, TOKEN) is False
    check_grants.prepare(notes)
    check_grants.remember(notes, TOKEN)
    assert (check_grants.knows(notes, TOKEN), check_grants.knows(notes, "other")) == (True, False)
    check_grants.forget(notes, TOKEN)
    assert check_grants.knows(notes, TOKEN) is False


def test_forgetting_what_nobody_remembers_is_nothing(notes: Path) -> None:
    check_grants.forget(notes, TOKEN)


def test_notes_of_tokens_long_dead_are_thrown_away(notes: Path) -> None:
    check_grants.prepare(notes)
    check_grants.remember(notes, "old")
    (old,) = notes.iterdir()
    os.utime(old, (0, 0))
    check_grants.remember(notes, "young")
    check_grants.prepare(notes)
    assert (check_grants.knows(notes, "old"), check_grants.knows(notes, "young")) == (False, True)


def test_check_mode_obtains_no_token_that_it_could_not_remember(http: Http, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(ParticleError, match="must remember its token") as caught:
        present(http, LOGIN, None, check_mode=True, notes=tmp_path / "taken" / "check_mode")
    assert "XDG_CACHE_HOME" in caught.value.hint
    assert http.usage.requests == 0


@pytest.mark.parametrize(
    ("environment", "base"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/1", "XDG_CACHE_HOME": "/cache"}, "/run/user/1"),
        ({"XDG_RUNTIME_DIR": "", "XDG_CACHE_HOME": "/cache"}, "/cache"),
    ],
)
def test_notes_lie_where_the_system_keeps_what_need_not_last(environment: dict[str, str], base: str) -> None:
    assert check_grants.folder(environment) == Path(base, "meshfleet.particle", "check_mode")


def test_without_a_runtime_folder_notes_lie_in_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_grants.folder({}) == tmp_path / ".cache" / "meshfleet.particle" / "check_mode"
