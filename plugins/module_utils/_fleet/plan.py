# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the writes that bring a fleet from the observed to the declared state. Private to this collection.

The functions of this file send no requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import is_same_label
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.environment.plan import (
    describe_change,
    find_environment_obstacle,
    is_too_old,
    plan_edits,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    Change,
    DevicePlan,
    Observed,
    ObservedDevice,
    Plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.plan import find_move_obstacle, plan_move
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.plan import plan_replacement
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    APPROVED,
    DENIED,
    QUARANTINED,
    is_different,
    list_put_fields,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    RESERVED_GROUPS,
    MemberPlan,
    MeshPlan,
    drop_reserved_groups,
)

NO_MESH = MeshPlan()

_GATEWAYS, _NODES = RESERVED_GROUPS + GATEWAY, RESERVED_GROUPS + NODE


def make_plan(manifest: Manifest, observed: Observed, mesh: MeshPlan = NO_MESH, *, product: str | None = None) -> Plan:
    """Return the writes that bring a fleet from the ``observed`` state to the state that ``manifest`` declares.

    :param mesh: the plan that the mesh backends have made for ``manifest``.
    :param product: the id of the product, which the manifest may name by its slug.
    """
    refused = find_refusals(manifest, observed)
    refused_keys = {record.key for record in manifest.devices if record.id in refused}
    plans: list[DevicePlan] = []
    for record in _sort_records(manifest):
        device, member = observed.devices.get(record.id), mesh.members.get(record.id)
        if record.is_outside_cloud:
            plans.append(_plan_outside_cloud(record, member))
        elif record.id in refused:
            continue
        elif record.replaced_by in refused_keys:
            plans.append(DevicePlan(record.id, {}, declared_by=record.declared_by, name=_find_name(record, device)))
        elif record.is_removed or (manifest.absent and not record.is_undeclared):
            plans.append(_plan_removal(record, device, manifest, member))
        elif record.fields.get("approval") == DENIED:
            plans.append(_plan_denial(record, device, observed))
        else:
            plan = _plan_device(record, device, manifest, member)
            plan = plan_move(plan, record, observed.sources.get(record.id), product)
            plan = plan_replacement(plan, record, observed.get_replaced(record.key))
            plans.append(_plan_approval(plan, observed.unapproved.get(record.id)))
    needed = {group for plan in plans for group in plan.add_groups}
    return Plan(
        tuple(sorted(needed - observed.groups)),
        mesh.setup,
        tuple(plans),
        refused,
        mesh.created_names,
        observed.account,
        mesh.teardown,
        mesh.removed_names,
        mesh.changed_names,
    )


def find_refusals(manifest: Manifest, observed: Observed) -> dict[str, ParticleError]:
    """Return the errors of the devices that no write can bring to their declared state, keyed by device."""
    found = {
        record.id: _find_obstacle(record, observed.devices.get(record.id), manifest, observed)
        for record in manifest.cloud_part.devices
    }
    return {device: error for device, error in found.items() if error is not None}


def _find_obstacle(
    record: DeviceRecord, device: ObservedDevice | None, manifest: Manifest, observed: Observed
) -> ParticleError | None:
    """Return the error of a device that no write can bring to its declared state; ``None`` if there is no obstacle."""
    approval = observed.unapproved.get(record.id)
    is_removed = record.is_removed or manifest.absent
    if approval is not None and not is_removed and "approval" not in record.fields:
        return _build_quarantine_error(record, approval, manifest)
    if error := _find_claim_obstacle(record, device, manifest, observed):
        return error
    if error := find_move_obstacle(record, observed.sources.get(record.id)):
        return error
    variables = device.variables if device is not None else None
    if variables and (error := find_environment_obstacle(record.key, record.environment, variables)):
        return error
    shown = observed.unapproved_labels.get(record.id, {}) if device is None else device.labels
    return _find_label_conflict(record, shown)


def _find_label_conflict(record: DeviceRecord, labels: Mapping[str, str]) -> ParticleError | None:
    """Return the error of a device for which the cloud shows other labels than its record declares.

    :param labels: the labels that the cloud shows, keyed by kind. Other labels are not compared.
    """
    differences = [
        f"{place}: {label.value} is declared, but the cloud shows {shown}"
        for label, place in record.labels.items()
        if (shown := labels.get(label.kind)) is not None and not is_same_label(label.kind, shown, label.value)
    ]
    if not differences:
        return None
    message = f"Device {record.key} has another label than its declaration. {'; '.join(differences)}."
    hint = "Check whether the declaration names the right device, and correct or remove the label."
    return ParticleError("conflict", message, hint=hint)


def _build_quarantine_error(record: DeviceRecord, approval: str, manifest: Manifest) -> ParticleError:
    """Return the error of a device that its product does not accept, and whose record does not declare ``approval``."""
    state = "is in quarantine in" if approval == QUARANTINED else "was denied by"
    message = f"Device {record.key} {state} product {manifest.product}, so it was not imported."
    hint = "Declare approval: approved for the device to let it into the product, or approval: denied to keep it out."
    return ParticleError("quarantined", message, hint=hint)


def _find_claim_obstacle(
    record: DeviceRecord, device: ObservedDevice | None, manifest: Manifest, observed: Observed
) -> ParticleError | None:
    """Return the error of a device whose declared claim is impossible; ``None`` if the claim is possible."""
    reason, hint = "", ""
    if manifest.product is not None:
        concerned = record.claimed is False or (record.claimed and not manifest.absent)
        owner = device.owner if device is not None else None
        if concerned and owner is not None and owner.lower() != (observed.account or "").lower():
            reason = "is claimed by another account"
            hint = "Release the device in the other account, or leave out claimed."
    elif device is None and not manifest.absent and record.claimed is not False:
        missing = "is not among the devices of the account"
        if record.claimed is None:
            reason = missing
            hint = "Declare claimed: true to claim the device. If the device belongs to a product, set product instead."
        elif record.declared_by and record.declared_by.kind != "serial_number":
            reason = f"{missing}, and the cloud cannot look up a device by {record.declared_by.kind}"
            hint = "Declare the device by its id or serial number."
    return ParticleError("device_not_yours", f"Device {record.key} {reason}.", hint=hint) if reason else None


def _sort_records(manifest: Manifest) -> list[DeviceRecord]:
    """Return the records in the order of their writes: gateways join before nodes, and leave after nodes."""
    return sorted(
        manifest.devices,
        key=lambda record: (record.mesh is None or record.mesh.role != GATEWAY) is not manifest.absent,
    )


def _plan_device(
    record: DeviceRecord, device: ObservedDevice | None, manifest: Manifest, member: MemberPlan | None
) -> DevicePlan:
    in_product = manifest.product is not None
    owned = device is not None and (device.owner is not None or not in_product)
    changes: dict[str, Change] = {}
    if device is None and in_product:
        changes["product"] = (None, manifest.product)
    if record.claimed is not None and record.claimed is not owned:
        changes["claimed"] = (owned, record.claimed)
    observed_fields = device.fields if device else {}
    fields = {
        field.name: record.fields[field.name]
        for field in list_put_fields()
        if field.name in record.fields and is_different(record.fields[field.name], observed_fields.get(field.name))
    }
    changes.update({name: (observed_fields.get(name), value) for name, value in fields.items()})
    has = device.groups if device else frozenset()
    own = drop_reserved_groups(has)
    add = (record.groups or frozenset()) - own
    remove = own - record.groups if record.groups is not None and manifest.exact_groups else frozenset()
    if add or remove:
        changes["groups"] = (sorted(own), sorted((own | add) - remove))
    if member is not None:
        changes.update(member.changes)
        add |= member.add_groups
        remove |= member.remove_groups
    variables = device.variables if device is not None else None
    if (change := describe_change(record.environment, variables)) is not None:
        changes["environment"] = change
    return DevicePlan(
        id=record.id,
        changes=changes,
        imports=device is None and in_product,
        claims=bool(record.claimed) and not owned,
        unclaims=record.claimed is False and owned,
        add_groups=add,
        remove_groups=remove,
        fields=fields,
        mesh=member,
        # The variables of a device that is imported are not known yet. They are read after the import.
        edits=None if variables is None else plan_edits(record.environment, variables),
        declared_by=record.declared_by,
        name=_find_name(record, device),
        is_too_old=bool(record.environment) and device is not None and is_too_old(device.hardware.device_os),
    )


def _plan_approval(plan: DevicePlan, approval: str | None) -> DevicePlan:
    """Return the plan of a device, in which the import of an unapproved device is shown as an approval.

    An import approves a device that the product does not accept (endpoints.yml: device_approve_quarantined).

    :param approval: ``quarantined`` or ``denied``; ``None`` if the product accepts the device or does not list it.
    """
    if approval is None:
        return plan
    changes = {name: change for name, change in plan.changes.items() if name != "product"}
    return replace(plan, changes={"approval": (approval, APPROVED), **changes})


def _plan_denial(record: DeviceRecord, device: ObservedDevice | None, observed: Observed) -> DevicePlan:
    """Plan the denial of a device. A device that the product does not list needs no write."""
    approval = observed.unapproved.get(record.id) if device is None else APPROVED
    denies = approval in (QUARANTINED, APPROVED)
    changes: dict[str, Change] = {"approval": (approval, DENIED)} if denies else {}
    name = _find_name(record, device)
    return DevicePlan(record.id, changes, denies=denies, declared_by=record.declared_by, name=name)


def _plan_outside_cloud(record: DeviceRecord, member: MemberPlan | None) -> DevicePlan:
    """Plan the writes for the declared ``mesh`` of a device that the Particle cloud does not know."""
    changes = dict(member.changes) if member is not None else {}
    return DevicePlan(record.id, changes, mesh=member, declared_by=record.declared_by)


def _plan_removal(
    record: DeviceRecord, device: ObservedDevice | None, manifest: Manifest, member: MemberPlan | None
) -> DevicePlan:
    """Plan the removal of a device from its mesh, its device groups and the product.

    The device is unclaimed only if the manifest declares ``claimed: false``. A device that is replaced keeps its groups
    until it leaves the product, so that an interrupted run does not forget them.
    """
    in_product = manifest.product is not None
    changes: dict[str, Change] = {}
    unclaims = device is not None and record.claimed is False and (device.owner is not None or not in_product)
    if device is not None and in_product:
        changes["product"] = (manifest.product, None)
    if unclaims:
        changes["claimed"] = (True, False)
    has = device.groups if device else frozenset()
    own = sorted(drop_reserved_groups(has))
    if own:
        changes["groups"] = (own, [])
    if member is not None:
        changes.update(member.changes)
    return DevicePlan(
        id=record.id,
        changes=changes,
        unclaims=unclaims,
        removes=device is not None and in_product,
        remove_groups=has if record.replaced_by is None else frozenset(),
        mesh=member,
        declared_by=record.declared_by,
        name=_find_name(record, device),
        is_undeclared=record.is_undeclared,
        sim=device.labels.get("iccid") if device is not None and in_product else None,
        replaced_by=record.replaced_by,
    )


def _find_name(record: DeviceRecord, device: ObservedDevice | None) -> str | None:
    """Return the name of a device in the cloud, or else its declared name."""
    name = (device.fields.get("name") if device else None) or record.fields.get("name")
    return None if name is None else str(name)


def add_later_changes(plan: Plan, found: Mapping[str, Mapping[str, Change]], unneeded: Set[str]) -> Plan:
    """Return a copy of a plan. Add the changes that later plans have found, and remove changes that are not needed.

    :param found: the changes in later plans, keyed by :attr:`DevicePlan.key`.
    :param unneeded: keys of devices that were found to need no write after their device ids had been learned.
    """

    def correct_plan(device: DevicePlan) -> DevicePlan:
        if device.key in unneeded:
            return replace(device, changes={})
        more = found.get(device.key, {}) if device.is_changed else {}
        # The first plan determines the order and the values, so that check mode shows the same.
        return replace(device, changes={**device.changes, **more, **device.changes}) if more else device

    return replace(plan, devices=tuple(map(correct_plan, plan.devices)))


def keep_only_import(device: DevicePlan) -> DevicePlan:
    """Return a plan that contains only the import of a device. An import can also claim the device.

    After the import, the list of the product shows the device id.
    """
    return DevicePlan(
        device.id,
        device.changes,
        imports=device.imports,
        claims=device.claims,
        declared_by=device.declared_by,
        leaves=device.leaves,
        marked_notes=device.marked_notes,
    )


def list_removals(plan: Plan) -> tuple[DevicePlan, ...]:
    """Return the plans of the devices that leave the product, are unclaimed, or lose their approval.

    Devices that are replaced are left out: their place is taken by another device.
    """
    return tuple(device for device in plan.devices if device.is_removal and device.replaced_by is None)


def batch_group_changes(plans: Iterable[DevicePlan], size: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """Combine the group changes of devices into batches ``(change, group, devices)`` of at most ``size`` devices.

    All batches that add groups come first, so that a device that changes its network is always in a network. Within a
    batch, the devices are in the order of their mesh stages.

    :returns: the batches in the order in which they must be sent. ``change`` is ``add`` or ``remove``.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for plan in sorted(plans, key=lambda plan: plan.mesh.stage if plan.mesh else 0):
        for change, groups in (("add", plan.add_groups), ("remove", plan.remove_groups)):
            for group in groups:
                found.setdefault((change, group), []).append(plan.id)
    return [
        (change, group, tuple(devices[start : start + size]))
        for (change, group), devices in sorted(found.items(), key=lambda call: (find_stage(*call[0]), call[0]))
        for start in range(0, len(devices), size)
    ]


def find_stage(change: str, group: str) -> int:
    """Return the stage of a group change. Lower stages come first.

    The group ``mesh-gateway`` is added before the groups of networks, and removed after the groups of networks. The
    group ``mesh-node`` is added after the groups of networks, and removed before the groups of networks.

    :param change: ``add`` or ``remove``.
    """
    if change == "add":
        return {_GATEWAYS: 0, _NODES: 2}.get(group, 1)
    return {_NODES: 3, _GATEWAYS: 5}.get(group, 4)


def _describe_consequence(device: DevicePlan) -> str:
    """Return a phrase about the further consequences of a plan for its device, such as ``restarts``; empty if there are
    none.
    """
    notes = [f"replaces {device.replaces.id}"] if device.replaces is not None else []
    notes += [f"replaced by {device.replaced_by}"] if device.replaced_by is not None else []
    notes += ["restarts"] if device.restarts else []
    return ", ".join(notes)


def build_diff(plan: Plan) -> Diff:
    """Return the changes of a plan: the created and removed resources, and the changes of each device."""
    created = {"groups": plan.create_groups, **plan.created_names}
    return Diff(
        tuple(
            ChangedItem(
                device.key,
                device.changes,
                device.name,
                device.is_removal,
                note=_describe_consequence(device),
            )
            for device in plan.devices
            if device.is_changed
        ),
        {kind: names for kind, names in created.items() if names},
        plan.removed_names,
        plan.changed_names,
    )
