# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""How devices come to an account or lose their guard: claim codes, keys, service mode, orders."""

from __future__ import annotations

import base64
import secrets

from particle_simulator.errors import bad_request, permission_denied
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Device
from particle_simulator.routes.device_calls import find_device
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.owners import find_organization
from particle_simulator.routes.products import find_product
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "devices"
CONFIRM_FIELDS = ("server_nonce", "device_nonce", "device_signature", "device_public_key_fingerprint")


# ---------------------------------------------------------------------- claim codes


def _build_claim_code_reply(account: Account) -> Reply:
    """A code and the devices that are there already, which a set-up app compares with a later list."""
    code = base64.b64encode(secrets.token_bytes(48)).decode()
    return json_reply({"claim_code": code, "device_ids": list(account.devices)})


def create_claim_code(world: World, call: Call) -> Reply:
    """claim_code_create. No source says how long a code lives; virtual devices never present one."""
    return _build_claim_code_reply(call.account)


def create_product_claim_code(world: World, call: Call) -> Reply:
    """claim_code_create, product form: a customer of the product may ask too."""
    product = world.products.find(call.path["p"])
    if product is None or product.resources.customers.get(call.account.username) is not call.account:
        find_product(world, call)
    return _build_claim_code_reply(call.account)


# ---------------------------------------------------------------------- keys and device protection


def store_public_key(world: World, call: Call) -> Reply:
    """device_public_key: the answer is a bare JSON string."""
    find_visible_device(world, call.account, call.path["deviceId"])
    key = call.fields.get("publicKey")
    if not isinstance(key, str) or not key.strip():
        raise bad_request("publicKey is required")
    return json_reply("Success!")


def _take_unprotect_step(device: Device, call: Call) -> Reply:
    """device_unprotect. No source has the bodies: only that the second step needs the first one's nonce."""
    action = call.fields.get("action")
    if action == "prepare":
        return json_reply({"server_nonce": base64.b64encode(secrets.token_bytes(32)).decode()})
    if action != "confirm":
        raise bad_request("action must be prepare or confirm")
    for name in CONFIRM_FIELDS:
        if not call.fields.get(name):
            raise bad_request(f"{name} is required")
    device.protection = "disabled"
    return json_reply({"ok": True})


def unprotect_device(world: World, call: Call) -> Reply:
    """device_unprotect, account and product form."""
    return _take_unprotect_step(find_device(world, call), call)


def unprotect_org_device(world: World, call: Call) -> Reply:
    """device_unprotect, organisation form."""
    org = find_organization(world, call)
    device = world.devices.by_id.get(call.path["id"].lower())
    if device is None or device.product is None or device.product.org is not org:
        raise permission_denied()
    return _take_unprotect_step(device, call)


def list_device_orders(world: World, call: Call) -> Reply:
    """device_orders: no shipment was ever made to a virtual product."""
    find_product(world, call)
    return json_reply([])


CLAIMS = "/v1/device_claims"
PRODUCT_CLAIMS = "/v1/products/:p/device_claims"
KEY = "/v1/provisioning/:deviceId"
UNPROTECT = "devices/:id/unprotect"

ROUTES = [
    Route(GROUP, "claim_code_create", "POST", CLAIMS, create_claim_code, kind=Kind.WRITE),
    Route(GROUP, "claim_code_create", "POST", PRODUCT_CLAIMS, create_product_claim_code, kind=Kind.WRITE),
    Route(GROUP, "device_public_key", "POST", KEY, store_public_key, kind=Kind.WRITE),
    Route(GROUP, "device_unprotect", "PUT", f"/v1/{UNPROTECT}", unprotect_device, kind=Kind.WRITE),
    Route(GROUP, "device_unprotect", "PUT", f"/v1/products/:p/{UNPROTECT}", unprotect_device, kind=Kind.WRITE),
    Route(GROUP, "device_unprotect", "PUT", f"/v1/orgs/:org/{UNPROTECT}", unprotect_org_device, kind=Kind.WRITE),
    Route(GROUP, "device_orders", "GET", "/v1/products/:p/device_orders", list_device_orders),
]
