# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A conversation that logs in at its start, with the token that others share, and again when that is dead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from token_cloud import (
    CURRENT,
    DEVICES,
    EXPIRED,
    GRANT,
    INVALID,
    LOGIN,
    PASSWORD,
    REFUSED,
    bearers,
    granting,
    token,
    trail,
    turned_conversation,
)
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Login
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import Session
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.shared_logins import SessionStore
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from support.scripted import ScriptedCloud
from support.simulator import Simulator

READY = ReadyToken("ready-token")
LOGGED_IN_AGAIN = "The cloud no longer accepts the token of this session; logging in again."


@pytest.fixture
def cloud(scripted_cloud: ScriptedCloud) -> ScriptedCloud:
    """A cloud that grants one token and has no devices."""
    return granting(scripted_cloud, token(1)).answer("GET", DEVICES, json=[], repeat=True)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def session(
    http: Http, tmp_path: Path, clock: TurnedClock, warnings: list[str], scripted_cloud: ScriptedCloud
) -> Callable[..., Session]:
    """Makes sessions that share their logins, each with a conversation of its own when it is told so."""

    def make(login: Login = LOGIN, *, of_its_own: bool = False) -> Session:
        conversation = turned_conversation(scripted_cloud.url, clock) if of_its_own else http
        login.mask_secrets(conversation.redact)
        return Session(conversation, login, lambda: SessionStore(tmp_path / "sessions.json", clock), warnings.append)

    return make


def work(http: Http, times: int = 1) -> None:
    for _unused in range(times):
        http.send(Request("GET /v1/devices", "work"))


def test_a_session_logs_in_once_and_leaves_its_token_to_the_next(
    session: Callable[..., Session], cloud: ScriptedCloud, warnings: list[str]
) -> None:
    with session() as http:
        work(http, times=3)
    with session(of_its_own=True) as http:
        work(http)
        http.close()
    assert trail(cloud) == [f"POST {GRANT}", *[f"GET {DEVICES}"] * 4]
    assert bearers(cloud) == [token(1)] * 4
    assert warnings == []


def test_its_token_ends_by_itself_within_the_hour(session: Callable[..., Session], cloud: ScriptedCloud) -> None:
    with session():
        pass
    assert cloud.requests[0].form["expires_in"] == "3600"


@pytest.mark.parametrize("failure", [ParticleError("conflict", "No."), ValueError("bug"), KeyboardInterrupt()])
def test_when_its_work_fails_the_failure_is_what_counts_and_the_token_is_still_good(
    session: Callable[..., Session], cloud: ScriptedCloud, failure: BaseException
) -> None:
    with pytest.raises(type(failure)) as caught, session():
        raise failure
    assert caught.value is failure
    with session() as http:
        work(http)
    assert trail(cloud) == [f"POST {GRANT}", f"GET {DEVICES}"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_ready_token_is_used_and_left_alone_also_when_the_work_fails(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud, tmp_path: Path, fails: bool
) -> None:
    scripted_cloud.answer("GET", DEVICES, 500 if fails else 200, json=[], repeat=True)
    try:
        with session(READY) as http:
            work(http)
    except ParticleError:
        assert fails
    assert set(trail(scripted_cloud)) == {f"GET {DEVICES}"}
    assert set(bearers(scripted_cloud)) == {"ready-token"}
    assert list(tmp_path.iterdir()) == [], "what is not ours is written nowhere"


def test_a_dead_ready_token_is_a_failure_and_no_reason_to_log_in(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", DEVICES, 401, json=INVALID)
    with pytest.raises(ParticleError) as caught, session(READY) as http:
        work(http)
    assert caught.value.code == "token_invalid"
    assert trail(scripted_cloud) == [f"GET {DEVICES}"]


def test_a_refused_login_is_the_end_after_one_request_also_for_those_who_come_after(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json=REFUSED)
    for _unused in range(3):
        with pytest.raises(ParticleError) as caught, session():
            pytest.fail("nothing may be done without a token")
        assert caught.value.code == "invalid_credentials"
        assert PASSWORD not in str(caught.value.as_failure())
    assert trail(scripted_cloud) == [f"POST {GRANT}"]


@pytest.mark.parametrize("said", [INVALID, EXPIRED])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_token_that_died_is_replaced_and_the_request_repeated_whatever_its_method(
    session: Callable[..., Session],
    scripted_cloud: ScriptedCloud,
    warnings: list[str],
    method: str,
    said: dict[str, Any],
) -> None:
    granting(scripted_cloud, token(1), token(2))
    scripted_cloud.answer(method, DEVICES, 401, json=said).answer(method, DEVICES, json={"ok": True}, repeat=True)
    with session() as http:
        assert http.send(Request(f"{method} {DEVICES}", "work")).data == {"ok": True}
        http.send(Request(f"{method} {DEVICES}", "work"))
    assert trail(scripted_cloud) == [
        f"POST {GRANT}",
        f"{method} {DEVICES}",
        f"POST {GRANT}",
        *[f"{method} {DEVICES}"] * 2,
    ]
    assert bearers(scripted_cloud) == [token(1), token(2), token(2)]
    assert warnings == [LOGGED_IN_AGAIN]


def test_a_second_dead_token_in_a_row_is_a_failure_and_no_loop(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    granting(scripted_cloud, token(1), token(2)).answer("GET", DEVICES, 401, json=INVALID, repeat=True)
    with pytest.raises(ParticleError) as caught, session() as http:
        work(http)
    assert caught.value.code == "token_invalid"
    assert len(scripted_cloud.seen("POST", GRANT)) == 2


def test_another_refusal_is_no_reason_to_log_in_again(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    granting(scripted_cloud, token(1)).answer("GET", DEVICES, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught, session() as http:
        work(http)
    assert caught.value.code == "forbidden"


def test_of_two_that_meet_the_same_dead_token_one_logs_in_for_both(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    granting(scripted_cloud, token(1), token(2))
    with session() as first, session(of_its_own=True) as second:
        for _unused in range(2):
            scripted_cloud.answer("GET", DEVICES, 401, json=EXPIRED).answer("GET", DEVICES, json=[])
        work(first)
        work(second)
        second.close()
    assert bearers(scripted_cloud) == [token(1), token(2), token(1), token(2)]


def test_of_many_threads_that_meet_a_dead_token_one_logs_in_for_all(
    simulator: Simulator, tmp_path: Path, warnings: list[str]
) -> None:
    http = Http(Connection(simulator.url))
    with Session(http, LOGIN, lambda: SessionStore(tmp_path / "sessions.json"), warnings.append):
        http.send(Request(f"DELETE {CURRENT}", "end the token behind our back"))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, [http] * 8))
    http.close()
    assert simulator.stats()["grants"] == 2
    assert warnings == [LOGGED_IN_AGAIN]


def test_a_new_login_that_is_refused_is_what_the_work_fails_with(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    granting(scripted_cloud, token(1)).answer("POST", GRANT, 400, json=REFUSED)
    scripted_cloud.answer("GET", DEVICES, 401, json=EXPIRED)
    with pytest.raises(ParticleError) as caught, session() as http:
        work(http)
    assert caught.value.code == "invalid_credentials"


def test_after_its_end_a_session_logs_in_no_more(
    session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    granting(scripted_cloud, token(1)).answer("GET", DEVICES, 401, json=EXPIRED)
    with session() as http:
        pass
    with pytest.raises(ParticleError, match="expired"):
        work(http)


def test_a_session_in_the_next_hour_has_a_token_of_its_own(
    session: Callable[..., Session], cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    granting(cloud, token(2))
    with session() as http:
        work(http)
    clock.sleep(3600)
    with session() as http:
        work(http)
    assert bearers(cloud) == [token(1), token(2)]


def test_nothing_is_revoked_by_itself(session: Callable[..., Session], cloud: ScriptedCloud) -> None:
    with session():
        pass
    assert f"DELETE {CURRENT}" not in trail(cloud)


def test_a_login_is_a_request_but_no_write(session: Callable[..., Session], http: Http, cloud: ScriptedCloud) -> None:
    with session():
        work(http)
    assert (http.usage.requests, http.usage.writes) == (2, 0)
