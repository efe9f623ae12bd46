# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A declared token: present and renewed in time, rotated without a gap, absent; whoever is killed at whatever step."""

from __future__ import annotations

import base64
import datetime
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from token_cloud import (
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
    bearers,
    granting,
    mode,
    run_child,
    token,
    trail,
    turned_conversation,
)
from turned_clock import TurnedClock

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

OK = {"ok": True}
STEPS = ("obtained", "proved", "stored", "revoked")

ROTATE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_lifecycle import Tokens
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.token_file import Label, TokenStore
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Connection, Http
from token_cloud import LOGIN, USERNAME

url, folder, deadly = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

def step(name):
    if name == deadly:
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
def turned(scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None) -> Iterator[Http]:
    http = turned_conversation(scripted_cloud.url, clock)
    LOGIN.mask_secrets(http.redact)
    yield http
    http.close()


@pytest.fixture
def label(scripted_cloud: ScriptedCloud) -> Label:
    return Label(scripted_cloud.url, USERNAME, "particle", "")


@pytest.fixture
def tokens(turned: Http, tmp_path: Path, file: Path, clock: TurnedClock, warnings: list[str]) -> Tokens:
    """With a file in which tokens are kept."""
    return Tokens(turned, SessionStore(tmp_path / "sessions.json", clock), TokenStore(file), warnings.append)


@pytest.fixture
def unkept(tokens: Tokens) -> Tokens:
    """Without one."""
    tokens.store = None
    return tokens


def present(tokens: Tokens, label: Label, renew_before: float | None = None, **options: Any) -> dict[str, Any]:
    wish = options.pop("wish", {})
    return tokens.ensure_present(LOGIN, label, wish, renew_before, **{"check_mode": False, **options})


def entry(file: Path) -> dict[str, Any]:
    (one,) = json.loads(file.read_text())["tokens"]
    return dict(one)


def alive(cloud: ScriptedCloud, times: int = 1) -> ScriptedCloud:
    """The cloud takes whatever token looks at itself, so many times."""
    for _unused in range(times):
        cloud.answer("GET", CURRENT, json={"client": "particle"})
    return cloud


# Present, with nothing kept


def test_a_present_token_is_described_whole(
    unkept: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    granting(scripted_cloud, token(1))
    assert present(unkept, label) == {
        "changed": True,
        "access_token": token(1),
        "token_type": "bearer",
        "expires_in": 3600,
        "expires_at": "1970-01-01T01:00:00Z",
        "fingerprint": compute_fingerprint(token(1)),
        "reused": False,
    }
    assert trail(scripted_cloud) == [f"POST {GRANT}"]
    assert not file.exists()


def test_without_a_file_every_run_is_a_new_token(unkept: Tokens, label: Label, scripted_cloud: ScriptedCloud) -> None:
    granting(scripted_cloud, token(1), token(2))
    assert [present(unkept, label)["access_token"] for _unused in range(2)] == [token(1), token(2)]


@pytest.mark.parametrize(
    "wish", [{}, {"expires_in": "3600"}, {"expires_in": "0"}, {"expires_at": "2030-01-01T00:00:00Z"}]
)
def test_a_wished_life_is_asked_for_as_it_is(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, wish: dict[str, str]
) -> None:
    alive(granting(scripted_cloud, token(1)))
    present(tokens, label, wish=wish)
    form = scripted_cloud.requests[0].form
    assert {name: form[name] for name in form if name.startswith("expires")} == wish


def test_a_refusal_is_everybodys(unkept: Tokens, label: Label, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json=REFUSED)
    for _unused in range(3):
        with pytest.raises(ParticleError) as caught:
            present(unkept, label)
        assert caught.value.code == "invalid_credentials"
    assert len(scripted_cloud.requests) == 1


# Present, with a file


def test_a_kept_token_is_handed_back_by_every_later_run(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1)), times=3)
    first, second, third = (present(tokens, label) for _unused in range(3))
    assert (first["changed"], first["reused"]) == (True, False)
    assert second == third == {**first, "changed": False, "reused": True}
    assert len(scripted_cloud.seen("POST", GRANT)) == 1
    assert mode(file) == 0o600


@pytest.mark.parametrize(
    ("expires_in", "renew_before", "used_until"),
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
def test_a_kept_token_is_renewed_7_days_or_a_tenth_of_its_life_before_its_end_or_as_wished(
    tokens: Tokens,
    label: Label,
    scripted_cloud: ScriptedCloud,
    clock: TurnedClock,
    expires_in: float,
    renew_before: float | None,
    used_until: float,
) -> None:
    alive(granting(scripted_cloud, token(1), token(2), expires_in=int(expires_in)), times=3)
    scripted_cloud.answer("DELETE", CURRENT, json=OK)
    present(tokens, label)
    clock.now = used_until - 1
    assert present(tokens, label, renew_before)["access_token"] == token(1)
    clock.now = used_until
    renewed = present(tokens, label, renew_before)
    assert (renewed["access_token"], renewed["changed"], renewed["reused"]) == (token(2), True, False)
    assert scripted_cloud.requests[-1].headers["Authorization"] == f"Bearer {token(1)}"


@pytest.mark.parametrize("expires_in", [0, None], ids=["never ends", "end unknown"])
def test_a_token_without_a_known_end_is_kept_as_long_as_it_works(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, clock: TurnedClock, expires_in: int | None
) -> None:
    alive(granting(scripted_cloud, token(1), expires_in=expires_in), times=2)
    present(tokens, label)
    clock.sleep(10_000 * DAY)
    result = present(tokens, label)
    assert (result["access_token"], result["expires_in"], result["expires_at"]) == (token(1), expires_in, None)


@pytest.mark.parametrize("said", [INVALID, EXPIRED])
def test_a_kept_token_that_somebody_has_ended_is_replaced(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, said: dict[str, str]
) -> None:
    alive(granting(scripted_cloud, token(1), token(2))).answer("GET", CURRENT, 401, json=said)
    present(tokens, label)
    alive(scripted_cloud).answer("DELETE", CURRENT, 401, json=said)
    assert present(tokens, label)["access_token"] == token(2)
    assert not entry(file).get("previous")


def test_an_outage_is_no_reason_for_a_new_token(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1))).answer("GET", CURRENT, 503, repeat=True)
    present(tokens, label)
    with pytest.raises(ParticleError) as caught:
        present(tokens, label)
    assert caught.value.code == "cloud_error"
    assert entry(file)["access_token"] == token(1)


def test_a_new_token_that_does_not_work_does_not_take_the_place_of_the_old_one(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1), token(2))).answer("GET", CURRENT, 401, json=INVALID)
    present(tokens, label)
    with pytest.raises(ParticleError, match="does not accept the token that it has just issued"):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    assert entry(file)["access_token"] == token(1)
    assert "next" not in entry(file)


# Rotated


def test_a_rotation_obtains_and_proves_before_it_revokes(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1), token(2)), times=2).answer("DELETE", CURRENT, json=OK)
    steps: list[str] = []
    present(tokens, label)
    tokens.note_step = steps.append
    result = tokens.rotate(LOGIN, label, {}, check_mode=False)
    assert (result["access_token"], result["changed"], result["reused"]) == (token(2), True, False)
    assert trail(scripted_cloud)[2:] == [f"POST {GRANT}", f"GET {CURRENT}", f"DELETE {CURRENT}"]
    assert bearers(scripted_cloud)[1:] == [token(2), token(1)]
    assert tuple(steps) == STEPS
    assert token(1) not in file.read_text()


def test_nothing_is_rotated_where_nothing_is_kept(unkept: Tokens, label: Label) -> None:
    with pytest.raises(ParticleError, match="State rotated requires token_file") as caught:
        unkept.rotate(LOGIN, label, {}, check_mode=False)
    assert "token_file" in caught.value.hint


def test_a_rotation_that_is_refused_leaves_the_old_token(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1))).answer("POST", GRANT, 400, json=REFUSED)
    present(tokens, label)
    before = file.read_text()
    with pytest.raises(ParticleError):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    assert file.read_text() == before


def test_an_old_token_that_cannot_be_revoked_is_tried_again_by_every_run_until_it_is_gone(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, warnings: list[str]
) -> None:
    alive(granting(scripted_cloud, token(1), token(2)), times=4)
    scripted_cloud.answer("DELETE", CURRENT, 403).answer("DELETE", CURRENT, 403).answer("DELETE", CURRENT, json=OK)
    present(tokens, label)
    assert tokens.rotate(LOGIN, label, {}, check_mode=False)["access_token"] == token(2)
    assert [present(tokens, label)["access_token"] for _unused in range(2)] == [token(2)] * 2
    assert [request.headers["Authorization"] for request in scripted_cloud.seen("DELETE", CURRENT)] == [
        f"Bearer {token(1)}"
    ] * 3
    assert len(warnings) == 2
    assert all(
        warning.startswith(f"The old token {compute_fingerprint(token(1))} is not revoked yet.") for warning in warnings
    )
    assert token(1) not in f"{warnings}{file.read_text()}"


def test_of_several_old_tokens_that_could_not_be_revoked_none_is_lost(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1), token(2), token(3)), times=4)
    for _unused in range(4):
        scripted_cloud.answer("DELETE", CURRENT, 403)
    present(tokens, label)
    for _unused in range(2):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    scripted_cloud.answer("DELETE", CURRENT, json=OK).answer("DELETE", CURRENT, json=OK)
    assert present(tokens, label)["access_token"] == token(3)
    ended = [request.headers["Authorization"] for request in scripted_cloud.seen("DELETE", CURRENT)[-2:]]
    assert ended == [f"Bearer {token(1)}", f"Bearer {token(2)}"]
    assert not [number for number in (1, 2) if token(number) in file.read_text()]


def test_a_run_that_only_finishes_what_another_has_left_has_changed_something(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud
) -> None:
    alive(granting(scripted_cloud, token(1), token(2)), times=6)
    scripted_cloud.answer("DELETE", CURRENT, 403).answer("DELETE", CURRENT, json=OK)
    present(tokens, label)
    tokens.rotate(LOGIN, label, {}, check_mode=False)
    found = [present(tokens, label, check_mode=check_mode) for check_mode in (True, False, False)]
    assert [(result["changed"], result["reused"]) for result in found] == [(True, True), (True, True), (False, True)]


# With a refresh token, which is good once


def refreshing(cloud: ScriptedCloud, *numbers: int) -> ScriptedCloud:
    """The cloud, which will grant these tokens, each with a refresh token."""
    for number in numbers:
        cloud.answer(
            "POST", GRANT, json={"access_token": token(number), "expires_in": 3600, "refresh_token": f"r{number}"}
        )
    return cloud


def used_up(cloud: ScriptedCloud) -> list[str]:
    return [request.form["refresh_token"] for request in cloud.seen("POST", GRANT)]


@pytest.fixture
def refresh_label(label: Label) -> Label:
    return replace(label, account="", client="my-client")


FIRST = RefreshToken("r0", Client("my-client", "my-secret"))
KEPT = replace(FIRST, refresh_token=None)


def test_each_refresh_token_leads_to_the_next(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(refreshing(scripted_cloud, 1, 2, 3), times=4)
    scripted_cloud.answer("DELETE", CURRENT, json=OK).answer("DELETE", CURRENT, json=OK)
    found = [tokens.ensure_present(FIRST, refresh_label, {}, None, check_mode=False)]
    found.append(tokens.ensure_present(KEPT, refresh_label, {}, None, check_mode=False))
    found += [tokens.rotate(KEPT, refresh_label, {}, check_mode=False) for _unused in range(2)]
    assert [result["refresh_token"] for result in found] == ["r1", "r1", "r2", "r3"]
    assert used_up(scripted_cloud) == ["r0", "r1", "r2"]
    assert entry(file)["refresh_token"] == "r3"
    assert tokens.http.redact("r2 r3") == "******** ********"


def test_a_new_token_that_does_not_work_still_leaves_its_refresh_token(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    refreshing(scripted_cloud, 1, 2).answer("GET", CURRENT, 401, json=INVALID).answer("GET", CURRENT, json={})
    with pytest.raises(ParticleError, match="does not accept"):
        tokens.ensure_present(FIRST, refresh_label, {}, None, check_mode=False)
    tokens.ensure_present(KEPT, refresh_label, {}, None, check_mode=False)
    assert used_up(scripted_cloud) == ["r0", "r1"]
    assert entry(file)["refresh_token"] == "r2"


def test_one_that_is_used_up_and_not_replaced_is_kept_no_more(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(refreshing(scripted_cloud, 1), token(2)), times=2).answer("DELETE", CURRENT, json=OK)
    tokens.ensure_present(FIRST, refresh_label, {}, None, check_mode=False)
    assert "refresh_token" not in tokens.rotate(KEPT, refresh_label, {}, check_mode=False)
    with pytest.raises(ParticleError, match="contains no refresh token") as caught:
        tokens.rotate(KEPT, refresh_label, {}, check_mode=False)
    assert caught.value.code == "invalid_credentials"
    assert "refresh_token" not in entry(file)


def test_check_mode_uses_no_refresh_token_up(
    tokens: Tokens, refresh_label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    for result in (
        tokens.ensure_present(FIRST, refresh_label, {}, None, check_mode=True),
        tokens.rotate(FIRST, refresh_label, {}, check_mode=True),
    ):
        assert (result["changed"], result["access_token"], result["fingerprint"]) == (True, None, None)
    assert (scripted_cloud.requests, file.exists()) == ([], False)


def test_nobody_else_has_a_refresh_token_lie_about(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(refreshing(scripted_cloud, 1))
    assert "refresh_token" not in present(tokens, label)
    assert "r1" not in file.read_text()


# Killed at every step, on a cloud that counts


def world(simulator: Simulator, folder: Path, warnings: list[str], clock: TurnedClock | None = None) -> Tokens:
    if clock is None:
        http, sessions = Http(Connection(simulator.url)), SessionStore(folder / "sessions.json")
    else:
        http, sessions = turned_conversation(simulator.url, clock), SessionStore(folder / "sessions.json", clock)
    return Tokens(http, sessions, TokenStore(folder / "tokens.json"), warnings.append)


def tokens_of_the_account(simulator: Simulator) -> int:
    return int(simulator.state()["accounts"][0]["tokens"])


def works(url: str, value: str) -> bool:
    http = Http(Connection(url))
    http.use_token(value)
    try:
        return is_token_valid(http)
    finally:
        http.close()


@pytest.mark.parametrize("again", [False, True], ids=["killed once", "killed twice"])
@pytest.mark.parametrize("then", ["present", "rotated"])
@pytest.mark.parametrize("deadly", STEPS)
def test_who_is_killed_while_rotating_leaves_a_token_that_works_and_the_next_run_leaves_only_one(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None, deadly: str, then: str, again: bool
) -> None:
    tokens = world(simulator, tmp_path, warnings)
    label = Label(simulator.url, USERNAME, "particle", "")
    present(tokens, label)
    for _unused in range(1 + again):
        child = run_child(ROTATE_AND_DIE, simulator.url, tmp_path, deadly)
        assert child.returncode == -signal.SIGKILL, child.stderr
        kept = TokenStore(tmp_path / "tokens.json").find_usable_token(simulator.url, None, time.time())
        assert kept is not None
        assert works(simulator.url, kept)
        assert tokens_of_the_account(simulator) <= 2
    ask = present if then == "present" else lambda *_unused: tokens.rotate(LOGIN, label, {}, check_mode=False)
    result = ask(tokens, label)
    tokens.http.close()
    assert works(simulator.url, result["access_token"])
    assert tokens_of_the_account(simulator) == 1
    left = entry(tmp_path / "tokens.json")
    assert ("next" in left, left.get("previous") or []) == (False, [])
    assert warnings == []


@pytest.mark.parametrize("deadly", STEPS[:3])
def test_who_is_killed_while_obtaining_the_first_token_leaves_no_second_one_behind(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None, deadly: str
) -> None:
    assert run_child(ROTATE_AND_DIE, simulator.url, tmp_path, deadly).returncode == -signal.SIGKILL
    tokens = world(simulator, tmp_path, warnings)
    result = present(tokens, Label(simulator.url, USERNAME, "particle", ""))
    tokens.http.close()
    assert works(simulator.url, result["access_token"])
    assert tokens_of_the_account(simulator) == 1
    assert simulator.stats()["grants"] == 1, "what was obtained is used"


# Months


def turn(simulator: Simulator, seconds: float) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"{simulator.url}/_simulator/clock", json={"advance": seconds}, timeout=30).raise_for_status()


@pytest.mark.parametrize(
    ("wish", "grants"),
    [({}, 2), ({"expires_in": str(int(10 * DAY))}, 14), ({"expires_in": "0"}, 1)],
    ids=["life of the cloud", "ten days", "no end"],
)
def test_120_days_of_daily_use_never_meet_a_dead_token_and_leave_none_behind(
    simulator: Simulator,
    tmp_path: Path,
    clock: TurnedClock,
    warnings: list[str],
    no_proxies: None,
    wish: dict[str, str],
    grants: int,
) -> None:
    clock.now = time.time()
    label = Label(simulator.url, USERNAME, "particle", "")
    most = 0
    for _unused in range(120):
        tokens = world(simulator, tmp_path, warnings, clock)
        tokens.note_step = lambda name: None
        result = present(tokens, label, wish=wish)
        tokens.http.use_token(result["access_token"])
        tokens.http.send(Request(f"GET {DEVICES}", "use the token"))
        tokens.http.close()
        most = max(most, tokens_of_the_account(simulator))
        turn(simulator, DAY)
        clock.now += DAY
    tokens = world(simulator, tmp_path, warnings, clock)
    kept = TokenStore(tmp_path / "tokens.json").find_usable_token(simulator.url, None, clock.now)
    assert kept is not None
    assert tokens.revoke_one(kept, None, check_mode=False)["changed"] is True
    tokens.http.close()
    assert most == 1, "after each run there is one"
    assert tokens_of_the_account(simulator) == 0
    stats = simulator.stats()
    assert (stats["grants"], stats["refusals"], stats["revocations"]) == (grants, 0, grants)
    assert warnings == []


def test_at_no_moment_of_a_rotation_there_are_more_than_two(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None
) -> None:
    tokens = world(simulator, tmp_path, warnings)
    seen: list[tuple[str, int]] = []
    tokens.note_step = lambda name: seen.append((name, tokens_of_the_account(simulator)))
    label = Label(simulator.url, USERNAME, "particle", "")
    present(tokens, label)
    for _unused in range(3):
        tokens.rotate(LOGIN, label, {}, check_mode=False)
    tokens.http.close()
    first, rotation = list(zip(STEPS[:3], (1, 1, 1), strict=True)), list(zip(STEPS, (2, 2, 2, 1), strict=True))
    assert seen == first + rotation * 3


# Check mode


@pytest.mark.parametrize(
    ("wished", "asked"),
    [
        ({}, CHECK_MODE_SECONDS),
        ({"expires_in": "3600"}, CHECK_MODE_SECONDS),
        ({"expires_in": "60"}, 60),
        ({"expires_in": "0"}, CHECK_MODE_SECONDS),
        ({"expires_at": "2030-01-01T00:00:00Z"}, CHECK_MODE_SECONDS),
    ],
)
def test_check_mode_asks_for_a_quarter_of_an_hour_at_most(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, wished: dict[str, str], asked: int
) -> None:
    granting(scripted_cloud, token(1))
    present(tokens, label, wish=wished, check_mode=True)
    form = scripted_cloud.requests[0].form
    assert (form["expires_in"], "expires_at" in form) == (str(asked), False)
    assert not file.exists(), "it is kept out of the file"


def test_check_mode_hands_back_a_kept_token_and_leaves_the_file_as_it_is(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1)), times=2)
    kept = present(tokens, label)
    before = file.read_text()
    assert present(tokens, label, check_mode=True) == {**kept, "changed": False, "reused": True}
    assert tokens.rotate(LOGIN, label, {}, check_mode=True) == {**kept, "changed": True, "reused": True}
    assert file.read_text() == before
    assert len(scripted_cloud.seen("POST", GRANT)) == 1


def test_check_mode_does_not_finish_what_another_run_has_left(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    alive(granting(scripted_cloud, token(1), token(2)), times=3).answer("DELETE", CURRENT, 403)
    present(tokens, label)
    tokens.rotate(LOGIN, label, {}, check_mode=False)
    before = file.read_text()
    present(tokens, label, check_mode=True)
    assert file.read_text() == before
    assert len(scripted_cloud.seen("DELETE", CURRENT)) == 1


@pytest.mark.parametrize("state", ["present", "rotated"])
def test_check_mode_ends_for_real_what_check_mode_began(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, state: str
) -> None:
    granting(scripted_cloud, token(1)).answer("DELETE", CURRENT, json=OK)
    if state == "present":
        present(tokens, label, check_mode=True)
    else:
        tokens.rotate(LOGIN, label, {}, check_mode=True)
    expected = {"changed": True, "fingerprint": compute_fingerprint(token(1))}
    assert tokens.revoke_one(token(1), None, check_mode=True) == expected
    assert trail(scripted_cloud) == [f"POST {GRANT}", f"DELETE {CURRENT}"]
    assert not tokens.sessions.is_of_check_mode(token(1))


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (401, False)])
def test_check_mode_only_predicts_the_end_of_any_other_token(
    tokens: Tokens, scripted_cloud: ScriptedCloud, status: int, is_there: bool
) -> None:
    scripted_cloud.answer("GET", CURRENT, status, json={} if is_there else INVALID)
    assert tokens.revoke_one(token(1), None, check_mode=True)["changed"] is is_there
    assert trail(scripted_cloud) == [f"GET {CURRENT}"]


# Absent


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (401, False)])
def test_absent_reports_a_change_when_there_was_something_to_end(
    tokens: Tokens, scripted_cloud: ScriptedCloud, status: int, is_there: bool
) -> None:
    scripted_cloud.answer("DELETE", CURRENT, status, json=OK if is_there else INVALID)
    result = tokens.revoke_one(token(1), None, check_mode=False)
    assert result == {"changed": is_there, "fingerprint": compute_fingerprint(token(1))}


def test_an_absent_token_is_neither_kept_nor_shared_any_more(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path, tmp_path: Path
) -> None:
    alive(granting(scripted_cloud, token(1), token(2))).answer("DELETE", CURRENT, json=OK).answer(
        "DELETE", CURRENT, json=OK
    )
    present(tokens, label)
    shared = tokens.log_in(LOGIN)
    for value in (token(1), shared):
        tokens.revoke_one(value, None, check_mode=False)
    written = f"{file.read_text()}{(tmp_path / 'sessions.json').read_text()}"
    assert not [number for number in (1, 2) if token(number) in written]


@pytest.mark.parametrize("deadly", ["obtained", "proved", "stored"])
def test_absent_ends_also_what_a_killed_rotation_has_left(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None, deadly: str
) -> None:
    tokens = world(simulator, tmp_path, warnings)
    present(tokens, Label(simulator.url, USERNAME, "particle", ""))
    assert run_child(ROTATE_AND_DIE, simulator.url, tmp_path, deadly).returncode == -signal.SIGKILL
    kept = TokenStore(tmp_path / "tokens.json").find_usable_token(simulator.url, None, time.time())
    assert kept is not None
    tokens.revoke_one(kept, None, check_mode=False)
    tokens.http.close()
    assert tokens_of_the_account(simulator) == 0
    assert json.loads((tmp_path / "tokens.json").read_text())["tokens"] == []


def test_on_a_self_hosted_cloud_the_account_of_the_login_ends_the_old_token(
    tokens: Tokens, label: Label, scripted_cloud: ScriptedCloud, file: Path
) -> None:
    granting(scripted_cloud, token(1), token(2))
    for method in ("GET", "DELETE"):
        scripted_cloud.answer(method, CURRENT, 404, body="Not Found", repeat=True)
    for _unused in range(3):
        scripted_cloud.answer("GET", DEVICES, json=[])
    scripted_cloud.answer("GET", DEVICES, 401).answer("DELETE", f"/v1/access_tokens/{token(1)}", json=OK)
    present(tokens, label)
    tokens.rotate(LOGIN, label, {}, check_mode=False)
    (by_value,) = scripted_cloud.seen("DELETE", f"/v1/access_tokens/{token(1)}")
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    assert by_value.headers["Authorization"] == f"Basic {basic}"
    assert not entry(file).get("previous")


def test_all_tokens_of_an_account_end_at_once_and_those_of_others_are_still_kept(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None
) -> None:
    tokens = world(simulator, tmp_path, warnings)
    mine, other = (Label(simulator.url, name, "particle", "") for name in (USERNAME, "other@example.com"))
    for label in (mine, other):
        present(tokens, label)
    shared = tokens.log_in(LOGIN)
    result = tokens.revoke_all_tokens(shared, USERNAME, check_mode=False)
    assert result == {"changed": True, "fingerprint": compute_fingerprint(shared)}
    assert tokens_of_the_account(simulator) == 0
    assert entry(tmp_path / "tokens.json")["account"] == "other@example.com"
    assert tokens.revoke_all_tokens(shared, USERNAME, check_mode=False)["changed"] is False
    tokens.http.close()


def test_check_mode_ends_nobodys_tokens(
    simulator: Simulator, tmp_path: Path, warnings: list[str], no_proxies: None
) -> None:
    tokens = world(simulator, tmp_path, warnings)
    shared = tokens.log_in(LOGIN)
    assert tokens.revoke_all_tokens(shared, USERNAME, check_mode=True)["changed"] is True
    tokens.http.close()
    assert tokens_of_the_account(simulator) == 1


def test_the_end_of_a_token_is_told_in_universal_time(
    unkept: Tokens, label: Label, scripted_cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    granting(scripted_cloud, token(1), expires_in=3600)
    clock.now = datetime.datetime(2026, 3, 29, 0, 30, tzinfo=datetime.UTC).timestamp()
    assert present(unkept, label)["expires_at"] == "2026-03-29T01:30:00Z"
