# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the devices of the account (endpoints.yml: devices). Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import send_create
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import DEVICE_ROWS, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.failures import build_ambiguous_write
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry


def list_account_devices(http: Http) -> Listing:
    """Return all devices that the account has claimed (endpoints.yml: devices_list). The list has only one page."""
    request = Request("GET /v1/devices", "list the devices of the account")
    return Listing(tuple(extract_rows(http.send(request).data, DEVICE_ROWS, request)), 1, True)


SERIAL_NUMBER_ROUTE = "GET /v1/serial_numbers/:serial"


def look_up_serial_number(http: Http, serial_number: str) -> str:
    """Return the id of the device with this serial number (endpoints.yml: serial_number_lookup).

    The account does not need to have claimed the device. The cloud allows 50 requests to this route per account and
    hour.

    :raises ParticleError: ``bad_response`` when the response contains no device id.
    """
    action = f"look up serial number {serial_number}"
    data = http.send(Request(SERIAL_NUMBER_ROUTE, action, {"serial": serial_number})).data
    # The documentation and Particle's clients spell this key differently.
    found = (data.get("deviceID") or data.get("device_id")) if isinstance(data, dict) else None
    if not isinstance(found, str) or not DEVICE_ID.match(found.lower()):
        raise ParticleError(
            "bad_response", f"Could not {action}: the response contains no id.", status=200, route=SERIAL_NUMBER_ROUTE
        )
    return found.lower()


def get_device(http: Http, device: str) -> dict[str, Any]:
    """Return one device (endpoints.yml: device_get).

    The account must have claimed the device, or must have access to the product of the device.
    """
    route = "GET /v1/devices/:idOrName"
    data = http.send(Request(route, f"read device {device}", {"idOrName": device})).data
    return data if isinstance(data, dict) else {}


def ping_device(http: Http, product: str, device: str) -> bool:
    """Ping a device of a product, which costs no data operation (endpoints.yml: device_ping).

    :returns: whether the device has answered.
    """
    action = f"ping device {device}"
    request = Request("PUT /v1/products/:p/devices/:id/ping", action, {"p": product, "id": device}, writes=False)
    data = http.send(request).data
    return isinstance(data, dict) and data.get("online") is True


def claim_device(http: Http, device: str) -> None:
    """Claim a device for the account. The device must be online (endpoints.yml: device_claim)."""
    send_create(http, Request("POST /v1/devices", f"claim device {device}", json={"id": device}))


def unclaim_device(http: Http, device: str) -> None:
    """Remove the account's claim to a device (endpoints.yml: device_unclaim)."""
    http.send(Request("DELETE /v1/devices/:id", f"unclaim device {device}", {"id": device}))


def update_account_device(http: Http, device: str, name: str, value: Any) -> None:
    """Set one field of a device. The route accepts only one field per request (endpoints.yml: device_update)."""
    action = f"set {name} of device {device}"
    http.send(Request("PUT /v1/devices/:idOrName", action, {"idOrName": device}, json={name: value}))


RESERVED_NAMES = frozenset("backup_files docs events network owner ping target_profile unprotect".split())
"""Names of variables that cannot be read and of functions that cannot be called, because other routes use these names
(endpoints.yml: not_rest_paths)."""


def read_variable(http: Http, product: str | None, device: str, name: str) -> Any:
    """Ask a device for the value of a variable, and return the value (endpoints.yml: device_variable_get).

    :param product: the id or slug of the device's product; ``None`` to use the route of the account.
    :raises ParticleError: ``not_found`` when the device has no variable of this name; ``device_offline`` when the
        device does not answer.
    """
    # The request is not retried after the cloud has received it: each attempt costs the owner of the device a data
    # operation.
    action = f"read variable {name} of device {device}"
    route, path_params = "GET /v1/devices/:id/:varName", {"id": device, "varName": name}
    if product is not None:
        route, path_params = "GET /v1/products/:p/devices/:id/:varName", {**path_params, "p": product}
    data = http.send(Request(route, action, path_params, retry=Retry.UNSENT)).data
    return data.get("result") if isinstance(data, dict) else None


_NO_FUNCTION_HINT = "Check the name of the function, and that the device runs firmware with this function."


def call_function(http: Http, product: str | None, device: str, name: str, argument: str | None = None) -> int | None:
    """Call a function of a device, and return its value (endpoints.yml: device_function_call).

    The call is sent again only if it certainly did not reach the device, because a function is not idempotent.

    :param product: the id or slug of the device's product; ``None`` to use the route of the account.
    :param argument: the argument, which may be a secret. The text of an error response is not shown, because the cloud
        may quote the argument in it.
    :returns: ``None`` if the cloud has reported no value.
    :raises ParticleError: ``ambiguous_write`` when the function may have run, because the device or the cloud did not
        answer; ``device_offline`` when the cloud did not pass on the call, because the device is not connected;
        ``not_found`` when the device has no function of this name.
    """
    action = f"call function {name} of device {device}"
    route, path_params = "POST /v1/devices/:id/:functionName", {"id": device, "functionName": name}
    if product is not None:
        route, path_params = "POST /v1/products/:p/devices/:id/:functionName", {**path_params, "p": product}
    body = {} if argument is None else {"arg": argument}
    try:
        data = send_create(http, Request(route, action, path_params, json=body, private=argument is not None))
    except ParticleError as error:
        # Only the status 404 says that the device is not connected. After "Timed out.", the function may have run.
        if error.code == "device_offline" and error.status != 404:
            raise build_ambiguous_write(error, action) from None
        if error.code == "not_found":
            error.hint = _NO_FUNCTION_HINT
        raise
    value = data.get("return_value")
    return value if isinstance(value, int) and not isinstance(value, bool) else None
