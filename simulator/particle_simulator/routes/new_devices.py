# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Creation of virtual devices, on the route that also claims devices."""

from __future__ import annotations

from random import Random

from particle_simulator.digits import parse_number
from particle_simulator.errors import bad_request, plain_error
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import CELLULAR_PLATFORMS, Device
from particle_simulator.ownership import add_to_product, claim
from particle_simulator.permissions import can_access
from particle_simulator.shapes import build_device_details
from particle_simulator.world import World

PLATFORMS = CELLULAR_PLATFORMS | {0, 3, 6, 8, 11, 12, 14, 22, 24, 31, 32, 43, 82, 88, 103}
"""The ids of all platforms. Each platform also has a generic product with the same id."""


def provision_device(world: World, call: Call) -> Reply:
    """Create a virtual device (endpoints.yml: device_provision_new). The caller owns the device. The device is offline.

    Every account that can access the product is allowed to create a device. This rule is inferred, not documented.
    """
    product_id = parse_number(call.fields.get("product_id"))
    if product_id is None:
        raise bad_request("product_id must be a number")
    product = world.products.by_id.get(product_id)
    if product is not None and not can_access(call.account, product):
        raise plain_error(403, "Permission denied")
    if product is None and product_id not in PLATFORMS:
        raise plain_error(404, "Product not found.")
    random = Random(f"provisioned {world.settings.seed} {len(world.devices.by_id)}")
    platform_id = product.platform_id if product else product_id
    device = Device(f"{random.getrandbits(96):024x}", platform_id, online=False, powered=False)
    world.devices.add(device)
    claim(device, call.account)
    if product is not None:
        add_to_product(device, product)
    return json_reply(build_device_details(device))
