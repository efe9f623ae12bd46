# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The cloud's legacy registry of Particle Mesh networks and their members.

The registry only records networks and members. The devices themselves form and join the networks. The error responses
of the registry are not documented. In the simulator, every error of the registry has the status 400 and the body E6.
"""

from __future__ import annotations

import hashlib
from typing import Any

from particle_simulator.errors import Refusal, listed_errors
from particle_simulator.model import CELLULAR_PLATFORMS, Account, Device, Network, format_time
from particle_simulator.world import World

GATEWAY_PLATFORMS = frozenset({12, 13, 14, 22, 23})
"""Platforms with an uplink: Argon, Boron, A-SoM, B-SoM, and Xenon with the Ethernet FeatherWing."""
MESH_PLATFORMS = GATEWAY_PLATFORMS | {24, 25}
MICRO_TYPES = frozenset({"micro_wifi", "micro_cellular"})
NETWORK_TYPES = MICRO_TYPES | {"high_availability", "large_site"}
MAX_MICRO_DEVICES = 10
MAX_MICRO_GATEWAYS = 1
MAX_NAME_BYTES = 16


def registry_error(text: str) -> Refusal:
    """Build the `Refusal` for an error of the registry."""
    return listed_errors(400, text)


def choose_default_type(gateway: Device) -> str:
    """Return the default type of a network. The type depends on the uplink of the gateway."""
    return "micro_cellular" if gateway.platform_id in CELLULAR_PLATFORMS else "micro_wifi"


def create_network(world: World, account: Account, name: Any, gateway: Device, requested_type: Any) -> Network:
    """Create a network with its first gateway.

    The network is pending until a client reads the network while the gateway is online.
    """
    if not isinstance(name, str) or not name or len(name.encode()) > MAX_NAME_BYTES:
        raise registry_error(f"name must have 1 to {MAX_NAME_BYTES} bytes")
    if any(network.name == name for network in world.mesh.list_networks(account)):
        raise registry_error("A network with this name already exists")
    kind = requested_type or choose_default_type(gateway)
    if kind not in NETWORK_TYPES:
        raise registry_error(f"type must be one of {', '.join(sorted(NETWORK_TYPES))}")
    _check_gateway(gateway)
    _check_free(gateway)
    now = world.now()
    label = f"{world.settings.seed} network {len(world.mesh.networks)} {name} {gateway.id}"
    number = hashlib.sha256(label.encode()).hexdigest()
    network = Network(number[:24], name, kind, account, now)
    world.mesh.networks[network.id] = network
    _add_member(network, gateway, gateway=True)
    return network


def add_device(network: Network, device: Device) -> None:
    """Add a device to a network as a node. Do nothing if the device is already a member of this network."""
    if device.network is network:
        return
    _check_free(device)
    if device.platform_id not in MESH_PLATFORMS:
        raise registry_error("This device cannot be part of a mesh network")
    if network.type in MICRO_TYPES and len(network.members) >= MAX_MICRO_DEVICES:
        raise registry_error(f"A network of this type has at most {MAX_MICRO_DEVICES} devices")
    _add_member(network, device, gateway=False)


def remove_device(network: Network, device: Device) -> None:
    """Remove a member from a network. Raise a `Refusal` if the device is not a member."""
    _check_member(network, device)
    leave_network(device)


def leave_network(device: Device) -> None:
    """Remove a device from its network. Do nothing if the device is in no network."""
    if device.network is not None:
        device.network.members.pop(device.id, None)
    device.network = None
    device.gateway = False


def make_gateway(network: Network, device: Device) -> None:
    """Change the role of a member to gateway."""
    _check_member(network, device)
    _check_gateway(device)
    if device.gateway:
        return
    if network.type in MICRO_TYPES and len(network.gateways) >= MAX_MICRO_GATEWAYS:
        raise registry_error(f"A network of this type has at most {MAX_MICRO_GATEWAYS} gateway")
    device.gateway = True


def make_node(network: Network, device: Device) -> None:
    """Change the role of a member to node."""
    _check_member(network, device)
    device.gateway = False


def delete_network(world: World, network: Network) -> None:
    """Delete a network. The members of the network can then join another network."""
    for device in list(network.members.values()):
        leave_network(device)
    del world.mesh.networks[network.id]


def update_confirmation(network: Network) -> None:
    """Confirm a network if one of its gateways is reachable. A confirmed network stays confirmed."""
    network.confirmed = network.confirmed or any(gateway.reachable for gateway in network.gateways)


def build_network_row(network: Network) -> dict[str, Any]:
    """Build the JSON object of a network. The radio parameters are null until the network is confirmed."""
    update_confirmation(network)
    digits = hashlib.sha256(network.id.encode()).hexdigest().upper()
    heard_at = [device.last_heard for device in network.members.values() if device.last_heard is not None]
    return {
        "id": network.id,
        "name": network.name,
        "type": network.type,
        "state": network.state,
        "device_count": len(network.members),
        "gateway_count": len(network.gateways),
        "last_heard": format_time(max(heard_at)) if heard_at and network.confirmed else None,
        "pan_id": digits[:4] if network.confirmed else None,
        "xpan_id": digits[4:20] if network.confirmed else None,
        "channel": 11 + int(digits[20:24], 16) % 16 if network.confirmed else None,
        "notes": network.notes,
    }


def build_membership(device: Device) -> dict[str, Any] | None:
    """Build the `network` field of a device, or return None if the device is in no network.

    The role of the device is confirmed if the network is confirmed and the cloud shows the device as online.
    """
    network = device.network
    if network is None:
        return None
    update_confirmation(network)
    role = {"gateway": device.gateway, "state": "confirmed" if network.confirmed and device.online else "pending"}
    return {"id": network.id, "name": network.name, "type": network.type, "role": role}


def _add_member(network: Network, device: Device, *, gateway: bool) -> None:
    network.members[device.id] = device
    device.network = network
    device.gateway = gateway


def _check_free(device: Device) -> None:
    if device.network is not None:
        raise registry_error("This device is already part of a mesh network; remove it from there first")


def _check_gateway(device: Device) -> None:
    if device.platform_id not in GATEWAY_PLATFORMS:
        raise registry_error("This device cannot be a gateway")


def _check_member(network: Network, device: Device) -> None:
    if device.network is not network:
        raise registry_error("This device is not part of the network")
