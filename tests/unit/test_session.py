# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A conversation that logs in at its start and leaves no token of its own behind."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.password import PasswordLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.ready_token import ReadyToken
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.session import SESSION_SECONDS, Session
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http
from support.scripted import ScriptedCloud

TOKEN = "1f0c5d6e7a8b9c0d1e2f30415263748596a7b8c9"
LOGIN = PasswordLogin("demo@example.com", "demo-password")
READY = ReadyToken("ready-token")
CURRENT = "/v1/access_tokens/current"
DEVICES = "/v1/devices"


@pytest.fixture
def cloud(scripted_cloud: ScriptedCloud) -> ScriptedCloud:
    """A cloud that grants one token and has no devices."""
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN, "expires_in": SESSION_SECONDS})
    return scripted_cloud.answer("GET", DEVICES, json=[], repeat=True)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def own(http: Http, warnings: list[str]) -> Session:
    """A session that logs in by password."""
    return Session(http, LOGIN, warnings.append)


@pytest.fixture
def given(http: Http, warnings: list[str]) -> Session:
    """A session with a token that somebody else obtained."""
    return Session(http, READY, warnings.append)


def work(http: Http, times: int = 1) -> None:
    for _ in range(times):
        http.call("GET /v1/devices", doing="work")


def trail(cloud: ScriptedCloud) -> list[str]:
    return [f"{request.method} {request.path}" for request in cloud.requests]


def test_a_session_logs_in_once_works_and_revokes(own: Session, cloud: ScriptedCloud, warnings: list[str]) -> None:
    cloud.answer("DELETE", CURRENT, json={"ok": True})
    with own as http:
        work(http, times=3)
    assert trail(cloud) == ["POST /oauth/token", *[f"GET {DEVICES}"] * 3, f"DELETE {CURRENT}"]
    assert {request.headers["Authorization"] for request in cloud.requests[1:]} == {f"Bearer {TOKEN}"}
    assert warnings == []


def test_its_token_ends_by_itself_within_the_hour(own: Session, cloud: ScriptedCloud) -> None:
    cloud.answer("DELETE", CURRENT, json={"ok": True})
    with own:
        pass
    assert cloud.requests[0].form["expires_in"] == "3600"


@pytest.mark.parametrize("failure", [ParticleError("conflict", "No."), ValueError("bug"), KeyboardInterrupt()])
def test_a_session_revokes_also_when_its_work_fails_and_the_failure_is_what_counts(
    own: Session, cloud: ScriptedCloud, failure: BaseException
) -> None:
    cloud.answer("DELETE", CURRENT, json={"ok": True})
    with pytest.raises(type(failure)) as caught, own:
        raise failure
    assert caught.value is failure
    assert trail(cloud)[-1] == f"DELETE {CURRENT}"


def test_a_ready_token_is_used_and_left_alone(given: Session, cloud: ScriptedCloud) -> None:
    with given as http:
        work(http)
    assert trail(cloud) == [f"GET {DEVICES}"]
    assert cloud.requests[0].headers["Authorization"] == "Bearer ready-token"


def test_a_ready_token_is_left_alone_also_when_the_work_fails(given: Session, cloud: ScriptedCloud) -> None:
    with pytest.raises(ValueError, match="bug"), given:
        raise ValueError("bug")
    assert cloud.requests == []


def test_a_refused_login_is_the_end_after_one_request(own: Session, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/oauth/token", 400, json={"error": "invalid_grant"})
    with pytest.raises(ParticleError) as caught, own:
        pytest.fail("nothing may be done without a token")
    assert caught.value.code == "invalid_credentials"
    assert trail(scripted_cloud) == ["POST /oauth/token"]


@pytest.mark.parametrize("status", [403, 500])
def test_a_revocation_that_fails_is_a_warning_and_no_failure(
    own: Session, cloud: ScriptedCloud, warnings: list[str], status: int
) -> None:
    cloud.answer("DELETE", CURRENT, status, json={"error": f"{TOKEN} cannot be revoked"}, repeat=True)
    with own as http:
        work(http)
    (warning,) = warnings
    assert warning.startswith("Could not revoke the access token: ")
    assert warning.endswith("It ends by itself within an hour, if this cloud honours that.")
    assert TOKEN not in warning


def test_a_revocation_that_fails_does_not_hide_why_the_work_failed(
    own: Session, cloud: ScriptedCloud, warnings: list[str]
) -> None:
    cloud.answer("DELETE", CURRENT, effect="reset", repeat=True)
    with pytest.raises(ParticleError, match=r"The work has failed\."), own:
        raise ParticleError("conflict", "The work has failed.")
    assert len(warnings) == 1


def test_a_token_that_somebody_has_ended_meanwhile_is_nothing_to_warn_about(
    own: Session, cloud: ScriptedCloud, warnings: list[str]
) -> None:
    cloud.answer("DELETE", CURRENT, 401, json={"error": "invalid_token"})
    with own:
        pass
    assert warnings == []


def test_on_a_self_hosted_cloud_the_account_of_the_login_ends_the_token(
    own: Session, scripted_cloud: ScriptedCloud, warnings: list[str]
) -> None:
    scripted_cloud.answer("POST", "/oauth/token", json={"access_token": TOKEN})
    scripted_cloud.answer("DELETE", CURRENT, 400).answer("GET", CURRENT, 404, body="Not Found", repeat=True)
    scripted_cloud.answer("GET", DEVICES, json=[]).answer("GET", DEVICES, 401)
    scripted_cloud.answer("DELETE", f"/v1/access_tokens/{TOKEN}", json={"ok": True})
    with own:
        pass
    (by_value,) = scripted_cloud.seen("DELETE", f"/v1/access_tokens/{TOKEN}")
    basic = base64.b64encode(b"demo@example.com:demo-password").decode()
    assert by_value.headers["Authorization"] == f"Basic {basic}"
    assert warnings == []


def test_login_and_revocation_are_requests_but_no_writes(own: Session, http: Http, cloud: ScriptedCloud) -> None:
    cloud.answer("DELETE", CURRENT, json={"ok": True})
    with own:
        work(http)
    assert (http.usage.requests, http.usage.writes) == (3, 0)
