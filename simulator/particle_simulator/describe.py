# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Describe the state of the cloud as JSON data, for `GET /_simulator/state`."""

from __future__ import annotations

from typing import Any

from particle_simulator.model import Account, Device, Network, Product
from particle_simulator.routes.ledger_instances import describe_ledgers
from particle_simulator.world import World


def describe_world(world: World) -> dict[str, Any]:
    """Return a description of all accounts, products, devices, networks and ledgers."""
    return {
        "accounts": [_describe_account(world, account) for account in world.accounts.by_username.values()],
        "products": [_describe_product(product) for product in world.products.by_id.values()],
        "devices": [_describe_device(device) for device in world.devices.by_id.values()],
        "networks": [_describe_network(network) for network in world.mesh.networks.values()],
        "ledgers": describe_ledgers(world),
    }


def _describe_account(world: World, account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "user_id": account.user_id,
        "mfa": account.otp_secret is not None,
        "sso": account.sso,
        "tokens": len(world.logins.list_tokens(account)),
    }


def _describe_product(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "slug": product.slug,
        "name": product.name,
        "platform_id": product.platform_id,
        "owner": product.owner.username if product.owner else None,
        "org": product.org.slug if product.org else None,
        "groups": list(product.groups),
        "device_count": len(product.devices),
    }


def _describe_device(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "name": device.name,
        "product": device.product.id if device.product else None,
        "groups": list(device.groups),
        "online": device.online,
        "powered": device.powered,
        "owner": device.owner.username if device.owner else None,
        "notes": device.notes,
        "platform_id": device.platform_id,
        "serial_number": device.serial_number,
        "imei": device.imei,
        "iccid": device.iccid,
        "development": device.development,
        "quarantined": device.quarantined,
        "denied": device.denied,
        "firmware_version": device.firmware_version,
        "desired_firmware_version": device.desired_firmware_version,
        "update": device.update_ending,
        "last_update": device.last_ending,
    }


def _describe_network(network: Network) -> dict[str, Any]:
    return {
        "id": network.id,
        "name": network.name,
        "type": network.type,
        "state": network.state,
        "owner": network.owner.username,
        "devices": [
            {"id": device.id, "role": "gateway" if device.gateway else "node"} for device in network.members.values()
        ],
    }
