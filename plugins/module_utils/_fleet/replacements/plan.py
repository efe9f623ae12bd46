# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan how devices take the place of other devices of the product. Private to this collection.

Until it is removed, the replaced device keeps its notes, its lock, its groups and its variables, so that the next run
can complete a replacement that was interrupted at any moment. Only the name of the replaced device changes, because no
two devices may have the same name: the name gets a mark with the id of the device that replaces it. The replaced device
leaves its network after the other device has joined, and leaves the product last.

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

    Declared values of a record take precedence over kept values.

    :raises ParticleError: ``invalid_manifest`` when a replacement contradicts another declaration.
    """
    mistakes = _find_shared_devices(observed)
    records: list[DeviceRecord] = []
    for record in manifest.devices:
        replaced = observed.get_replaced(record.key)
        if replaced is None:
            records.append(record)
            continue
        mistakes += _find_contradictions(record, replaced, manifest)
        kept = _keep_membership(_keep_values(record, replaced, observed, inheritance), replaced)
        if kept.mesh is not None and record.mesh is None:
            mistakes += _find_network_mistakes(record, replaced, kept.mesh, manifest)
        mistakes += _find_name_mistakes(record, replaced, str(kept.fields.get("name", "")), manifest)
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
        "remove that record, or declare state: absent for it"
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
            if other.id != record.id
            and not other.is_removed
            and normalize_text(str(other.fields.get("name", ""))) == normalize_text(name)
        ]
    old_name = split_replaced_name(str(replaced.fields.get("name") or ""))[0]
    if len(old_name) > MAX_REPLACED_NAME_LENGTH and _takes_or_names(record, old_name, name):
        found.append(
            f"{who}, whose name has {len(old_name)} characters. A name that is kept or that replaces contains has at "
            f"most {MAX_REPLACED_NAME_LENGTH}, because the old device is renamed; name the old device by its id, and "
            "declare another name for the device"
        )
    return found


def _takes_or_names(record: DeviceRecord, old_name: str, name: str) -> bool:
    """Return whether the record gets the name of the replaced device, or names the replaced device by its name.

    :param old_name: the name of the replaced device.
    :param name: the name that the record gets.
    """
    searched = record.replaces.device if record.replaces is not None else ""
    return bool(name) and normalize_text(old_name) in (normalize_text(name), normalize_text(searched))


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

    If the device gets the name of the replaced device, the replaced device is renamed first. This also happens if the
    record declares another name, but names the replaced device by its name: without the mark in the new name, the next
    run could not tell an interrupted replacement from a complete one.

    :param replaced: the replaced device; ``None`` if the device replaces no device of the product.
    """
    if replaced is None or record.replaces is None:
        return plan
    old_name = str(replaced.fields.get("name") or "")
    is_renamed = bool(old_name) and _takes_or_names(record, old_name, str(plan.fields.get("name") or ""))
    return replace(
        plan,
        replaces=Replaced(
            replaced.id,
            replaced.labels.get("iccid"),
            mark_as_replaced(old_name, plan.id) if is_renamed else None,
        ),
        # The replaced device must not be removed before its variables are written.
        is_read_after_import=plan.is_read_after_import or (record.replaces.environment and plan.imports),
    )
