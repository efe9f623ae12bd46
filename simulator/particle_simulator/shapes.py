# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build the JSON objects in the responses of the cloud, with their documented keys (endpoints.yml: shapes)."""

from __future__ import annotations

from typing import Any

from particle_simulator.mesh_registry import build_membership
from particle_simulator.model import CELLULAR_PLATFORMS, Device, Group, Product, format_time
from particle_simulator.update_targets import find_release_version
from particle_simulator.virtual_firmware import get_functions, get_variables

KEYS_OF_EVERY_ROW = frozenset(
    {
        "denied",
        "development",
        "firmware_product_id",
        "groups",
        "id",
        "last_handshake_at",
        "last_ip_address",
        "name",
        "online",
        "owner",
        "platform_id",
        "product_id",
        "quarantined",
        "serial_number",
        "system_firmware_version",
        "targeted_firmware_release_version",
    }
)
"""The keys that every row of a product's device list has (endpoints.yml: product_devices_list)."""


def build_device_row(device: Device) -> dict[str, Any]:
    """Build the JSON object of a device in the device list of an account (endpoints.yml: device_owned)."""
    row: dict[str, Any] = {
        "id": device.id,
        "name": device.name,
        "last_ip_address": device.last_ip_address,
        "last_heard": format_time(device.last_heard),
        "last_handshake_at": format_time(device.last_handshake_at),
        "product_id": device.product.id if device.product else device.platform_id,
        "online": device.online,
        "connected": device.online,
        "platform_id": device.platform_id,
        "cellular": device.platform_id in CELLULAR_PLATFORMS,
        "notes": device.notes,
        "status": "safe_mode" if device.safe_mode else "normal",
        "system_firmware_version": device.system_firmware_version,
        "firmware_updates_enabled": device.firmware_updates_enabled,
        "firmware_updates_forced": device.firmware_updates_forced,
    }
    if device.owner:
        row["owner"] = device.owner.username
    if device.serial_number:
        row["serial_number"] = device.serial_number
    if device.iccid:
        row["iccid"] = row["last_iccid"] = device.iccid
    if device.imei:
        row["imei"] = device.imei
    if device.mac_wifi:
        row["mac_wifi"] = device.mac_wifi
    if device.network:
        row["network"] = build_membership(device)
    return row


def build_device_details(device: Device) -> dict[str, Any]:
    """Build the JSON object of a device for a request that reads one device (endpoints.yml: device_owned).

    The functions and variables of the device are included.
    """
    row = build_device_row(device)
    row["functions"] = list(get_functions(device)) if device.online else None
    row["variables"] = get_variables(device) if device.online else None
    row["default_build_target"] = device.system_firmware_version
    row["device_protection"] = {"status": device.protection}
    if device.mobile_secret:
        row["mobile_secret"] = device.mobile_secret
    return row


def add_product_fields(row: dict[str, Any], device: Device, product: Product) -> dict[str, Any]:
    """Add the fields of a product device to the JSON object of a device (endpoints.yml: device_product_extra).

    Only product routes show these fields.
    """
    row["firmware_product_id"] = product.id
    row["groups"] = list(device.groups)
    if device.firmware_version is not None:
        row["firmware_version"] = device.firmware_version
    row["desired_firmware_version"] = device.desired_firmware_version
    row["targeted_firmware_release_version"] = find_release_version(device)
    row["development"] = device.development
    row["quarantined"] = device.quarantined
    row["denied"] = device.denied
    return row


def omit_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a product's device list without the keys that have no value and that rows may lack."""
    return {key: value for key, value in row.items() if value is not None or key in KEYS_OF_EVERY_ROW}


def build_product_row(product: Product) -> dict[str, Any]:
    """Build the JSON object of a product.

    The object contains the organization of the product. If the product has no organization, the object contains the
    owner of the product.
    """
    location = {} if product.location_opt_in is None else {"opt_in": product.location_opt_in}
    row: dict[str, Any] = {
        "id": product.id,
        "platform_id": product.platform_id,
        "name": product.name,
        "slug": product.slug,
        "description": product.description,
        "groups": list(product.groups),
        "settings": {"location": location, "known_application": {"opt_in": False}, "quarantine": product.quarantine},
        "device_protection": "disabled",
    }
    if product.org:
        row["org"], row["organization_id"] = product.org.slug, product.org.id
    elif product.owner:
        row["user"] = product.owner.username
    return row


def build_group_row(group: Group, *, counted: bool = False) -> dict[str, Any]:
    """Build the JSON object of a device group.

    With `counted`, include the number of devices. Lists of groups do not include this number.
    """
    row: dict[str, Any] = {"name": group.name, "description": group.description, "color": group.color}
    if group.fw_version is not None:
        row["fw_version"] = group.fw_version
    if counted:
        row["device_count"] = len(group.members)
    return row
