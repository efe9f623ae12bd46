# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The mesh firmware of the virtual devices, which reads the mesh ledger and reports in the status ledger.

Reports are not stored but computed when a client reads them, from the mesh instances, the power of the devices and
the clock. So a report is never out of date, and it disappears together with its mesh instance.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from particle_simulator.model import Device, Instance, Ledger, Owner, owner_id
from particle_simulator.world import World

MESH_LEDGER = "mesh"
STATUS_LEDGER = "mesh-status"
GATEWAY = "gateway"
NODE = "node"
MAX_JOIN_SECONDS = 300
MIN_SLOW_JOIN_SECONDS = 30


def _find_mesh_ledger(owner: Owner, status: Ledger) -> Ledger | None:
    """Find the mesh ledger that goes with a status ledger, if both have the right scope and direction."""
    if status.name != STATUS_LEDGER or status.archived_at is not None:
        return None
    mesh = owner.ledgers.get(MESH_LEDGER)
    if mesh is None or mesh.archived_at is not None:
        return None
    is_pair = (status.scope, status.direction, mesh.scope, mesh.direction) == (
        "Device",
        "Upstream",
        "Device",
        "Downstream",
    )
    return mesh if is_pair else None


def _find_device(world: World, owner: Owner, device_id: str) -> Device | None:
    """Find a device that can have ledgers of an owner, because it is in one of the owner's products."""
    device = world.devices.by_id.get(device_id)
    return device if device is not None and device.product is not None and device.product.top_owner is owner else None


def _find_reachable_device(world: World, owner: Owner, device_id: str) -> Device | None:
    """Find a device of an owner if it can sync its ledgers now, because it has power and a connection."""
    device = _find_device(world, owner, device_id)
    return device if device is not None and device.reachable else None


def _read_role(data: dict[str, Any]) -> str | None:
    """Read the role from the data of an instance, or None if the firmware cannot use the data."""
    role = data.get("role")
    return role if role in (GATEWAY, NODE) and isinstance(data.get("network"), str) else None


def list_reporting_devices(world: World, owner: Owner, status: Ledger) -> list[str]:
    """List the ids of all devices that report, in the order of their mesh instances; cached until the next change."""
    mesh = _find_mesh_ledger(owner, status)
    if mesh is None:
        return []
    key = owner_id(owner)
    cached = world.mesh.reporting.get(key)
    if cached is None or cached[0] != world.revision:
        ids = [
            device_id
            for device_id, instance in mesh.instances.items()
            if _read_role(instance.data) is not None and _find_reachable_device(world, owner, device_id) is not None
        ]
        cached = world.mesh.reporting[key] = (world.revision, ids)
    return cached[1]


def build_report(world: World, owner: Owner, status: Ledger, device_id: str) -> Instance | None:
    """Build the report of a device, or None if it does not report."""
    mesh = _find_mesh_ledger(owner, status)
    own = mesh.instances.get(device_id) if mesh else None
    if mesh is None or own is None or _find_reachable_device(world, owner, device_id) is None:
        return None
    role, network = _read_role(own.data), own.data.get("network")
    if role is None:
        return None
    state, parent = ("joined", None) if role == GATEWAY else _compute_node_state(world, owner, mesh, device_id, own)
    rssi = -45 - _hash(world, device_id, "rssi") % 40 if parent else None
    data = {"network": network, "role": role, "state": state, "parent": parent, "rssi": rssi}
    moment = max(own.updated_at, status.created_at)
    return Instance(device_id, data, len(orjson.dumps(data)), max(own.created_at, status.created_at), moment)


def _compute_node_state(
    world: World, owner: Owner, mesh: Ledger, device_id: str, own: Instance
) -> tuple[str, str | None]:
    """Compute the state and the parent of a node, which joins through a reachable gateway of its network."""
    ready = own.updated_at + _compute_join_seconds(world, device_id)
    reachable: list[str] = []
    was_joined = False
    gateways = own.data.get("gateways")
    for gateway in gateways if isinstance(gateways, list) else []:
        instance = mesh.instances.get(gateway) if isinstance(gateway, str) else None
        if instance is None or _read_role(instance.data) != GATEWAY or instance.data["network"] != own.data["network"]:
            continue
        device = _find_device(world, owner, gateway)
        if device is None:
            continue
        if device.reachable:
            reachable.append(gateway)
        elif device.lost_at is not None:
            was_joined = was_joined or device.lost_at >= max(ready, instance.updated_at)
    if reachable and world.now() >= ready:
        return "joined", sorted(reachable)[_hash(world, device_id, "parent") % len(reachable)]
    # A node that had joined when its last gateway failed is lost; otherwise it is still joining.
    return ("lost" if was_joined and not reachable else "joining"), None


def _compute_join_seconds(world: World, device_id: str) -> int:
    """Compute the seconds that a node needs to join after its ledger has changed.

    They are 0 unless it is a slow joiner.
    """
    share = world.settings.slow_joiners
    if share <= 0 or _hash(world, device_id, "slow") % 1000 >= share * 1000:
        return 0
    return MIN_SLOW_JOIN_SECONDS + _hash(world, device_id, "join") % (MAX_JOIN_SECONDS - MIN_SLOW_JOIN_SECONDS + 1)


def _hash(world: World, device_id: str, what: str) -> int:
    """Return a pseudo-random number that depends only on the seed, the device and the purpose of the number."""
    return crc32(f"{world.settings.seed} {device_id} {what}".encode())
