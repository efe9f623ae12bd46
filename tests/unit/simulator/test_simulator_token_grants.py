# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the grants and refusals of `POST /oauth/token`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from simulator_client import CODED, DEMO, SINGLE_SIGN_ON, Cloud, ask_with_code, one_time_code, refusal


def wrong_code(cloud: Cloud) -> str:
    """Return six digits that are not the current code."""
    return f"{(int(one_time_code(cloud)) + 1) % 10**6:06d}"


def test_token_has_forty_hex_digits_and_a_lifetime_of_ninety_days(
    cloud: Cloud,
) -> None:
    body = cloud.ask_token().json()
    assert len(bytes.fromhex(body["access_token"])) == 20
    assert (body["token_type"], body["expires_in"]) == ("bearer", 7_776_000)
    assert body["refresh_token"]


def test_each_grant_creates_a_new_token(cloud: Cloud) -> None:
    assert cloud.token() != cloud.token()


def test_expires_in_sets_the_lifetime_of_the_token(cloud: Cloud) -> None:
    assert cloud.ask_token(expires_in="3600").json()["expires_in"] == 3600


def test_token_without_expiry_has_no_refresh_token(cloud: Cloud) -> None:
    body = cloud.ask_token(expires_in="0").json()
    assert body["expires_in"] == 0
    assert "refresh_token" not in body


def test_expires_at_is_answered_as_remaining_seconds(cloud: Cloud) -> None:
    expires_at = datetime.fromtimestamp(cloud.now() + 7200, UTC).isoformat().replace("+00:00", "Z")
    assert cloud.ask_token(expires_at=expires_at).json()["expires_in"] in (7199, 7200)


def test_grant_accepts_the_client_in_a_basic_header(cloud: Cloud) -> None:
    form = {"grant_type": "password", "username": DEMO[0], "password": DEMO[1]}
    assert cloud.call("POST", "/oauth/token", data=form, auth=("particle", "particle")).status_code == 200


@pytest.mark.parametrize("name", ["particle", "particle-api", "particle-cli"])
def test_official_clients_are_known(cloud: Cloud, name: str) -> None:
    assert cloud.ask_token(client_id=name, client_secret=name).status_code == 200


def test_answer_with_a_token_must_not_be_stored(cloud: Cloud) -> None:
    headers = cloud.ask_token().headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("credentials", [(DEMO[0], "wrong"), ("nobody@example.com", DEMO[1])])
def test_unknown_user_and_wrong_password_are_refused_alike(cloud: Cloud, credentials: tuple[str, str]) -> None:
    assert refusal(cloud.ask_token(credentials)) == (400, "invalid_grant", "User credentials are invalid")


@pytest.mark.parametrize(
    ("form", "description"),
    [
        ({"client_id": None}, "Invalid or missing client_id parameter"),
        ({"client_id": "a b"}, "Invalid or missing client_id parameter"),
        ({"client_secret": None}, "Missing client_secret parameter"),
        ({"client_secret": "wrong"}, "Client credentials are invalid"),
        ({"client_id": "stranger"}, "Client credentials are invalid"),
        ({"username": None}, 'Missing parameters. "username" and "password" are required'),
        ({"password": None}, 'Missing parameters. "username" and "password" are required'),
        ({"grant_type": "authorization_code"}, "The grant type is unauthorised for this client_id"),
    ],
)
def test_refusal_names_the_problem_of_the_client(cloud: Cloud, form: dict[str, Any], description: str) -> None:
    assert refusal(cloud.ask_token(**form)) == (400, "invalid_client", description)


def test_refusal_of_an_invalid_client_asks_for_basic_credentials(cloud: Cloud) -> None:
    headers = cloud.ask_token(client_secret="wrong").headers
    assert headers["WWW-Authenticate"] == 'Basic realm="Service"'
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("grant_type", [None, "magic"])
def test_missing_or_unknown_grant_type_is_refused(cloud: Cloud, grant_type: str | None) -> None:
    expected = (400, "invalid_request", "Invalid or missing grant_type parameter")
    assert refusal(cloud.ask_token(grant_type=grant_type)) == expected


def test_grant_request_in_json_is_refused(cloud: Cloud) -> None:
    form = {"grant_type": "password", "username": DEMO[0], "password": DEMO[1]}
    answer = cloud.call("POST", "/oauth/token", json=form, auth=("particle", "particle"))
    description = "Method must be POST with application/x-www-form-urlencoded encoding"
    assert refusal(answer) == (400, "invalid_request", description)


def test_password_of_a_single_sign_on_account_is_refused(cloud: Cloud) -> None:
    assert refusal(cloud.ask_token(SINGLE_SIGN_ON))[:2] == (403, "sso_user")


def test_mfa_account_is_asked_for_a_code_after_the_password(
    cloud: Cloud,
) -> None:
    answer = cloud.ask_token(CODED)
    assert refusal(answer) == (403, "mfa_required", "Multi-factor authentication required")
    assert answer.json()["mfa_token"]


def test_mfa_account_is_not_asked_for_a_code_after_a_wrong_password(cloud: Cloud) -> None:
    assert refusal(cloud.ask_token((CODED[0], "wrong")))[1] == "invalid_grant"


def test_token_of_an_mfa_login_has_the_requested_lifetime(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED, expires_in="1800").json()["mfa_token"]
    answer = ask_with_code(cloud, mfa_token, one_time_code(cloud))
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 1800)


def test_wrong_code_is_refused(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    answer = ask_with_code(cloud, mfa_token, wrong_code(cloud))
    assert refusal(answer) == (400, "invalid_grant", "Could not validate OTP.")


def test_used_mfa_token_is_refused(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    ask_with_code(cloud, mfa_token, one_time_code(cloud))
    assert ask_with_code(cloud, mfa_token, one_time_code(cloud)).status_code == 400


def test_code_without_an_mfa_token_is_refused(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="urn:custom:mfa-otp", otp="123456")
    assert refusal(answer) == (400, "invalid_request", "You must provide otp and mfa token.")


def test_client_of_an_account_gets_a_token_of_its_owner(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="client_credentials", client_id="fleet-bot-1", client_secret="bot-secret")
    user = cloud.call("GET", "/v1/user", headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
    assert user.json()["username"] == DEMO[0]


def test_official_client_gets_no_token_with_its_credentials_alone(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="client_credentials")
    assert refusal(answer) == (400, "invalid_grant", "Client credentials are invalid")


def test_refresh_token_works_only_once(cloud: Cloud) -> None:
    refresh_token = cloud.ask_token().json()["refresh_token"]
    first = cloud.ask_token(grant_type="refresh_token", refresh_token=refresh_token)
    second = cloud.ask_token(grant_type="refresh_token", refresh_token=refresh_token)
    assert first.status_code == 200
    assert refusal(second) == (400, "invalid_grant", "Invalid refresh token")


def test_refresh_without_a_refresh_token_is_refused(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="refresh_token")
    assert refusal(answer) == (400, "invalid_request", 'No "refresh_token" parameter')
