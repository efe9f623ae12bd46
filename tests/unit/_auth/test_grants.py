# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a failure after a grant leaves no valid token, or a record of the token."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth import grants
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.cleanup import OrphanSearch
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.grants import get_shared_token, open_attempt
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.two_step import TwoStepLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import (
    Reason,
    Record,
    Stage,
    hash_token,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import (
    SESSION_SECONDS,
    SessionStore,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud
from support.token_cloud import (
    CURRENT,
    GRANT,
    INVALID,
    LOGIN,
    PASSWORD,
    REFUSED,
    USERNAME,
    list_bearers,
    list_requests,
    script_grants,
    token,
)
from support.turned_clock import TurnedClock, conversation

OK = {"ok": True}
REVOCATION = f"DELETE {CURRENT}"
TWO_STEP = TwoStepLogin(USERNAME, PASSWORD, "/ide/login", "/ide/token")
REFRESH = RefreshToken("r0", Client("my-client", "my-secret"))


@pytest.fixture
def clocked_http(http: Http, clock: TurnedClock) -> Http:
    clock.now = 1000.0
    return http


@pytest.fixture
def sessions(tmp_path: Path, clock: TurnedClock) -> SessionStore:
    return SessionStore(tmp_path / "sessions.json", clock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of the token file."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    return folder


@pytest.fixture
def tokens(clocked_http: Http, sessions: SessionStore, folder: Path) -> Tokens:
    return Tokens(clocked_http, sessions, TokenStore(folder / "tokens.json"), lambda text: None)


@pytest.fixture
def label(scripted_cloud: ScriptedCloud) -> Label:
    return Label(scripted_cloud.url, USERNAME, "particle", "")


def read_reasons(sessions: SessionStore) -> list[Reason | None]:
    return [record.reason for record in sessions.requests.list_records()]


def remove_folder_during_login(monkeypatch: pytest.MonkeyPatch, folder: Path, kind: type = PasswordLogin) -> None:
    """Remove `folder` after the cloud has granted a token, so that the token cannot be stored."""
    original = kind.obtain_grant  # type: ignore[attr-defined]

    def obtain_grant(self: Any, *arguments: Any) -> Any:
        grant = original(self, *arguments)
        shutil.rmtree(folder)
        return grant

    monkeypatch.setattr(kind, "obtain_grant", obtain_grant)


# The record of a request


def test_request_is_recorded_while_it_is_under_way(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_grants(scripted_cloud, token(1))
    seen: list[Record] = []
    original = type(LOGIN).obtain_grant

    def obtain_grant(self: Any, *arguments: Any) -> Any:
        seen.extend(sessions.requests.list_records())
        return original(self, *arguments)

    monkeypatch.setattr(type(LOGIN), "obtain_grant", obtain_grant)
    get_shared_token(clocked_http, LOGIN, sessions)
    (record,) = seen
    assert (record.api_url, record.account, record.client) == (scripted_cloud.url, USERNAME, "particle")
    assert (record.requested_at, record.ends_at, record.token_hash) == (1000.0, 4600.0, None)
    assert PASSWORD not in repr(record)
    (record,) = sessions.requests.list_records()
    assert (record.stage, record.reason, record.token_hash) == (Stage.STORED, None, hash_token(token(1)))


def test_token_is_not_requested_if_the_request_cannot_be_recorded(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud, tmp_path: Path
) -> None:
    (tmp_path / "token_requests.json.lock").mkdir()
    with pytest.raises(ParticleError) as caught:
        get_shared_token(clocked_http, LOGIN, sessions)
    assert caught.value.code == "unsafe_file"
    assert scripted_cloud.requests == []


@pytest.mark.parametrize(
    ("answer", "is_lost"),
    [
        ({"status": 400, "json": REFUSED}, False),
        ({"status": 503, "json": {"error": "server_error", "error_description": "Try later"}}, False),
        ({"status": 302}, False),
        ({"status": 429}, False),
        ({"status": 500}, True),
        ({"status": 502, "json": {"error": "bad_gateway"}}, True),
        ({"status": 503, "body": "<html>unavailable</html>"}, True),
        ({"status": 504, "json": {"message": "Endpoint request timed out"}}, True),
        ({"json": {"token_type": "bearer"}}, True),
        ({"json": {"access_token": token(1)}, "effect": "truncate"}, True),
        ({"effect": "reset"}, True),
    ],
)
def test_record_stays_only_if_the_response_may_have_been_a_grant(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud, answer: dict[str, Any], is_lost: bool
) -> None:
    scripted_cloud.answer("POST", GRANT, **answer)
    with pytest.raises(ParticleError) as caught:
        get_shared_token(clocked_http, LOGIN, sessions)
    assert read_reasons(sessions) == [Reason.LOST] * is_lost
    assert ("which=orphaned" in caught.value.hint) is is_lost


def test_unsent_request_leaves_no_record(sessions: SessionStore, clock: TurnedClock, no_proxies: None) -> None:
    http = conversation("http://127.0.0.1:1", clock)
    with pytest.raises(ParticleError) as caught:
        get_shared_token(http, LOGIN, sessions)
    http.close()
    assert (caught.value.code, read_reasons(sessions)) == ("unreachable", [])


@pytest.mark.parametrize("expires_in", [None, 0, 90 * 86400], ids=["not told", "never", "90 days"])
def test_shared_token_that_outlives_its_store_keeps_a_record(
    clocked_http: Http,
    sessions: SessionStore,
    scripted_cloud: ScriptedCloud,
    clock: TurnedClock,
    expires_in: int | None,
) -> None:
    script_grants(scripted_cloud, token(1), expires_in=expires_in)
    get_shared_token(clocked_http, LOGIN, sessions)
    (record,) = sessions.requests.list_records()
    assert record.token_hash == hash_token(token(1))
    assert record.token_hash in sessions.hash_tokens()
    assert (record.reason, record.usable_until) == (None, 1000.0 + SESSION_SECONDS)
    assert record.ends_at == (None if expires_in == 0 else 1000.0 + 90 * 86400)


def test_shared_token_is_in_use_for_a_process_that_cannot_see_it(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud, clock: TurnedClock, tmp_path: Path
) -> None:
    script_grants(scripted_cloud, token(1), expires_in=None)
    get_shared_token(clocked_http, LOGIN, sessions)
    cron = SessionStore(tmp_path / "cron.json", clock, requests=sessions.requests)  # without the runtime folder
    search = OrphanSearch(clocked_http, cron)
    lost = Record(scripted_cloud.url, USERNAME, "particle", 1000.0, None, {}, Stage.LOST)
    rows = [{"token": token(1), "expires_at": None, "client": "particle"}]
    assert search.list_orphans() == []
    assert search.plan_cleanup([lost], rows, LOGIN).found == []
    clock.now += SESSION_SECONDS
    assert [record.reason for record in search.list_orphans()] == [Reason.LOST]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit()])
def test_interrupted_login_leaves_a_record(
    clocked_http: Http,
    sessions: SessionStore,
    monkeypatch: pytest.MonkeyPatch,
    interruption: BaseException,
) -> None:
    def fail(*arguments: Any) -> Any:
        raise interruption

    monkeypatch.setattr(type(LOGIN), "obtain_grant", fail)
    with pytest.raises(type(interruption)):
        get_shared_token(clocked_http, LOGIN, sessions)
    assert read_reasons(sessions) == [Reason.LOST]


# Failures after the grant


def test_shared_token_that_cannot_be_saved_is_revoked(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud, tmp_path: Path, clock: TurnedClock
) -> None:
    script_grants(scripted_cloud, token(1), token(2)).answer("DELETE", CURRENT, json=OK)
    get_shared_token(clocked_http, LOGIN, sessions)
    clock.now += 2 * SESSION_SECONDS
    (tmp_path / ".sessions.json.new").mkdir()  # sessions.json cannot be written any more
    with pytest.raises(ParticleError) as caught:
        get_shared_token(clocked_http, LOGIN, sessions)
    assert caught.value.code == "unsafe_file"
    assert list_requests(scripted_cloud) == [f"POST {GRANT}"] * 2 + [REVOCATION]
    assert list_bearers(scripted_cloud) == [token(2)]
    assert hash_token(token(2)) not in {record.token_hash for record in sessions.requests.list_records()}


@pytest.mark.parametrize("is_revocable", [True, False])
def test_token_is_revoked_if_the_token_file_vanishes_during_the_login(
    tokens: Tokens,
    label: Label,
    scripted_cloud: ScriptedCloud,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_revocable: bool,
) -> None:
    script_grants(scripted_cloud, token(1)).answer("DELETE", CURRENT, 200 if is_revocable else 403, json=OK)
    remove_folder_during_login(monkeypatch, folder)
    with pytest.raises(ParticleError) as caught:
        tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
    assert caught.value.code == "unsafe_file"
    assert list_requests(scripted_cloud) == [f"POST {GRANT}", REVOCATION]
    records = tokens.sessions.requests.list_records()
    assert [record.token_hash for record in records] == ([] if is_revocable else [hash_token(token(1))])
    assert ("could not be revoked" in caught.value.hint) is not is_revocable
    assert token(1) not in f"{caught.value.message}{caught.value.hint}"


def test_token_is_not_requested_if_the_token_file_cannot_be_written(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, folder: Path
) -> None:
    (folder / ".tokens.json.probe.new").mkdir()
    with pytest.raises(ParticleError) as caught:
        tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
    assert (caught.value.code, scripted_cloud.requests) == ("unsafe_file", [])


def test_refresh_token_is_not_used_if_its_successor_cannot_be_stored(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, folder: Path
) -> None:
    (folder / ".tokens.json.probe.new").mkdir()
    with pytest.raises(ParticleError):
        tokens.ensure_present(REFRESH, label, {}, None, check_mode=False)
    assert scripted_cloud.requests == []


def test_loss_of_a_used_refresh_token_is_reported(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = {"access_token": token(1), "expires_in": 3600, "refresh_token": "r1"}
    scripted_cloud.answer("POST", GRANT, json=grant).answer("DELETE", CURRENT, json=OK)
    remove_folder_during_login(monkeypatch, folder, RefreshToken)
    with pytest.raises(ParticleError) as caught:
        tokens.ensure_present(REFRESH, label, {}, None, check_mode=False)
    assert "The refresh token has been used up" in caught.value.hint
    assert "r1" not in caught.value.hint.split()


@pytest.mark.parametrize("failure", [ValueError("bug"), KeyboardInterrupt(), BrokenPipeError()])
def test_unstored_token_is_revoked_if_it_cannot_be_returned(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, failure: BaseException
) -> None:
    tokens.store = None
    script_grants(scripted_cloud, token(1)).answer("DELETE", CURRENT, json=OK)
    with contextlib.suppress(type(failure)), tokens.hand_over():
        tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
        raise failure
    assert list_requests(scripted_cloud) == [f"POST {GRANT}", REVOCATION]
    assert tokens.sessions.requests.list_records() == []


def test_record_of_a_returned_token_stays_until_it_is_revoked(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud
) -> None:
    tokens.store = None
    script_grants(scripted_cloud, token(1)).answer("DELETE", CURRENT, json=OK)
    with tokens.hand_over():
        tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
    (record,) = tokens.sessions.requests.list_records()
    assert (record.stage.value, record.reason, record.token_hash) == ("returned", None, hash_token(token(1)))
    tokens.revoke_one(token(1), None, check_mode=False)
    assert tokens.sessions.requests.list_records() == []


@pytest.mark.parametrize("moment", ["before the login", "during the login"])
def test_token_is_revoked_if_the_play_has_been_killed(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    tokens.store = None
    script_grants(scripted_cloud, token(1)).answer("DELETE", CURRENT, json=OK)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as play:
        monkeypatch.setattr(grants, "find_parent_id", lambda: play.pid)
        if moment == "before the login":
            play.kill()
            play.wait()
        with tokens.hand_over():
            tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
            play.kill()
            play.wait()
    assert list_requests(scripted_cloud) == [f"POST {GRANT}", REVOCATION]
    assert tokens.sessions.requests.list_records() == []


def test_token_returned_to_a_play_that_is_killed_later_is_reported(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.store, tokens.is_temporary = None, True
    script_grants(scripted_cloud, token(1))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as play:
        monkeypatch.setattr(grants, "find_parent_id", lambda: play.pid)
        with tokens.hand_over():
            tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
        assert read_reasons(tokens.sessions) == [None]
        play.kill()
    assert read_reasons(tokens.sessions) == [Reason.ABANDONED]


def test_record_of_a_stored_token_stays_until_the_token_is_replaced(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1), token(2)).answer("DELETE", CURRENT, json=OK)
    scripted_cloud.answer("GET", CURRENT, json={}, repeat=True)
    for number in (1, 2):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
        (record,) = tokens.sessions.requests.list_records()
        assert (record.stage, record.reason, record.token_hash) == (Stage.STORED, None, hash_token(token(number)))


def test_token_stored_by_a_killed_process_is_not_orphaned(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_grants(scripted_cloud, token(1))

    def die(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    for method in ("settle", "revoke"):  # a killed process does neither
        monkeypatch.setattr(grants.GrantAttempt, method, die)
    with pytest.raises(KeyboardInterrupt):
        tokens.ensure_present(LOGIN, label, {}, None, check_mode=False)
    (record,) = tokens.sessions.requests.list_records()
    tokens.sessions.requests.update(record, holder={**record.holder, "started": "1"})
    rows = [{"token": token(1), "expires_at": "1970-04-01T00:16:41Z", "client": None}]
    search = OrphanSearch(tokens.http, tokens.sessions)
    plan = search.plan_cleanup(search.list_orphans(), rows, LOGIN)
    assert (plan.found, [each.id for each in plan.left]) == ([], [record.id])


def test_lost_token_of_a_two_step_login_is_recorded(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud
) -> None:
    session = {"auth_token": {"token": "session-token"}}
    scripted_cloud.answer("POST", "/ide/login", json=session).answer("GET", "/ide/token", effect="reset")
    with pytest.raises(ParticleError), open_attempt(clocked_http, TWO_STEP, {}, sessions) as attempt:
        attempt.request({})
    (record,) = sessions.requests.list_records()
    assert (record.account, record.client, record.reason) == (USERNAME, "", Reason.LOST)


def test_revoked_token_is_forgotten_by_the_shared_logins(
    clocked_http: Http, sessions: SessionStore, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_grants(scripted_cloud, token(1)).answer("DELETE", CURRENT, 401, json=INVALID)
    original: Callable[..., str] = SessionStore.get_token

    def get_token(self: SessionStore, *arguments: Any, **more: Any) -> str:
        original(self, *arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(SessionStore, "get_token", get_token)
    with pytest.raises(KeyboardInterrupt):
        get_shared_token(clocked_http, LOGIN, sessions)
    assert sessions.hash_tokens() == set()
    assert sessions.requests.list_records() == []
