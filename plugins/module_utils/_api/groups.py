# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the device groups of a product (endpoints.yml: device_groups). Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def list_groups(http: Http, product: str) -> frozenset[str]:
    """Return the names of all device groups of a product (endpoints.yml: groups_list)."""
    return frozenset(row["name"] for row in list_group_rows(http, product))


def list_group_rows(http: Http, product: str) -> list[dict[str, Any]]:
    """Return all device groups of a product, without the numbers of their devices (endpoints.yml: groups_list)."""
    request = Request("GET /v1/products/:p/groups", f"list the device groups of product {product}", {"p": product})
    return extract_rows(http.send(request).data, RowForm(("groups",), ("name",)), request)


def get_group(http: Http, product: str, name: str) -> dict[str, Any]:
    """Return a device group with the number of its devices, ``device_count`` (endpoints.yml: group_get)."""
    path_params = {"p": product, "name": name}
    data = http.send(Request("GET /v1/products/:p/groups/:name", f"read device group {name}", path_params)).data
    group = data.get("group") if isinstance(data, dict) else None
    return group if isinstance(group, dict) else {}


def create_group(http: Http, product: str, name: str, **settings: str) -> None:
    """Create an empty device group (endpoints.yml: group_create).

    :param settings: the description and the color, if they are set.
    """
    action, body = f"create device group {name}", {"name": name, **settings}
    send_create(http, Request("POST /v1/products/:p/groups", action, {"p": product}, json=body))


def update_group(http: Http, product: str, name: str, settings: Mapping[str, Any]) -> None:
    """Change settings of a device group. Other settings remain unchanged (endpoints.yml: group_update)."""
    path_params, action = {"p": product, "name": name}, f"change device group {name}"
    http.send(Request("PUT /v1/products/:p/groups/:name", action, path_params, json=dict(settings)))


def delete_group(http: Http, product: str, name: str) -> None:
    """Delete a device group, but not the devices in the group (endpoints.yml: group_delete)."""
    action = f"remove device group {name}"
    http.send(Request("DELETE /v1/products/:p/groups/:name", action, {"p": product, "name": name}))
