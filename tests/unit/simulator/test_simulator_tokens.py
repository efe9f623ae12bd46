# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the use of tokens: the bearer check, introspection, revocation and the user of a token."""

from __future__ import annotations

import pytest
from simulator_client import DEMO, FREE, SINGLE_SIGN_ON, Cloud, User, refusal

INVALID = (401, "invalid_token", "The access token provided is invalid.")
PROTECTED_ROUTES = [
    ("GET", "/v1/user"),
    ("GET", "/v1/devices"),
    ("GET", "/v1/devices/anything"),
    ("POST", "/v1/devices"),
    ("GET", "/v1/user/products"),
    ("GET", "/v1/products/31337/devices"),
    ("PUT", "/v1/products/31337/devices"),
    ("GET", "/v1/products/31337/groups"),
    ("GET", "/v1/ledgers"),
    ("GET", "/v1/access_tokens/current"),
    ("DELETE", "/v1/access_tokens"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED_ROUTES)
def test_request_without_a_token_is_refused(cloud: Cloud, method: str, path: str) -> None:
    expected = (400, "invalid_request", "The access token was not found")
    assert refusal(cloud.call(method, path)) == expected


@pytest.mark.parametrize(("method", "path"), PROTECTED_ROUTES)
def test_request_with_an_unknown_token_is_refused(cloud: Cloud, method: str, path: str) -> None:
    assert refusal(User(cloud, "0" * 40).call(method, path)) == INVALID


def test_basic_credentials_on_a_bearer_route_are_refused(cloud: Cloud) -> None:
    answer = cloud.call("GET", "/v1/devices", auth=DEMO)
    assert refusal(answer) == (400, "invalid_request", "Malformed auth header")


def test_expired_token_is_distinguished_from_an_invalid_one(cloud: Cloud) -> None:
    user = User(cloud, cloud.token(expires_in="60"))
    cloud.advance(60)
    answer = user.call("GET", "/v1/user")
    assert refusal(answer) == (401, "invalid_token", "The access token provided has expired.")


def test_refusal_of_a_token_must_not_be_stored(cloud: Cloud) -> None:
    headers = User(cloud, "0" * 40).call("GET", "/v1/user").headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


def test_token_in_the_query_of_a_get_is_accepted(cloud: Cloud) -> None:
    assert cloud.call("GET", "/v1/user", params={"access_token": cloud.token()}).status_code == 200


def test_token_in_a_form_body_is_accepted(cloud: Cloud) -> None:
    form = {"access_token": cloud.token(), "id": FREE[0]}
    assert cloud.call("POST", "/v1/devices", data=form).status_code == 200


def test_token_in_a_json_body_is_refused(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/devices", json={"access_token": cloud.token()})
    assert refusal(answer)[:2] == (400, "invalid_request")
    assert "content type must be" in refusal(answer)[2]


def test_token_in_both_header_and_query_is_refused(demo: User) -> None:
    answer = demo.call("GET", "/v1/user", params={"access_token": demo.token})
    assert refusal(answer)[2].startswith("Only one method may be used to authenticate at a time")


def test_current_token_shows_expiry_and_client_but_not_its_value(cloud: Cloud) -> None:
    user = User(cloud, cloud.token(client_id="particle-cli", client_secret="particle-cli"))
    answer = user.call("GET", "/v1/access_tokens/current")
    body = answer.json()
    assert (body["client"], body["scopes"], body["orgs"]) == ("particle-cli", [], [])
    assert body["expires_at"].endswith("Z")
    assert user.token not in answer.text


def test_expiry_of_a_token_that_never_expires_is_null(cloud: Cloud) -> None:
    assert User(cloud, cloud.token(expires_in="0")).get("/v1/access_tokens/current")["expires_at"] is None


def test_token_that_revokes_itself_becomes_invalid(demo: User) -> None:
    assert demo.call("DELETE", "/v1/access_tokens/current").json() == {"ok": True}
    assert refusal(demo.call("GET", "/v1/user")) == INVALID


def test_token_is_revoked_by_value_without_credentials(demo: User) -> None:
    assert demo.cloud.call("DELETE", f"/v1/access_tokens/{demo.token}").json() == {"ok": True}
    assert refusal(demo.call("GET", "/v1/user")) == INVALID


def test_second_revocation_by_value_is_refused(demo: User) -> None:
    demo.call("DELETE", "/v1/access_tokens/current")
    assert refusal(demo.cloud.call("DELETE", f"/v1/access_tokens/{demo.token}")) == INVALID


def test_revocation_of_all_tokens_affects_only_their_user(cloud: Cloud, demo: User, other: User) -> None:
    second = cloud.user()
    assert demo.call("DELETE", "/v1/access_tokens").json() == {"ok": True}
    statuses = [user.call("GET", "/v1/user").status_code for user in (demo, second, other)]
    assert statuses == [401, 401, 200]


def test_user_route_describes_the_user_of_the_token(demo: User) -> None:
    body = demo.get("/v1/user")
    assert (body["username"], body["mfa"], body["no_password"]) == (DEMO[0], {"enabled": False}, False)


def test_user_route_counts_claimed_cellular_devices(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    assert demo.get("/v1/user")["cellular_device_count"] == 1


def test_simulator_state_shows_accounts_without_passwords(cloud: Cloud) -> None:
    accounts = {account["username"]: account for account in cloud.state()["accounts"]}
    assert accounts[SINGLE_SIGN_ON[0]]["sso"] is True
    assert "password" not in accounts[DEMO[0]]
