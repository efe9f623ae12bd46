# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Tokens at work: the bearer check, introspection, revocation, the user behind them."""

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
def test_given_no_token_then_the_route_says_that_it_was_not_found(cloud: Cloud, method: str, path: str) -> None:
    expected = (400, "invalid_request", "The access token was not found")
    assert refusal(cloud.call(method, path)) == expected


@pytest.mark.parametrize(("method", "path"), PROTECTED_ROUTES)
def test_given_an_unknown_token_then_the_route_says_that_it_is_invalid(cloud: Cloud, method: str, path: str) -> None:
    assert refusal(User(cloud, "0" * 40).call(method, path)) == INVALID


def test_given_basic_credentials_on_a_bearer_route_then_the_header_is_malformed(cloud: Cloud) -> None:
    answer = cloud.call("GET", "/v1/devices", auth=DEMO)
    assert refusal(answer) == (400, "invalid_request", "Malformed auth header")


def test_given_an_expired_token_then_it_is_told_from_an_invalid_one(cloud: Cloud) -> None:
    user = User(cloud, cloud.token(expires_in="60"))
    cloud.advance(60)
    answer = user.call("GET", "/v1/user")
    assert refusal(answer) == (401, "invalid_token", "The access token provided has expired.")


def test_given_a_refused_token_then_the_answer_must_not_be_stored(cloud: Cloud) -> None:
    headers = User(cloud, "0" * 40).call("GET", "/v1/user").headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")


def test_given_a_token_in_the_query_of_a_get_then_it_is_taken(cloud: Cloud) -> None:
    assert cloud.call("GET", "/v1/user", params={"access_token": cloud.token()}).status_code == 200


def test_given_a_token_in_a_form_body_then_it_is_taken_and_is_no_field(cloud: Cloud) -> None:
    form = {"access_token": cloud.token(), "id": FREE[0]}
    assert cloud.call("POST", "/v1/devices", data=form).status_code == 200


def test_given_a_token_in_a_json_body_then_the_content_type_is_wrong(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/devices", json={"access_token": cloud.token()})
    assert refusal(answer)[:2] == (400, "invalid_request")
    assert "content type must be" in refusal(answer)[2]


def test_given_a_token_in_header_and_query_then_only_one_method_may_be_used(demo: User) -> None:
    answer = demo.call("GET", "/v1/user", params={"access_token": demo.token})
    assert refusal(answer)[2].startswith("Only one method may be used to authenticate at a time")


def test_given_a_token_then_the_cloud_tells_its_expiry_and_client_but_not_its_value(cloud: Cloud) -> None:
    user = User(cloud, cloud.token(client_id="particle-cli", client_secret="particle-cli"))
    answer = user.call("GET", "/v1/access_tokens/current")
    body = answer.json()
    assert (body["client"], body["scopes"], body["orgs"]) == ("particle-cli", [], [])
    assert body["expires_at"].endswith("Z")
    assert user.token not in answer.text


def test_given_a_token_that_never_expires_then_its_expiry_is_null(cloud: Cloud) -> None:
    assert User(cloud, cloud.token(expires_in="0")).get("/v1/access_tokens/current")["expires_at"] is None


def test_given_a_token_when_it_revokes_itself_then_it_is_invalid(demo: User) -> None:
    assert demo.call("DELETE", "/v1/access_tokens/current").json() == {"ok": True}
    assert refusal(demo.call("GET", "/v1/user")) == INVALID


def test_given_a_token_when_it_is_revoked_by_value_then_no_credentials_are_needed(demo: User) -> None:
    assert demo.cloud.call("DELETE", f"/v1/access_tokens/{demo.token}").json() == {"ok": True}
    assert refusal(demo.call("GET", "/v1/user")) == INVALID


def test_given_a_revoked_token_when_it_is_revoked_by_value_then_it_is_invalid(demo: User) -> None:
    demo.call("DELETE", "/v1/access_tokens/current")
    assert refusal(demo.cloud.call("DELETE", f"/v1/access_tokens/{demo.token}")) == INVALID


def test_given_several_tokens_when_all_are_revoked_then_only_those_of_the_user_die(
    cloud: Cloud, demo: User, other: User
) -> None:
    second = cloud.user()
    assert demo.call("DELETE", "/v1/access_tokens").json() == {"ok": True}
    statuses = [user.call("GET", "/v1/user").status_code for user in (demo, second, other)]
    assert statuses == [401, 401, 200]


def test_given_a_token_then_the_user_is_known(demo: User) -> None:
    body = demo.get("/v1/user")
    assert (body["username"], body["mfa"], body["no_password"]) == (DEMO[0], {"enabled": False}, False)


def test_given_a_claimed_device_then_the_user_has_one_cellular_device(demo: User) -> None:
    demo.post("/v1/devices", {"id": FREE[0]})
    assert demo.get("/v1/user")["cellular_device_count"] == 1


def test_given_the_accounts_of_the_file_then_the_state_tells_how_each_signs_in(cloud: Cloud) -> None:
    accounts = {account["username"]: account for account in cloud.state()["accounts"]}
    assert accounts[SINGLE_SIGN_ON[0]]["sso"] is True
    assert "password" not in accounts[DEMO[0]]
