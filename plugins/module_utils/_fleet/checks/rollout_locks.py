# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep or protect the firmware locks that belong to rollouts. Private to this collection.

A rollout locks devices to its version. Such a lock belongs to the rollout, not to the manifest, which may have been
written before the rollout began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import ROLLOUT_LOCKS, Run
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import UNLOCKED
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.locks import (
    RolloutLocks,
    read_rollout_locks,
)

_LOCK = "firmware_lock"
_Value = TypeVar("_Value")


def respect_rollout_locks(run: Run, plan: Plan) -> Plan:
    """Return the plan without the changes that would remove firmware locks of rollouts.

    The removed changes also leave the manifest of the run, so that no later plan of the run contains them. The record
    of the rollout takes one request, which is sent only if the plan changes or removes a lock.

    :raises ParticleError: ``conflict`` when the plan locks a device to another version while its rollout is not over.
    """
    changed = [device for device in plan.devices if isinstance(device.changes.get(_LOCK, (None,))[0], int)]
    if not changed or run.target.product is None:
        return plan
    locks = read_rollout_locks(run.target)
    owned = [device for device in changed if locks.owns(device.id, device.changes[_LOCK][0])]
    moved = [device for device in owned if device.fields[_LOCK] != UNLOCKED]
    if moved and locks.may_be_running:
        raise _build_error(moved, locks)
    is_confirmed = ROLLOUT_LOCKS in run.bounds.confirmed and not locks.may_be_running
    kept = {device.id: device for device in owned if device.fields[_LOCK] == UNLOCKED and not is_confirmed}
    if not kept:
        return plan
    run.target.warn(_describe_kept_locks(list(kept.values()), locks))
    records = tuple(
        replace(record, fields=_drop_lock(record.fields)) if record.id in kept else record
        for record in run.manifest.devices
    )
    run.manifest = replace(run.manifest, devices=records)
    devices = tuple(_keep_lock(device) if device.id in kept else device for device in plan.devices)
    return replace(plan, devices=devices)


def _keep_lock(device: DevicePlan) -> DevicePlan:
    return replace(device, changes=_drop_lock(device.changes), fields=_drop_lock(device.fields))


def _drop_lock(values: Mapping[str, _Value]) -> dict[str, _Value]:
    return {name: value for name, value in values.items() if name != _LOCK}


def _describe_kept_locks(devices: Sequence[DevicePlan], locks: RolloutLocks) -> str:
    """Return the warning that declared removals of firmware locks are not carried out."""
    count = format_count(len(devices), "device")
    names = list_names([device.key for device in devices])
    message = f"The firmware_lock of {count} was left alone, because it belongs to {locks.describe()}: {names}."
    if locks.may_be_running:
        return message
    return (
        f"{message} Set confirm to [rollout_locks] to remove it. The devices then follow the releases of the product."
    )


def _build_error(devices: Sequence[DevicePlan], locks: RolloutLocks) -> ParticleError:
    """Return the error about devices whose locks would change while their rollout is not over."""
    count = format_count(len(devices), "device")
    names = list_names([device.key for device in devices])
    message = f"The firmware_lock of {count} cannot be changed, because it belongs to {locks.describe()}: {names}."
    hint = (
        "Wait until the rollout is over, abort it with state aborted of module rollout, "
        "or remove firmware_lock from the declaration of these devices."
    )
    return ParticleError("conflict", message, hint=hint)
