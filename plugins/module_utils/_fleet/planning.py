# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe a fleet and plan its writes. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.firmware_guard import (
    find_locks_of_members,
    refuse_locks_that_end_memberships,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.firmware_versions import (
    refuse_unknown_versions,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.old_device_os import (
    warn_of_old_device_os,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.rollout_locks import (
    respect_rollout_locks,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.shared_names import warn_of_shared_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import (
    describe_kept_devices,
    refuse_undeclared_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.environment.observe import observe_variables
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.labels import resolve_ids
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Observed, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.observe import observe_sources
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.plan import keep_values
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.observe import observe_fleet
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import (
    NO_MESH,
    find_refusals,
    list_removals,
    make_plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.observe import (
    observe_inheritance,
    refuse_online_devices,
    warn_of_missing_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.plan import keep_replaced_values
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import MESH_LOCKS, Run
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    FAIL,
    IGNORE,
    REMOVE,
    DeviceRecord,
    Identifier,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import get_rules
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Hardware, MeshPlan, Network
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import raise_refusals
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import REMOVALS


def plan_fleet(run: Run) -> Plan:
    """Observe all devices, and plan their writes.

    If the cloud shows the device id of a device that is declared by another identifier, this device id is added to the
    manifest of the run.

    :raises ParticleError: when the declared state is impossible, or when the user must first confirm the plan.
    """
    run.observed = observe_fleet(run.target, run.manifest)
    run.observed = observe_sources(run.target, run.manifest, run.observed)
    run.manifest = resolve_ids(run.manifest, run.observed.ids)
    # Replacements come first, because a moved device that replaces another device gets the name of the replaced device.
    _add_replaced_devices(run)
    run.manifest = keep_values(run.manifest, run.observed, _get_product_id(run))
    if not run.labels_known:  # otherwise the run has imported devices that were unknown to an earlier plan
        _add_undeclared_devices(run)
    _add_members_of_absent_networks(run)
    run.observed = observe_variables(run.target, run.manifest, run.observed, run.known_variables)
    mesh = _plan_mesh(run, run.manifest, run.observed)
    raise_refusals(mesh)
    plan = respect_rollout_locks(run, make_plan(run.manifest, run.observed, mesh, product=_get_product_id(run)))
    run.state.kept |= _find_kept_devices(run.manifest, plan)
    if not run.labels_known:  # otherwise the warning was shown for an earlier plan
        warn_of_shared_names(run, plan)
        warn_of_old_device_os(run.target, plan)
    _refuse_many_removals(run, plan)
    refuse_unknown_versions(run.target, plan)
    locks = find_locks_of_members(plan, run.manifest, run.observed)
    if locks and run.target.product is not None and MESH_LOCKS not in run.bounds.confirmed:
        refuse_locks_that_end_memberships(run.target, locks)
    return plan


def plan_again(run: Run, devices: Set[str]) -> Plan:
    """Observe some devices again, and plan the writes that these devices still need.

    If the manifest declares memberships, all devices are observed, because the plan of a member depends on the other
    members.

    :param devices: the ids of the devices.
    :raises ParticleError: ``too_many_removals`` when more devices would be removed than the run allows; ``conflict``
        when the plan would change locks of a rollout that is not over.
    """
    # A replaced device is removed only if the plan shows that the other device has taken its place.
    keys = {record.replaced_by for record in run.manifest.devices if record.id in devices}
    records = tuple(record for record in run.manifest.devices if record.id in devices or record.key in keys)
    manifest = replace(run.manifest, devices=records, undeclared=IGNORE)
    looked_at = run.manifest if any(record.has_mesh_declaration for record in run.manifest.devices) else manifest
    observed = observe_sources(run.target, manifest, observe_fleet(run.target, looked_at))
    observed = observe_variables(run.target, manifest, observed, {})
    mesh = _plan_mesh(run, looked_at, observed)
    plan = respect_rollout_locks(run, make_plan(manifest, observed, mesh, product=_get_product_id(run)))
    _refuse_many_removals(run, plan)
    return plan


def _get_product_id(run: Run) -> str | None:
    return run.target.product.id if run.target.product is not None else None


def _add_members_of_absent_networks(run: Run) -> None:
    """Change the manifest so that every member of an absent network must leave this network.

    Members that are not declared are added to the manifest.
    """
    networks = run.manifest.networks
    if not any(network.absent for network in networks.values()):
        return
    hardware_of = {device: found.hardware for device, found in run.observed.devices.items()}
    leaving = run.mesh.find_members(run.target, networks, hardware_of)
    known = {name for record in run.manifest.devices for name in (record.id, *record.identities.values())}
    records = tuple(
        replace(record, leaves_mesh=True) if record.id in leaving and not record.has_mesh_declaration else record
        for record in run.manifest.devices
    )
    more = tuple(_build_leaving_record(device, leaving[device]) for device in sorted(leaving.keys() - known))
    run.manifest = replace(run.manifest, devices=records + more)
    if more:
        run.observed = replace(observe_fleet(run.target, run.manifest), sources=run.observed.sources)


def _add_replaced_devices(run: Run) -> None:
    """Change the manifest so that devices take the place of the devices that they replace, which are then removed."""
    if not any(record.replaces for record in run.manifest.devices):
        return
    if not run.labels_known:  # otherwise an earlier plan has warned, and has pinged the devices
        warn_of_missing_devices(run)
        refuse_online_devices(run)
    run.manifest = keep_replaced_values(run.manifest, run.observed, observe_inheritance(run))


def _add_undeclared_devices(run: Run) -> None:
    """Refuse undeclared devices, or add them to the manifest of the run so that they are removed, as declared.

    No device is removed while a declared device may be one of the undeclared devices.
    """
    undeclared = run.observed.undeclared
    if run.manifest.undeclared == FAIL:
        refuse_undeclared_devices(run.target, undeclared)
    if run.manifest.undeclared != REMOVE or not undeclared:
        return
    if doubtful := _find_doubtful_devices(run):
        run.target.warn(describe_kept_devices(undeclared, doubtful))
        return
    in_account = run.target.product is None
    claimed = False if in_account else None
    records = tuple(
        DeviceRecord(device, claimed=claimed, leaves_mesh=not in_account, is_undeclared=True, is_removed=True)
        for device in sorted(undeclared)
    )
    run.manifest = replace(run.manifest, devices=run.manifest.devices + records)
    run.observed = replace(observe_fleet(run.target, run.manifest), sources=run.observed.sources)


def _find_doubtful_devices(run: Run) -> list[str]:
    """Return the keys of the declared devices that may be one of the undeclared devices.

    These are the devices with an unknown device id, and the devices that no write can bring to their declared state.
    """
    refused = find_refusals(run.manifest, run.observed)
    staying = (record for record in run.manifest.cloud_part.devices if not record.is_removed)
    return [record.key for record in staying if not record.is_identified or record.id in refused]


def _find_kept_devices(manifest: Manifest, plan: Plan) -> set[str]:
    """Return the replaced devices that are not removed, because the product refuses the devices that replace them."""
    refused = {record.key for record in manifest.devices if record.id in plan.refusals}
    return {record.id for record in manifest.devices if record.replaced_by in refused}


def _build_leaving_record(device: str, identity: str | None) -> DeviceRecord:
    """Build the record of a device that must leave its mesh.

    :param device: the device id, or the identifier of a device that the Particle cloud does not know.
    :param identity: the kind of the identifier; ``None`` for a device that the Particle cloud knows.
    """
    if identity is None:
        return DeviceRecord(device, leaves_mesh=True, is_undeclared=True)
    declared_by = Identifier(identity, device)
    own = {identity: device}
    return DeviceRecord(
        device, leaves_mesh=True, declared_by=declared_by, identities=own, is_outside_cloud=True, is_undeclared=True
    )


def _concerns_no_device(network: Network) -> bool:
    """Return whether a network must be planned even if no device is declared as its member."""
    return network.absent or get_rules(network.backend).forms_networks


def _plan_mesh(run: Run, manifest: Manifest, observed: Observed) -> MeshPlan:
    wanted = {record.id: record.mesh for record in manifest.devices if record.has_mesh_declaration}
    if manifest.absent:
        wanted = {record.id: None for record in manifest.devices}
    if not wanted and not any(map(_concerns_no_device, manifest.networks.values())):
        return NO_MESH
    networks = manifest.networks
    if run.labels_known:
        unknown = {
            record.id for record in run.manifest.devices if not (record.is_identified or record.is_outside_cloud)
        }
        networks = {name: network.drop_gateways(unknown) for name, network in networks.items()}
    groups_of = {device: found.groups for device, found in observed.devices.items()}
    unseen = Hardware(run.target.product.platform_id if run.target.product else None)
    hardware_of = {d: observed.devices[d].hardware if d in observed.devices else unseen for d in wanted}
    for record in manifest.devices:
        if record.id in wanted and (record.is_removed or (manifest.absent and not record.is_undeclared)):
            hardware_of[record.id] = replace(hardware_of[record.id], is_removed=True)
        if record.identities:
            hardware = Hardware() if record.is_outside_cloud else hardware_of[record.id]
            hardware_of[record.id] = replace(
                hardware, identities=record.identities, is_outside_cloud=record.is_outside_cloud
            )
    mesh = run.mesh.plan(run.target, networks, wanted, groups_of, hardware_of)
    run.mesh_warnings = mesh.warnings
    return mesh


def _describe_removals(removals: Sequence[DevicePlan]) -> str:
    """Return a phrase about the removals, such as "2 devices would leave the product or be denied"."""
    consequences = {
        "leave the product": any(device.removes for device in removals),
        f"lose {'its' if len(removals) == 1 else 'their'} claim": any(device.unclaims for device in removals),
        "be denied": any(device.denies for device in removals),
    }
    verbs = " or ".join(consequence for consequence, is_planned in consequences.items() if is_planned)
    return f"{format_count(len(removals), 'device')} would {verbs}"


def _refuse_many_removals(run: Run, plan: Plan) -> None:
    leaving, devices = list_removals(plan), sum(not record.is_undeclared for record in run.manifest.devices)
    most = max(1, devices // 10) if run.bounds.max_removals is None else run.bounds.max_removals
    if REMOVALS in run.bounds.confirmed or len(leaving) <= most:
        return
    shown = list_names([device.key for device in leaving])
    message = f"{_describe_removals(leaving)}, but at most {most} may: {shown}."
    hint = "Set confirm to [removals] or raise max_removals to allow this, or correct your declaration."
    raise ParticleError("too_many_removals", message, hint=hint)
