# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove replaced devices after other devices have taken their place. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import is_in_doubt
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.devices import write_in_stages
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.sender import Sender
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY


def list_writes_before_removal(devices: Sequence[DevicePlan]) -> list[DevicePlan]:
    """Return the plans without the removal of replaced devices.

    A replaced device is left out, unless it must leave its network before the other device can join.
    """
    staying = [device for device in devices if device.replaced_by is None]
    freeing = [replace(device, removes=False, unclaims=False) for device in devices if _frees_place(device)]
    return [*staying, *freeing]


def keep_replaced_devices(sender: Sender, devices: Sequence[DevicePlan]) -> None:
    """Do not remove replaced devices if the devices that replace them could not be imported."""
    failed = sender.state.find_errors()
    refused = {
        device.key for device in devices if (error := failed.get(device.id)) is not None and not is_in_doubt(error)
    }
    kept = {device.id for device in devices if device.replaced_by in refused}
    sender.dropped |= kept
    sender.state.kept |= kept


def remove_replaced_devices(sender: Sender, devices: Sequence[DevicePlan], unchanged: Set[str]) -> None:
    """Remove each replaced device from its network and the product, after another device has taken its place.

    :param unchanged: the keys of the devices that need no writes.
    """
    state = sender.state
    done = {device.key for device in devices if state.is_in(device.id, WriteState.DONE)}
    planned = {device.key for device in devices} | unchanged
    removals = []
    for device in sender.list_remaining(device for device in devices if device.replaced_by is not None):
        if _frees_place(device):
            has_left = state.is_in(device.id, WriteState.DONE)
            state.forget_device(device.id)
            device = replace(device, mesh=None if has_left else device.mesh)
        if state.stopped is not None:
            continue
        if device.replaced_by in done | unchanged:
            removals.append(device)
        elif device.replaced_by in planned:
            state.mark_device(device.id, WriteState.HELD_BACK)
        else:  # the product refuses the device that replaces it
            state.kept.add(device.id)
    # A replaced node may know only a gateway that is replaced, too.
    write_in_stages(sender, [device for device in removals if not _is_gateway(device)])
    write_in_stages(sender, [device for device in removals if _is_gateway(device)])


def _frees_place(device: DevicePlan) -> bool:
    """Return whether a replaced device must leave its network before the other device can join."""
    return device.replaced_by is not None and device.mesh is not None and device.mesh.frees_place


def _is_gateway(device: DevicePlan) -> bool:
    """Return whether a device leaves a network in which it is a gateway."""
    before = device.mesh.before if device.mesh is not None else None
    return before is not None and before.role == GATEWAY
