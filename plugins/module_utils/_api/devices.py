# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices one by one, and the account's own (endpoints.yml: devices). Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import rows_of
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry


def list_account_devices(http: Http) -> Listing:
    """All devices that the account has claimed, in one answer (endpoints.yml: devices_list)."""
    route, doing = "GET /v1/devices", "list the devices of the account"
    data = http.call(route, doing=doing).data
    return Listing(tuple(rows_of(data, ("devices",), route=route, doing=doing)), 1, True)


LOOK_UP = "GET /v1/serial_numbers/:serial"


def look_up_serial_number(http: Http, serial_number: str) -> str:
    """The id of a device, also of one that nobody has claimed (endpoints.yml: serial_number_lookup).

    The cloud allows an account 50 of these in an hour.
    """
    doing = f"look up serial number {serial_number}"
    data = http.call(LOOK_UP, doing=doing, at={"serial": serial_number}).data
    # Documentation and client spell it differently.
    found = (data.get("deviceID") or data.get("device_id")) if isinstance(data, dict) else None
    if not isinstance(found, str):
        raise ParticleError("bad_response", f"Could not {doing}: the answer holds no id.", status=200, route=LOOK_UP)
    return found.lower()


def get_device(http: Http, device: str) -> dict[str, Any]:
    """One device that the account has claimed or whose product it can access (endpoints.yml: device_get)."""
    route = "GET /v1/devices/:idOrName"
    data = http.call(route, doing=f"read device {device}", at={"idOrName": device}).data
    return data if isinstance(data, dict) else {}


def claim_device(http: Http, device: str) -> None:
    """Make an online device the account's own (endpoints.yml: device_claim)."""
    http.call("POST /v1/devices", doing=f"claim device {device}", json={"id": device})


def unclaim_device(http: Http, device: str) -> None:
    """Give up the claim to a device (endpoints.yml: device_unclaim)."""
    http.call("DELETE /v1/devices/:id", doing=f"unclaim device {device}", at={"id": device})


def update_account_device(http: Http, device: str, name: str, value: Any) -> None:
    """Set one field, as many as this route takes in a call (endpoints.yml: device_update)."""
    doing = f"set {name} of device {device}"
    http.call("PUT /v1/devices/:idOrName", doing=doing, at={"idOrName": device}, json={name: value})


RESERVED = frozenset("backup_files docs events network owner ping target_profile unprotect".split())
"""What stands where the name of a variable would, and is none (endpoints.yml: not_rest_paths)."""


def read_variable(http: Http, product: str | None, device: str, name: str) -> Any:
    """The value that a device answers with (endpoints.yml: device_variable_get).

    Asked once: the cloud waits for the device itself, and each try costs its owner a data operation.

    :param product: id or slug, ``None`` for the account's own route.
    :raises ParticleError: ``not_found`` for a variable that it does not have, ``device_offline`` when it is silent.
    """
    doing = f"read variable {name} of device {device}"
    route, at = "GET /v1/devices/:id/:varName", {"id": device, "varName": name}
    if product is not None:
        route, at = "GET /v1/products/:p/devices/:id/:varName", {**at, "p": product}
    data = http.call(route, doing=doing, at=at, retry=Retry.UNSENT).data
    return data.get("result") if isinstance(data, dict) else None
