# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test logins of older clouds: the token list by HTTP Basic, the login in two steps and recovery codes."""

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

TOKENS = "/v1/access_tokens"


@pytest.fixture
def older_cloud(cloud_with: Callable[..., Cloud]) -> Cloud:
    """Return a cloud with the token list and the login in two steps."""
    return cloud_with(
        "--token-listing", "enabled", "--session-login", "/ide/login", "--session-token", "/ide/access_token"
    )


def request_token_list(cloud: Cloud, credentials: tuple[str, str], **query: str) -> requests.Response:
    return cloud.call("GET", TOKENS, auth=credentials, params=query)


def read_error(answer: requests.Response) -> tuple[int, str]:
    """Return status and message of a refusal."""
    (text,) = answer.json()["errors"]
    assert answer.json()["ok"] is False
    return answer.status_code, text


def test_retired_token_list_is_not_found_but_not_counted_as_unknown(cloud: Cloud) -> None:
    answer = request_token_list(cloud, DEMO)
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert cloud.stats()["unknown_routes"] == 0


def test_token_list_shows_expiry_and_client_of_each_token(older_cloud: Cloud) -> None:
    first = older_cloud.token(expires_in="0")
    second = older_cloud.token(client_id="particle-cli", client_secret="particle-cli")
    rows = {row.pop("token"): row for row in request_token_list(older_cloud, DEMO).json()}
    assert rows[first] == {"expires_at": None, "client": "__PASSWORD_ONLY__"}
    assert (rows[second]["client"], rows[second]["expires_at"][-1]) == ("particle-cli", "Z")


def test_expired_revoked_and_foreign_tokens_are_not_listed(older_cloud: Cloud) -> None:
    older_cloud.token(("other@example.com", "other-password"))
    older_cloud.token(expires_in="60")
    User(older_cloud, older_cloud.token()).call("DELETE", f"{TOKENS}/current")
    older_cloud.advance(61)
    assert request_token_list(older_cloud, DEMO).json() == []


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ((DEMO[0], "wrong"), (401, "Bad password")),
        (("nobody@example.com", "x"), (400, "Unknown user")),
        (("particle", "particle"), (400, "Unknown user")),
        (SINGLE_SIGN_ON, (401, "Bad password")),
    ],
)
def test_token_list_with_wrong_credentials_is_refused(
    older_cloud: Cloud, credentials: tuple[str, str], expected: tuple[int, str]
) -> None:
    assert read_error(request_token_list(older_cloud, credentials)) == expected


def test_token_list_requires_basic_credentials(older_cloud: Cloud) -> None:
    message = "Unauthorized. You must send username and password in HTTP Basic Auth to view your access tokens."
    assert read_error(older_cloud.call("GET", TOKENS)) == (401, message)
    assert read_error(older_cloud.user().call("GET", TOKENS)) == (401, message)


def test_token_list_of_an_mfa_account_requires_a_code_in_the_query(older_cloud: Cloud) -> None:
    assert request_token_list(older_cloud, CODED).status_code == 401
    assert request_token_list(older_cloud, CODED, otp=one_time_code(older_cloud)).json() == []


# ---------------------------------------------------------------------- login in two steps


def log_in(cloud: Cloud, username: str, password: str) -> requests.Response:
    return cloud.call("POST", "/ide/login", json={"username": username, "password": password})


def fetch_token(cloud: Cloud, session: str) -> requests.Response:
    return cloud.call("GET", "/ide/access_token", headers={"Authorization": f"Bearer {session}"})


def test_session_login_is_an_unknown_route_unless_configured(cloud: Cloud) -> None:
    assert log_in(cloud, *DEMO).status_code == 404
    assert cloud.stats()["unknown_routes"] == 1


def test_session_leads_to_an_access_token(older_cloud: Cloud) -> None:
    body = log_in(older_cloud, *DEMO).json()
    assert (body["username"], len(body["auth_token"]["token"])) == (DEMO[0], 20)
    answer = fetch_token(older_cloud, body["auth_token"]["token"]).json()
    assert answer["access_token_expires_at"].endswith("+00:00")
    assert User(older_cloud, answer["access_token"]).get("/v1/user")["username"] == DEMO[0]
    stats = older_cloud.stats()
    assert (stats["grants"], stats["refusals"]) == (1, 0)


def test_session_login_with_wrong_credentials_is_refused(older_cloud: Cloud) -> None:
    assert read_error(log_in(older_cloud, DEMO[0], "wrong")) == (401, "Bad password")
    assert read_error(log_in(older_cloud, "nobody@example.com", "x")) == (400, "Unknown user")
    assert read_error(log_in(older_cloud, *CODED)) == (401, "Bad password")
    assert older_cloud.stats()["refusals"] == 3


def test_invalid_or_expired_session_gives_no_access_token(older_cloud: Cloud) -> None:
    session = log_in(older_cloud, *DEMO).json()["auth_token"]["token"]
    assert refusal(fetch_token(older_cloud, "nope"))[2] == "The access token provided is invalid."
    older_cloud.advance(2 * 86_400)
    assert refusal(fetch_token(older_cloud, session))[2] == "The access token provided has expired."


# ---------------------------------------------------------------------- recovery codes


def recover(cloud: Cloud, mfa_token: str, code: str) -> requests.Response:
    return cloud.ask_token(grant_type="urn:custom:recovery-code", mfa_token=mfa_token, recovery_code=code)


def test_recovery_code_replaces_the_one_time_code_once(cloud: Cloud) -> None:
    first, second = (cloud.ask_token(CODED, expires_in="1800").json()["mfa_token"] for _unused in range(2))
    answer = recover(cloud, first, "rescue-1")
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 1800)
    assert refusal(recover(cloud, second, "rescue-1")) == (400, "invalid_grant", "Could not validate recovery code.")
    assert ask_with_code(cloud, second, one_time_code(cloud)).status_code == 200


def test_recovery_login_requires_a_code_and_an_mfa_token(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="urn:custom:recovery-code")
    assert refusal(answer) == (400, "invalid_request", "You must provide recovery code and mfa token.")


def test_recent_account_cannot_send_its_token_in_the_query(cloud: Cloud) -> None:
    token = cloud.token(RECENT)
    answer = cloud.call("GET", "/v1/user", params={"access_token": token})
    assert refusal(answer)[:2] == (400, "invalid_request")
    assert User(cloud, token).get("/v1/user")["username"] == RECENT[0]
