# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Ways of older clouds: the list of tokens by HTTP Basic, and the login in two steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from simulator_client import (
    CODED,
    DEMO,
    RECENT,
    SINGLE_SIGN_ON,
    Cloud,
    User,
    ask_with_code,
    one_time_code,
    refusal,
)

LIST = "/v1/access_tokens"


@pytest.fixture
def old(cloud_with: Callable[..., Cloud]) -> Cloud:
    """A cloud that still has the ways of its youth."""
    return cloud_with(
        "--token-listing", "enabled", "--session-login", "/ide/login", "--session-token", "/ide/access_token"
    )


def listed(cloud: Cloud, who: tuple[str, str], **query: str) -> requests.Response:
    return cloud.call("GET", LIST, auth=who, params=query)


def complaint(answer: requests.Response) -> tuple[int, str]:
    (text,) = answer.json()["errors"]
    assert answer.json()["ok"] is False
    return answer.status_code, text


def test_given_a_cloud_of_today_then_the_list_of_tokens_is_gone_but_known(cloud: Cloud) -> None:
    answer = listed(cloud, DEMO)
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert cloud.stats()["unknown_routes"] == 0


def test_given_tokens_then_each_is_listed_with_its_end_and_client(old: Cloud) -> None:
    first = old.token(expires_in="0")
    second = old.token(client_id="particle-cli", client_secret="particle-cli")
    rows = {row.pop("token"): row for row in listed(old, DEMO).json()}
    assert rows[first] == {"expires_at": None, "client": "__PASSWORD_ONLY__"}
    assert (rows[second]["client"], rows[second]["expires_at"][-1]) == ("particle-cli", "Z")


def test_given_dead_tokens_and_those_of_others_then_they_are_not_listed(old: Cloud) -> None:
    old.token(("other@example.com", "other-password"))
    old.token(expires_in="60")
    User(old, old.token()).call("DELETE", f"{LIST}/current")
    old.advance(61)
    assert listed(old, DEMO).json() == []


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ((DEMO[0], "wrong"), (401, "Bad password")),
        (("nobody@example.com", "x"), (400, "Unknown user")),
        (("particle", "particle"), (400, "Unknown user")),
        (SINGLE_SIGN_ON, (401, "Bad password")),
    ],
)
def test_given_wrong_credentials_then_the_list_is_refused(
    old: Cloud, who: tuple[str, str], expected: tuple[int, str]
) -> None:
    assert complaint(listed(old, who)) == expected


def test_given_no_basic_credentials_then_the_list_asks_for_them(old: Cloud) -> None:
    sentence = "Unauthorized. You must send username and password in HTTP Basic Auth to view your access tokens."
    assert complaint(old.call("GET", LIST)) == (401, sentence)
    assert complaint(old.user().call("GET", LIST)) == (401, sentence)


def test_given_an_account_with_codes_then_the_list_needs_one_in_the_query(old: Cloud) -> None:
    assert listed(old, CODED).status_code == 401
    assert listed(old, CODED, otp=one_time_code(old)).json() == []


# ---------------------------------------------------------------------- the login in two steps


def log_in(cloud: Cloud, username: str, password: str) -> requests.Response:
    return cloud.call("POST", "/ide/login", json={"username": username, "password": password})


def fetch(cloud: Cloud, session: str) -> requests.Response:
    return cloud.call("GET", "/ide/access_token", headers={"Authorization": f"Bearer {session}"})


def test_given_no_paths_then_the_login_of_2014_is_an_unknown_route(cloud: Cloud) -> None:
    assert log_in(cloud, *DEMO).status_code == 404
    assert cloud.stats()["unknown_routes"] == 1


def test_given_the_password_then_the_session_leads_to_an_access_token(old: Cloud) -> None:
    body = log_in(old, *DEMO).json()
    assert (body["username"], len(body["auth_token"]["token"])) == (DEMO[0], 20)
    answer = fetch(old, body["auth_token"]["token"]).json()
    assert answer["access_token_expires_at"].endswith("+00:00")
    assert User(old, answer["access_token"]).get("/v1/user")["username"] == DEMO[0]
    stats = old.stats()
    assert (stats["grants"], stats["refusals"]) == (1, 0)


def test_given_a_wrong_password_then_there_is_no_session(old: Cloud) -> None:
    assert complaint(log_in(old, DEMO[0], "wrong")) == (401, "Bad password")
    assert complaint(log_in(old, "nobody@example.com", "x")) == (400, "Unknown user")
    assert complaint(log_in(old, *CODED)) == (401, "Bad password")
    assert old.stats()["refusals"] == 3


def test_given_no_session_or_an_old_one_then_there_is_no_access_token(old: Cloud) -> None:
    session = log_in(old, *DEMO).json()["auth_token"]["token"]
    assert refusal(fetch(old, "nope"))[2] == "The access token provided is invalid."
    old.advance(2 * 86_400)
    assert refusal(fetch(old, session))[2] == "The access token provided has expired."


# ---------------------------------------------------------------------- recovery codes


def recover(cloud: Cloud, mfa_token: str, code: str) -> requests.Response:
    return cloud.ask_token(grant_type="urn:custom:recovery-code", mfa_token=mfa_token, recovery_code=code)


def test_given_a_recovery_code_then_it_stands_in_for_the_phone_once(cloud: Cloud) -> None:
    first, second = (cloud.ask_token(CODED, expires_in="1800").json()["mfa_token"] for _unused in range(2))
    answer = recover(cloud, first, "rescue-1")
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 1800)
    assert refusal(recover(cloud, second, "rescue-1")) == (400, "invalid_grant", "Could not validate recovery code.")
    assert ask_with_code(cloud, second, one_time_code(cloud)).status_code == 200


def test_given_no_recovery_code_then_both_fields_are_asked_for(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="urn:custom:recovery-code")
    assert refusal(answer) == (400, "invalid_request", "You must provide recovery code and mfa token.")


def test_given_an_account_of_today_then_its_token_may_not_come_in_the_query(cloud: Cloud) -> None:
    token = cloud.token(RECENT)
    answer = cloud.call("GET", "/v1/user", params={"access_token": token})
    assert refusal(answer)[:2] == (400, "invalid_request")
    assert User(cloud, token).get("/v1/user")["username"] == RECENT[0]
