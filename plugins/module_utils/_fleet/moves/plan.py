# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan how devices are moved out of other products of the account. Private to this collection.

A device can be in one product only, so it leaves its product before it is imported. If a run is interrupted between
these two steps, the device is in no product, and the next run imports it. Until then, the notes of the device list its
groups, see :mod:`marks`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    Change,
    DevicePlan,
    Observed,
    ObservedDevice,
    Source,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.marks import add_mark, read_mark
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    is_different,
    list_put_fields,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    DeviceRecord,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import drop_reserved_groups

KEPT_FIELDS = ("name", "notes")
"""The fields that a moved device keeps if they are not declared."""


def keep_values(manifest: Manifest, observed: Observed, product: str | None) -> Manifest:
    """Return the manifest, in which devices to move declare the values that they keep.

    A device keeps its name, its notes, and its groups that also exist in the product of the run. If an earlier run was
    interrupted, the device is in the product already, and its notes name the groups.

    :param product: the id of the product; ``None`` for the devices of the account.
    """
    if product is None or manifest.absent:
        return manifest
    records = []
    for record in manifest.devices:
        source, present = observed.sources.get(record.id), observed.devices.get(record.id)
        if source is not None:
            record = _keep_values(record, source.device, observed.groups)
        elif record.from_product is not None and present is not None:
            record = _keep_marked_values(record, present, observed.groups, product)
        records.append(record)
    return replace(manifest, devices=tuple(records))


def _keep_values(record: DeviceRecord, device: ObservedDevice, groups: Iterable[str]) -> DeviceRecord:
    fields = {name: value for name in KEPT_FIELDS if (value := device.fields.get(name))}
    known = frozenset(groups) & drop_reserved_groups(device.groups)
    own = (known or None) if record.groups is None else record.groups
    return replace(record, fields={**fields, **record.fields}, groups=own)


def _keep_marked_values(
    record: DeviceRecord, device: ObservedDevice, groups: Iterable[str], product: str
) -> DeviceRecord:
    """Return the record with the values that the mark in the notes of the device names, if there is a mark."""
    marked = read_mark(device.fields.get("notes"), product)
    if not marked.groups:
        return record
    known = (marked.groups & frozenset(groups)) | drop_reserved_groups(device.groups)
    own = (known or None) if record.groups is None else record.groups
    return replace(record, fields={"notes": marked.text, **record.fields}, groups=own)


def find_move_obstacle(record: DeviceRecord, source: Source | None) -> ParticleError | None:
    """Return the error of a device that must not be moved, because it is a member of a network in its product.

    The instructions of a member belong to the account, so they would remain, and the device would try to stay in the
    network.
    """
    if (
        source is None
        or record.has_mesh_declaration
        or drop_reserved_groups(source.device.groups) == source.device.groups
    ):
        return None
    message = f"Device {record.key} is a member of a network in product {source.product.slug}, so it was not moved."
    hint = "Declare mesh for the device: the network that it joins, or state: absent."
    return ParticleError("conflict", message, hint=hint)


def plan_move(plan: DevicePlan, record: DeviceRecord, source: Source | None, product: str | None) -> DevicePlan:
    """Return the plan of an import, in which the device first leaves its other product.

    The shown changes begin with the values in the other product, but all values are written. Before the device leaves,
    its notes get a mark with the groups that it keeps.

    :param source: the other product and the device there; ``None`` if the device is not there.
    :param product: the id of the product of the run.
    """
    if source is None:
        # An interrupted run may have left a mark in the notes, which the cloud shows only after the import.
        return replace(plan, is_read_after_import=True) if record.from_product and plan.imports else plan
    device = source.device
    changes: dict[str, Change] = {"product": (source.product.slug, plan.changes["product"][1])}
    put_fields = {field.name for field in list_put_fields()}
    for name, (before, after) in plan.changes.items():
        if name in put_fields:
            if is_different(after, device.fields.get(name)):
                changes[name] = (device.fields.get(name), after)
        elif name == "groups":
            continue
        elif name != "product" and not (name == "claimed" and after and device.owner is not None):
            changes[name] = (before, after)
    before_groups = sorted(drop_reserved_groups(device.groups))
    after_groups = plan.changes["groups"][1] if "groups" in plan.changes else []
    if before_groups != after_groups:
        changes["groups"] = (before_groups, after_groups)
    notes = str(device.fields.get("notes") or "")
    kept = plan.add_groups & drop_reserved_groups(device.groups)
    mark = add_mark(notes, str(product), kept) if kept else None
    fields = {"notes": notes, **plan.fields} if mark is not None or source.is_marked else plan.fields
    return replace(
        plan, changes=changes, fields=fields, leaves=source.product, marked_notes=mark, name=_find_name(device, plan)
    )


def _find_name(device: ObservedDevice, plan: DevicePlan) -> str | None:
    name = device.fields.get("name")
    return plan.name if name is None else str(name)
