# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From declared and observed to the writes between them: pure functions. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    Change,
    DevicePlan,
    DeviceRecord,
    Manifest,
    Observed,
    ObservedDevice,
    Plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    RESERVED_GROUPS,
    MemberPlan,
    MeshPlan,
)

NO_MESH = MeshPlan((), {})


def make_plan(manifest: Manifest, observed: Observed, mesh: MeshPlan = NO_MESH) -> Plan:
    """The writes that lead from ``observed`` to ``manifest``.

    :param mesh: the backend's part, made from the same two.
    """
    refused: dict[str, str] = {}
    plans: list[DevicePlan] = []
    for record in _gateways_first(manifest.devices):
        device = observed.devices.get(record.id)
        if device is None and manifest.product is None and not record.claimed:
            refused[record.id] = "is not among the devices of the account; declare claimed: true to claim it"
            continue
        plans.append(_plan_device(record, device, manifest, mesh.members.get(record.id)))
    needed = {group for plan in plans for group in plan.add_groups}
    return Plan(tuple(sorted(needed - observed.groups)), mesh.setup, tuple(plans), refused, mesh.creates)


def _gateways_first(records: Iterable[DeviceRecord]) -> list[DeviceRecord]:
    """A node can join as soon as its gateway is there, so gateways come before what they serve."""
    return sorted(records, key=lambda record: record.mesh is None or record.mesh.role != GATEWAY)


def _plan_device(
    record: DeviceRecord, device: ObservedDevice | None, manifest: Manifest, member: MemberPlan | None
) -> DevicePlan:
    in_product = manifest.product is not None
    changes: dict[str, Change] = {}
    if device is None:
        changes["product" if in_product else "claimed"] = (None, manifest.product or True)
    observed_fields = device.fields if device else {}
    fields = {name: value for name, value in record.fields.items() if _differs(value, observed_fields.get(name))}
    changes.update({name: (observed_fields.get(name), value) for name, value in fields.items()})
    has = device.groups if device else frozenset()
    own = frozenset(group for group in has if not group.startswith(RESERVED_GROUPS))
    add = (record.groups or frozenset()) - own
    remove = own - record.groups if record.groups is not None and manifest.exact_groups else frozenset()
    if add or remove:
        changes["groups"] = (sorted(own), sorted((own | add) - remove))
    if member is not None:
        changes.update(member.changes)
        add |= member.add_groups
        remove |= member.remove_groups
    return DevicePlan(
        id=record.id,
        changes=changes,
        imports=device is None and in_product,
        claims=device is None and not in_product,
        add_groups=add,
        remove_groups=remove,
        fields=fields,
        mesh=member,
    )


def _differs(declared: str, observed: str | None) -> bool:
    """Empty notes and no notes are the same to the cloud."""
    return declared != (observed or "")


def batches(plans: Iterable[DevicePlan], size: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """The group changes as few calls: ``(change, group, devices)`` with at most ``size`` devices each.

    What is added comes before what is removed: a device on its way between networks is never in none.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for plan in plans:
        for change, groups in (("add", plan.add_groups), ("remove", plan.remove_groups)):
            for group in groups:
                found.setdefault((change, group), []).append(plan.id)
    return [
        (change, group, tuple(devices[start : start + size]))
        for (change, group), devices in sorted(found.items())
        for start in range(0, len(devices), size)
    ]


def difference(plan: Plan) -> dict[str, Mapping[str, object]]:
    """Ansible's ``diff``: what is created, and of each device that changes the fields that do, before and after."""
    before: dict[str, object] = {}
    created = {"groups": plan.create_groups, **plan.creates}
    after: dict[str, object] = {kind: list(names) for kind, names in created.items() if names}
    for device in plan.devices:
        if device.changed:
            before[device.id] = {name: change[0] for name, change in device.changes.items()}
            after[device.id] = {name: change[1] for name, change in device.changes.items()}
    return {"before": before, "after": after}
