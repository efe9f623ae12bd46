# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account's own devices (endpoints.yml: devices). Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing, rows_of
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http


def list_account_devices(http: Http) -> Listing:
    """All devices that the account has claimed, in one answer (endpoints.yml: devices_list)."""
    route, doing = "GET /v1/devices", "list the devices of the account"
    data = http.call(route, doing=doing).data
    return Listing(tuple(rows_of(data, ("devices",), route=route, doing=doing)), 1, True)


def claim_device(http: Http, device: str) -> None:
    """Make an online device the account's own (endpoints.yml: device_claim)."""
    http.call("POST /v1/devices", doing=f"claim device {device}", json={"id": device})


def update_account_device(http: Http, device: str, fields: Mapping[str, Any]) -> None:
    """Set ``fields`` one call each, as this route wants it (endpoints.yml: device_update)."""
    for name, value in fields.items():
        doing = f"set {name} of device {device}"
        http.call("PUT /v1/devices/:idOrName", doing=doing, at={"idOrName": device}, json={name: value})
