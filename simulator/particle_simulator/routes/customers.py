# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for the customers of a product. The account of a customer can access only the customer's own devices."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from particle_simulator.bearer import check_bearer
from particle_simulator.errors import bad_request, oauth_error, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Client, Product
from particle_simulator.ownership import unclaim
from particle_simulator.routes.products import find_product
from particle_simulator.routes.token_grants import (
    DEFAULT_LIFETIME,
    activate_token,
    create_token,
    read_basic_credentials,
)
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.scopes import check_scope_for
from particle_simulator.world import World

GROUP = "customers"
PAGE_SIZE = 25
TEAM_LABEL = "customers"
"""The client id in the first access token of a customer whom a team member has created.

A team member creates a customer without an OAuth client. The value is inferred, not documented.
"""


# ---------------------------------------------------------------------- creation


def _find_client(world: World, product: Product, client_id: str) -> Client:
    """Find an OAuth client of a product by its id."""
    client = world.accounts.clients.get(client_id)
    if client is None or client.product is not product:
        raise oauth_error("invalid_client", "Client credentials are invalid")
    return client


@dataclass(frozen=True, slots=True)
class Creator:
    """The product of a new customer, and the client id for the customer's first access token.

    `password_optional` tells whether the customer can be created without a password.
    """

    product: Product
    client_id: str
    password_optional: bool


def _authenticate_creator(world: World, call: Call) -> Creator:
    """Check the credentials of the request that creates a customer.

    Three kinds of credentials are accepted: the access token of a team member; the id and the secret of an OAuth
    client of the product, in a Basic header or in the form; or the client id alone, in the implicit flow.
    """
    basic = read_basic_credentials(call.headers.get("Authorization", ""))
    if basic is None and call.fields.get("client_secret"):
        basic = str(call.fields.get("client_id", "")), str(call.fields["client_secret"])
    implicit = call.fields.get("response_type") == "token"
    if basic is None and not implicit:
        call.bearer = check_bearer(world, call)
        check_scope_for(call.bearer, "customers:create")
        return Creator(find_product(world, call), TEAM_LABEL, password_optional=True)
    product = world.products.find(call.path["p"])
    if product is None:
        raise plain_error(404, "Product not found.")
    if basic is None:
        client = _find_client(world, product, str(call.fields.get("client_id", "")))
        return Creator(product, client.id, password_optional=False)
    client = _find_client(world, product, basic[0])
    if not hmac.compare_digest(client.secret.encode(), basic[1].encode()):
        raise oauth_error("invalid_client", "Client credentials are invalid")
    return Creator(product, client.id, password_optional=True)


def create_customer(world: World, call: Call) -> Reply:
    """Create a customer and the customer's first access token (endpoints.yml: customer_create_token).

    The error responses for invalid fields are inferred, not documented.
    """
    creator = _authenticate_creator(world, call)
    customers = creator.product.resources.customers
    email, password = call.fields.get("email"), call.fields.get("password", "")
    if not isinstance(email, str) or "@" not in email:
        raise bad_request("email must be an e-mail address")
    without_password = creator.password_optional and call.fields.get("no_password") in (True, "true", "1")
    if not isinstance(password, str) or not (password or without_password):
        raise bad_request("password is required")
    if email.lower() in customers:
        raise bad_request(f"A customer with the email {email} already exists")
    product = creator.product
    customer = Account(email.lower(), password, secrets.token_hex(12), product=product)
    customers[customer.username] = customer
    return json_reply(activate_token(world, create_token(world, customer, creator.client_id, DEFAULT_LIFETIME)), 201)


# ---------------------------------------------------------------------- existing customers


def _find_customer(world: World, call: Call) -> tuple[Product, Account]:
    """Find the product and the customer in the request path. The 404 response is inferred, not documented."""
    product = find_product(world, call)
    customer = product.resources.customers.get(call.path["email"].lower())
    if customer is None:
        raise plain_error(404, "Customer not found.")
    return product, customer


def _build_row(customer: Account) -> dict[str, Any]:
    return {"id": customer.user_id, "username": customer.username, "devices": list(customer.devices)}


def list_customers(world: World, call: Call) -> Reply:
    """List one page of customers and all devices of these customers (endpoints.yml: customers_list)."""
    product = find_product(world, call)
    customers = list(product.resources.customers.values())
    page, size = call.read_number("page", default=1), call.read_number("perPage", "per_page", default=PAGE_SIZE)
    page_rows = customers[(page - 1) * size : page * size]
    devices = [
        {
            "id": device.id,
            "product_id": product.id,
            "last_ip_address": device.last_ip_address,
            "firmware_version": device.firmware_version,
            "online": device.online,
        }
        for customer in page_rows
        for device in customer.devices.values()
    ]
    meta = {"total_pages": max(1, -(-len(customers) // size))}
    return json_reply({"customers": [_build_row(customer) for customer in page_rows], "devices": devices, "meta": meta})


def set_password(world: World, call: Call) -> Reply:
    """Set the password of a customer (endpoints.yml: customer_password)."""
    _unused, customer = _find_customer(world, call)
    password = call.fields.get("password")
    if not isinstance(password, str) or not password:
        raise bad_request("password is required")
    customer.password = password
    return json_reply({"ok": True})


def delete_customer(world: World, call: Call) -> Reply:
    """Delete a customer, revoke the customer's tokens and unclaim the customer's devices.

    (endpoints.yml: customer_delete)
    """
    product, customer = _find_customer(world, call)
    world.logins.revoke_account(customer)
    for device in list(customer.devices.values()):
        unclaim(device)
    del product.resources.customers[customer.username]
    return json_reply({"ok": True})


LIST = "/v1/products/:p/customers"
ONE = "/v1/products/:p/customers/:email"

ROUTES = [
    Route(GROUP, "customer_create_token", "POST", LIST, create_customer, Auth.NONE, Kind.WRITE),
    Route(GROUP, "customers_list", "GET", LIST, list_customers, scope="customers:list"),
    Route(GROUP, "customer_password", "PUT", ONE, set_password, kind=Kind.WRITE, scope="customers:update"),
    Route(GROUP, "customer_delete", "DELETE", ONE, delete_customer, kind=Kind.WRITE, scope="customers:remove"),
]
