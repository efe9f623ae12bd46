# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes for claim codes, public keys, device protection and device orders."""

from __future__ import annotations

import base64
import secrets

from particle_simulator.errors import bad_request
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Device
from particle_simulator.routes.device_calls import find_device
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routes.owners import find_org_device
from particle_simulator.routes.products import find_product
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

GROUP = "devices"
CONFIRM_FIELDS = ("server_nonce", "device_nonce", "device_signature", "device_public_key_fingerprint")


# ---------------------------------------------------------------------- claim codes


def _build_claim_code_reply(account: Account) -> Reply:
    """Build the response with a new claim code and the ids of all devices that the account has claimed.

    A set-up app recognizes a new device by comparing this list of ids with a later list.
    """
    code = base64.b64encode(secrets.token_bytes(48)).decode()
    return json_reply({"claim_code": code, "device_ids": list(account.devices)})


def create_claim_code(world: World, call: Call) -> Reply:
    """Create a claim code (endpoints.yml: claim_code_create).

    The claim code is not stored, because virtual devices never use claim codes.
    """
    return _build_claim_code_reply(call.account)


def create_product_claim_code(world: World, call: Call) -> Reply:
    """Create a claim code on the product route (endpoints.yml: claim_code_create).

    The caller must be a team member or a customer of the product.
    """
    product = world.products.find(call.path["p"])
    if product is None or product.resources.customers.get(call.account.username) is not call.account:
        find_product(world, call)
    return _build_claim_code_reply(call.account)


# ---------------------------------------------------------------------- keys and device protection


def store_public_key(world: World, call: Call) -> Reply:
    """Accept the public key of a device (endpoints.yml: device_public_key). The key is not stored.

    The response body is a JSON string, not an object.
    """
    find_visible_device(world, call.account, call.path["deviceId"])
    for name in ("deviceID", "publicKey"):
        value = call.fields.get(name)
        if not isinstance(value, str) or not value.strip():
            raise bad_request(f"{name} is required")
    return json_reply("Success!")


def _take_unprotect_step(device: Device, call: Call) -> Reply:
    """Carry out one of the two steps that disable device protection (endpoints.yml: device_unprotect).

    The step `prepare` responds with a nonce. The step `confirm` requires a nonce and disables the protection. Particle
    documents only that `confirm` needs the nonce from `prepare`. The request and response bodies are inferred.
    """
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
    """Carry out one step to disable device protection, on the account route and the product route.

    (endpoints.yml: device_unprotect)
    """
    return _take_unprotect_step(find_device(world, call), call)


def unprotect_org_device(world: World, call: Call) -> Reply:
    """Carry out one step to disable device protection, on the organization route (endpoints.yml: device_unprotect)."""
    return _take_unprotect_step(find_org_device(world, call), call)


def list_device_orders(world: World, call: Call) -> Reply:
    """Respond with an empty list of device orders (endpoints.yml: device_orders)."""
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
