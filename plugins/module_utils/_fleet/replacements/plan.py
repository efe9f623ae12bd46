# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan how devices take the place of other devices of the product. Private to this collection.

Until it is removed, the replaced device keeps its notes, its lock, its groups and its variables, so that the next run
can complete a replacement that was interrupted at any moment. Only the name of the replaced device changes: it gets a
mark with the id of the device that replaces it. No two devices then have the same name, and the next run can tell the
replaced device from a device that has got the name later. The replaced device leaves its network after the other device
has joined, and leaves the product last.

The functions of this file send no requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import (
    MAX_REPLACED_NAME_LENGTH,
    mark_as_replaced,
    normalize_text,
    split_replaced_name,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Observed,
    ObservedDevice,
    Replaced,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.find import KEPT_FIELDS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    UNLOCKED,
    Value,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    Membership,
    drop_reserved_groups,
)


@dataclass(frozen=True)
class Inheritance:
    """The properties of replaced devices that no list of the cloud shows. The keys are keys of the replacing records.

    :param without_lock: the records that do not keep the firmware lock, because it belongs to a rollout.
    :param variables: the environment variables to keep.
    """

    without_lock: frozenset[str] = frozenset()
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def keep_replaced_values(manifest: Manifest, observed: Observed, inheritance: Inheritance) -> Manifest:
    """Return the manifest, in which each replacing record declares what it keeps, and replaced devices are removed.

    Declared values of a record take precedence over kept values. ``replaces`` names each replaced device by its id, and
    is gone if there is no such device, so that the rest of the run cannot take another device for the replaced one.

    :raises ParticleError: ``invalid_manifest`` when a replacement contradicts another declaration.
    """
    mistakes = _find_shared_devices(observed)
    records: list[DeviceRecord] = []
    for record in manifest.devices:
        replaced = observed.get_replaced(record.key)
        if replaced is None:
            records.append(replace(record, replaces=None))
            continue
        record = _name_by_id(record, replaced)
        mistakes += _find_contradictions(record, replaced, manifest)
        kept = _keep_membership(_keep_values(record, replaced, observed, inheritance), replaced)
        if kept.mesh is not None and record.mesh is None:
            mistakes += _find_network_mistakes(record, replaced, kept.mesh, manifest)
        mistakes += _find_name_mistakes(record, replaced, str(kept.fields.get("name") or ""), manifest)
        mistakes += _find_long_name(kept, replaced, observed.devices.get(record.id))
        records.append(kept)
    if mistakes:
        message = "The manifest contains replacements that are impossible:\n  " + "\n  ".join(mistakes)
        raise ParticleError("invalid_manifest", message, hint="Correct these records, then run again.")
    removed = {replaced.id: key for key in observed.replaced if (replaced := observed.get_replaced(key)) is not None}
    records = [
        replace(record, replaced_by=removed.get(record.id)) if record.id in removed else record for record in records
    ]
    known = {record.id for record in records}
    records += [
        DeviceRecord(device, leaves_mesh=True, is_removed=True, replaced_by=key)
        for device, key in removed.items()
        if device not in known
    ]
    return replace(manifest, devices=tuple(records))


def _name_by_id(record: DeviceRecord, replaced: ObservedDevice) -> DeviceRecord:
    """Return the record, in which ``replaces`` names the replaced device by its id."""
    if record.replaces is None or record.replaces.device == replaced.id:
        return record
    name = split_replaced_name(str(replaced.fields.get("name") or ""))[0]
    found_by_name = _is_same_name(record.replaces.device, name)
    return replace(record, replaces=replace(record.replaces, device=replaced.id, found_by_name=found_by_name))


def _find_shared_devices(observed: Observed) -> list[str]:
    """Return a sentence for each device that several records replace, which they may name in different ways."""
    keys: dict[str, list[str]] = {}
    for key, device in observed.replaced.items():
        keys.setdefault(device, []).append(key)
    return [
        f"{' and '.join(sorted(found))} both replace {device}; keep replaces in one of these records"
        for device, found in keys.items()
        if len(found) > 1
    ]


def _keep_values(
    record: DeviceRecord, replaced: ObservedDevice, observed: Observed, inheritance: Inheritance
) -> DeviceRecord:
    fields: dict[str, Value] = {
        name: value
        for name in KEPT_FIELDS
        if (value := replaced.fields.get(name)) not in (None, "", UNLOCKED)
        and not (name == "firmware_lock" and record.key in inheritance.without_lock)
    }
    if "name" in fields:
        fields["name"] = split_replaced_name(str(fields["name"]))[0]
    groups = record.groups
    if groups is None and (kept := drop_reserved_groups(replaced.groups)):
        present = observed.devices.get(record.id)
        groups = kept | (drop_reserved_groups(present.groups) if present is not None else frozenset())
    variables = inheritance.variables.get(record.key, {})
    return replace(
        record, fields={**fields, **record.fields}, groups=groups, environment={**variables, **record.environment}
    )


def _keep_membership(record: DeviceRecord, replaced: ObservedDevice) -> DeviceRecord:
    """Return the record with the membership of the replaced device, unless the record declares ``mesh``."""
    if record.mesh is not None:
        return replace(record, mesh=replace(record.mesh, replaces=replaced.id))
    found = find_membership({"groups": sorted(replaced.groups), **replaced.hardware.row})
    if record.leaves_mesh or found is None:
        return record
    membership = found[1]
    return replace(
        record, mesh=Membership(membership.network, membership.role, replaces=replaced.id, keeps_parameters=True)
    )


def _find_contradictions(record: DeviceRecord, replaced: ObservedDevice, manifest: Manifest) -> list[str]:
    """Return a sentence for each declaration that contradicts the removal of the replaced device."""
    who = _describe_replacement(record, replaced)
    others = [other for other in manifest.devices if other.id == replaced.id and not other.is_removed]
    found = [
        f"{who}, which {other.place or 'the manifest'} declares as a device to keep; "
        "remove that record, or declare state: absent for it, or remove replaces if the replacement is complete"
        for other in others
        if other.id != record.id
    ]
    found += [
        f"{who}, which network {network.name} names as a gateway; remove it from gateways"
        for network in manifest.networks.values()
        if replaced.id in network.gateways and not others
    ]
    return found


def _find_name_mistakes(record: DeviceRecord, replaced: ObservedDevice, name: str, manifest: Manifest) -> list[str]:
    """Return a sentence for each reason why the record cannot get its name.

    :param name: the name that the record declares or keeps; empty if there is none.
    """
    who, found = _describe_replacement(record, replaced), []
    if name and "name" not in record.fields:
        found = [
            f"{who} and would keep its name, which {other.place or 'the manifest'} declares for another device; "
            "declare name for the device"
            for other in manifest.devices
            if other.id != record.id and not other.is_removed and _is_same_name(other.fields.get("name"), name)
        ]
    return found


def _find_long_name(kept: DeviceRecord, replaced: ObservedDevice, present: ObservedDevice | None) -> list[str]:
    """Return a sentence if the replaced device must be marked, but its name leaves no room for the mark.

    :param kept: the record with the values that it keeps.
    :param present: the device that replaces the other device; ``None`` if it is not in the product.
    """
    old_name = split_replaced_name(str(replaced.fields.get("name") or ""))[0]
    if len(old_name) <= MAX_REPLACED_NAME_LENGTH:
        return []
    has_name = present is not None and _is_same_name(present.fields.get("name"), old_name)
    remedies = []
    if kept.replaces is not None and kept.replaces.found_by_name:
        remedies.append("name the old device by its id")
    if _is_same_name(kept.fields.get("name"), old_name) and not has_name:
        remedies.append("declare another name for the device")
    if not remedies:
        return []
    return [
        f"{_describe_replacement(kept, replaced)}, whose name has {len(old_name)} characters. The name would get a "
        f"mark, which leaves room for {MAX_REPLACED_NAME_LENGTH} characters; {' and '.join(remedies)}"
    ]


def _is_same_name(name: Value | None, other: str) -> bool:
    return normalize_text(str(name or "")) == normalize_text(other)


def _find_network_mistakes(
    record: DeviceRecord, replaced: ObservedDevice, membership: Membership, manifest: Manifest
) -> list[str]:
    """Return a sentence if the record cannot keep the membership of the replaced device."""
    found = find_membership({"groups": sorted(replaced.groups), **replaced.hardware.row})
    network = manifest.networks.get(membership.network)
    who = f"{_describe_replacement(record, replaced)}, which is {membership.role} of network {membership.network}"
    if found is None:
        return []
    rules = found[0]
    if network is None or network.absent or network.backend != rules.name:
        return [f"{who}; declare this network with its gateways under networks, or declare mesh for the device"]
    if not rules.shows_members_until_removal:
        return [f"{who} of backend {rules.name}, which does not show members that have left; declare mesh"]
    if membership.role == GATEWAY and record.id not in network.gateways:
        # Otherwise the next run would take the new gateway off the instructions of the nodes.
        return [f"{who}; declare mesh with this network and role for the device"]
    if rules.needs_gateway and not network.gateways:
        return [f"{who}, but no gateway of this network is declared; declare its gateways under networks"]
    return []


def _describe_replacement(record: DeviceRecord, replaced: ObservedDevice) -> str:
    """Return the beginning of a sentence about a replacement, which names the record with its place."""
    place = f" ({record.place})" if record.place else ""
    return f"{record.key}{place} replaces {replaced.id}"


def plan_replacement(plan: DevicePlan, record: DeviceRecord, replaced: ObservedDevice | None) -> DevicePlan:
    """Return the plan of a device that takes the place of another device.

    The replaced device is marked first if the device gets its name, or if the record names it by its name.

    :param replaced: the replaced device; ``None`` if the device replaces no device of the product.
    """
    if replaced is None or record.replaces is None:
        return plan
    old_name = str(replaced.fields.get("name") or "")
    takes_name = _is_same_name(plan.fields.get("name"), old_name)
    is_unmarked = split_replaced_name(old_name)[1] is None
    is_marked = bool(old_name) and (takes_name or (record.replaces.found_by_name and is_unmarked))
    return replace(
        plan,
        replaces=Replaced(
            replaced.id,
            replaced.labels.get("iccid"),
            mark_as_replaced(old_name, plan.id) if is_marked else None,
        ),
        # The replaced device must not be removed before its variables are written.
        is_read_after_import=plan.is_read_after_import or (record.replaces.environment and plan.imports),
    )
