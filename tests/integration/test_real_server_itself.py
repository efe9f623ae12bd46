# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the behaviour of the compatible cloud on which other tests rely, without the collection."""

from __future__ import annotations

import pytest
import requests

from support.real_server import RealServer

pytestmark = pytest.mark.real_server

TIMEOUT = 30.0
CLIENT = ("particle", "particle")
PASSWORD = "correct horse"


def request_token(server: RealServer, username: str, password: str, **fields: str) -> requests.Response:
    form = {"grant_type": "password", "username": username, "password": password, **fields}
    return requests.post(f"{server.url}/oauth/token", auth=CLIENT, data=form, timeout=TIMEOUT)


def create_user(server: RealServer, username: str) -> dict[str, str]:
    server.create_user(username, PASSWORD)
    return {"Authorization": f"Bearer {request_token(server, username, PASSWORD).json()['access_token']}"}


def test_grant_contains_no_expiry(real_server: RealServer) -> None:
    real_server.create_user("grant@example.com", PASSWORD)
    answer = request_token(real_server, "grant@example.com", PASSWORD, expires_in="3600")
    assert answer.status_code == 200
    body = answer.json()
    assert sorted(body) == ["access_token", "token_type"]
    assert body["token_type"] == "Bearer"
    assert len(body["access_token"]) == 40


def test_wrong_password_is_answered_with_a_server_error(real_server: RealServer) -> None:
    real_server.create_user("wrong@example.com", PASSWORD)
    answer = request_token(real_server, "wrong@example.com", "incorrect horse")
    assert answer.status_code == 503
    assert answer.json() == {"error": "server_error", "error_description": "Wrong password"}


def test_device_list_without_token_is_refused_with_an_empty_body(real_server: RealServer) -> None:
    answer = requests.get(f"{real_server.url}/v1/devices", timeout=TIMEOUT)
    assert (answer.status_code, answer.content) == (401, b"")


def test_unknown_device_can_be_claimed_only_once(real_server: RealServer) -> None:
    owner, other = create_user(real_server, "owner@example.com"), create_user(real_server, "other@example.com")
    device = {"id": "e00fce68aabbccddeeff0022"}

    def claim(headers: dict[str, str]) -> requests.Response:
        return requests.post(f"{real_server.url}/v1/devices", headers=headers, data=device, timeout=TIMEOUT)

    assert claim(owner).status_code == 200
    again, foreign = claim(owner), claim(other)
    assert (again.status_code, again.json()["error"]) == (400, "The device is already claimed.")
    assert (foreign.status_code, foreign.json()["error"]) == (400, "The device belongs to someone else.")

    (listed,) = requests.get(f"{real_server.url}/v1/devices", headers=owner, timeout=TIMEOUT).json()
    assert listed["id"] == device["id"]
    assert "connected" in listed
    assert "online" not in listed


def test_revoked_token_is_refused(real_server: RealServer) -> None:
    headers = create_user(real_server, "revoke@example.com")
    token = headers["Authorization"].removeprefix("Bearer ")
    address = f"{real_server.url}/v1/access_tokens"

    by_itself = requests.delete(f"{address}/current", headers=headers, timeout=TIMEOUT)
    assert by_itself.status_code == 400
    by_account = requests.delete(f"{address}/{token}", auth=("revoke@example.com", PASSWORD), timeout=TIMEOUT)
    assert (by_account.status_code, by_account.json()) == (200, {"ok": True})

    refused = requests.get(f"{real_server.url}/v1/devices", headers=headers, timeout=TIMEOUT)
    assert refused.status_code == 401


@pytest.mark.parametrize("path", ["/v1/networks", "/v1/user", "/v1/products/1/groups", "/v1/ledgers"])
def test_missing_route_is_answered_with_404_that_is_not_json(real_server: RealServer, path: str) -> None:
    headers = create_user(real_server, f"lacks-{path.count('/')}-{path.rsplit('/', 1)[1]}@example.com")
    answer = requests.get(f"{real_server.url}{path}", headers=headers, timeout=TIMEOUT)
    assert answer.status_code == 404
    assert not answer.headers["Content-Type"].startswith("application/json")
