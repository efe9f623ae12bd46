# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Import of devices into a product.

The status of the response is 200 even if devices are rejected. The response body has five lists of device identifiers,
one list for each outcome: updated, existing, non-member, invalid and protected.
"""

from __future__ import annotations

from typing import Any

from particle_simulator.errors import bad_request
from particle_simulator.firmware_updates import offer_update
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Account, Device, Product
from particle_simulator.ownership import add_to_product, claim
from particle_simulator.permissions import can_access
from particle_simulator.routes.products import find_product
from particle_simulator.routing import Kind, Route
from particle_simulator.world import World

UPDATED = "updatedDeviceIds"
EXISTING = "existingDeviceIds"
NONMEMBER = "nonmemberDeviceIds"
INVALID = "invalidDeviceIds"
PROTECTED = "protectedDeviceIds"


def import_devices(world: World, call: Call) -> Reply:
    """Import devices into a product, or approve quarantined devices.

    (endpoints.yml: product_device_import, device_approve_quarantined)
    """
    product = find_product(world, call)
    claimer = _find_claimer(world, product, call)
    lists: dict[str, list[str]] = {UPDATED: [], EXISTING: [], NONMEMBER: [], INVALID: [], PROTECTED: []}
    for identifier in _read_identifiers(call):
        device = world.devices.identify(identifier)
        chosen = _choose_list(device, product)
        # The response repeats each identifier exactly as the request wrote it.
        lists[chosen].append(identifier)
        if device is None or chosen not in (UPDATED, EXISTING):
            continue
        if chosen == UPDATED:
            device.quarantined = device.denied = False
            add_to_product(device, product)
            offer_update(world, device)
        if claimer is not None and device.owner is None:
            # For devices that were in the product before the import, the claim is inferred, not documented.
            claim(device, claimer)
    return json_reply({"updated": len(lists[UPDATED]), **lists})


def _choose_list(device: Device | None, product: Product) -> str:
    """Return the name of the response list to which an identifier is added.

    A device of another product is `invalid`, according to the source code of Particle's CLI. A claimed device is a
    non-member if the owner of the device does not own the product.
    """
    if device is None or device.platform_id != product.platform_id:
        return INVALID
    if device.product is product:
        return UPDATED if device.quarantined or device.denied else EXISTING
    if device.product is not None:
        return INVALID
    if device.owner is not None and device.owner is not product.owner:
        return NONMEMBER
    return PROTECTED if device.protection != "disabled" else UPDATED


def _read_identifiers(call: Call) -> list[str]:
    """Read the device identifiers from the request.

    The request contains a file with one identifier per line, the field `ids` with a list, or the field `id`.
    """
    if "file" in call.files:
        lines = call.files["file"].decode("utf-8-sig", "replace").splitlines()
        identifiers = [line.strip() for line in lines if line.strip()]
    elif "ids" in call.fields:
        identifiers = _check_texts(call.fields["ids"])
    elif "id" in call.fields:
        identifiers = _check_texts([call.fields["id"]])
    else:
        identifiers = []
    if not identifiers:
        # Particle documents that id, ids or file is required, but not the error response.
        raise bad_request("One of id, ids and file is required")
    return identifiers


def _check_texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise bad_request("id and ids must be strings")
    return values


def _find_claimer(world: World, product: Product, call: Call) -> Account | None:
    """Find the team member who claims the imported devices. Return None if the request has no `claim_user`.

    A request with a file sends `claim_user` in the query. Other requests send `claim_user` in the body.
    """
    username = call.fields.get("claim_user") or call.query.get("claim_user")
    if not username:
        return None
    member = world.accounts.find(str(username))
    if member is None or not can_access(member, product):
        # Particle documents that claim_user must be a team member, but not the error response.
        raise bad_request("claim_user is not a member of the product team")
    return member


ROUTES = [
    Route(
        "devices",
        "product_device_import",
        "POST",
        "/v1/products/:p/devices",
        import_devices,
        kind=Kind.WRITE,
        scope="devices:import",
        also=("device_approve_quarantined",),
    ),
]
