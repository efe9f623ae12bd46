# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage one network of the Particle Mesh registry, and list all networks of the registry. Private to this collection.

The modules ``network`` and ``network_info`` use this file. These modules have options in place of a manifest. Unlike a
fleet, a network can have unclaimed devices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import get_device, list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.mesh_registry import find_network, list_members
from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import get_platform_name
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import is_in_doubt
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.observe import read_hardware
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.outcome import (
    CHANGED,
    FAILED,
    OK,
    PENDING,
    Outcome,
    build_failure,
    list_managed_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import build_diff
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    Hardware,
    Membership,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh, raise_refusals
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry import backend as registry
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import REGISTRY, read_registration


@dataclass(frozen=True)
class DeclaredNetwork:
    """A declared network and its declared members.

    :param members: the declared memberships by device.
    :param exact: whether all devices that are not in ``members`` must leave the network.
    """

    network: Network
    members: Mapping[str, Membership]
    exact: bool


def declare_network(
    name: str, gateways: Sequence[str], members: Sequence[str], parameters: Mapping[str, Any], *, exact: bool
) -> DeclaredNetwork:
    """Build the declaration of a network with state ``present`` from the options of a module.

    :param gateways: the ids of the gateways.
    :param members: the ids of the nodes.
    :raises ParticleError: ``invalid_manifest`` when options are invalid. The message lists every mistake.
    """
    roles = [(gateway, GATEWAY) for gateway in gateways] + [(member, NODE) for member in members]
    manifest = read_manifest(
        {
            "networks": {name: {"backend": REGISTRY.name, "parameters": dict(parameters)}},
            "devices": [{"id": device, "mesh": {"network": name, "role": role}} for device, role in roles],
        }
    )
    belongs = {record.id: record.mesh for record in manifest.devices if record.mesh is not None}
    return DeclaredNetwork(manifest.networks[name], belongs, exact)


def declare_absent_network(name: str) -> DeclaredNetwork:
    """Build the declaration of a network with state ``absent``.

    :raises ParticleError: ``invalid_manifest`` when the name is invalid.
    """
    manifest = read_manifest({"networks": {name: {"backend": REGISTRY.name, "state": "absent"}}, "devices": []})
    return DeclaredNetwork(manifest.networks[name], {}, exact=False)


def reconcile_network(
    http: Http, wanted: DeclaredNetwork, *, check_mode: bool, warn: Callable[[str], None]
) -> dict[str, Any]:
    """Bring one network to its declared state. In check mode, only report the necessary changes.

    :returns: the documented result of module ``network``. An error after the first write is not raised but added to the
        result.
    :raises ParticleError: only before the first write. The error is ``unsupported`` when the cloud has no registry.
    """
    target = Target(http, None, warn)
    plan = _plan_network(target, wanted)
    state = RunState()
    if not check_mode:
        state = apply_plan(target, plan, Mesh())
        doubtful = {device for device, error in state.find_errors().items() if is_in_doubt(error)}
        if doubtful and state.stopped is None:
            _settle_network(target, wanted, doubtful, state)
    outcomes = [_build_outcome(device, state, check_mode=check_mode) for device in plan.devices]
    found: dict[str, Any] | None = None
    unread: ParticleError | None = None
    if state.stopped is None:
        try:
            found = find_network(http, wanted.network.name)
        except ParticleError as failure:
            unread = failure  # not raised, because the result must report the writes
    error = build_failure(outcomes, state.stopped) or next(iter(state.other_errors), unread)
    return {
        "changed": plan.is_changed if check_mode else state.wrote,
        "network": found,
        "devices": [
            {key: outcome.as_result()[key] for key in ("id", "status", "changes", "error")} for outcome in outcomes
        ],
        "managed": list_managed_devices(outcomes, check_mode=check_mode),
        "diff": build_diff(plan),
        **(error.as_failure() if error else {}),
    }


def _plan_network(target: Target, wanted: DeclaredNetwork) -> Plan:
    http, network = target.http, wanted.network
    belongs: dict[str, Membership | None] = {}
    if wanted.exact and (there := registry.find_registered_network(http, network.name)):
        belongs |= {str(row.get("id")): None for row in list_members(http, str(there["id"]), network.name)}
    belongs |= wanted.members
    hardware_of = _read_hardware(http, belongs) if belongs else {}
    mesh = Mesh().plan(target, {network.name: network}, belongs, {}, hardware_of)
    raise_refusals(mesh)
    devices = tuple(
        DevicePlan(device, member.changes, mesh=member) for device in belongs if (member := mesh.members.get(device))
    )
    return Plan((), mesh.setup, devices, {}, mesh.created_names, removed_names=mesh.removed_names)


def _read_hardware(http: Http, devices: Mapping[str, object]) -> dict[str, Hardware]:
    """Return the facts that mesh backends need about devices, keyed by device id.

    One list shows all devices that the account has claimed. Devices that are not in this list are read one by one.
    """
    rows = {str(row.get("id")): row for row in list_account_devices(http).rows}

    def read(device: str) -> dict[str, Any]:
        try:
            return get_device(http, device)
        except ParticleError as error:
            if error.status not in (403, 404):
                raise
            return {}  # a new member may be unclaimed, and the cloud does not show unclaimed devices

    unseen = [device for device in devices if device not in rows]
    rows |= dict(zip(unseen, map_in_parallel(read, unseen, http.workers), strict=True))
    return {device: read_hardware(rows[device]) for device in devices}


def _settle_network(target: Target, wanted: DeclaredNetwork, doubtful: set[str], state: RunState) -> None:
    """Observe the network again, and repeat the writes that have not taken effect.

    :param doubtful: devices whose writes have an unknown result.
    :param state: the states of the devices, which this function corrects.
    """
    state.forget_devices(doubtful)
    try:
        again = _plan_network(target, wanted)
    except ParticleError as error:
        state.stopped = error
        return
    settled = doubtful - {device.id for device in again.devices if device.is_changed}
    state.mark_devices(settled, WriteState.DONE)
    state.wrote |= bool(settled)
    state.add_states(apply_plan(target, again, Mesh()))


def _build_outcome(device: DevicePlan, state: RunState, *, check_mode: bool) -> Outcome:
    error = state.find_errors().get(device.id)
    status = CHANGED if device.is_changed else OK
    if error is not None:
        status = FAILED
    elif device.is_changed and not check_mode and not state.is_in(device.id, WriteState.DONE):
        status = PENDING
    return Outcome.from_record(DeviceRecord(device.id), status, device.changes, error, None)


def show_networks(http: Http, name: str | None, *, members: bool) -> dict[str, Any]:
    """Return all networks of the account, or only the network named ``name``.

    :param members: whether to return the devices of each network too.
    :returns: the documented result of module ``network_info``.
    :raises ParticleError: ``unsupported`` when the cloud has no registry.
    """
    rows = registry.list_registered_networks(http)
    if name is not None:
        found = registry.find_registered_network(http, name, rows)
        rows = [found] if found else []
    shown = [dict(row) for row in rows]
    if members:
        lists = map_in_parallel(
            lambda row: list_members(http, str(row["id"]), str(row.get("name"))), rows, http.workers
        )
        for network, devices in zip(shown, lists, strict=True):
            network["devices"] = [_describe_member(row) for row in devices]
    return {"changed": False, "networks": shown, "count": len(shown)}


def _describe_member(row: Mapping[str, Any]) -> dict[str, Any]:
    registration = read_registration(row.get("network"))
    platform = row.get("platform_id")
    role = row["network"].get("role") if registration else None
    return {
        "id": row.get("id"),
        "name": row.get("name"),
        "platform_id": platform,
        "platform": get_platform_name(platform),
        "role": registration.membership.role if registration else NODE,
        "state": role.get("state") if isinstance(role, dict) else None,
    }
