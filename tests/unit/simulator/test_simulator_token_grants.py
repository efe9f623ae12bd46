# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""`POST /oauth/token`: the ways in and the refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from simulator_client import CODED, DEMO, SINGLE_SIGN_ON, Cloud, ask_with_code, one_time_code, refusal


def wrong_code(cloud: Cloud) -> str:
    """Return six digits that are not the code of now."""
    return f"{(int(one_time_code(cloud)) + 1) % 10**6:06d}"


def test_given_right_credentials_when_a_token_is_asked_then_it_is_forty_hex_for_ninety_days(
    cloud: Cloud,
) -> None:
    body = cloud.ask_token().json()
    assert len(bytes.fromhex(body["access_token"])) == 20
    assert (body["token_type"], body["expires_in"]) == ("bearer", 7_776_000)
    assert body["refresh_token"]


def test_given_two_grants_then_each_makes_a_new_token(cloud: Cloud) -> None:
    assert cloud.token() != cloud.token()


def test_given_expires_in_when_a_token_is_asked_then_it_lives_that_long(cloud: Cloud) -> None:
    assert cloud.ask_token(expires_in="3600").json()["expires_in"] == 3600


def test_given_expires_in_zero_then_the_token_never_expires_and_has_no_refresh_token(cloud: Cloud) -> None:
    body = cloud.ask_token(expires_in="0").json()
    assert body["expires_in"] == 0
    assert "refresh_token" not in body


def test_given_expires_at_then_the_answer_tells_the_remaining_seconds(cloud: Cloud) -> None:
    moment = datetime.fromtimestamp(cloud.now() + 7200, UTC).isoformat().replace("+00:00", "Z")
    assert cloud.ask_token(expires_at=moment).json()["expires_in"] in (7199, 7200)


def test_given_the_client_in_a_basic_header_then_the_grant_is_the_same(cloud: Cloud) -> None:
    form = {"grant_type": "password", "username": DEMO[0], "password": DEMO[1]}
    assert cloud.call("POST", "/oauth/token", data=form, auth=("particle", "particle")).status_code == 200


@pytest.mark.parametrize("name", ["particle", "particle-api", "particle-cli"])
def test_given_an_official_client_then_it_is_known(cloud: Cloud, name: str) -> None:
    assert cloud.ask_token(client_id=name, client_secret=name).status_code == 200


def test_given_a_grant_then_its_answer_must_not_be_stored(cloud: Cloud) -> None:
    headers = cloud.ask_token().headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("who", [(DEMO[0], "wrong"), ("nobody@example.com", DEMO[1])])
def test_given_a_wrong_user_or_password_then_both_are_refused_alike(cloud: Cloud, who: tuple[str, str]) -> None:
    assert refusal(cloud.ask_token(who)) == (400, "invalid_grant", "User credentials are invalid")


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
def test_given_a_client_problem_then_the_refusal_names_it(cloud: Cloud, form: dict[str, Any], description: str) -> None:
    assert refusal(cloud.ask_token(**form)) == (400, "invalid_client", description)


def test_given_an_invalid_client_then_the_answer_asks_for_basic(cloud: Cloud) -> None:
    headers = cloud.ask_token(client_secret="wrong").headers
    assert headers["WWW-Authenticate"] == 'Basic realm="Service"'
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize("grant_type", [None, "magic"])
def test_given_a_missing_or_unknown_grant_type_then_it_is_an_invalid_request(
    cloud: Cloud, grant_type: str | None
) -> None:
    expected = (400, "invalid_request", "Invalid or missing grant_type parameter")
    assert refusal(cloud.ask_token(grant_type=grant_type)) == expected


def test_given_json_instead_of_a_form_then_it_is_an_invalid_request(cloud: Cloud) -> None:
    form = {"grant_type": "password", "username": DEMO[0], "password": DEMO[1]}
    answer = cloud.call("POST", "/oauth/token", json=form, auth=("particle", "particle"))
    description = "Method must be POST with application/x-www-form-urlencoded encoding"
    assert refusal(answer) == (400, "invalid_request", description)


def test_given_an_account_with_single_sign_on_then_its_password_is_no_way_in(cloud: Cloud) -> None:
    assert refusal(cloud.ask_token(SINGLE_SIGN_ON))[:2] == (403, "sso_user")


def test_given_an_account_with_codes_when_only_the_password_comes_then_a_code_is_asked_for(
    cloud: Cloud,
) -> None:
    answer = cloud.ask_token(CODED)
    assert refusal(answer) == (403, "mfa_required", "Multi-factor authentication required")
    assert answer.json()["mfa_token"]


def test_given_a_wrong_password_of_an_account_with_codes_then_no_code_is_asked_for(cloud: Cloud) -> None:
    assert refusal(cloud.ask_token((CODED[0], "wrong")))[1] == "invalid_grant"


def test_given_the_right_code_then_the_token_has_the_life_asked_for_with_the_password(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED, expires_in="1800").json()["mfa_token"]
    answer = ask_with_code(cloud, mfa_token, one_time_code(cloud))
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 1800)


def test_given_a_wrong_code_then_it_could_not_be_validated(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    answer = ask_with_code(cloud, mfa_token, wrong_code(cloud))
    assert refusal(answer) == (400, "invalid_grant", "Could not validate OTP.")


def test_given_a_used_mfa_token_when_it_is_sent_again_then_it_is_refused(cloud: Cloud) -> None:
    mfa_token = cloud.ask_token(CODED).json()["mfa_token"]
    ask_with_code(cloud, mfa_token, one_time_code(cloud))
    assert ask_with_code(cloud, mfa_token, one_time_code(cloud)).status_code == 400


def test_given_a_code_without_its_mfa_token_then_both_are_asked_for(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="urn:custom:mfa-otp", otp="123456")
    assert refusal(answer) == (400, "invalid_request", "You must provide otp and mfa token.")


def test_given_a_client_of_an_account_then_its_credentials_are_a_way_in(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="client_credentials", client_id="fleet-bot-1", client_secret="bot-secret")
    user = cloud.call("GET", "/v1/user", headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
    assert user.json()["username"] == DEMO[0]


def test_given_a_client_of_nobody_then_its_credentials_alone_are_no_way_in(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="client_credentials")
    assert refusal(answer) == (400, "invalid_grant", "Client credentials are invalid")


def test_given_a_refresh_token_then_it_works_once(cloud: Cloud) -> None:
    refresh = cloud.ask_token().json()["refresh_token"]
    first = cloud.ask_token(grant_type="refresh_token", refresh_token=refresh)
    second = cloud.ask_token(grant_type="refresh_token", refresh_token=refresh)
    assert first.status_code == 200
    assert refusal(second) == (400, "invalid_grant", "Invalid refresh token")


def test_given_no_refresh_token_when_a_refresh_is_asked_then_the_parameter_is_missing(cloud: Cloud) -> None:
    answer = cloud.ask_token(grant_type="refresh_token")
    assert refusal(answer) == (400, "invalid_request", 'No "refresh_token" parameter')
