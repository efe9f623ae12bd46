# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""OAuth clients of an account and of a product, and what their tokens may do."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FREE, PRODUCT, Cloud, User

CLIENTS = "/v1/clients"
PRODUCT_CLIENTS = f"{PRODUCT}/clients"
BASES = pytest.mark.parametrize("base", [CLIENTS, PRODUCT_CLIENTS])


def created(user: User, base: str = CLIENTS, **fields: Any) -> dict[str, Any]:
    answer = user.post(base, {"name": "Fleet Bot", "type": "installed"} | fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["client"])


def client_token(cloud: Cloud, client: dict[str, Any], **form: str) -> requests.Response:
    fields = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    return cloud.call("POST", "/oauth/token", data=fields | form)


@BASES
def test_given_a_name_when_a_client_is_created_then_its_id_is_the_name_with_a_number(demo: User, base: str) -> None:
    client = created(demo, base)
    assert re.fullmatch(r"fleet-bot-\d{4}", client["id"])
    assert re.fullmatch(r"[0-9a-f]{40}", client["secret"])


def test_given_a_taken_name_then_a_second_client_gets_another_id(demo: User) -> None:
    assert created(demo)["id"] != created(demo)["id"]


@BASES
def test_given_a_client_then_the_list_has_it_without_its_secret(demo: User, base: str) -> None:
    client = created(demo, base)
    body = demo.get(base)
    assert body["ok"] is True
    listed = next(row for row in body["clients"] if row["id"] == client["id"])
    assert "secret" not in listed
    assert listed["type"] == "installed"


def test_given_a_product_client_then_the_account_list_has_it_not(demo: User) -> None:
    client = created(demo, PRODUCT_CLIENTS)
    assert client["product_id"] == 31337
    assert client["id"] not in [row["id"] for row in demo.get(CLIENTS)["clients"]]


def test_given_a_client_of_somebody_else_then_it_is_not_found(demo: User, other: User) -> None:
    client = created(demo)
    assert other.put(f"{CLIENTS}/{client['id']}", {"name": "mine"}).status_code == 404
    assert other.call("DELETE", f"{CLIENTS}/{client['id']}").status_code == 404


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"type": "cloud"}, {"type": "web"}, {"scope": "devices:list"}, {"scope": 1}]
)
def test_given_a_malformed_client_then_it_is_refused(demo: User, fields: dict[str, Any]) -> None:
    answer = demo.post(CLIENTS, {"name": "Fleet Bot", "type": "installed"} | fields)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_given_a_web_client_then_it_keeps_its_address(demo: User) -> None:
    client = created(demo, type="web", redirect_uri="https://example.com/back")
    assert client["redirect_uri"] == "https://example.com/back"


def test_given_an_update_then_name_and_scope_change(demo: User) -> None:
    client = created(demo, scope="customers:create")
    assert client["scope"] == "customers:create"
    updated = demo.put(f"{CLIENTS}/{client['id']}", {"name": "Renamed", "scope": "none"}).json()["client"]
    assert (updated["name"], "scope" in updated, updated["secret"]) == ("Renamed", False, client["secret"])
    assert demo.put(f"{CLIENTS}/{client['id']}", {}).status_code == 400


@BASES
def test_given_a_client_when_it_is_deleted_then_it_is_gone_with_its_tokens(cloud: Cloud, demo: User, base: str) -> None:
    client = created(demo, base)
    user = User(cloud, client_token(cloud, client).json()["access_token"])
    answer = demo.call("DELETE", f"{base}/{client['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert user.call("GET", "/v1/user").status_code == 401
    assert client_token(cloud, client).json()["error"] == "invalid_client"


def test_given_a_client_of_an_account_then_its_token_is_the_owners(cloud: Cloud, demo: User) -> None:
    answer = client_token(cloud, created(demo))
    user = User(cloud, answer.json()["access_token"])
    assert user.get("/v1/user")["username"] == "demo@example.com"


def test_given_a_client_of_a_product_then_its_token_works_on_the_product_only(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/devices", {"id": FREE[1]})
    user = User(cloud, client_token(cloud, created(demo, PRODUCT_CLIENTS)).json()["access_token"])
    assert user.get(f"{DEVICES}/{FREE[0]}")["id"] == FREE[0]
    assert user.get("/v1/devices") == []
    assert user.call("GET", f"/v1/devices/{FREE[1]}").status_code == 403


def test_given_a_client_with_a_scope_then_its_token_can_only_create_customers(cloud: Cloud, demo: User) -> None:
    client = created(demo, PRODUCT_CLIENTS, scope="customers:create")
    user = User(cloud, client_token(cloud, client).json()["access_token"])
    assert user.call("GET", DEVICES).json()["error"] == "invalid_scope"
    made = user.post(f"{PRODUCT}/customers", {"email": "a@example.com", "password": "secret"})
    assert made.status_code == 201
