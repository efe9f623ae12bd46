# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test OAuth clients of accounts and products, and the permissions of their tokens."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FREE, PRODUCT, Cloud, User

CLIENTS = "/v1/clients"
PRODUCT_CLIENTS = f"{PRODUCT}/clients"
BASES = pytest.mark.parametrize("base", [CLIENTS, PRODUCT_CLIENTS])


def create_client(user: User, base: str = CLIENTS, **fields: Any) -> dict[str, Any]:
    answer = user.post(base, {"name": "Fleet Bot", "type": "installed"} | fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["client"])


def request_client_token(cloud: Cloud, client: dict[str, Any], **form: str) -> requests.Response:
    fields = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    return cloud.call("POST", "/oauth/token", data=fields | form)


@BASES
def test_id_of_a_new_client_is_its_name_with_a_number(demo: User, base: str) -> None:
    client = create_client(demo, base)
    assert re.fullmatch(r"fleet-bot-\d{4}", client["id"])
    assert re.fullmatch(r"[0-9a-f]{40}", client["secret"])


def test_second_client_of_the_same_name_gets_another_id(demo: User) -> None:
    assert create_client(demo)["id"] != create_client(demo)["id"]


@BASES
def test_list_of_clients_omits_the_secret(demo: User, base: str) -> None:
    client = create_client(demo, base)
    body = demo.get(base)
    assert body["ok"] is True
    listed = next(row for row in body["clients"] if row["id"] == client["id"])
    assert "secret" not in listed
    assert listed["type"] == "installed"


def test_product_client_is_missing_from_the_account_list(demo: User) -> None:
    client = create_client(demo, PRODUCT_CLIENTS)
    assert client["product_id"] == 31337
    assert client["id"] not in [row["id"] for row in demo.get(CLIENTS)["clients"]]


def test_client_of_another_user_is_not_found(demo: User, other: User) -> None:
    client = create_client(demo)
    assert other.put(f"{CLIENTS}/{client['id']}", {"name": "mine"}).status_code == 404
    assert other.call("DELETE", f"{CLIENTS}/{client['id']}").status_code == 404


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"type": "cloud"}, {"type": "web"}, {"scope": "devices:list"}, {"scope": 1}]
)
def test_malformed_client_is_refused(demo: User, fields: dict[str, Any]) -> None:
    answer = demo.post(CLIENTS, {"name": "Fleet Bot", "type": "installed"} | fields)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_web_client_keeps_its_redirect_uri(demo: User) -> None:
    client = create_client(demo, type="web", redirect_uri="https://example.com/back")
    assert client["redirect_uri"] == "https://example.com/back"


def test_update_changes_name_and_scope_but_not_the_secret(demo: User) -> None:
    client = create_client(demo, scope="customers:create")
    assert client["scope"] == "customers:create"
    updated = demo.put(f"{CLIENTS}/{client['id']}", {"name": "Renamed", "scope": "none"}).json()["client"]
    assert (updated["name"], "scope" in updated, updated["secret"]) == ("Renamed", False, client["secret"])
    assert demo.put(f"{CLIENTS}/{client['id']}", {}).status_code == 400


@BASES
def test_deleted_client_and_its_tokens_stop_working(cloud: Cloud, demo: User, base: str) -> None:
    client = create_client(demo, base)
    user = User(cloud, request_client_token(cloud, client).json()["access_token"])
    answer = demo.call("DELETE", f"{base}/{client['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert user.call("GET", "/v1/user").status_code == 401
    assert request_client_token(cloud, client).json()["error"] == "invalid_client"


def test_token_of_an_account_client_belongs_to_its_owner(cloud: Cloud, demo: User) -> None:
    answer = request_client_token(cloud, create_client(demo))
    user = User(cloud, answer.json()["access_token"])
    assert user.get("/v1/user")["username"] == "demo@example.com"


def test_token_of_a_product_client_works_only_on_the_product(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/devices", {"id": FREE[1]})
    user = User(cloud, request_client_token(cloud, create_client(demo, PRODUCT_CLIENTS)).json()["access_token"])
    assert user.get(f"{DEVICES}/{FREE[0]}")["id"] == FREE[0]
    assert user.get("/v1/devices") == []
    assert user.call("GET", f"/v1/devices/{FREE[1]}").status_code == 403


def test_token_of_a_scoped_client_can_only_create_customers(cloud: Cloud, demo: User) -> None:
    client = create_client(demo, PRODUCT_CLIENTS, scope="customers:create")
    user = User(cloud, request_client_token(cloud, client).json()["access_token"])
    assert user.call("GET", DEVICES).json()["error"] == "invalid_scope"
    answer = user.post(f"{PRODUCT}/customers", {"email": "a@example.com", "password": "secret"})
    assert answer.status_code == 201
