# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List, create and delete the device groups of a product (endpoints.yml: device_groups). Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def list_groups(http: Http, product: str) -> frozenset[str]:
    """Return the names of all device groups of a product (endpoints.yml: groups_list)."""
    request = Request("GET /v1/products/:p/groups", f"list the device groups of product {product}", {"p": product})
    rows = extract_rows(http.send(request).data, RowForm(("groups",), ("name",)), request)
    return frozenset(row["name"] for row in rows)


def create_group(http: Http, product: str, name: str) -> None:
    """Create an empty device group (endpoints.yml: group_create)."""
    action = f"create device group {name}"
    send_create(http, Request("POST /v1/products/:p/groups", action, {"p": product}, json={"name": name}))


def delete_group(http: Http, product: str, name: str) -> None:
    """Delete a device group, but not the devices in the group (endpoints.yml: group_delete)."""
    action = f"remove device group {name}"
    http.send(Request("DELETE /v1/products/:p/groups/:name", action, {"p": product, "name": name}))
