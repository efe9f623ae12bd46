# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the customers of a product: their creation, logins, devices and deletion."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import DEMO, DEVICES, FREE, PRODUCT, Cloud, User

CUSTOMERS = f"{PRODUCT}/customers"
CUSTOMER = {"email": "Gardener@example.com", "password": "secret"}
EMAIL = "gardener@example.com"


@pytest.fixture
def client(demo: User) -> tuple[str, str]:
    """Create a client of the product, and return its id and secret."""
    created_client = demo.post(f"{PRODUCT}/clients", {"name": "app", "type": "installed"}).json()["client"]
    return created_client["id"], created_client["secret"]


def log_in_customer(answer: requests.Response, cloud: Cloud) -> User:
    """Return a created customer with the token from the answer."""
    assert answer.status_code == 201, answer.text
    assert answer.json()["token_type"] == "bearer"
    return User(cloud, answer.json()["access_token"])


def test_team_member_creates_a_customer_with_a_token(cloud: Cloud, demo: User) -> None:
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER), cloud)
    assert customer.get("/v1/devices") == []
    assert [row["username"] for row in demo.get(CUSTOMERS)["customers"]] == [EMAIL]


@pytest.mark.parametrize("client_in_form", [True, False])
def test_client_creates_a_customer(cloud: Cloud, client: tuple[str, str], client_in_form: bool) -> None:
    form = {"client_id": client[0], "client_secret": client[1]} if client_in_form else {}
    answer = cloud.call("POST", CUSTOMERS, data=CUSTOMER | form, auth=None if client_in_form else client)
    log_in_customer(answer, cloud)


def test_client_creates_a_customer_without_a_password(cloud: Cloud, client: tuple[str, str]) -> None:
    fields = {"email": EMAIL, "no_password": "true"}
    log_in_customer(cloud.call("POST", CUSTOMERS, data=fields, auth=client), cloud)
    assert cloud.ask_token((EMAIL, ""), client_id=client[0], client_secret=client[1]).status_code == 400


def test_customer_created_by_client_id_alone_needs_a_password(cloud: Cloud, client: tuple[str, str]) -> None:
    implicit = {"client_id": client[0], "response_type": "token"}
    assert cloud.call("POST", CUSTOMERS, data={"email": EMAIL, "no_password": "true"} | implicit).status_code == 400
    log_in_customer(cloud.call("POST", CUSTOMERS, data=CUSTOMER | implicit), cloud)


def test_invalid_client_cannot_create_a_customer(cloud: Cloud, client: tuple[str, str]) -> None:
    for auth in ((client[0], "wrong"), ("particle", "particle")):
        answer = cloud.call("POST", CUSTOMERS, data=CUSTOMER, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert cloud.call("POST", "/v1/products/999/customers", data=CUSTOMER, auth=client).status_code == 404
    assert cloud.call("POST", CUSTOMERS, data=CUSTOMER).json()["error"] == "invalid_request"


@pytest.mark.parametrize("fields", [{"email": "x"}, {"password": ""}, {"password": 1}])
def test_malformed_customer_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(CUSTOMERS, CUSTOMER | fields).status_code == 400


def test_second_customer_with_the_same_address_is_refused(demo: User) -> None:
    demo.post(CUSTOMERS, CUSTOMER)
    assert demo.post(CUSTOMERS, CUSTOMER).status_code == 400


def test_customer_changes_its_name_and_password(cloud: Cloud, demo: User) -> None:
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER), cloud)
    change = {"username": DEMO[0], "password": "better", "current_password": CUSTOMER["password"]}
    answer = customer.put("/v1/user", change)
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    assert customer.get("/v1/user")["username"] == DEMO[0]
    assert [row["username"] for row in demo.get(CUSTOMERS)["customers"]] == [DEMO[0]]
    assert cloud.ask_token().status_code == 200


def test_customer_cannot_take_the_name_of_another_customer(cloud: Cloud, demo: User) -> None:
    demo.post(CUSTOMERS, CUSTOMER)
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER | {"email": "second@example.com"}), cloud)
    answer = customer.put("/v1/user", {"username": EMAIL, "current_password": CUSTOMER["password"]})
    assert answer.status_code == 400


def test_customer_deletes_only_its_own_account(cloud: Cloud, demo: User) -> None:
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER | {"email": DEMO[0]}), cloud)
    assert customer.call("DELETE", "/v1/user", json={"password": CUSTOMER["password"]}).status_code == 200
    assert demo.get(CUSTOMERS)["customers"] == []
    assert cloud.ask_token().status_code == 200


def test_client_of_a_product_has_no_account_to_change(cloud: Cloud, demo: User, client: tuple[str, str]) -> None:
    form = {"grant_type": "client_credentials", "client_id": client[0], "client_secret": client[1]}
    token = cloud.call("POST", "/oauth/token", data=form).json()["access_token"]
    change = {"username": "new@example.com", "current_password": ""}
    assert User(cloud, token).put("/v1/user", change).status_code in (400, 403)
    assert cloud.ask_token().status_code == 200


def test_customer_can_use_only_its_claimed_devices(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0], FREE[1])
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER), cloud)
    assert customer.post("/v1/devices", {"id": FREE[0]}).json()["ok"] is True
    assert [row["id"] for row in customer.get("/v1/devices")] == [FREE[0]]
    assert customer.call("GET", f"/v1/devices/{FREE[1]}").status_code == 403
    assert customer.call("GET", DEVICES).status_code == 403
    assert [row["username"] for row in demo.get(DEVICES)["customers"]] == [EMAIL]
    listed = demo.get(CUSTOMERS)
    assert listed["customers"][0]["devices"] == [FREE[0]]
    assert listed["devices"][0]["id"] == FREE[0]
    code = customer.post(f"{PRODUCT}/device_claims", {}).json()
    assert code["device_ids"] == [FREE[0]]


def test_customer_does_not_see_what_the_owner_of_the_product_has(cloud: Cloud, demo: User) -> None:
    demo.post("/v1/secrets", {"name": "API_KEY", "value": "v"})
    demo.post("/v1/integrations", {"integration_type": "Webhook", "event": "e", "url": "https://hooks.example.net"})
    demo.post("/v1/ledgers", {"ledger": {"name": "notes", "scope": "Owner"}})
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER), cloud)
    assert customer.get("/v1/secrets")["secrets"] == []
    assert customer.get("/v1/integrations") == []
    assert customer.get("/v1/ledgers")["ledgers"] == []


def test_customer_logs_in_only_with_the_client_of_the_product(
    cloud: Cloud, demo: User, client: tuple[str, str]
) -> None:
    demo.post(CUSTOMERS, CUSTOMER)
    form = {"client_id": client[0], "client_secret": client[1]}
    assert cloud.ask_token((EMAIL, "secret"), **form).status_code == 200
    assert cloud.ask_token((EMAIL, "wrong"), **form).json()["error"] == "invalid_grant"
    assert cloud.ask_token((EMAIL, "secret")).json()["error"] == "invalid_grant"
    scoped = {"grant_type": "client_credentials", "scope": f"customer={EMAIL}"} | form
    assert cloud.call("POST", "/oauth/token", data=scoped).status_code == 200
    unknown = scoped | {"scope": "customer=nobody@example.com"}
    assert cloud.call("POST", "/oauth/token", data=unknown).json()["error"] == "invalid_scope"


def test_changed_password_replaces_the_old_password(cloud: Cloud, demo: User, client: tuple[str, str]) -> None:
    demo.post(CUSTOMERS, CUSTOMER)
    assert demo.put(f"{CUSTOMERS}/{EMAIL}", {"password": "other"}).json() == {"ok": True}
    assert demo.put(f"{CUSTOMERS}/{EMAIL}", {}).status_code == 400
    form = {"client_id": client[0], "client_secret": client[1]}
    assert cloud.ask_token((EMAIL, "secret"), **form).status_code == 400
    assert cloud.ask_token((EMAIL, "other"), **form).status_code == 200


def test_deletion_of_a_customer_ends_its_tokens_and_releases_its_devices(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    customer = log_in_customer(demo.post(CUSTOMERS, CUSTOMER), cloud)
    customer.post("/v1/devices", {"id": FREE[0]})
    assert demo.call("DELETE", f"{CUSTOMERS}/{EMAIL}").json() == {"ok": True}
    assert customer.call("GET", "/v1/devices").status_code == 401
    assert cloud.device(FREE[0])["owner"] is None
    assert demo.call("DELETE", f"{CUSTOMERS}/{EMAIL}").status_code == 404


def test_list_of_customers_is_paged(demo: User) -> None:
    for number in range(3):
        demo.post(CUSTOMERS, {"email": f"c{number}@example.com", "password": "secret"})
    page = demo.get(CUSTOMERS, page="2", perPage="2")
    assert [row["username"] for row in page["customers"]] == ["c2@example.com"]
    assert page["meta"] == {"total_pages": 2}
