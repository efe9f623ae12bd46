# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An OAuth client logs in for itself, without a person."""

from __future__ import annotations

import base64

import pytest
from token_cloud import GRANT, granting, token

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.client_credentials import (
    ClientCredentials,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud

CLIENT = Client("my-product-1234", "s3cret-of-the-client")
LOGIN = ClientCredentials(CLIENT)
CUSTOMER = ClientCredentials(CLIENT, scope="customer=jane@example.com")


@pytest.mark.parametrize(
    ("login", "wish", "asked"),
    [
        (LOGIN, {}, {}),
        (LOGIN, {"expires_in": "3600"}, {"expires_in": "3600"}),
        (CUSTOMER, {}, {"scope": "customer=jane@example.com"}),
    ],
)
def test_a_login_is_one_request_with_the_client_in_the_header_alone(
    http: Http, scripted_cloud: ScriptedCloud, login: ClientCredentials, wish: dict[str, str], asked: dict[str, str]
) -> None:
    granting(scripted_cloud, token(1))
    assert login.obtain_grant(http, wish, {}).access_token == token(1)
    (request,) = scripted_cloud.requests
    assert request.form == {"grant_type": "client_credentials", **asked}
    pair = base64.b64encode(b"my-product-1234:s3cret-of-the-client").decode()
    assert request.headers["Authorization"] == f"Basic {pair}"
    assert (http.usage.requests, http.usage.writes) == (1, 0)


@pytest.mark.parametrize(
    ("status", "word", "said", "code"),
    [
        (400, "invalid_grant", "Client credentials are invalid", "unknown_client"),
        (400, "invalid_client", "Client credentials are invalid", "unknown_client"),
        (400, "invalid_client", "Missing client_secret parameter", "invalid_client_secret"),
        (400, "invalid_client", "The grant type is unauthorised for this client_id", "unknown_client"),
        (400, "invalid_scope", "The customer does not exist", "missing_scope"),
        (429, "rate_limit_exceeded", "", "locked_out"),
        (503, "server_error", "", "cloud_error"),
    ],
)
def test_a_refusal_is_about_the_client_comes_once_and_speaks_of_no_password(
    http: Http, scripted_cloud: ScriptedCloud, status: int, word: str, said: str, code: str
) -> None:
    scripted_cloud.answer("POST", GRANT, status, json={"error": word, "error_description": said})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    error = caught.value
    assert (error.code, error.status, error.route) == (code, status, TOKEN_ROUTE)
    assert "client my-product-1234" in error.message
    assert "password" not in f"{error.as_failure()}"
    assert len(scripted_cloud.requests) == 1


def test_a_client_that_is_not_accepted_is_told_with_what_to_check(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json={"error": "invalid_grant"})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    assert caught.value.message == (
        "Could not obtain an access token for client my-product-1234: "
        "the cloud does not accept its id or secret (HTTP 400)."
    )
    assert caught.value.hint == "Check client_id and client_secret."


@pytest.mark.parametrize(
    ("client", "codes"),
    [
        (CLIENT, []),
        (Client("x", "s3cret"), ["unknown_client"]),
        (Client("my-client", ""), ["invalid_client_secret"]),
        (Client("", "s3cret\n"), ["unknown_client", "invalid_client_secret"]),
    ],
)
def test_what_cannot_be_a_client_is_seen_before_any_request(client: Client, codes: list[str]) -> None:
    problems = ClientCredentials(client).find_problems()
    assert [problem.code for problem in problems] == codes
    assert "s3cret" not in f"{[problem.as_failure() for problem in problems]}"


def test_its_secret_is_shown_nowhere() -> None:
    redact = Redactor()
    CUSTOMER.mask_secrets(redact)
    assert CLIENT.secret not in repr(CUSTOMER)
    assert redact(CLIENT.secret) == "********"


def test_it_has_a_name_and_no_account() -> None:
    assert LOGIN.display_names == ("", "my-product-1234")
    assert LOGIN.account is None


def test_another_scope_is_another_login() -> None:
    assert LOGIN.get_identity() == ("client_credentials", "my-product-1234", "s3cret-of-the-client", "")
    assert CUSTOMER.get_identity() == (*LOGIN.get_identity()[:3], "customer=jane@example.com")
