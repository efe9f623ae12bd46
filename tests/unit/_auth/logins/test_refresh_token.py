# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the login with a refresh token."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.refresh_token import RefreshToken
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud
from support.token_cloud import GRANT, token

CLIENT = Client("my-product-1234", "s3cret-of-the-client")
REFRESH = "9a8b7c6d5e4f30211203948576ffeeddccbbaa00"
LOGIN = RefreshToken(REFRESH, CLIENT)


def test_refresh_is_one_request_with_the_client_in_the_header(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", GRANT, json={"access_token": token(1), "expires_in": 60, "refresh_token": "the-next"})
    grant = LOGIN.obtain_grant(http, {}, {})
    (request,) = scripted_cloud.requests
    assert request.form == {"grant_type": "refresh_token", "refresh_token": REFRESH}
    pair = base64.b64encode(b"my-product-1234:s3cret-of-the-client").decode()
    assert request.headers["Authorization"] == f"Basic {pair}"
    assert (grant.access_token, grant.expires_in, grant.refresh_token) == (token(1), 60, "the-next")
    assert http.redact("the-next") == "********"


@pytest.mark.parametrize("description", ["Invalid refresh token", "Refresh token has expired"])
def test_refused_refresh_token_is_not_reported_as_a_wrong_password(
    http: Http, scripted_cloud: ScriptedCloud, description: str
) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json={"error": "invalid_grant", "error_description": description})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    error = caught.value
    assert (error.code, error.status, error.route) == ("invalid_credentials", 400, TOKEN_ROUTE)
    assert error.message == (
        "Could not obtain an access token from the refresh token: "
        f"the cloud does not accept this refresh token (HTTP 400: {description})."
    )
    assert error.hint == (
        "Log in again: a refresh token can be used once, and expires about 14 days after its access token."
    )
    assert "password" not in f"{error.as_failure()}"
    assert len(scripted_cloud.requests) == 1


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [(400, "invalid_client", "unknown_client"), (429, "rate_limit_exceeded", "locked_out"), (503, "", "cloud_error")],
)
def test_other_refusals_keep_their_error_code(
    http: Http, scripted_cloud: ScriptedCloud, status: int, reason: str, code: str
) -> None:
    scripted_cloud.answer("POST", GRANT, status, json={"error": reason})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    assert caught.value.code == code
    assert "Could not obtain an access token from the refresh token" in caught.value.message


@pytest.mark.parametrize("value", ["", " ", f"{REFRESH}\n", f" {REFRESH}", "two words", "a\x00"])
def test_malformed_refresh_token_is_refused_and_not_shown(value: str) -> None:
    (problem,) = RefreshToken(value, CLIENT).find_problems()
    assert (problem.code, problem.message) == ("token_invalid", "The refresh token is empty or contains spaces.")
    assert problem.hint == (
        "Give only the refresh token. If it is read from a file, remove the line break at its end with the filter trim."
    )
    assert REFRESH not in f"{problem.as_failure()}"


def test_omitted_refresh_token_has_no_problems() -> None:
    assert RefreshToken(None, CLIENT).find_problems() == []


def test_problems_of_client_and_refresh_token_are_reported_together() -> None:
    assert [problem.code for problem in RefreshToken("", Client("x", "y")).find_problems()] == [
        "unknown_client",
        "token_invalid",
    ]
    assert LOGIN.find_problems() == []


def test_refresh_token_and_client_secret_are_masked_and_not_shown() -> None:
    redact = Redactor()
    LOGIN.mask_secrets(redact)
    assert not [secret for secret in (REFRESH, CLIENT.secret) if secret in repr(LOGIN)]
    assert redact(f"{REFRESH} {CLIENT.secret}") == "******** ********"


def test_login_has_a_client_but_no_account() -> None:
    assert LOGIN.display_names == ("", "my-product-1234")
    assert LOGIN.account is None
    assert LOGIN.get_identity() == ("refresh_token", "my-product-1234", "s3cret-of-the-client", REFRESH)
    assert RefreshToken(None, CLIENT).get_identity() == ("refresh_token", "my-product-1234", "s3cret-of-the-client", "")
