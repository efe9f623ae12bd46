# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test sessions, which log in with a shared token, and log in again when the cloud refuses that token."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

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
from support.token_cloud import (
    CURRENT,
    DEVICES,
    EXPIRED,
    GRANT,
    INVALID,
    LOGIN,
    PASSWORD,
    REFUSED,
    list_bearers,
    list_requests,
    script_grants,
    token,
)
from support.turned_clock import TurnedClock, conversation

READY = ReadyToken("ready-token")
LOGGED_IN_AGAIN = "The cloud no longer accepts the token of this session; logging in again."


@pytest.fixture
def cloud(scripted_cloud: ScriptedCloud) -> ScriptedCloud:
    """Provide a cloud that grants one token and has no devices."""
    return script_grants(scripted_cloud, token(1)).answer("GET", DEVICES, json=[], repeat=True)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def make_session(
    http: Http, tmp_path: Path, clock: TurnedClock, warnings: list[str], scripted_cloud: ScriptedCloud
) -> Callable[..., Session]:
    """Return a function that makes sessions with shared logins; `own_client` gives a session its own HTTP client."""

    def make(login: Login = LOGIN, *, own_client: bool = False) -> Session:
        client = conversation(scripted_cloud.url, clock) if own_client else http
        login.mask_secrets(client.redact)
        return Session(client, login, lambda: SessionStore(tmp_path / "sessions.json", clock), warnings.append)

    return make


def list_devices(http: Http, times: int = 1) -> None:
    for _unused in range(times):
        http.send(Request("GET /v1/devices", "work"))


def test_session_logs_in_once_and_shares_its_token_with_the_next(
    make_session: Callable[..., Session], cloud: ScriptedCloud, warnings: list[str]
) -> None:
    with make_session() as http:
        list_devices(http, times=3)
    with make_session(own_client=True) as http:
        list_devices(http)
        http.close()
    assert list_requests(cloud) == [f"POST {GRANT}", *[f"GET {DEVICES}"] * 4]
    assert list_bearers(cloud) == [token(1)] * 4
    assert warnings == []


def test_requested_lifetime_of_a_session_token_is_an_hour(
    make_session: Callable[..., Session], cloud: ScriptedCloud
) -> None:
    with make_session():
        pass
    assert cloud.requests[0].form["expires_in"] == "3600"


@pytest.mark.parametrize("failure", [ParticleError("conflict", "No."), ValueError("bug"), KeyboardInterrupt()])
def test_failure_inside_a_session_is_raised_and_keeps_the_token(
    make_session: Callable[..., Session], cloud: ScriptedCloud, failure: BaseException
) -> None:
    with pytest.raises(type(failure)) as caught, make_session():
        raise failure
    assert caught.value is failure
    with make_session() as http:
        list_devices(http)
    assert list_requests(cloud) == [f"POST {GRANT}", f"GET {DEVICES}"]


@pytest.mark.parametrize("fails", [False, True])
def test_given_access_token_is_used_and_never_stored_or_revoked(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud, tmp_path: Path, fails: bool
) -> None:
    scripted_cloud.answer("GET", DEVICES, 500 if fails else 200, json=[], repeat=True)
    try:
        with make_session(READY) as http:
            list_devices(http)
    except ParticleError:
        assert fails
    assert set(list_requests(scripted_cloud)) == {f"GET {DEVICES}"}
    assert set(list_bearers(scripted_cloud)) == {"ready-token"}
    assert list(tmp_path.iterdir()) == [], "a token of the user must not be stored"


def test_invalid_given_access_token_fails_without_a_login(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("GET", DEVICES, 401, json=INVALID)
    with pytest.raises(ParticleError) as caught, make_session(READY) as http:
        list_devices(http)
    assert caught.value.code == "token_invalid"
    assert list_requests(scripted_cloud) == [f"GET {DEVICES}"]


def test_refused_login_fails_later_sessions_without_a_request(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json=REFUSED)
    for _unused in range(3):
        with pytest.raises(ParticleError) as caught, make_session():
            pytest.fail("the session must not start without a token")
        assert caught.value.code == "invalid_credentials"
        assert PASSWORD not in str(caught.value.as_failure())
    assert list_requests(scripted_cloud) == [f"POST {GRANT}"]


@pytest.mark.parametrize("answer", [INVALID, EXPIRED])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_refused_token_is_renewed_and_the_request_repeated(
    make_session: Callable[..., Session],
    scripted_cloud: ScriptedCloud,
    warnings: list[str],
    method: str,
    answer: dict[str, Any],
) -> None:
    script_grants(scripted_cloud, token(1), token(2))
    scripted_cloud.answer(method, DEVICES, 401, json=answer).answer(method, DEVICES, json={"ok": True}, repeat=True)
    with make_session() as http:
        assert http.send(Request(f"{method} {DEVICES}", "work")).data == {"ok": True}
        http.send(Request(f"{method} {DEVICES}", "work"))
    assert list_requests(scripted_cloud) == [
        f"POST {GRANT}",
        f"{method} {DEVICES}",
        f"POST {GRANT}",
        *[f"{method} {DEVICES}"] * 2,
    ]
    assert list_bearers(scripted_cloud) == [token(1), token(2), token(2)]
    assert warnings == [LOGGED_IN_AGAIN]


def test_second_refused_token_in_a_row_is_an_error(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1), token(2)).answer("GET", DEVICES, 401, json=INVALID, repeat=True)
    with pytest.raises(ParticleError) as caught, make_session() as http:
        list_devices(http)
    assert caught.value.code == "token_invalid"
    assert len(scripted_cloud.seen("POST", GRANT)) == 2


def test_forbidden_request_causes_no_new_login(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1)).answer("GET", DEVICES, 403, json={"error": "Permission Denied"})
    with pytest.raises(ParticleError) as caught, make_session() as http:
        list_devices(http)
    assert caught.value.code == "forbidden"


def test_two_sessions_with_the_same_expired_token_log_in_again_once(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1), token(2))
    with make_session() as first, make_session(own_client=True) as second:
        for _unused in range(2):
            scripted_cloud.answer("GET", DEVICES, 401, json=EXPIRED).answer("GET", DEVICES, json=[])
        list_devices(first)
        list_devices(second)
        second.close()
    assert list_bearers(scripted_cloud) == [token(1), token(2), token(1), token(2)]


def test_many_threads_with_a_revoked_token_log_in_again_once(
    simulator: Simulator, tmp_path: Path, warnings: list[str]
) -> None:
    http = Http(Connection(simulator.url))
    with Session(http, LOGIN, lambda: SessionStore(tmp_path / "sessions.json"), warnings.append):
        http.send(Request(f"DELETE {CURRENT}", "end the token behind our back"))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(list_devices, [http] * 8))
    http.close()
    assert simulator.stats()["grants"] == 2
    assert warnings == [LOGGED_IN_AGAIN]


def test_refused_new_login_is_the_reported_error(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1)).answer("POST", GRANT, 400, json=REFUSED)
    scripted_cloud.answer("GET", DEVICES, 401, json=EXPIRED)
    with pytest.raises(ParticleError) as caught, make_session() as http:
        list_devices(http)
    assert caught.value.code == "invalid_credentials"


def test_closed_session_does_not_log_in_again(
    make_session: Callable[..., Session], scripted_cloud: ScriptedCloud
) -> None:
    script_grants(scripted_cloud, token(1)).answer("GET", DEVICES, 401, json=EXPIRED)
    with make_session() as http:
        pass
    with pytest.raises(ParticleError, match="expired"):
        list_devices(http)


def test_session_after_an_hour_obtains_a_new_token(
    make_session: Callable[..., Session], cloud: ScriptedCloud, clock: TurnedClock
) -> None:
    script_grants(cloud, token(2))
    with make_session() as http:
        list_devices(http)
    clock.sleep(3600)
    with make_session() as http:
        list_devices(http)
    assert list_bearers(cloud) == [token(1), token(2)]


def test_session_does_not_revoke_its_token(make_session: Callable[..., Session], cloud: ScriptedCloud) -> None:
    with make_session():
        pass
    assert f"DELETE {CURRENT}" not in list_requests(cloud)


def test_login_counts_as_a_request_but_not_as_a_write(
    make_session: Callable[..., Session], http: Http, cloud: ScriptedCloud
) -> None:
    with make_session():
        list_devices(http)
    assert (http.usage.requests, http.usage.writes) == (2, 0)
