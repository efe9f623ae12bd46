# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Changes of the owner and the product of a device.

The device stores its owner and its product. The owner and the product also store the device.
"""

from __future__ import annotations

from particle_simulator.groups import assign_groups
from particle_simulator.model import Account, Device, Product


def claim(device: Device, account: Account) -> None:
    """Make an account the owner of an unclaimed device."""
    device.owner = account
    account.devices[device.id] = device
    account.sorted_devices = None


def unclaim(device: Device) -> None:
    """Remove the owner of a device. The device stays in its product."""
    if device.owner:
        device.owner.devices.pop(device.id, None)
        device.owner.sorted_devices = None
    device.owner = None


def add_to_product(device: Device, product: Product) -> None:
    """Add a device to a product."""
    device.product = product
    product.removed.discard(device.id)
    product.devices[device.id] = device
    product.sorted_devices.clear()


def remove_from_product(device: Device) -> None:
    """Remove a device from its product. The device also loses its groups and all other settings of the product."""
    if device.product is None:
        return
    assign_groups(device, ())
    device.product.devices.pop(device.id, None)
    device.product.removed.add(device.id)
    device.product.resources.configuration.devices.pop(device.id, None)
    device.product.sorted_devices.clear()
    device.product = None
    device.development = device.quarantined = device.denied = False
    device.desired_firmware_version = None
