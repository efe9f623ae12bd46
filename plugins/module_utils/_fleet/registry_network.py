# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage one network of the Particle Mesh registry, and list all of them, without a manifest of a fleet.

Unlike a fleet, a network may have unclaimed devices. Private to this collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import get_device, list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.mesh_registry import find_network, list_members
from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import platform_of
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import is_in_doubt
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.observe import board_of
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.outcome import (
    CHANGED,
    FAILED,
    OK,
    PENDING,
    Outcome,
    first_failure,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import difference
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    Board,
    Membership,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh, refuse_what_cannot_be
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry import backend as registry
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import REGISTRY, seat_of


@dataclass(frozen=True)
class Declared:
    """One declared network and its members. ``exact``: whether all other devices must leave it."""

    network: Network
    members: Mapping[str, Membership]
    exact: bool


def declared(
    name: str, gateways: Sequence[str], members: Sequence[str], parameters: Mapping[str, Any], *, exact: bool
) -> Declared:
    """Return the declaration of a network that must exist.

    :raises ParticleError: ``invalid_manifest`` when options are invalid, naming every mistake.
    """
    roles = [(gateway, GATEWAY) for gateway in gateways] + [(member, NODE) for member in members]
    manifest = read_manifest(
        {
            "networks": {name: {"backend": REGISTRY.name, "parameters": dict(parameters)}},
            "devices": [{"id": device, "mesh": {"network": name, "role": role}} for device, role in roles],
        }
    )
    belongs = {record.id: record.mesh for record in manifest.devices if record.mesh is not None}
    return Declared(manifest.networks[name], belongs, exact)


def undeclared(name: str) -> Declared:
    """Return the declaration of a network that must not exist.

    :raises ParticleError: ``invalid_manifest`` when the name is invalid.
    """
    manifest = read_manifest({"networks": {name: {"backend": REGISTRY.name, "state": "absent"}}, "devices": []})
    return Declared(manifest.networks[name], {}, exact=False)


def keep_network(http: Http, wanted: Declared, *, check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Bring one network to its declared state; in check mode, only report the changes that this takes.

    :returns: the documented result of ``network``, failed when a device failed or the network could not be read.
    :raises ParticleError: only before the first write, such as ``unsupported`` when the cloud has no registry.
    """
    target = Target(http, None, warn)
    plan = _plan(target, wanted)
    state = RunState()
    if not check_mode:
        state = apply_plan(target, plan, Mesh())
        doubtful = {device for device, error in state.errors().items() if is_in_doubt(error)}
        if doubtful and state.stopped is None:
            _settle(target, wanted, doubtful, state)
    outcomes = [_outcome(device, state, check_mode=check_mode) for device in plan.devices]
    found: dict[str, Any] | None = None
    unread: ParticleError | None = None
    if state.stopped is None:
        try:
            found = find_network(http, wanted.network.name)
        except ParticleError as failure:
            unread = failure  # the writes are reported all the same
    error = first_failure(outcomes, state.stopped) or next(iter(state.besides), unread)
    return {
        "changed": plan.changed if check_mode else state.wrote,
        "network": found,
        "devices": [
            {key: outcome.as_result()[key] for key in ("id", "status", "changes", "error")} for outcome in outcomes
        ],
        "diff": difference(plan),
        **(error.as_failure() if error else {}),
    }


def _plan(target: Target, wanted: Declared) -> Plan:
    http, network = target.http, wanted.network
    belongs: dict[str, Membership | None] = {}
    if wanted.exact and (there := registry.listed_by_name(http, network.name)):
        belongs |= {str(row.get("id")): None for row in list_members(http, str(there["id"]), network.name)}
    belongs |= wanted.members
    boards = _boards(http, belongs) if belongs else {}
    mesh = Mesh().plan(target, {network.name: network}, belongs, {}, boards)
    refuse_what_cannot_be(mesh)
    devices = tuple(
        DevicePlan(device, member.changes, mesh=member) for device in belongs if (member := mesh.members.get(device))
    )
    return Plan((), mesh.setup, devices, {}, mesh.creates, removes=mesh.removes)


def _boards(http: Http, devices: Mapping[str, object]) -> dict[str, Board]:
    """Return the properties of devices that matter to a mesh.

    One list shows all devices that the account has claimed; the others are read one by one.
    """
    rows = {str(row.get("id")): row for row in list_account_devices(http).rows}

    def read(device: str) -> dict[str, Any]:
        try:
            return get_device(http, device)
        except ParticleError as error:
            if error.status not in (403, 404):
                raise
            return {}  # a new member may be unclaimed, and cannot be read then

    unseen = [device for device in devices if device not in rows]
    rows |= dict(zip(unseen, in_parallel(read, unseen, http.workers), strict=True))
    return {device: board_of(rows[device]) for device in devices}


def _settle(target: Target, wanted: Declared, doubtful: set[str], state: RunState) -> None:
    """Observe the network again, and repeat the writes that have not taken effect."""
    state.forget_all(doubtful)
    try:
        again = _plan(target, wanted)
    except ParticleError as error:
        state.stopped = error
        return
    settled = doubtful - {device.id for device in again.devices if device.changed}
    state.mark_all(settled, WriteState.DONE)
    state.wrote |= bool(settled)
    state.add(apply_plan(target, again, Mesh()))


def _outcome(device: DevicePlan, state: RunState, *, check_mode: bool) -> Outcome:
    error = state.errors().get(device.id)
    status = CHANGED if device.changed else OK
    if error is not None:
        status = FAILED
    elif device.changed and not check_mode and not state.has(device.id, WriteState.DONE):
        status = PENDING
    return Outcome.of(DeviceRecord(device.id), status, device.changes, error, None)


def look_at_networks(http: Http, name: str | None, *, members: bool) -> dict[str, Any]:
    """Return all networks of the account, or the one called ``name``.

    :param members: whether to return the devices of each network too.
    :returns: the documented result of ``network_info``.
    :raises ParticleError: ``unsupported`` when the cloud has no registry.
    """
    rows = registry.listed(http)
    if name is not None:
        found = registry.listed_by_name(http, name, rows)
        rows = [found] if found else []
    shown = [dict(row) for row in rows]
    if members:
        lists = in_parallel(lambda row: list_members(http, str(row["id"]), str(row.get("name"))), rows, http.workers)
        for network, devices in zip(shown, lists, strict=True):
            network["devices"] = [_member(row) for row in devices]
    return {"changed": False, "networks": shown, "count": len(shown)}


def _member(row: Mapping[str, Any]) -> dict[str, Any]:
    seat = seat_of(row.get("network"))
    platform = row.get("platform_id")
    role = row["network"].get("role") if seat else None
    return {
        "id": row.get("id"),
        "name": row.get("name"),
        "platform_id": platform,
        "platform": platform_of(platform),
        "role": seat.membership.role if seat else NODE,
        "state": role.get("state") if isinstance(role, dict) else None,
    }
