# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The session flow of older clouds: the password opens a session, and the session shows the token."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from token_cloud import PASSWORD, USERNAME, token, turned_conversation
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._api.tokens import Grant
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.two_step import TwoStepLogin
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from support.scripted import ScriptedCloud, scripted_cloud

LOGIN = TwoStepLogin(USERNAME, PASSWORD, "/session", "/session/token")
SESSION = "Zk3_-xYq81LmN0pQrStU"


def two_steps(cloud: ScriptedCloud, **second: Any) -> ScriptedCloud:
    opened = {"username": USERNAME, "auth_token": {"token": SESSION, "expires_at": "2014-03-01T00:00:00.000Z"}}
    cloud.answer("POST", "/session", json=opened)
    return cloud.answer("GET", "/session/token", json={"access_token": token(1), **second})


def refusal(http: Http, login: TwoStepLogin = LOGIN) -> ParticleError:
    LOGIN.mask_secrets(http.redact)
    with pytest.raises(ParticleError) as caught:
        login.obtain_grant(http, {}, {})
    failure = f"{caught.value.as_failure()}"
    assert not [secret for secret in (PASSWORD, SESSION, token(1)) if secret in failure]
    return caught.value


def test_the_password_goes_as_json_and_the_session_as_bearer(http: Http, scripted_cloud: ScriptedCloud) -> None:
    two_steps(scripted_cloud)
    assert LOGIN.obtain_grant(http, {"expires_in": "3600"}, {}).access_token == token(1)
    first, second = scripted_cloud.requests
    assert first.json == {"username": USERNAME, "password": PASSWORD}
    assert "Authorization" not in first.headers
    assert second.headers["Authorization"] == f"Bearer {SESSION}"
    assert (second.body, second.query) == (b"", {})
    assert (http.usage.requests, http.usage.writes) == (2, 0)


def test_the_token_is_a_bearer_token_and_hidden_from_then_on(http: Http, scripted_cloud: ScriptedCloud) -> None:
    two_steps(scripted_cloud)
    assert LOGIN.obtain_grant(http, {}, {}) == Grant(token(1), "bearer", None)
    assert http.redact(token(1)) == "********"


@pytest.mark.parametrize(
    ("end", "expires_in"),
    [
        ({"access_token_expires_at": "1970-01-01T01:00:00+00:00"}, 3600),
        ({"access_token_expires_at": "1970-01-01T01:00:00.900Z"}, 3600),
        ({"access_token_expires_at": "1969-12-31T23:00:00+00:00"}, 1),
        ({"access_token_expires_at": None}, None),
        ({"access_token_expires_at": "never"}, None),
        ({}, None),
    ],
)
def test_the_cloud_says_when_the_token_ends(
    scripted_cloud: ScriptedCloud, clock: TurnedClock, no_proxies: None, end: dict[str, Any], expires_in: int | None
) -> None:
    two_steps(scripted_cloud, **end)
    http = turned_conversation(scripted_cloud.url, clock)
    assert LOGIN.obtain_grant(http, {}, {}).expires_in == expires_in
    http.close()


def test_whole_addresses_lead_elsewhere_and_their_queries_are_kept(http: Http) -> None:
    with scripted_cloud() as other:
        two_steps(other)
        login = replace(LOGIN, login_url=f"{other.url}/session?app=ide", token_url=f"{other.url}/session/token")
        assert login.obtain_grant(http, {}, {}).access_token == token(1)
        assert other.requests[0].query == {"app": "ide"}


def test_paths_lie_below_the_address_of_the_cloud(scripted_cloud: ScriptedCloud, no_proxies: None) -> None:
    opened = {"auth_token": {"token": SESSION}}
    scripted_cloud.answer("POST", "/v0/session", json=opened)
    scripted_cloud.answer("GET", "/v0/session/token", json={"access_token": token(1)})
    http = Http(Connection(f"{scripted_cloud.url}/v0"))
    assert LOGIN.obtain_grant(http, {}, {}).access_token == token(1)
    http.close()


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("said", [{"error": "No."}, {"error": f"{PASSWORD} is wrong"}, None])
def test_a_no_of_the_first_step_is_a_refused_login_and_comes_once(
    http: Http, scripted_cloud: ScriptedCloud, status: int, said: dict[str, str] | None
) -> None:
    scripted_cloud.answer("POST", "/session", status, json=said)
    error = refusal(http)
    assert (error.code, error.status, error.route) == ("invalid_credentials", status, "POST /session")
    assert error.message.startswith(f"Could not obtain an access token for {USERNAME}: ")
    assert error.message.endswith("With grant session, this means that the username or the password is wrong.")
    assert len(scripted_cloud.requests) == 1
    assert http.usage.requests == 1


@pytest.mark.parametrize("step", ["/session", "/session/token"])
@pytest.mark.parametrize(("status", "code"), [(500, "cloud_error"), (503, "cloud_error"), (429, "rate_limited")])
def test_an_outage_of_either_step_is_no_refusal_and_is_not_tried_again(
    http: Http, scripted_cloud: ScriptedCloud, step: str, status: int, code: str
) -> None:
    if step == "/session":
        scripted_cloud.answer("POST", step, status)
    else:
        scripted_cloud.answer("POST", "/session", json={"auth_token": {"token": SESSION}})
        scripted_cloud.answer("GET", step, status)
    assert refusal(http).code == code


def test_a_session_that_is_refused_is_not_called_a_wrong_password(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", "/session", json={"auth_token": {"token": SESSION}})
    scripted_cloud.answer("GET", "/session/token", 401, json={"error": f"{SESSION}?"})
    assert refusal(http).code == "token_invalid"


@pytest.mark.parametrize(
    "answer",
    [[], "ok", {}, {"auth_token": None}, {"auth_token": SESSION}, {"auth_token": {}}, {"auth_token": {"token": ""}}],
)
def test_an_answer_without_a_session_points_at_the_addresses(
    http: Http, scripted_cloud: ScriptedCloud, answer: Any
) -> None:
    scripted_cloud.answer("POST", "/session", json=answer)
    error = refusal(http)
    assert (error.code, error.message) == (
        "bad_response",
        f"Could not obtain an access token for {USERNAME}: the answer contains no session.",
    )
    assert error.hint == "Check session_login_url and session_token_url."


@pytest.mark.parametrize("answer", [[], "ok", {}, {"access_token": None}, {"access_token": ""}, {"access_token": 7}])
def test_an_answer_without_a_token_points_at_the_addresses(
    http: Http, scripted_cloud: ScriptedCloud, answer: Any
) -> None:
    scripted_cloud.answer("POST", "/session", json={"auth_token": {"token": SESSION}})
    scripted_cloud.answer("GET", "/session/token", json=answer)
    error = refusal(http)
    assert (error.code, error.message) == (
        "bad_response",
        f"Could not obtain an access token for {USERNAME}: the answer contains no access token.",
    )


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_password_does_not_follow_a_redirect(http: Http, scripted_cloud: ScriptedCloud, status: int) -> None:
    with_location = {"Location": f"{scripted_cloud.url}/elsewhere"}
    scripted_cloud.answer("POST", "/session", status, headers=with_location)
    assert refusal(http).code == "not_a_cloud"


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
def test_what_is_no_address_is_refused_before_any_request_and_not_repeated(name: str, url: str) -> None:
    (problem,) = replace(LOGIN, **{name: url}).find_problems()
    assert problem.code == "not_a_cloud"
    assert problem.message == f"session_{name} must be a URL or a path that starts with a slash."
    assert problem.hint == f"Correct session_{name}."
    assert "s3cret" not in f"{problem.as_failure()}"


@pytest.mark.parametrize(
    "url", ["/session", "/session?app=ide", "http://localhost:8080/x", "https://cloud.example.com/x"]
)
def test_addresses_and_paths_have_no_problems(url: str) -> None:
    assert replace(LOGIN, login_url=url, token_url=url).find_problems() == []


def test_mistakes_in_the_account_are_seen_too() -> None:
    login = replace(LOGIN, username="two words", password="")
    assert [problem.code for problem in login.find_problems()] == ["malformed_username", "malformed_password"]


def test_the_password_is_shown_nowhere() -> None:
    redact = Redactor()
    LOGIN.mask_secrets(redact)
    assert PASSWORD not in repr(LOGIN)
    basic = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    assert redact(f"{PASSWORD} {basic}") == "******** ********"


def test_it_has_an_account_and_no_client() -> None:
    assert LOGIN.display_names == (USERNAME, "")
    assert LOGIN.account == (USERNAME, PASSWORD)
    assert LOGIN.get_identity() == ("session", USERNAME, PASSWORD, "/session", "/session/token")


def test_both_steps_count_against_the_budget_of_the_conversation(scripted_cloud: ScriptedCloud, http: Http) -> None:
    two_steps(scripted_cloud)
    budget = Budget(Allowance({EVERY_ROUTE: Limit(4, 300)}, 1))
    sharing = Http(http.connection, budget=budget)
    LOGIN.obtain_grant(sharing, {}, {})
    sharing.close()
    assert budget.get_used_share() == 0.5
