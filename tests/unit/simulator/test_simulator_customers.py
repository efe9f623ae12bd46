# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The customers of a product: three ways to create one, and what one can reach."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FREE, PRODUCT, Cloud, User

CUSTOMERS = f"{PRODUCT}/customers"
WHO = {"email": "Gardener@example.com", "password": "secret"}
EMAIL = "gardener@example.com"


@pytest.fixture
def client(demo: User) -> tuple[str, str]:
    """Id and secret of a client of the product."""
    made = demo.post(f"{PRODUCT}/clients", {"name": "app", "type": "installed"}).json()["client"]
    return made["id"], made["secret"]


def created(answer: requests.Response, cloud: Cloud) -> User:
    assert answer.status_code == 201, answer.text
    assert answer.json()["token_type"] == "bearer"
    return User(cloud, answer.json()["access_token"])


def test_given_a_team_member_then_a_customer_is_created_with_a_token(cloud: Cloud, demo: User) -> None:
    customer = created(demo.post(CUSTOMERS, WHO), cloud)
    assert customer.get("/v1/devices") == []
    assert [row["username"] for row in demo.get(CUSTOMERS)["customers"]] == [EMAIL]


@pytest.mark.parametrize("in_form", [True, False])
def test_given_a_client_then_it_creates_a_customer(cloud: Cloud, client: tuple[str, str], in_form: bool) -> None:
    form = {"client_id": client[0], "client_secret": client[1]} if in_form else {}
    answer = cloud.call("POST", CUSTOMERS, data=WHO | form, auth=None if in_form else client)
    created(answer, cloud)


def test_given_a_client_then_a_customer_may_do_without_a_password(cloud: Cloud, client: tuple[str, str]) -> None:
    fields = {"email": EMAIL, "no_password": "true"}
    created(cloud.call("POST", CUSTOMERS, data=fields, auth=client), cloud)
    assert cloud.ask_token((EMAIL, ""), client_id=client[0], client_secret=client[1]).status_code == 400


def test_given_only_the_name_of_a_client_then_a_customer_is_created_with_a_password(
    cloud: Cloud, client: tuple[str, str]
) -> None:
    implicit = {"client_id": client[0], "response_type": "token"}
    assert cloud.call("POST", CUSTOMERS, data={"email": EMAIL, "no_password": "true"} | implicit).status_code == 400
    created(cloud.call("POST", CUSTOMERS, data=WHO | implicit), cloud)


def test_given_a_wrong_client_then_nobody_is_created(cloud: Cloud, client: tuple[str, str]) -> None:
    for auth in ((client[0], "wrong"), ("particle", "particle")):
        answer = cloud.call("POST", CUSTOMERS, data=WHO, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert cloud.call("POST", "/v1/products/999/customers", data=WHO, auth=client).status_code == 404
    assert cloud.call("POST", CUSTOMERS, data=WHO).json()["error"] == "invalid_request"


@pytest.mark.parametrize("fields", [{"email": "x"}, {"password": ""}, {"password": 1}])
def test_given_a_malformed_customer_then_it_is_refused(demo: User, fields: dict[str, Any]) -> None:
    assert demo.post(CUSTOMERS, WHO | fields).status_code == 400


def test_given_a_taken_address_then_it_is_refused(demo: User) -> None:
    demo.post(CUSTOMERS, WHO)
    assert demo.post(CUSTOMERS, WHO).status_code == 400


def test_given_a_customer_then_it_owns_devices_and_reaches_nothing_else(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0], FREE[1])
    customer = created(demo.post(CUSTOMERS, WHO), cloud)
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


def test_given_a_client_then_a_customer_logs_in_with_it(cloud: Cloud, demo: User, client: tuple[str, str]) -> None:
    demo.post(CUSTOMERS, WHO)
    form = {"client_id": client[0], "client_secret": client[1]}
    assert cloud.ask_token((EMAIL, "secret"), **form).status_code == 200
    assert cloud.ask_token((EMAIL, "wrong"), **form).json()["error"] == "invalid_grant"
    assert cloud.ask_token((EMAIL, "secret")).json()["error"] == "invalid_grant"
    scoped = {"grant_type": "client_credentials", "scope": f"customer={EMAIL}"} | form
    assert cloud.call("POST", "/oauth/token", data=scoped).status_code == 200
    unknown = scoped | {"scope": "customer=nobody@example.com"}
    assert cloud.call("POST", "/oauth/token", data=unknown).json()["error"] == "invalid_scope"


def test_given_another_password_then_the_old_one_is_no_good(cloud: Cloud, demo: User, client: tuple[str, str]) -> None:
    demo.post(CUSTOMERS, WHO)
    assert demo.put(f"{CUSTOMERS}/{EMAIL}", {"password": "other"}).json() == {"ok": True}
    assert demo.put(f"{CUSTOMERS}/{EMAIL}", {}).status_code == 400
    form = {"client_id": client[0], "client_secret": client[1]}
    assert cloud.ask_token((EMAIL, "secret"), **form).status_code == 400
    assert cloud.ask_token((EMAIL, "other"), **form).status_code == 200


def test_given_a_customer_when_deleted_then_tokens_die_and_devices_are_free(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    customer = created(demo.post(CUSTOMERS, WHO), cloud)
    customer.post("/v1/devices", {"id": FREE[0]})
    assert demo.call("DELETE", f"{CUSTOMERS}/{EMAIL}").json() == {"ok": True}
    assert customer.call("GET", "/v1/devices").status_code == 401
    assert cloud.device(FREE[0])["owner"] is None
    assert demo.call("DELETE", f"{CUSTOMERS}/{EMAIL}").status_code == 404


def test_given_many_customers_then_they_come_in_pages(demo: User) -> None:
    for number in range(3):
        demo.post(CUSTOMERS, {"email": f"c{number}@example.com", "password": "secret"})
    page = demo.get(CUSTOMERS, page="2", perPage="2")
    assert [row["username"] for row in page["customers"]] == ["c2@example.com"]
    assert page["meta"] == {"total_pages": 2}
