# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The firmware of the virtual devices: it reads the mesh ledger and reports in the status ledger.

No report is stored. Each follows from the mesh instances and from who is online, and is worked out when
somebody reads it; so a report is never late, and one whose mesh instance is removed is gone at once.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from particle_simulator.model import Account, Device, Instance, Ledger
from particle_simulator.world import World

MESH_LEDGER = "mesh"
STATUS_LEDGER = "mesh-status"
GATEWAY = "gateway"
NODE = "node"


def _mesh_ledger(account: Account, status: Ledger) -> Ledger | None:
    """The ledger that devices read, when both of the pair have the scope and direction they need."""
    if status.name != STATUS_LEDGER or status.archived_at is not None:
        return None
    mesh = account.ledgers.get(MESH_LEDGER)
    if mesh is None or mesh.archived_at is not None:
        return None
    fits = (status.scope, status.direction, mesh.scope, mesh.direction) == (
        "Device",
        "Upstream",
        "Device",
        "Downstream",
    )
    return mesh if fits else None


def _awake(world: World, account: Account, device_id: str) -> Device | None:
    """A device that gets its ledgers: online and in a product of the ledgers' owner."""
    device = world.devices.get(device_id)
    if device is None or not device.online or device.product is None:
        return None
    return device if device.product.owner is account else None


def _role(data: dict[str, Any]) -> str | None:
    """The role that an instance gives; None for data that firmware cannot use."""
    role = data.get("role")
    return role if role in (GATEWAY, NODE) and isinstance(data.get("network"), str) else None


def reporting_devices(world: World, account: Account, status: Ledger) -> list[str]:
    """The ids of all devices that report, in the order of their mesh instances. Kept until the next write."""
    mesh = _mesh_ledger(account, status)
    if mesh is None:
        return []
    kept = world.reporting.get(account.username)
    if kept is None or kept[0] != world.revision:
        ids = [
            device_id
            for device_id, instance in mesh.instances.items()
            if _role(instance.data) is not None and _awake(world, account, device_id) is not None
        ]
        kept = world.reporting[account.username] = (world.revision, ids)
    return kept[1]


def report(world: World, account: Account, status: Ledger, device_id: str) -> Instance | None:
    """What one device reports, or None: an offline device says nothing."""
    mesh = _mesh_ledger(account, status)
    own = mesh.instances.get(device_id) if mesh else None
    if mesh is None or own is None or _awake(world, account, device_id) is None:
        return None
    role, network = _role(own.data), own.data.get("network")
    if role is None:
        return None
    parent: str | None = None
    rssi: int | None = None
    if role == NODE:
        parent = _parent(world, account, mesh, device_id, own.data)
        rssi = -45 - _chance(world, device_id, "rssi") % 40 if parent else None
    state = "joined" if role == GATEWAY or parent else "joining"
    data = {"network": network, "role": role, "state": state, "parent": parent, "rssi": rssi}
    moment = max(own.updated_at, status.created_at)
    return Instance(device_id, data, len(orjson.dumps(data)), max(own.created_at, status.created_at), moment)


def _parent(world: World, account: Account, mesh: Ledger, device_id: str, data: dict[str, Any]) -> str | None:
    """The gateway that a node joins: one of its own list that is up in the same network."""
    named = data.get("gateways")
    up = sorted(
        gateway
        for gateway in (named if isinstance(named, list) else [])
        if isinstance(gateway, str) and _gateway_is_up(world, account, mesh, gateway, data["network"])
    )
    return up[_chance(world, device_id, "parent") % len(up)] if up else None


def _gateway_is_up(world: World, account: Account, mesh: Ledger, gateway: str, network: str) -> bool:
    own = mesh.instances.get(gateway)
    if own is None or _role(own.data) != GATEWAY or own.data["network"] != network:
        return False
    return _awake(world, account, gateway) is not None


def _chance(world: World, device_id: str, what: str) -> int:
    """A number that looks random and is the same for the same seed, device and question."""
    return crc32(f"{world.seed} {device_id} {what}".encode())
