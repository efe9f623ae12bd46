# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that search devices, products and SIM cards. A response has at most ten results of each type."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from particle_simulator.errors import bad_request
from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.model import Device, Organization, Product
from particle_simulator.routes.owners import find_organization
from particle_simulator.routing import Route
from particle_simulator.world import World

GROUP = "user_account"
MAX_RESULTS = 10
TYPES = ("device", "product", "sim")


def search_own(world: World, call: Call) -> Reply:
    """Search all devices, products and SIM cards that the caller can access (endpoints.yml: user_search)."""
    return _search_all(call, world.products.list_accessible_to(call.account), list(call.account.devices.values()), None)


def search_org(world: World, call: Call) -> Reply:
    """Search the devices, products and SIM cards of an organization (endpoints.yml: user_search)."""
    org = find_organization(world, call)
    return _search_all(call, world.products.list_in_org(org), [], org)


def _search_all(call: Call, products: list[Product], claimed: list[Device], org: Organization | None) -> Reply:
    text = call.query.get("text", "").lower()
    if not text:
        raise bad_request("text is required")
    requested_type = call.query.get("type")
    if requested_type not in (None, "", *TYPES):
        raise bad_request("type must be device, product or sim")
    devices = {device.id: device for device in claimed}
    for product in products:
        devices |= product.devices
    finders: dict[str, Iterator[dict[str, Any]]] = {
        "device": (_build_entry(device, device.id) for device in devices.values() if _device_matches(device, text)),
        "product": (_build_product_entry(found) for found in products if text in found.name.lower()),
        "sim": (_build_entry(device, device.iccid) for device in devices.values() if text in (device.iccid or "")),
    }
    results: list[dict[str, Any]] = []
    more = False
    for kind in TYPES:
        if requested_type in (None, "", kind):
            found = list(islice(finders[kind], MAX_RESULTS + 1))
            more = more or len(found) > MAX_RESULTS
            results += [_build_result(kind, row, org) for row in found[:MAX_RESULTS]]
    return json_reply({"ok": True, "results": results, "hasMore": more})


def _device_matches(device: Device, text: str) -> bool:
    return any(text in (value or "").lower() for value in (device.id, device.name, device.serial_number))


def _build_entry(device: Device, identifier: str | None) -> dict[str, Any]:
    product = device.product
    return {
        "id": identifier,
        "name": device.name,
        "product_id": product.id if product else device.platform_id,
        "product_name": product.name if product else None,
    }


def _build_product_entry(product: Product) -> dict[str, Any]:
    return {"id": product.id, "name": product.name, "product_id": product.id, "product_name": product.name}


def _build_result(kind: str, row: dict[str, Any], org: Organization | None) -> dict[str, Any]:
    result: dict[str, Any] = {"type": kind, kind: row}
    if org is not None:
        result |= {"org": org.slug, "orgName": org.name}
    return result


ROUTES = [
    Route(GROUP, "user_search", "GET", "/v1/user/search", search_own),
    Route(GROUP, "user_search", "GET", "/v1/orgs/:org/search", search_org),
]
