# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that list, read, change and remove the devices of a product."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from particle_simulator import power
from particle_simulator.device_changes import apply_product_changes, ping
from particle_simulator.errors import bad_request
from particle_simulator.firmware_updates import deliver_change
from particle_simulator.groups import assign_groups
from particle_simulator.messages import Call, Reply, json_reply, no_content
from particle_simulator.model import Device, Product
from particle_simulator.ownership import remove_from_product, unclaim
from particle_simulator.routes.flashing import flash_device
from particle_simulator.routes.products import find_product, find_product_device
from particle_simulator.routing import Kind, Route
from particle_simulator.shapes import add_product_fields, build_device_details, build_device_row, omit_nulls
from particle_simulator.update_targets import find_target_version
from particle_simulator.world import World

GROUP = "devices"
DEFAULT_PAGE_SIZE = 25
DEFAULT_SORT = "lastConnection"

SORT_KEYS: dict[str, Callable[[Device], Any]] = {
    "lastConnection": lambda device: device.last_handshake_at or 0.0,
    "deviceId": lambda device: device.id,
    "deviceName": lambda device: device.name or "",
    "firmwareVersion": lambda device: device.firmware_version or 0,
}
CACHED_SORTS = frozenset({"lastConnection", "deviceId", "deviceName"})
"""The sort attributes for which each product caches the sorted list of its devices.

A cached list is dropped when the product's devices change, or when the attribute of a device changes.
"""


# ---------------------------------------------------------------------- the list


def _sort_devices(product: Product, attribute: str, descending: bool) -> list[Device]:
    devices = product.sorted_devices.get((attribute, descending))
    if devices is None:
        devices = sorted(product.devices.values(), key=SORT_KEYS[attribute], reverse=descending)
        if attribute in CACHED_SORTS:
            product.sorted_devices[attribute, descending] = devices
    return devices


def _filter_devices(product: Product, devices: list[Device], query: dict[str, str]) -> list[Device]:
    """Return the devices that match all filters of the query.

    The filters for id, name and serial number also match a part of the value, and ignore case. The filter `groups`
    selects the devices that are in at least one of the groups.
    """
    selected: Iterable[Device] = devices
    if query.get("groups"):
        names = [name for name in query["groups"].split(",") if name in product.groups]
        members: set[str] = set().union(*(product.groups[name].members for name in names))
        selected = [device for device in selected if device.id in members]
    if query.get("deviceId"):
        part = query["deviceId"].lower()
        selected = [device for device in selected if part in device.id]
    if query.get("deviceName"):
        part = query["deviceName"].lower()
        selected = [device for device in selected if part in (device.name or "").lower()]
    if query.get("serialNumber"):
        part = query["serialNumber"].upper()
        selected = [device for device in selected if part in (device.serial_number or "").upper()]
    if query.get("quarantined") == "false":
        # Quarantined devices are included if the parameter is `true` or missing. Particle documents the parameter as
        # "include/exclude quarantined devices".
        selected = [device for device in selected if not device.quarantined]
    return selected if isinstance(selected, list) else list(selected)


def list_product_devices(world: World, call: Call) -> Reply:
    """List one page of the devices of a product (endpoints.yml: product_devices_list).

    Particle documents the query parameter `perPage`, but the JavaScript client sends `per_page`. Both parameters are
    accepted.
    """
    product = find_product(world, call)
    if world.settings.churn:
        power.reconnect_devices(world, product)
    attribute = call.query.get("sortAttr", DEFAULT_SORT)
    order = _sort_devices(
        product,
        attribute if attribute in SORT_KEYS else DEFAULT_SORT,
        call.query.get("sortDir") != "asc",
    )
    devices = _filter_devices(product, order, call.query)
    size = call.read_number("perPage", "per_page", default=DEFAULT_PAGE_SIZE)
    start = (call.read_number("page", default=1) - 1) * size
    part = devices[start : start + size]
    rows = [add_product_fields(build_device_row(device), device, product) for device in part]
    if world.settings.omit_nulls:
        rows = [omit_nulls(row) for row in rows]
    pages = max(1, -(-len(devices) // size))
    owners = {device.owner.username for device in part if device.owner} if product.resources.customers else ()
    customers = [
        {"id": customer.user_id, "username": name}
        for name, customer in product.resources.customers.items()
        if name in owners
    ]
    return json_reply({"devices": rows, "customers": customers, "meta": {"total_pages": pages}})


# ---------------------------------------------------------------------- one device


def get_product_device(world: World, call: Call) -> Reply:
    """Respond with one device, on the product route (endpoints.yml: device_get)."""
    product, device = find_product_device(world, call)
    return json_reply(add_product_fields(build_device_details(device), device, product))


def update_product_device(world: World, call: Call) -> Reply:
    """Change fields of a device, or flash the device if the request has a file.

    This handler serves the product route (endpoints.yml: device_update, device_flash).
    """
    _unused, device = find_product_device(world, call)
    if call.files:
        return flash_device(world, device, call)
    return json_reply(apply_product_changes(world, device, call.fields))


def remove_product_device(world: World, call: Call) -> Reply:
    """Remove a device from a product (endpoints.yml: product_device_remove).

    If the body has `deny: true`, keep the device in the product, and mark the device as denied instead.
    (endpoints.yml: device_deny_quarantined)
    """
    _unused, device = find_product_device(world, call)
    if call.fields.get("deny") in (True, "true"):
        device.denied = True
    else:
        remove_from_product(device)
    return no_content()


def unclaim_product_device(world: World, call: Call) -> Reply:
    """Unclaim a device of a product (endpoints.yml: device_unclaim_product). The device stays in the product."""
    _unused, device = find_product_device(world, call)
    unclaim(device)
    return json_reply({"ok": True})


def ping_product_device(world: World, call: Call) -> Reply:
    """Ping a device, on the product route (endpoints.yml: device_ping)."""
    _unused, device = find_product_device(world, call)
    return json_reply(ping(world, device))


# ---------------------------------------------------------------------- groups of many devices


def change_groups(world: World, call: Call) -> Reply:
    """Add many devices to groups, and remove the same devices from other groups.

    (endpoints.yml: product_devices_batch_groups)

    If a group or device is unknown, respond with status 400 and change nothing. This rule is inferred, not documented.
    """
    product = find_product(world, call)
    if call.fields.get("action") != "groups":
        raise bad_request("action must be groups")
    devices = [_find_member(product, name) for name in _check_texts(call.fields.get("devices"), "devices")]
    metadata = call.fields.get("metadata")
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    add = _check_texts(metadata.get("add", []), "metadata.add")
    remove = _check_texts(metadata.get("remove", []), "metadata.remove")
    for name in (*add, *remove):
        if name not in product.groups:
            raise bad_request(f"Group {name} not found")
    for device in devices:
        earlier = find_target_version(device)
        assign_groups(device, [name for name in (*device.groups, *add) if name not in remove])
        deliver_change(world, device, earlier)
    return json_reply({"ok": True})


def _find_member(product: Product, device_id: str) -> Device:
    device = product.devices.get(device_id.lower())
    if device is None:
        raise bad_request(f"Device {device_id} is not in the product")
    return device


def _check_texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise bad_request(f"{name} must be a list of strings")
    return value


LIST = "/v1/products/:p/devices"
ONE = "/v1/products/:p/devices/:id"

ROUTES = [
    Route(GROUP, "product_devices_list", "GET", LIST, list_product_devices, scope="devices:list"),
    Route(GROUP, "product_devices_batch_groups", "PUT", LIST, change_groups, kind=Kind.WRITE, scope="devices:update"),
    Route(GROUP, "device_get", "GET", ONE, get_product_device, scope="devices:get"),
    Route(
        GROUP,
        "device_update",
        "PUT",
        ONE,
        update_product_device,
        kind=Kind.WRITE,
        scope="devices:update",
        also=("device_flash",),
    ),
    Route(
        GROUP,
        "product_device_remove",
        "DELETE",
        ONE,
        remove_product_device,
        kind=Kind.WRITE,
        scope="devices:remove",
        also=("device_deny_quarantined",),
    ),
    Route(GROUP, "device_ping", "PUT", f"{ONE}/ping", ping_product_device, scope="devices:ping"),
    Route(
        GROUP,
        "device_unclaim_product",
        "DELETE",
        f"{ONE}/owner",
        unclaim_product_device,
        kind=Kind.WRITE,
        scope="devices:release",
    ),
]
