# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the states of a declared token: present, rotated and absent, even after a run was killed."""

from __future__ import annotations

import base64
import datetime
import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_expiry import (
    compute_fingerprint,
    is_token_valid,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import CHECK_MODE_SECONDS, Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud
from support.simulator import Simulator
from support.token_cloud import (
    CURRENT,
    DAY,
    DEVICES,
    EXPIRED,
    GRANT,
    INVALID,
    LOGIN,
    PASSWORD,
    REFUSED,
    USERNAME,
    list_bearers,
    list_requests,
    mode,
    run_child,
    script_grants,
    token,
)
from support.turned_clock import TurnedClock, conversation

OK = {"ok": True}
STEPS = ("obtained", "proved", "stored", "revoked")

ROTATE_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Connection, Http
from support.token_cloud import LOGIN, USERNAME

url, folder, fatal_step = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def step(name):
    if name == fatal_step:
        os.kill(os.getpid(), signal.SIGKILL)

stores = SessionStore(folder / "sessions.json"), TokenStore(folder / "tokens.json")
tokens = Tokens(Http(Connection(url)), *stores, print, step)
tokens.rotate(LOGIN, Label(url, USERNAME, "particle", ""), {}, check_mode=False)
"""


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def clocked_http(http: Http, clock: TurnedClock) -> Http:
    """Provide an HTTP client that uses the test clock and masks the secrets of the login."""
    LOGIN.mask_secrets(http.redact)
    return http


@pytest.fixture
def label(scripted_cloud: ScriptedCloud) -> Label:
    return Label(scripted_cloud.url, USERNAME, "particle", "")


@pytest.fixture
def tokens(clocked_http: Http, tmp_path: Path, file: Path, clock: TurnedClock, warnings: list[str]) -> Tokens:
    """Provide the token handling with a token file."""
    return Tokens(clocked_http, SessionStore(tmp_path / "sessions.json", clock), TokenStore(file), warnings.append)


@pytest.fixture
def tokens_without_file(tokens: Tokens) -> Tokens:
    """Provide the token handling without a token file."""
    tokens.store = None
    return tokens


def ensure_present(tokens: Tokens, label: Label, renew_before: float | None = None, **options: Any) -> dict[str, Any]:
    lifetime = options.pop("lifetime", {})
    return tokens.ensure_present(LOGIN, label, lifetime, renew_before, **{"check_mode": False, **options})


def read_entry(file: Path) -> dict[str, Any]:
    (only_entry,) = json.loads(file.read_text())["tokens"]
    return dict(only_entry)


def accept_tokens(cloud: ScriptedCloud, times: int = 1) -> ScriptedCloud:
    """Script a cloud that accepts any token, for this number of validity checks."""
    for _unused in range(times):
        cloud.answer("GET", CURRENT, json={"client": "particle"})
    return cloud


# State present, without a token file


def test_new_token_is_returned_with_all_return_values(
    tokens_without_file: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    script_grants(scripted_cloud, token(1))
    assert ensure_present(tokens_without_file, label) == {
        "changed": True,
        "access_token": token(1),
        "token_type": "bearer",
        "expires_in": 3600,
        "expires_at": "1970-01-01T01:00:00Z",
        "fingerprint": compute_fingerprint(token(1)),
        "reused": False,
    }
    assert list_requests(scripted_cloud) == [f"POST {GRANT}"]
    assert not file.exists()


def test_every_run_obtains_a_new_token_without_a_file(
    tokens_without_file: Tokens, label: Label, scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1), token(2))
    assert [ensure_present(tokens_without_file, label)["access_token"] for _unused in range(2)] == [token(1), token(2)]


@pytest.mark.parametrize(
    "lifetime", [{}, {"expires_in": "3600"}, {"expires_in": "0"}, {"expires_at": "2030-01-01T00:00:00Z"}]
)
def test_requested_lifetime_is_sent_unchanged(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, lifetime: dict[str, str]
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1)))
    ensure_present(tokens, label, lifetime=lifetime)
    form = scripted_cloud.requests[0].form
    assert {name: form[name] for name in form if name.startswith("expires")} == lifetime


def test_refused_login_is_not_tried_again_by_later_runs(
    tokens_without_file: Tokens, label: Label, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json=REFUSED)
    for _unused in range(3):
        with pytest.raises(ParticleError) as caught:
            ensure_present(tokens_without_file, label)
        assert caught.value.code == "invalid_credentials"
    assert len(scripted_cloud.requests) == 1


# State present, with a token file


def test_stored_token_is_returned_by_every_later_run(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1)), times=3)
    first, second, third = (ensure_present(tokens, label) for _unused in range(3))
    assert (first["changed"], first["reused"]) == (True, False)
    assert second == third == {**first, "changed": False, "reused": True}
    assert len(scripted_cloud.seen("POST", GRANT)) == 1
    assert mode(file) == 0o600


@pytest.mark.parametrize(
    ("expires_in", "renew_before", "renewed_at"),
    [
        (90 * DAY, None, 83 * DAY),
        (30 * DAY, None, 27 * DAY),
        (10 * DAY, None, 9 * DAY),
        (3600, None, 3240),
        (90 * DAY, 30 * DAY, 60 * DAY),
        (3600, 600, 3000),
        (3600, 0, 3600),
    ],
)
def test_stored_token_is_renewed_at_the_default_or_requested_time(
    tokens: Tokens,
    label: Label,
    scripted_cloud: ScriptedCloud,
    clock: TurnedClock,
    expires_in: float,
    renew_before: float | None,
    renewed_at: float,
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2), expires_in=int(expires_in)), times=3)
    scripted_cloud.answer("DELETE", CURRENT, json=OK)
    ensure_present(tokens, label)
    clock.now = renewed_at - 1
    assert ensure_present(tokens, label, renew_before)["access_token"] == token(1)
    clock.now = renewed_at
    renewed = ensure_present(tokens, label, renew_before)
    assert (renewed["access_token"], renewed["changed"], renewed["reused"]) == (token(2), True, False)
    assert scripted_cloud.requests[-1].headers["Authorization"] == f"Bearer {token(1)}"


@pytest.mark.parametrize("expires_in", [0, None], ids=["never ends", "end unknown"])
def test_token_without_known_expiry_is_reused_while_it_is_valid(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, clock: TurnedClock, expires_in: int | None
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), expires_in=expires_in), times=2)
    ensure_present(tokens, label)
    clock.sleep(10_000 * DAY)
    result = ensure_present(tokens, label)
    assert (result["access_token"], result["expires_in"], result["expires_at"]) == (token(1), expires_in, None)


@pytest.mark.parametrize(
    ("stored", "requested", "is_replaced"),
    [
        (0, {"expires_in": "600"}, True),
        (90 * DAY, {"expires_in": "600"}, True),
        (1200, {"expires_in": "600"}, False),
        (1201, {"expires_in": "600"}, True),
        (300, {"expires_in": "600"}, False),
        (299, {"expires_in": "600"}, True),
        (600, {"expires_in": "0"}, True),
        (600, {"expires_in": str(int(90 * DAY))}, True),
        (600, {"expires_at": "2030-01-01T00:00:00Z"}, True),
        (0, {"expires_at": "1970-01-01T00:10:00Z"}, True),
        (0, {"expires_in": "0"}, False),
        (600, {}, False),
        (0, {}, False),
    ],
)
def test_stored_token_is_replaced_if_another_lifetime_is_requested(
    tokens: Tokens,
    label: Label,
    scripted_cloud: ScriptedCloud,
    file: Path,
    stored: float,
    requested: dict[str, str],
    is_replaced: bool,
    warnings: list[str],
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), expires_in=int(stored)), times=2)
    script_grants(scripted_cloud, token(2), expires_in=600).answer("DELETE", CURRENT, json=OK)
    ensure_present(tokens, label, lifetime={})
    result = ensure_present(tokens, label, lifetime=requested)
    assert (result["changed"], result["access_token"]) == (is_replaced, token(2 if is_replaced else 1))
    assert len(scripted_cloud.seen("DELETE", CURRENT)) == is_replaced
    stored_warning = f"The stored token {compute_fingerprint(token(1))} with purpose '' is replaced"
    assert [stored_warning in warning for warning in warnings if "purpose" in warning] == [True] * is_replaced


def test_repeated_request_returns_the_token_of_a_cloud_that_ignores_it(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), expires_in=0), times=2)
    results = [ensure_present(tokens, label, lifetime={"expires_in": "600"}) for _unused in range(2)]
    assert [(result["access_token"], result["expires_in"]) for result in results] == [(token(1), 0)] * 2
    assert warnings == [
        "The cloud has granted a token that never expires, but the task requests one that expires in 600 seconds."
    ]


@pytest.mark.parametrize("answer", [INVALID, EXPIRED])
def test_stored_token_that_the_cloud_refuses_is_replaced(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, answer: dict[str, str]
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2))).answer("GET", CURRENT, 401, json=answer)
    ensure_present(tokens, label)
    accept_tokens(scripted_cloud).answer("DELETE", CURRENT, 401, json=answer)
    assert ensure_present(tokens, label)["access_token"] == token(2)
    assert not read_entry(file).get("previous")


def test_outage_fails_the_run_and_keeps_the_stored_token(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1))).answer("GET", CURRENT, 503, repeat=True)
    ensure_present(tokens, label)
    with pytest.raises(ParticleError) as caught:
        ensure_present(tokens, label)
    assert caught.value.code == "cloud_error"
    assert read_entry(file)["access_token"] == token(1)


def test_new_token_that_the_cloud_refuses_does_not_replace_the_old_one(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2))).answer("GET", CURRENT, 401, json=INVALID)
    ensure_present(tokens, label)
    with pytest.raises(ParticleError, match="does not accept the token that it has just issued"):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    assert read_entry(file)["access_token"] == token(1)
    assert "next" not in read_entry(file)


# State rotated


def test_rotation_verifies_the_new_token_before_it_revokes_the_old_one(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2)), times=2).answer("DELETE", CURRENT, json=OK)
    steps: list[str] = []
    ensure_present(tokens, label)
    tokens.note_step = steps.append
    result = tokens.rotate(LOGIN, label, {}, check_mode=False)
    assert (result["access_token"], result["changed"], result["reused"]) == (token(2), True, False)
    assert list_requests(scripted_cloud)[2:] == [f"POST {GRANT}", f"GET {CURRENT}", f"DELETE {CURRENT}"]
    assert list_bearers(scripted_cloud)[1:] == [token(2), token(1)]
    assert tuple(steps) == STEPS
    assert token(1) not in file.read_text()


def test_rotation_requires_a_token_file(tokens_without_file: Tokens, label: Label) -> None:
    with pytest.raises(ParticleError, match="State rotated requires token_file") as caught:
        tokens_without_file.rotate(LOGIN, label, {}, check_mode=False)
    assert "token_file" in caught.value.hint


def test_refused_rotation_keeps_the_old_token(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1))).answer("POST", GRANT, 400, json=REFUSED)
    ensure_present(tokens, label)
    before = file.read_text()
    with pytest.raises(ParticleError):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    assert file.read_text() == before


def test_later_runs_retry_the_failed_revocation_of_an_old_token(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, warnings: list[str]
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2)), times=4)
    scripted_cloud.answer("DELETE", CURRENT, 403).answer("DELETE", CURRENT, 403).answer("DELETE", CURRENT, json=OK)
    ensure_present(tokens, label)
    assert tokens.rotate(LOGIN, label, {}, check_mode=False)["access_token"] == token(2)
    assert [ensure_present(tokens, label)["access_token"] for _unused in range(2)] == [token(2)] * 2
    assert [request.headers["Authorization"] for request in scripted_cloud.seen("DELETE", CURRENT)] == [
        f"Bearer {token(1)}"
    ] * 3
    assert len(warnings) == 2
    assert all(
        warning.startswith(f"The old token {compute_fingerprint(token(1))} could not be revoked.")
        for warning in warnings
    )
    assert token(1) not in f"{warnings}{file.read_text()}"


def test_several_unrevoked_old_tokens_are_all_revoked_later(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2), token(3)), times=4)
    for _unused in range(4):
        scripted_cloud.answer("DELETE", CURRENT, 403)
    ensure_present(tokens, label)
    for _unused in range(2):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    scripted_cloud.answer("DELETE", CURRENT, json=OK).answer("DELETE", CURRENT, json=OK)
    assert ensure_present(tokens, label)["access_token"] == token(3)
    revoked = [request.headers["Authorization"] for request in scripted_cloud.seen("DELETE", CURRENT)[-2:]]
    assert revoked == [f"Bearer {token(1)}", f"Bearer {token(2)}"]
    assert not [number for number in (1, 2) if token(number) in file.read_text()]


def test_finishing_an_earlier_rotation_is_reported_as_a_change(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2)), times=6)
    scripted_cloud.answer("DELETE", CURRENT, 403).answer("DELETE", CURRENT, json=OK)
    ensure_present(tokens, label)
    tokens.rotate(LOGIN, label, {}, check_mode=False)
    found = [ensure_present(tokens, label, check_mode=check_mode) for check_mode in (True, False, False)]
    assert [(result["changed"], result["reused"]) for result in found] == [(True, True), (True, True), (False, True)]


# Refresh tokens, each of which can be used once


def grant_with_refresh_tokens(cloud: ScriptedCloud, *numbers: int) -> ScriptedCloud:
    """Script a cloud that grants the tokens of these numbers, each with a refresh token."""
    for number in numbers:
        cloud.answer(
            "POST", GRANT, json={"access_token": token(number), "expires_in": 3600, "refresh_token": f"r{number}"}
        )
    return cloud


def list_used_refresh_tokens(cloud: ScriptedCloud) -> list[str]:
    return [request.form["refresh_token"] for request in cloud.seen("POST", GRANT)]


@pytest.fixture
def refresh_label(label: Label) -> Label:
    return replace(label, account="", client="my-client")


GIVEN_REFRESH_TOKEN = RefreshToken("r0", Client("my-client", "my-secret"))
STORED_REFRESH_TOKEN = replace(GIVEN_REFRESH_TOKEN, refresh_token=None)


def test_each_grant_uses_the_refresh_token_of_the_previous_one(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(grant_with_refresh_tokens(scripted_cloud, 1, 2, 3), times=4)
    scripted_cloud.answer("DELETE", CURRENT, json=OK).answer("DELETE", CURRENT, json=OK)
    found = [tokens.ensure_present(GIVEN_REFRESH_TOKEN, refresh_label, {}, None, check_mode=False)]
    found.append(tokens.ensure_present(STORED_REFRESH_TOKEN, refresh_label, {}, None, check_mode=False))
    found += [tokens.rotate(STORED_REFRESH_TOKEN, refresh_label, {}, check_mode=False) for _unused in range(2)]
    assert [result["refresh_token"] for result in found] == ["r1", "r1", "r2", "r3"]
    assert list_used_refresh_tokens(scripted_cloud) == ["r0", "r1", "r2"]
    assert read_entry(file)["refresh_token"] == "r3"
    assert tokens.http.redact("r2 r3") == "******** ********"


def test_refresh_token_of_a_refused_new_token_is_used_by_the_next_run(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    grant_with_refresh_tokens(scripted_cloud, 1, 2).answer("GET", CURRENT, 401, json=INVALID).answer(
        "GET", CURRENT, json={}
    )
    with pytest.raises(ParticleError, match="does not accept"):
        tokens.ensure_present(GIVEN_REFRESH_TOKEN, refresh_label, {}, None, check_mode=False)
    tokens.ensure_present(STORED_REFRESH_TOKEN, refresh_label, {}, None, check_mode=False)
    assert list_used_refresh_tokens(scripted_cloud) == ["r0", "r1"]
    assert read_entry(file)["refresh_token"] == "r2"


def test_used_refresh_token_without_a_successor_is_removed(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(grant_with_refresh_tokens(scripted_cloud, 1), token(2)), times=2).answer(
        "DELETE", CURRENT, json=OK
    )
    tokens.ensure_present(GIVEN_REFRESH_TOKEN, refresh_label, {}, None, check_mode=False)
    assert "refresh_token" not in tokens.rotate(STORED_REFRESH_TOKEN, refresh_label, {}, check_mode=False)
    with pytest.raises(ParticleError, match="contains no refresh token") as caught:
        tokens.rotate(STORED_REFRESH_TOKEN, refresh_label, {}, check_mode=False)
    assert caught.value.code == "invalid_option"
    assert "refresh_token" not in read_entry(file)


def test_check_mode_does_not_use_the_refresh_token(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    for result in (
        tokens.ensure_present(GIVEN_REFRESH_TOKEN, refresh_label, {}, None, check_mode=True),
        tokens.rotate(GIVEN_REFRESH_TOKEN, refresh_label, {}, check_mode=True),
    ):
        assert (result["changed"], result["access_token"], result["fingerprint"]) == (True, None, None)
    assert (scripted_cloud.requests, file.exists()) == ([], False)


def test_refresh_token_of_a_password_login_is_not_stored(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(grant_with_refresh_tokens(scripted_cloud, 1))
    assert "refresh_token" not in ensure_present(tokens, label)
    assert "r1" not in file.read_text()


# Killed runs, on the simulator, which counts the tokens


def build_tokens(simulator: Simulator, folder: Path, warnings: list[str], clock: TurnedClock | None = None) -> Tokens:
    if clock is None:
        http, sessions = Http(Connection(simulator.url)), SessionStore(folder / "sessions.json")
    else:
        http, sessions = conversation(simulator.url, clock), SessionStore(folder / "sessions.json", clock)
    return Tokens(http, sessions, TokenStore(folder / "tokens.json"), warnings.append)


def count_tokens(simulator: Simulator) -> int:
    return int(simulator.state()["accounts"][0]["tokens"])


def is_accepted(url: str, value: str) -> bool:
    http = Http(Connection(url))
    http.use_token(value)
    try:
        return is_token_valid(http)
    finally:
        http.close()


@pytest.mark.parametrize(
    ("state", "kills"),
    [("present", 1), ("rotated", 1), pytest.param("present", 2, marks=pytest.mark.only_full), ("rotated", 2)],
)
@pytest.mark.parametrize("fatal_step", STEPS)
def test_killed_rotation_keeps_a_valid_token_and_next_run_finishes_it(
    simulator: Simulator,
    tmp_path: Path,
    warnings: list[str],
    no_proxies: None,
    fatal_step: str,
    state: str,
    kills: int,
) -> None:
    tokens = build_tokens(simulator, tmp_path, warnings)
    label = Label(simulator.url, USERNAME, "particle", "")
    ensure_present(tokens, label)
    for _unused in range(kills):
        child = run_child(ROTATE_UNTIL_KILLED, simulator.url, tmp_path, fatal_step)
        assert child.returncode == -signal.SIGKILL, child.stderr
        stored = TokenStore(tmp_path / "tokens.json").find_usable_token(simulator.url, None, time.time())
        assert stored is not None
        assert is_accepted(simulator.url, stored)
        assert count_tokens(simulator) <= 2
    finish = (
        ensure_present if state == "present" else lambda *_unused: tokens.rotate(LOGIN, label, {}, check_mode=False)
    )
    result = finish(tokens, label)
    tokens.http.close()
    assert is_accepted(simulator.url, result["access_token"])
    assert count_tokens(simulator) == 1
    stored_entry = read_entry(tmp_path / "tokens.json")
    assert ("next" in stored_entry, stored_entry.get("previous") or []) == (False, [])
    assert warnings == []


@pytest.mark.parametrize("fatal_step", STEPS[:3])
def test_first_token_of_a_killed_run_is_used_by_the_next_run(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None, fatal_step: str
) -> None:
    assert run_child(ROTATE_UNTIL_KILLED, simulator.url, tmp_path, fatal_step).returncode == -signal.SIGKILL
    tokens = build_tokens(simulator, tmp_path, warnings)
    result = ensure_present(tokens, Label(simulator.url, USERNAME, "particle", ""))
    tokens.http.close()
    assert is_accepted(simulator.url, result["access_token"])
    assert count_tokens(simulator) == 1
    assert simulator.stats()["grants"] == 1, "the next run must use the obtained token"


# Long use, and the number of tokens


def advance_clock(simulator: Simulator, seconds: float) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"{simulator.url}/_simulator/clock", json={"advance": seconds}, timeout=30).raise_for_status()


@pytest.mark.parametrize(
    ("lifetime", "grants"),
    [({}, 2), ({"expires_in": str(int(10 * DAY))}, 14), ({"expires_in": "0"}, 1)],
    ids=["life of the cloud", "ten days", "no end"],
)
def test_120_days_of_daily_use_never_fail_and_leave_no_token(
    simulator: Simulator,
    tmp_path: Path,
    clock: TurnedClock,
    warnings: list[str],
    no_proxies: None,
    lifetime: dict[str, str],
    grants: int,
) -> None:
    clock.now = time.time()
    label = Label(simulator.url, USERNAME, "particle", "")
    max_tokens = 0
    for _unused in range(120):
        tokens = build_tokens(simulator, tmp_path, warnings, clock)
        tokens.note_step = lambda name: None
        result = ensure_present(tokens, label, lifetime=lifetime)
        tokens.http.use_token(result["access_token"])
        tokens.http.send(Request(f"GET {DEVICES}", "use the token"))
        tokens.http.close()
        max_tokens = max(max_tokens, count_tokens(simulator))
        advance_clock(simulator, DAY)
        clock.now += DAY
    tokens = build_tokens(simulator, tmp_path, warnings, clock)
    stored = TokenStore(tmp_path / "tokens.json").find_usable_token(simulator.url, None, clock.now)
    assert stored is not None
    assert tokens.revoke_one(stored, None, check_mode=False)["changed"] is True
    tokens.http.close()
    assert max_tokens == 1, "each run must leave exactly one token"
    assert count_tokens(simulator) == 0
    stats = simulator.stats()
    assert (stats["grants"], stats["refusals"], stats["revocations"]) == (grants, 0, grants)
    assert warnings == []


def test_rotation_never_has_more_than_two_tokens(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None
) -> None:
    tokens = build_tokens(simulator, tmp_path, warnings)
    seen: list[tuple[str, int]] = []
    tokens.note_step = lambda name: seen.append((name, count_tokens(simulator)))
    label = Label(simulator.url, USERNAME, "particle", "")
    ensure_present(tokens, label)
    for _unused in range(3):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    tokens.http.close()
    first, rotation = list(zip(STEPS[:3], (1, 1, 1), strict=True)), list(zip(STEPS, (2, 2, 2, 1), strict=True))
    assert seen == first + rotation * 3


# Check mode


@pytest.mark.parametrize(
    ("lifetime", "expected_seconds"),
    [
        ({}, CHECK_MODE_SECONDS),
        ({"expires_in": "3600"}, CHECK_MODE_SECONDS),
        ({"expires_in": "60"}, 60),
        ({"expires_in": "0"}, CHECK_MODE_SECONDS),
        ({"expires_at": "2030-01-01T00:00:00Z"}, CHECK_MODE_SECONDS),
    ],
)
def test_check_mode_requests_a_lifetime_of_15_minutes_at_most(
    tokens: Tokens,
    label: Label,
    scripted_cloud: ScriptedCloud,
    file: Path,
    lifetime: dict[str, str],
    expected_seconds: int,
) -> None:
    script_grants(scripted_cloud, token(1))
    ensure_present(tokens, label, lifetime=lifetime, check_mode=True)
    form = scripted_cloud.requests[0].form
    assert (form["expires_in"], "expires_at" in form) == (str(expected_seconds), False)
    assert not file.exists(), "check mode must not store the token"


def test_check_mode_returns_the_stored_token_and_writes_nothing(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1)), times=2)
    stored = ensure_present(tokens, label)
    before = file.read_text()
    assert ensure_present(tokens, label, check_mode=True) == {**stored, "changed": False, "reused": True}
    assert tokens.rotate(LOGIN, label, {}, check_mode=True) == {**stored, "changed": True, "reused": True}
    assert file.read_text() == before
    assert len(scripted_cloud.seen("POST", GRANT)) == 1


def test_check_mode_does_not_finish_an_earlier_rotation(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2)), times=3).answer("DELETE", CURRENT, 403)
    ensure_present(tokens, label)
    tokens.rotate(LOGIN, label, {}, check_mode=False)
    before = file.read_text()
    ensure_present(tokens, label, check_mode=True)
    assert file.read_text() == before
    assert len(scripted_cloud.seen("DELETE", CURRENT)) == 1


@pytest.mark.parametrize("state", ["present", "rotated"])
def test_check_mode_revokes_a_token_that_check_mode_obtained(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, state: str
) -> None:
    script_grants(scripted_cloud, token(1)).answer("DELETE", CURRENT, json=OK)
    if state == "present":
        ensure_present(tokens, label, check_mode=True)
    else:
        tokens.rotate(LOGIN, label, {}, check_mode=True)
    expected = {"changed": True, "fingerprint": compute_fingerprint(token(1))}
    assert tokens.revoke_one(token(1), None, check_mode=True) == expected
    assert list_requests(scripted_cloud) == [f"POST {GRANT}", f"DELETE {CURRENT}"]
    assert not tokens.sessions.is_of_check_mode(token(1))


@pytest.mark.parametrize(("status", "is_valid"), [(200, True), (401, False)])
def test_check_mode_only_predicts_the_revocation_of_other_tokens(
    tokens: Tokens, scripted_cloud: ScriptedCloud, status: int, is_valid: bool
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, json={} if is_valid else INVALID)
    assert tokens.revoke_one(token(1), None, check_mode=True)["changed"] is is_valid
    assert list_requests(scripted_cloud) == [f"GET {CURRENT}"]


# State absent


@pytest.mark.parametrize(("status", "is_valid"), [(200, True), (401, False)])
def test_absent_reports_a_change_only_if_the_token_was_valid(
    tokens: Tokens, scripted_cloud: ScriptedCloud, status: int, is_valid: bool
) -> None:
    scripted_cloud.answer("DELETE", CURRENT, status, json=OK if is_valid else INVALID)
    result = tokens.revoke_one(token(1), None, check_mode=False)
    assert result == {"changed": is_valid, "fingerprint": compute_fingerprint(token(1))}


def test_revoked_token_is_removed_from_both_files(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, tmp_path: Path
) -> None:
    accept_tokens(script_grants(scripted_cloud, token(1), token(2))).answer("DELETE", CURRENT, json=OK).answer(
        "DELETE", CURRENT, json=OK
    )
    ensure_present(tokens, label)
    shared = tokens.log_in(LOGIN)
    for value in (token(1), shared):
        tokens.revoke_one(value, None, check_mode=False)
    written = f"{file.read_text()}{(tmp_path / 'sessions.json').read_text()}"
    assert not [number for number in (1, 2) if token(number) in written]


@pytest.mark.parametrize("fatal_step", ["obtained", "proved", "stored"])
def test_absent_revokes_also_the_tokens_of_a_killed_rotation(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None, fatal_step: str
) -> None:
    tokens = build_tokens(simulator, tmp_path, warnings)
    ensure_present(tokens, Label(simulator.url, USERNAME, "particle", ""))
    assert run_child(ROTATE_UNTIL_KILLED, simulator.url, tmp_path, fatal_step).returncode == -signal.SIGKILL
    stored = TokenStore(tmp_path / "tokens.json").find_usable_token(simulator.url, None, time.time())
    assert stored is not None
    tokens.revoke_one(stored, None, check_mode=False)
    tokens.http.close()
    assert count_tokens(simulator) == 0
    assert json.loads((tmp_path / "tokens.json").read_text())["tokens"] == []


def test_rotation_on_a_self_hosted_cloud_revokes_with_the_account(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    script_grants(scripted_cloud, token(1), token(2))
    for method in ("GET", "DELETE"):
        scripted_cloud.answer(method, CURRENT, 404, body="Not Found", repeat=True)
    for _unused in range(3):
        scripted_cloud.answer("GET", DEVICES, json=[])
    scripted_cloud.answer("GET", DEVICES, 401).answer("DELETE", f"/v1/access_tokens/{token(1)}", json=OK)
    ensure_present(tokens, label)
    tokens.rotate(LOGIN, label, {}, check_mode=False)
    (by_value,) = scripted_cloud.seen("DELETE", f"/v1/access_tokens/{token(1)}")
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    assert by_value.headers["Authorization"] == f"Basic {basic}"
    assert not read_entry(file).get("previous")


def test_revoking_all_tokens_keeps_the_entries_of_other_accounts(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None
) -> None:
    tokens = build_tokens(simulator, tmp_path, warnings)
    same_cloud = simulator.url.replace("127.0.0.1", "LocalHost")
    own_label, other_label = (Label(same_cloud, name, "particle", "") for name in (USERNAME, "other@example.com"))
    for label in (own_label, other_label):
        ensure_present(tokens, label)
    shared = tokens.log_in(LOGIN)
    result = tokens.revoke_all_tokens(shared, USERNAME, check_mode=False)
    assert result == {"changed": True, "fingerprint": compute_fingerprint(shared)}
    assert count_tokens(simulator) == 0
    assert read_entry(tmp_path / "tokens.json")["account"] == "other@example.com"
    assert tokens.revoke_all_tokens(shared, USERNAME, check_mode=False)["changed"] is False
    tokens.http.close()


def test_check_mode_does_not_revoke_all_tokens(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None
) -> None:
    tokens = build_tokens(simulator, tmp_path, warnings)
    shared = tokens.log_in(LOGIN)
    assert tokens.revoke_all_tokens(shared, USERNAME, check_mode=True)["changed"] is True
    tokens.http.close()
    assert count_tokens(simulator) == 1


def test_expiry_of_a_token_is_returned_in_utc(
    tokens_without_file: Tokens, label: Label, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    script_grants(scripted_cloud, token(1), expires_in=3600)
    clock.now = datetime.datetime(2026, 3, 29, 0, 30, tzinfo=datetime.UTC).timestamp()
    assert ensure_present(tokens_without_file, label)["expires_at"] == "2026-03-29T01:30:00Z"
