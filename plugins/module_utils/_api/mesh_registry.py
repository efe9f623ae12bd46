# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and change the registry of Particle Mesh (endpoints.yml: mesh_networks_legacy). Private to this collection.

The registry only records networks and their members. The devices form the network without the cloud.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import PAGE_SIZE, PageCount
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import DEVICE_ROWS, RowForm, extract_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_PAGES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.retry import Retry

_ROWS = RowForm()
_NETWORK = "/v1/networks/:idOrName"

ADD_DEVICE = "add-device"
MAKE_GATEWAY = "gateway-enable"
MAKE_NODE = "gateway-disable"
_CHANGES = {
    ADD_DEVICE: "add device {} to mesh network {}",
    MAKE_GATEWAY: "make device {} a gateway of mesh network {}",
    MAKE_NODE: "make device {} a node of mesh network {}",
}


def list_networks(http: Http) -> list[dict[str, Any]]:
    """Return the networks of the account (mesh_list). The cloud lists only networks that a gateway has confirmed."""
    return _read_pages(http, Request("GET /v1/networks", "list the mesh networks"), _ROWS)


def find_network(http: Http, name: str) -> dict[str, Any] | None:
    """Return a network by its name, or ``None`` if the network does not exist (mesh_get).

    A network that no gateway has confirmed yet is also returned.

    :raises ParticleError: ``bad_response`` when the response contains no network.
    """
    route = f"GET {_NETWORK}"
    try:
        data = http.send(Request(route, f"read mesh network {name}", {"idOrName": name})).data
    except ParticleError as error:
        if error.status == 404:
            return None
        raise
    if not isinstance(data, dict) or _ROWS.read_identity(data) is None:
        message = f"Could not read mesh network {name}: the response contains no network with an id."
        raise ParticleError("bad_response", message, status=200, route=route)
    return data


def list_members(http: Http, network: str, name: str) -> list[dict[str, Any]]:
    """Return the devices of a network, each with its role in the network (mesh_devices).

    :param network: the id of the network.
    :param name: the name of the network, for messages.
    """
    action = f"list the devices of mesh network {name}"
    return _read_pages(http, Request(f"GET {_NETWORK}/devices", action, {"idOrName": network}), DEVICE_ROWS)


def create_network(http: Http, name: str, gateway: str, kind: str, iccid: str | None) -> dict[str, Any]:
    """Register a network with its first gateway (mesh_create).

    :param gateway: the id of the gateway.
    :param kind: the type of the network.
    :param iccid: the ICCID of a cellular gateway; ``None`` for any other gateway.
    :returns: the network in the response; an empty mapping if the response contains no network.
    """
    body = {"name": name, "type": kind, **_build_device_fields(gateway), **({"iccid": iccid} if iccid else {})}
    action = f"create mesh network {name} with gateway {gateway}"
    data = http.send(Request("POST /v1/networks", action, json=body)).data
    network = data.get("network") if isinstance(data, dict) else None
    return network if isinstance(network, dict) else {}


def delete_network(http: Http, network: str, name: str) -> None:
    """Remove a network. Afterwards, the devices of the network belong to no network (mesh_delete).

    :param network: the id of the network.
    :param name: the name of the network, for messages.
    """
    http.send(Request(f"DELETE {_NETWORK}", f"remove mesh network {name}", {"idOrName": network}))


def change_member(http: Http, network: str, name: str, change: str, device: str) -> None:
    """Add a device to a network, or change the role of a device in the network (mesh_update).

    :param network: the id of the network.
    :param name: the name of the network, for messages.
    :param change: :data:`ADD_DEVICE`, :data:`MAKE_GATEWAY` or :data:`MAKE_NODE`.
    :param device: the id of the device.
    """
    # The cloud may refuse an action that it has already carried out. The request is retried only if the cloud has
    # certainly not carried out the action.
    action = _CHANGES[change].format(device, name)
    body = {"action": change, **_build_device_fields(device)}
    http.send(Request(f"PUT {_NETWORK}", action, {"idOrName": network}, json=body, retry=Retry.UNSENT))


def leave_network(http: Http, device: str) -> None:
    """Remove a device from its network. The request does not name the network (mesh_device_leave_any)."""
    route = "DELETE /v1/devices/:id/network"
    http.send(Request(route, f"remove device {device} from its mesh network", {"id": device}))


def _build_device_fields(device: str) -> dict[str, str]:
    """Return the two fields of a request body that contain the device id: ``device_id`` and ``deviceID``."""
    # Particle's JavaScript client sent device_id. Particle's mobile apps sent deviceID.
    return {"device_id": device, "deviceID": device}


def _read_pages(http: Http, request: Request, form: RowForm) -> list[dict[str, Any]]:
    """Return the rows of all pages of a list.

    The responses do not contain the number of pages. The last page is the first page that is not full or contains no
    new row.
    """
    rows: dict[str, dict[str, Any]] = {}
    count = PageCount(request)
    for page in range(1, MAX_PAGES + 1):
        query = {"page": str(page), "per_page": str(PAGE_SIZE)}
        found = extract_rows(http.send(replace(request, query=query)).data, form, request)
        known = len(rows)
        rows |= {row["id"]: row for row in found}
        count.add_page([row["id"] for row in found])
        if len(found) < PAGE_SIZE or len(rows) == known:
            break
    return list(rows.values())
