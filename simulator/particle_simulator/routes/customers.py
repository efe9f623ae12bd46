# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The end users of a product: accounts of their own that reach nothing but their devices in it."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from particle_simulator.access import check_scope_for
from particle_simulator.bearer import check_bearer
from particle_simulator.errors import bad_request, oauth_error, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Client, Product
from particle_simulator.ownership import unclaim
from particle_simulator.routes.products import asked_product
from particle_simulator.routes.token_grants import DEFAULT_LIFE, basic_credentials, hand_out, issue
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.world import World

GROUP = "customers"
PAGE_SIZE = 25
TEAM_LABEL = "customers"
"""What a token shows as its client when a team member made the customer. Inferred: there is no client."""


# ---------------------------------------------------------------------- creation


def _client_of(world: World, product: Product, client_id: str) -> Client:
    client = world.accounts.clients.get(client_id)
    if client is None or client.product is not product:
        raise oauth_error("invalid_client", "Client credentials are invalid")
    return client


def _introduced(world: World, call: Call) -> tuple[Product, str, bool]:
    """The product, the client for the token, and whether the customer may do without a password.

    There are three ways in: a team member's token, id and secret of a client of the product (in a Basic
    header, or in the form as the official client sends them), and the implicit one, which only names the client.
    """
    basic = basic_credentials(call.headers.get("Authorization", ""))
    if basic is None and call.fields.get("client_secret"):
        basic = str(call.fields.get("client_id", "")), str(call.fields["client_secret"])
    implicit = call.fields.get("response_type") == "token"
    if basic is None and not implicit:
        call.bearer = check_bearer(world, call)
        check_scope_for(call.bearer, "customers:create")
        return asked_product(world, call), TEAM_LABEL, True
    product = world.products.find(call.path["p"])
    if product is None:
        raise plain_error(404, "Product not found.")
    if basic is None:
        return product, _client_of(world, product, str(call.fields.get("client_id", ""))).id, False
    client = _client_of(world, product, basic[0])
    if not hmac.compare_digest(client.secret.encode(), basic[1].encode()):
        raise oauth_error("invalid_client", "Client credentials are invalid")
    return product, client.id, True


def create_customer(world: World, call: Call) -> Reply:
    """customer_create_token: a new customer and the first token. Refusals of the fields are inferred."""
    product, client_id, may_lack_password = _introduced(world, call)
    email, password = call.fields.get("email"), call.fields.get("password", "")
    if not isinstance(email, str) or "@" not in email:
        raise bad_request("email must be an e-mail address")
    without = may_lack_password and call.fields.get("no_password") in (True, "true", "1")
    if not isinstance(password, str) or not (password or without):
        raise bad_request("password is required")
    if email.lower() in product.own.customers:
        raise bad_request(f"A customer with the email {email} already exists")
    customer = Account(email.lower(), password, secrets.token_hex(12), product=product, acts_for=product.owner)
    product.own.customers[customer.username] = customer
    return json_reply(hand_out(world, issue(world, customer, client_id, DEFAULT_LIFE)), 201)


# ---------------------------------------------------------------------- care


def _asked(world: World, call: Call) -> tuple[Product, Account]:
    """The customer of a path. The 404 is inferred."""
    product = asked_product(world, call)
    customer = product.own.customers.get(call.path["email"].lower())
    if customer is None:
        raise plain_error(404, "Customer not found.")
    return product, customer


def _row(customer: Account) -> dict[str, Any]:
    return {"id": customer.user_id, "username": customer.username, "devices": list(customer.devices)}


def list_customers(world: World, call: Call) -> Reply:
    """customers_list: a page of customers with all their devices."""
    product = asked_product(world, call)
    known = list(product.own.customers.values())
    page, size = call.number("page", default=1), call.number("perPage", "per_page", default=PAGE_SIZE)
    part = known[(page - 1) * size : page * size]
    devices = [
        {
            "id": device.id,
            "product_id": product.id,
            "last_ip_address": device.last_ip_address,
            "firmware_version": device.firmware_version,
            "online": device.online,
        }
        for customer in part
        for device in customer.devices.values()
    ]
    meta = {"total_pages": max(1, -(-len(known) // size))}
    return json_reply({"customers": [_row(customer) for customer in part], "devices": devices, "meta": meta})


def set_password(world: World, call: Call) -> Reply:
    """customer_password."""
    _unused, customer = _asked(world, call)
    password = call.fields.get("password")
    if not isinstance(password, str) or not password:
        raise bad_request("password is required")
    customer.password = password
    return json_reply({"ok": True})


def delete_customer(world: World, call: Call) -> Reply:
    """customer_delete: with the tokens; the devices are free then."""
    product, customer = _asked(world, call)
    world.logins.revoke_account(customer)
    for device in list(customer.devices.values()):
        unclaim(device)
    del product.own.customers[customer.username]
    return json_reply({"ok": True})


LIST = "/v1/products/:p/customers"
ONE = "/v1/products/:p/customers/:email"

ROUTES = [
    Route(GROUP, "customer_create_token", "POST", LIST, create_customer, Auth.NONE, Kind.WRITE),
    Route(GROUP, "customers_list", "GET", LIST, list_customers, scope="customers:list"),
    Route(GROUP, "customer_password", "PUT", ONE, set_password, kind=Kind.WRITE, scope="customers:update"),
    Route(GROUP, "customer_delete", "DELETE", ONE, delete_customer, kind=Kind.WRITE, scope="customers:remove"),
]
