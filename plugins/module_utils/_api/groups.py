# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List, create and delete the device groups of a product (endpoints.yml: device_groups). Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


def list_groups(http: Http, product: str) -> frozenset[str]:
    """Return the names of all groups of a product (endpoints.yml: groups_list)."""
    route, doing = "GET /v1/products/:p/groups", f"list the device groups of product {product}"
    data = http.call(route, doing=doing, at={"p": product}).data
    return frozenset(str(row.get("name")) for row in extract_rows(data, ("groups",), route=route, doing=doing))


def create_group(http: Http, product: str, name: str) -> None:
    """Create an empty group (endpoints.yml: group_create)."""
    doing = f"create device group {name}"
    http.call("POST /v1/products/:p/groups", doing=doing, at={"p": product}, json={"name": name})


def delete_group(http: Http, product: str, name: str) -> None:
    """Delete a group, but not the devices in it (endpoints.yml: group_delete)."""
    doing = f"remove device group {name}"
    http.call("DELETE /v1/products/:p/groups/:name", doing=doing, at={"p": product, "name": name})
