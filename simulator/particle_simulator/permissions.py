# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The permissions of accounts for products and devices."""

from __future__ import annotations

from particle_simulator.model import Account, Device, Product


def can_access(account: Account, product: Product) -> bool:
    """Return whether an account can access a product, for example as the owner or as a member of the team.

    A customer cannot access the product itself, but only the devices that the customer has claimed.
    """
    if product.owner is account or (product.org is not None and account in product.org.members):
        return True
    if account.org is not None:
        return account.org is product.org
    if account.product is not None:
        return account.product is product and account.username not in product.resources.customers
    member = product.resources.team.get(account.username)
    return member is not None and member.account is account


def can_see(account: Account, device: Device) -> bool:
    """Return whether an account has claimed a device, or can access the product of the device."""
    return device.owner is account or (device.product is not None and can_access(account, device.product))
