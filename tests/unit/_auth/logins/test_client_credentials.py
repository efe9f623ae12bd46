# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the login of an OAuth client with its own id and secret."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.base import Client
from ansible_collections.meshfleet.particle.plugins.module_utils._auth.logins.client_credentials import (
    ClientCredentials,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.refusal import TOKEN_ROUTE
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.scripted import ScriptedCloud
from support.token_cloud import GRANT, script_grants, token

CLIENT = Client("my-product-1234", "s3cret-of-the-client")
LOGIN = ClientCredentials(CLIENT)
CUSTOMER = ClientCredentials(CLIENT, scope="customer=jane@example.com")


@pytest.mark.parametrize(
    ("login", "lifetime", "fields"),
    [
        (LOGIN, {}, {}),
        (LOGIN, {"expires_in": "3600"}, {"expires_in": "3600"}),
        (CUSTOMER, {}, {"scope": "customer=jane@example.com"}),
    ],
)
def test_login_is_one_request_with_the_client_only_in_the_header(
    http: Http,
    scripted_cloud: ScriptedCloud,
    login: ClientCredentials,
    lifetime: dict[str, str],
    fields: dict[str, str],
) -> None:
    script_grants(scripted_cloud, token(1))
    assert login.obtain_grant(http, lifetime, {}).access_token == token(1)
    (request,) = scripted_cloud.requests
    assert request.form == {"grant_type": "client_credentials", **fields}
    pair = base64.b64encode(b"my-product-1234:s3cret-of-the-client").decode()
    assert request.headers["Authorization"] == f"Basic {pair}"
    assert (http.usage.requests, http.usage.writes) == (1, 0)


@pytest.mark.parametrize(
    ("status", "reason", "description", "code"),
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
def test_refused_login_is_sent_once_and_names_the_client(
    http: Http, scripted_cloud: ScriptedCloud, status: int, reason: str, description: str, code: str
) -> None:
    scripted_cloud.answer("POST", GRANT, status, json={"error": reason, "error_description": description})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    error = caught.value
    assert (error.code, error.status, error.route) == (code, status, TOKEN_ROUTE)
    assert "client my-product-1234" in error.message
    assert "password" not in f"{error.as_failure()}"
    assert len(scripted_cloud.requests) == 1


def test_refused_client_is_reported_with_a_hint(http: Http, scripted_cloud: ScriptedCloud) -> None:
    scripted_cloud.answer("POST", GRANT, 400, json={"error": "invalid_grant"})
    with pytest.raises(ParticleError) as caught:
        LOGIN.obtain_grant(http, {}, {})
    assert caught.value.message == (
        "Could not obtain an access token for client my-product-1234: "
        "the cloud does not accept the id or the secret of this client (HTTP 400: invalid_grant)."
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
def test_malformed_client_is_found_without_a_request(client: Client, codes: list[str]) -> None:
    problems = ClientCredentials(client).find_problems()
    assert [problem.code for problem in problems] == codes
    assert "s3cret" not in f"{[problem.as_failure() for problem in problems]}"


def test_client_secret_is_masked_and_not_shown() -> None:
    redact = Redactor()
    CUSTOMER.mask_secrets(redact)
    assert CLIENT.secret not in repr(CUSTOMER)
    assert redact(CLIENT.secret) == "********"


def test_login_has_a_client_but_no_account() -> None:
    assert LOGIN.display_names == ("", "my-product-1234")
    assert LOGIN.account is None


def test_scope_is_part_of_the_identity() -> None:
    assert LOGIN.get_identity() == ("client_credentials", "my-product-1234", "s3cret-of-the-client", "")
    assert CUSTOMER.get_identity() == (*LOGIN.get_identity()[:3], "customer=jane@example.com")
