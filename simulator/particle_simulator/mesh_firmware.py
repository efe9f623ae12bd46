# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Mesh firmware of virtual devices: devices read the ledger `mesh` and report in the ledger `mesh-status`.

Reports of simulated members are not stored. When a client reads a report, the simulator computes the report from the
instances of the ledger `mesh`, the power of the devices and the clock. A report is therefore never out of date.

Members follow version 1 of the mesh contract: a member leaves its network when its instance says `network: null`, and
then reports `left`. A device does not see that its instance is deleted (device-ledger-api.md, section 5), so its last
report stays. Members with old mesh firmware leave when their instance is deleted, and their report disappears.

A device with external mesh firmware is not simulated here: a program reports for it (see `device_ledgers`).
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from particle_simulator.model import Device, Instance, Ledger, Owner, owner_id
from particle_simulator.world import World

FIRMWARE_KINDS = ("simulated", "simulated_old", "external")
"""The kinds of mesh firmware: simulated, simulated as before version 1 of the mesh contract, or a program outside the
simulator that reports for the device."""
SIMULATED, SIMULATED_OLD, EXTERNAL = FIRMWARE_KINDS
MESH_LEDGER = "mesh"
STATUS_LEDGER = "mesh-status"
GATEWAY = "gateway"
NODE = "node"
MAX_JOIN_SECONDS = 300
MIN_SLOW_JOIN_SECONDS = 30


def _find_mesh_ledger(owner: Owner, status: Ledger) -> Ledger | None:
    """Return the ledger `mesh` on which the reports in the ledger `status` depend.

    Return None if `status` is another ledger, if the owner has no ledger `mesh`, or if one of the two ledgers is
    archived or has the wrong scope or direction.
    """
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
    """Return the device with this id if the device is in a product of the owner, otherwise None.

    Only a device in a product of the owner can have instances in the ledgers of the owner.
    """
    device = world.devices.by_id.get(device_id)
    return device if device is not None and device.product is not None and device.product.top_owner is owner else None


def _find_simulated_member(world: World, owner: Owner, device_id: str) -> Device | None:
    """Return the device with this id if the simulator reports for it, and if it can sync its ledgers now.

    A device can sync its ledgers while it is in a product of the owner, and has power and a connection.
    """
    device = _find_device(world, owner, device_id)
    return device if device is not None and device.reachable and device.mesh_firmware != EXTERNAL else None


def _read_role(data: dict[str, Any]) -> str | None:
    """Return the role in the data of a ledger instance, or None if the data has no valid role or no network."""
    role = data.get("role")
    return role if role in (GATEWAY, NODE) and isinstance(data.get("network"), str) else None


def _is_readable(device: Device, data: dict[str, Any]) -> bool:
    """Return whether the firmware of a device can follow the data of its instance, and reports."""
    return _read_role(data) is not None or (device.mesh_firmware == SIMULATED and _is_leave_order(data))


def _is_leave_order(data: dict[str, Any]) -> bool:
    return "network" in data and data["network"] is None


def list_reporting_devices(world: World, owner: Owner, status: Ledger) -> list[str]:
    """Return the ids of all devices that report, in the order of their instances in the ledger `mesh`.

    The result is cached until `World.revision` changes.
    """
    mesh = _find_mesh_ledger(owner, status)
    if mesh is None:
        return []
    key = owner_id(owner)
    cached = world.mesh.reporting.get(key)
    if cached is None or cached[0] != world.revision:
        ids = [
            device_id
            for device_id, instance in mesh.instances.items()
            if (device := _find_simulated_member(world, owner, device_id)) is not None
            and _is_readable(device, instance.data)
        ]
        cached = world.mesh.reporting[key] = (world.revision, ids)
    return cached[1]


def build_report(world: World, owner: Owner, status: Ledger, device_id: str) -> Instance | None:
    """Build the ledger instance that a device reports. Return None if the device does not report."""
    mesh = _find_mesh_ledger(owner, status)
    own = mesh.instances.get(device_id) if mesh else None
    device = _find_simulated_member(world, owner, device_id)
    if mesh is None or own is None or device is None or not _is_readable(device, own.data):
        return None
    role, network = _read_role(own.data), own.data.get("network")
    if role is None:
        state, parent = "left", None
    else:
        state, parent = ("joined", None) if role == GATEWAY else _compute_node_state(world, owner, mesh, device_id, own)
    rssi = -45 - _hash(world, device_id, "rssi") % 40 if parent else None
    data = {"network": network, "role": role, "state": state, "parent": parent, "rssi": rssi}
    if device.mesh_firmware == SIMULATED:
        data = {"contract": 1, **data}
    moment = max(own.updated_at, status.created_at)
    return Instance(device_id, data, len(orjson.dumps(data)), max(own.created_at, status.created_at), moment)


def keep_last_report(world: World, owner: Owner, ledger: Ledger, device_id: str) -> None:
    """Store the report of a device before its instance in `ledger` is deleted, because the device does not see that.

    Nothing is stored for another ledger than `mesh`, and for a device with old mesh firmware.
    """
    status = owner.ledgers.get(STATUS_LEDGER)
    device = world.devices.by_id.get(device_id)
    if status is None or device is None or device.mesh_firmware != SIMULATED:
        return
    report = build_report(world, owner, status, device_id) if _find_mesh_ledger(owner, status) is ledger else None
    if report is not None:
        status.instances[device_id] = report


def _compute_node_state(
    world: World, owner: Owner, mesh: Ledger, device_id: str, own: Instance
) -> tuple[str, str | None]:
    """Return (state, id of the parent) for a node. The parent is a reachable gateway in the node's network, or None."""
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
    # A node is lost if it had joined before its last gateway failed. Any other node is still joining.
    return ("lost" if was_joined and not reachable else "joining"), None


def _compute_join_seconds(world: World, device_id: str) -> int:
    """Return how many seconds a node needs to join after its ledger instance has changed.

    The number is 0 except for slow joiners. The setting `slow_joiners` is the fraction of nodes that join slowly.
    """
    share = world.settings.slow_joiners
    if share <= 0 or _hash(world, device_id, "slow") % 1000 >= share * 1000:
        return 0
    return MIN_SLOW_JOIN_SECONDS + _hash(world, device_id, "join") % (MAX_JOIN_SECONDS - MIN_SLOW_JOIN_SECONDS + 1)


def _hash(world: World, device_id: str, what: str) -> int:
    """Return a pseudo-random number that depends only on the seed, the device and `what`.

    `what` names the purpose of the number.
    """
    return crc32(f"{world.settings.seed} {device_id} {what}".encode())
