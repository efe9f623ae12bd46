# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The legacy routes for mesh networks.

By default the routes are retired and respond with 404. The option `--mesh enabled` enables the routes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from particle_simulator import mesh_registry
from particle_simulator.errors import bad_request, permission_denied, plain_error
from particle_simulator.messages import Call, Reply, json_reply, not_found_text
from particle_simulator.model import Device, Network
from particle_simulator.permissions import can_see
from particle_simulator.routes.devices import find_visible_device
from particle_simulator.routing import Auth, Handler, Kind, Route
from particle_simulator.world import World

GROUP = "mesh_networks_legacy"
PAGE_SIZE = 100
PRICED_ACTIONS = ("add-device-to-user", "add-device-to-network", "create-network")

Row = TypeVar("Row")


def _find_network(world: World, call: Call) -> Network:
    """Find the network whose id or name is in the request path.

    Inferred, not documented: every route accepts a name.
    """
    id_or_name = call.path["idOrName"]
    for network in world.mesh.list_networks(call.account):
        if id_or_name in (network.id, network.name):
            return network
    raise plain_error(404, "Network not found.")


def _find_device(world: World, call: Call, *, required: str) -> Device:
    """Find the device whose id is in the request body.

    JavaScript clients send the field `device_id`. Mobile apps send the field `deviceID`. Both fields are accepted. The
    device must be unclaimed, or the caller must be able to see the device.

    :param required: The error message for a request without a device id.
    """
    device_id = call.fields.get("device_id") or call.fields.get("deviceID")
    if not isinstance(device_id, str):
        raise mesh_registry.registry_error(required)
    device = world.devices.by_id.get(device_id.lower())
    if device is None or not (device.owner is None or can_see(call.account, device)):
        raise permission_denied()
    return device


def _select_page(call: Call, rows: Sequence[Row]) -> Sequence[Row]:
    """Return the requested page of a list."""
    size = call.read_number("per_page", "perPage", default=PAGE_SIZE)
    start = (call.read_number("page", default=1) - 1) * size
    return rows[start : start + size]


def list_networks(world: World, call: Call) -> Reply:
    """List one page of the confirmed networks of the caller (endpoints.yml: mesh_list).

    The source code of the mobile SDK shows that pending networks are not listed.
    """
    networks = world.mesh.list_networks(call.account)
    for network in networks:
        mesh_registry.update_confirmation(network)
    confirmed = [network for network in networks if network.confirmed]
    return json_reply([mesh_registry.build_network_row(network) for network in _select_page(call, confirmed)])


def create_network(world: World, call: Call) -> Reply:
    """Create a network with one gateway (endpoints.yml: mesh_create). The state in the response is `pending`."""
    gateway = _find_device(world, call, required="device_id is required")
    iccid = call.fields.get("iccid")
    if iccid is not None and gateway.iccid is not None and iccid != gateway.iccid:
        raise mesh_registry.registry_error("iccid is not that of the device")
    network = mesh_registry.create_network(
        world, call.account, call.fields.get("name"), gateway, call.fields.get("type")
    )
    row = {"id": network.id, "name": network.name, "state": network.state, "type": network.type}
    return json_reply({"network": row})


def get_network(world: World, call: Call) -> Reply:
    """Respond with one network (endpoints.yml: mesh_get). The response body is the network object itself."""
    return json_reply(mesh_registry.build_network_row(_find_network(world, call)))


ACTIONS: dict[str, Callable[[Network, Device], None]] = {
    "add-device": mesh_registry.add_device,
    "remove-device": mesh_registry.remove_device,
    "gateway-enable": mesh_registry.make_gateway,
    "gateway-disable": mesh_registry.make_node,
}


def update_network(world: World, call: Call) -> Reply:
    """Add a device to a network, remove a member, or change the role of a member (endpoints.yml: mesh_update)."""
    network = _find_network(world, call)
    action = ACTIONS.get(str(call.fields.get("action")))
    if action is None:
        raise mesh_registry.registry_error(f"action must be one of {', '.join(ACTIONS)}")
    action(network, _find_device(world, call, required="device_id is required"))
    return json_reply({"ok": True})


def delete_network(world: World, call: Call) -> Reply:
    """Delete a network (endpoints.yml: mesh_delete).

    It is not known whether the cloud responds with status 200 or 204. The simulator responds with 200.
    """
    mesh_registry.delete_network(world, _find_network(world, call))
    return json_reply({"ok": True})


def list_members(world: World, call: Call) -> Reply:
    """List one page of the members of a network (endpoints.yml: mesh_devices).

    With the query parameter `role`, list only the members with this role.
    """
    network = _find_network(world, call)
    role = call.query.get("role")
    members = [
        device for device in network.members.values() if role in (None, "", "gateway" if device.gateway else "node")
    ]
    return json_reply([_build_member_row(device) for device in _select_page(call, members)])


def _build_member_row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "name": device.name,
        "platform_id": device.platform_id,
        "network": mesh_registry.build_membership(device),
    }


def leave_network(world: World, call: Call) -> Reply:
    """Remove a device from its network (endpoints.yml: mesh_device_leave_any).

    The request succeeds even if the device is in no network. It is not known whether the cloud responds with status 200
    or 204. The simulator responds with 200.
    """
    mesh_registry.leave_network(find_visible_device(world, call.account, call.path["id"]))
    return json_reply({"ok": True})


def get_pricing_impact(world: World, call: Call) -> Reply:
    """Respond that the action is allowed and free of charge (endpoints.yml: pricing_impact_legacy)."""
    if call.query.get("action") not in PRICED_ACTIONS or call.query.get("plan") not in ("wifi", "cellular"):
        raise bad_request("action and plan are required")
    answer = {"allowed": True, "chargeable": False, "cc_on_file": False, "cc_last4": None}
    return json_reply(answer | {"plan_slug": "free", "plan": {}})


def answer_not_found(world: World, call: Call) -> Reply:
    """Respond with 404, as the cloud does today for a retired route.

    The route still exists in the route table. Therefore the statistics count the request under this route.
    """
    return not_found_text()


NETWORK = "/v1/networks/:idOrName"
_ROWS: list[tuple[str, str, str, Handler, Kind]] = [
    ("mesh_list", "GET", "/v1/networks", list_networks, Kind.READ),
    ("mesh_create", "POST", "/v1/networks", create_network, Kind.WRITE),
    ("mesh_get", "GET", NETWORK, get_network, Kind.READ),
    ("mesh_update", "PUT", NETWORK, update_network, Kind.WRITE),
    ("mesh_delete", "DELETE", NETWORK, delete_network, Kind.WRITE),
    ("mesh_devices", "GET", f"{NETWORK}/devices", list_members, Kind.READ),
    ("mesh_device_leave_any", "DELETE", "/v1/devices/:id/network", leave_network, Kind.WRITE),
    ("pricing_impact_legacy", "GET", "/v1/pricing-impact", get_pricing_impact, Kind.READ),
]

RETIRED = [
    Route(GROUP, name, method, path, answer_not_found, Auth.NONE, kind) for name, method, path, _unused, kind in _ROWS
]
ENABLED = [Route(GROUP, name, method, path, handler, kind=kind) for name, method, path, handler, kind in _ROWS]
