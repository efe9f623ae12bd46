# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe devices again when it is uncertain whether a write took effect. Private to this collection.

A write whose response was lost may have been carried out, and an imported device may still have notes or a claim that
the manifest removes.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    has_exhausted_retries,
    is_in_doubt,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.planning import plan_again
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run, WriteState


def settle_run(run: Run, plan: Plan) -> Plan | None:
    """Observe the devices in doubt again, and plan the writes that they still need.

    :param plan: the plan that was carried out.
    :returns: the plan of these writes; ``None`` when no device was in doubt, or the run ended early.
    """
    state = run.state
    doubts = {device: error for device, error in state.find_errors().items() if is_in_doubt(error)}
    unsettled = doubts.keys() | (_find_incomplete_newcomers(run, plan) & state.find_devices(WriteState.DONE))
    state.forget_devices(unsettled)  # so they count as not reached
    if not unsettled or state.stopped is not None:
        return None
    try:
        second = plan_again(run, unsettled | state.find_devices(WriteState.HELD_BACK))
    except ParticleError as error:
        state.stopped = error
        return None
    run.note_changes(second)
    settled = {device.id for device in second.devices if not device.is_changed}
    state.mark_devices(settled, WriteState.DONE)
    planned = {device.key: device.changes for device in plan.devices}
    unmoved = {device.id for device in second.devices if device.changes == planned.get(device.key)}
    state.wrote |= bool(settled) or not doubts.keys() <= unmoved
    run.note_refusals(second)
    # A write that was retried and has changed nothing is not sent again.
    vain = {device for device in unmoved & doubts.keys() if has_exhausted_retries(doubts[device])}
    for device in vain:
        state.mark_device(device, WriteState.FAILED, doubts[device])
    return replace(second, devices=tuple(device for device in second.devices if device.id not in vain))


def _find_incomplete_newcomers(run: Run, plan: Plan) -> set[str]:
    """Return the newly imported or claimed devices that may still have notes or a claim to remove.

    The cloud shows neither before the device is in the product.
    """
    without = {
        record.id for record in run.manifest.devices if record.claimed is False or record.fields.get("notes") == ""
    }
    # Compare keys and not ids: some ids became known only after planning.
    newcomers = {device.key for device in plan.devices if device.imports or (device.claims and not run.target.product)}
    return {record.id for record in run.manifest.devices if record.key in newcomers} & without
