# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The firmware of the virtual devices: it reads the mesh ledger and reports in the status ledger.

No report is stored. Each follows from the mesh instances, from who is up and from the clock, and is worked
out when somebody reads it; so a report is never late, and one whose mesh instance is removed is gone at once.
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
SLOWEST_JOIN = 300
QUICKEST_SLOW_JOIN = 30


def _mesh_ledger(owner: Owner, status: Ledger) -> Ledger | None:
    """The ledger that devices read, when both of the pair have the scope and direction they need."""
    if status.name != STATUS_LEDGER or status.archived_at is not None:
        return None
    mesh = owner.ledgers.get(MESH_LEDGER)
    if mesh is None or mesh.archived_at is not None:
        return None
    fits = (status.scope, status.direction, mesh.scope, mesh.direction) == (
        "Device",
        "Upstream",
        "Device",
        "Downstream",
    )
    return mesh if fits else None


def _known(world: World, owner: Owner, device_id: str) -> Device | None:
    """Find a device that can have ledgers of an owner, because it is in one of the owner's products."""
    device = world.devices.by_id.get(device_id)
    return device if device is not None and device.product is not None and device.product.home is owner else None


def _awake(world: World, owner: Owner, device_id: str) -> Device | None:
    """A device that gets its ledgers now: it must be up, whatever the cloud believes."""
    device = _known(world, owner, device_id)
    return device if device is not None and device.reachable else None


def _role(data: dict[str, Any]) -> str | None:
    """The role that an instance gives; None for data that firmware cannot use."""
    role = data.get("role")
    return role if role in (GATEWAY, NODE) and isinstance(data.get("network"), str) else None


def reporting_devices(world: World, owner: Owner, status: Ledger) -> list[str]:
    """List the ids of all devices that report, in the order of their mesh instances. Cached until the next change."""
    mesh = _mesh_ledger(owner, status)
    if mesh is None:
        return []
    key = owner_id(owner)
    kept = world.mesh.reporting.get(key)
    if kept is None or kept[0] != world.revision:
        ids = [
            device_id
            for device_id, instance in mesh.instances.items()
            if _role(instance.data) is not None and _awake(world, owner, device_id) is not None
        ]
        kept = world.mesh.reporting[key] = (world.revision, ids)
    return kept[1]


def report(world: World, owner: Owner, status: Ledger, device_id: str) -> Instance | None:
    """What one device reports, or None: a device that is not there says nothing."""
    mesh = _mesh_ledger(owner, status)
    own = mesh.instances.get(device_id) if mesh else None
    if mesh is None or own is None or _awake(world, owner, device_id) is None:
        return None
    role, network = _role(own.data), own.data.get("network")
    if role is None:
        return None
    state, parent = ("joined", None) if role == GATEWAY else _node(world, owner, mesh, device_id, own)
    rssi = -45 - _chance(world, device_id, "rssi") % 40 if parent else None
    data = {"network": network, "role": role, "state": state, "parent": parent, "rssi": rssi}
    moment = max(own.updated_at, status.created_at)
    return Instance(device_id, data, len(orjson.dumps(data)), max(own.created_at, status.created_at), moment)


def _node(world: World, owner: Owner, mesh: Ledger, device_id: str, own: Instance) -> tuple[str, str | None]:
    """State and parent of a node: it joins through one of its own gateways that is up in the same network."""
    ready = own.updated_at + _join_seconds(world, device_id)
    up: list[str] = []
    was_in = False
    named = own.data.get("gateways")
    for gateway in named if isinstance(named, list) else []:
        instance = mesh.instances.get(gateway) if isinstance(gateway, str) else None
        if instance is None or _role(instance.data) != GATEWAY or instance.data["network"] != own.data["network"]:
            continue
        device = _known(world, owner, gateway)
        if device is None:
            continue
        if device.reachable:
            up.append(gateway)
        elif device.lost_at is not None:
            was_in = was_in or device.lost_at >= max(ready, instance.updated_at)
    if up and world.now() >= ready:
        return "joined", sorted(up)[_chance(world, device_id, "parent") % len(up)]
    # A node that was in the mesh when its last gateway went is lost; one that never was is still on its way.
    return ("lost" if was_in and not up else "joining"), None


def _join_seconds(world: World, device_id: str) -> int:
    """Return how many seconds a node needs to join after its ledger has changed; 0 for all but the slow joiners."""
    share = world.settings.slow_joiners
    if share <= 0 or _chance(world, device_id, "slow") % 1000 >= share * 1000:
        return 0
    return QUICKEST_SLOW_JOIN + _chance(world, device_id, "join") % (SLOWEST_JOIN - QUICKEST_SLOW_JOIN + 1)


def _chance(world: World, device_id: str, what: str) -> int:
    """Return a number that looks random and is the same for the same seed, device and question."""
    return crc32(f"{world.settings.seed} {device_id} {what}".encode())
