# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the writes, observe devices again if their state is not certain. Private to this collection.

The state is not certain in two cases. If the response to a write was lost, the cloud may have carried out the write. An
imported device may still have notes or a claim that the manifest removes, and its environment variables are not known
before the import.
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
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord


def settle_run(run: Run, plan: Plan) -> Plan | None:
    """Observe the devices whose state is not certain, and plan the writes that these devices still need.

    :param plan: the plan that was carried out.
    :returns: the new plan; ``None`` when the state of every device is certain, or when the run has ended early.
    """
    state = run.state
    uncertain = {device: error for device, error in state.find_errors().items() if is_in_doubt(error)}
    unsettled = uncertain.keys() | (_find_incomplete_newcomers(run, plan) & state.find_devices(WriteState.DONE))
    state.forget_devices(unsettled)  # without a state, these devices count as not reached
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
    state.wrote |= bool(settled) or not uncertain.keys() <= unmoved
    run.note_refusals(second)
    # The writes of a device are not sent again if earlier retries have not changed the device.
    failed = {device for device in unmoved & uncertain.keys() if has_exhausted_retries(uncertain[device])}
    for device in failed:
        state.mark_device(device, WriteState.FAILED, uncertain[device])
    return replace(second, devices=tuple(device for device in second.devices if device.id not in failed))


def _find_incomplete_newcomers(run: Run, plan: Plan) -> set[str]:
    """Return the newly imported or claimed devices that may still need writes.

    Before a device is in the product, the cloud does not show the notes, the claim and the environment variables of the
    device.
    """
    without = {
        record.id
        for record in run.manifest.devices
        if record.claimed is False or record.fields.get("notes") == "" or _has_unread_variables(run, record)
    }
    # Compare keys, because some device ids became known only after the plan was made.
    newcomers = {device.key for device in plan.devices if device.imports or (device.claims and not run.target.product)}
    return {record.id for record in run.manifest.devices if record.key in newcomers} & without


def _has_unread_variables(run: Run, record: DeviceRecord) -> bool:
    """Return whether a device declares environment variables, and the run has not planned their changes."""
    found = run.observed.devices.get(record.id)
    return bool(record.environment) and (found is None or found.variables is None)
