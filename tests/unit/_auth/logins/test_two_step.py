# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the login of older clouds, where the password opens a session that returns the token."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.two_step import TwoStepLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from support.scripted import ScriptedCloud, scripted_cloud
from support.token_cloud import PASSWORD, USERNAME, token
from support.turned_clock import TurnedClock, conversation

LOGIN = TwoStepLogin(USERNAME, PASSWORD, "/session", "/session/token")
SESSION = "Zk3_-xYq81LmN0pQrStU"


def script_both_steps(cloud: ScriptedCloud, **token_fields: Any) -> ScriptedCloud:
    """Script the session and the token, and return the cloud."""
    session = {"username": USERNAME, "auth_token": {"token": SESSION, "expires_at": "2014-03-01T00:00:00.000Z"}}
    cloud.answer("POST", "/session", json=session)
    return cloud.answer("GET", "/session/token", json={"access_token": token(1), **token_fields})


def expect_refusal(http: Http, login: TwoStepLogin = LOGIN) -> ParticleError:
    """Return the error of the login, after checking that it contains no secret."""
    LOGIN.mask_secrets(http.redact)
    with pytest.raises(ParticleError) as caught:
        login.obtain_grant(http, {}, {})
    failure = f"{caught.value.as_failure()}"
    assert not [secret for secret in (PASSWORD, SESSION, token(1)) if secret in failure]
    return caught.value


def test_password_is_sent_as_json_and_session_as_bearer_token(http: Http, scripted_cloud: ScriptedCloud) -> None:
    script_both_steps(scripted_cloud)
    assert LOGIN.obtain_grant(http, {"expires_in": "3600"}, {}).access_token == token(1)
    first, second = scripted_cloud.requests
    assert first.json == {"username": USERNAME, "password": PASSWORD}
    assert "Authorization" not in first.headers
    assert second.headers["Authorization"] == f"Bearer {SESSION}"
    assert (second.body, second.query) == (b"", {})
    assert (http.usage.requests, http.usage.writes) == (2, 0)


def test_granted_token_is_a_bearer_token_and_masked(http: Http, scripted_cloud: ScriptedCloud) -> None:
    script_both_steps(scripted_cloud)
    assert LOGIN.obtain_grant(http, {}, {}) == Grant(token(1), "bearer", None)
    assert http.redact(token(1)) == "********"


@pytest.mark.parametrize(
    ("expiry", "expires_in"),
    [
        ({"access_token_expires_at": "1970-01-01T01:00:00+00:00"}, 3600),
        ({"access_token_expires_at": "1970-01-01T01:00:00.900Z"}, 3600),
        ({"access_token_expires_at": "1969-12-31T23:00:00+00:00"}, 1),
        ({"access_token_expires_at": None}, None),
        ({"access_token_expires_at": "never"}, None),
        ({}, None),
    ],
)
def test_expiry_of_the_token_is_read_from_the_answer(
    scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None, expiry: dict[str, Any], expires_in: int | None
) -> None:
    script_both_steps(scripted_cloud, **expiry)
    http = conversation(scripted_cloud.url, clock)
    assert LOGIN.obtain_grant(http, {}, {}).expires_in == expires_in
    http.close()


def test_full_urls_may_name_another_host_and_have_a_query(http: Http) -> None:
    with scripted_cloud() as other:
        script_both_steps(other)
        login = replace(LOGIN, login_url=f"{other.url}/session?app=ide", token_url=f"{other.url}/session/token")
        assert login.obtain_grant(http, {}, {}).access_token == token(1)
        assert other.requests[0].query == {"app": "ide"}


def test_paths_are_relative_to_the_api_url(scripted_cloud: ScriptedCloud, no_proxies: None) -> None:
    session = {"auth_token": {"token": SESSION}}
    scripted_cloud.answer("POST", "/v0/session", json=session)
    scripted_cloud.answer("GET", "/v0/session/token", json={"access_token": token(1)})
    http = Http(Connection(f"{scripted_cloud.url}/v0"))
    assert LOGIN.obtain_grant(http, {}, {}).access_token == token(1)
    http.close()


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("answer", [{"error": "No."}, {"error": f"{PASSWORD} is wrong"}, None])
def test_refused_first_step_is_a_refused_login_and_not_retried(
    http: Http, scripted_cloud: ScriptedCloud, status: int, answer: dict[str, str] | None
) -> None:
    scripted_cloud.answer("POST", "/session", status, json=answer)
    error = expect_refusal(http)
    assert (error.code, error.status, error.route) == ("invalid_credentials", status, "POST /session")
    assert error.message.startswith(f"Could not obtain an access token for {USERNAME}: ")
    assert error.message.endswith("With grant=session, this response means that the username or the password is wrong.")
    assert len(scripted_cloud.requests) == 1
    assert http.usage.requests == 1


@pytest.mark.parametrize("step", ["/session", "/session/token"])
@pytest.mark.parametrize(("status", "code"), [(500, "cloud_error"), (503, "cloud_error"), (429, "rate_limited")])
def test_outage_of_either_step_is_not_a_refusal_and_not_retried(
    http: Http, scripted_cloud: ScriptedCloud, step: str, status: int, code: str
) -> None:
    if step == "/session":
        scripted_cloud.answer("POST", step, status)
    else:
        scripted_cloud.answer("POST", "/session", json={"auth_token": {"token": SESSION}})
        scripted_cloud.answer("GET", step, status)
    assert expect_refusal(http).code == code


def test_refused_session_is_not_reported_as_a_wrong_password(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/session", json={"auth_token": {"token": SESSION}})
    scripted_cloud.answer("GET", "/session/token", 401, json={"error": f"{SESSION}?"})
    assert expect_refusal(http).code == "token_invalid"


@pytest.mark.parametrize(
    "answer",
    [[], "ok", {}, {"auth_token": None}, {"auth_token": SESSION}, {"auth_token": {}}, {"auth_token": {"token": ""}}],
)
def test_answer_without_a_session_is_reported_with_a_hint(
    http: Http, scripted_cloud: ScriptedCloud, answer: Any
) -> None:
    scripted_cloud.answer("POST", "/session", json=answer)
    error = expect_refusal(http)
    assert (error.code, error.message) == (
        "bad_response",
        f"Could not obtain an access token for {USERNAME}: the response contains no session.",
    )
    assert error.hint == "Check session_login_url and session_token_url."


@pytest.mark.parametrize("answer", [[], "ok", {}, {"access_token": None}, {"access_token": ""}, {"access_token": 7}])
def test_answer_without_a_token_is_a_bad_response(http: Http, scripted_cloud: ScriptedCloud, answer: Any) -> None:
    scripted_cloud.answer("POST", "/session", json={"auth_token": {"token": SESSION}})
    scripted_cloud.answer("GET", "/session/token", json=answer)
    error = expect_refusal(http)
    assert (error.code, error.message) == (
        "bad_response",
        f"Could not obtain an access token for {USERNAME}: the response contains no access token.",
    )


@pytest.mark.parametrize("status", [301, 302, 307])
def test_password_is_not_sent_to_a_redirect_target(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    with_location = {"Location": f"{scripted_cloud.url}/elsewhere"}
    scripted_cloud.answer("POST", "/session", status, headers=with_location)
    assert expect_refusal(http).code == "not_a_cloud"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "session",
        "ftp://cloud.example.com/x",
        "https://demo:s3cret@cloud.example.com",
        "/a b",
        "/a\n",
        "//",
        "https://",
        "https://[::1",
        "https://cloud.example.com:port/x",
        "//evil.example.com/x",
    ],
)
@pytest.mark.parametrize("name", ["login_url", "token_url"])
def test_invalid_session_url_is_refused_and_not_quoted(name: str, url: str) -> None:
    (problem,) = replace(LOGIN, **{name: url}).find_problems()
    assert problem.code == "not_a_cloud"
    assert problem.message == f"session_{name} must be a URL or a path that starts with a slash."
    assert problem.hint == f"Correct session_{name}."
    assert "s3cret" not in f"{problem.as_failure()}"


@pytest.mark.parametrize(
    "url", ["/session", "/session?app=ide", "http://localhost:8080/x", "https://cloud.example.com/x"]
)
def test_full_urls_and_paths_have_no_problems(url: str) -> None:
    assert replace(LOGIN, login_url=url, token_url=url).find_problems() == []


def test_malformed_account_is_refused() -> None:
    login = replace(LOGIN, username="two words", password="")
    assert [problem.code for problem in login.find_problems()] == ["malformed_username", "malformed_password"]


def test_password_is_masked_and_not_shown() -> None:
    redact = Redactor()
    LOGIN.mask_secrets(redact)
    assert PASSWORD not in repr(LOGIN)
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    assert redact(f"{PASSWORD} {basic}") == "******** ********"


def test_login_has_an_account_but_no_client() -> None:
    assert LOGIN.display_names == (USERNAME, "")
    assert LOGIN.account == (USERNAME, PASSWORD)
    assert LOGIN.get_identity() == ("session", USERNAME, PASSWORD, "/session", "/session/token")


def test_both_steps_count_against_the_request_budget(scripted_cloud: ScriptedCloud, http: Http) -> None:
    script_both_steps(scripted_cloud)
    budget = Budget(Allowance({EVERY_ROUTE: Limit(4, 300)}, 1))
    limited_http = Http(http.connection, budget=budget)
    LOGIN.obtain_grant(limited_http, {}, {})
    limited_http.close()
    assert budget.get_used_share() == 0.5
