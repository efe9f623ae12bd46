# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan: first the requests for many devices, then the writes of single devices. Private to this collection.

After the failure of one device, the writes of the other devices continue. The run ends early if too many devices fail,
or if every further request would fail in the same way. A device that the run did not reach has no state, and does not
count as failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import describe_kept_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.apply import (
    keep_replaced_devices,
    list_writes_before_removal,
    remove_replaced_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import RunState, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.devices import write_in_stages
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.groups import (
    change_groups,
    create_groups,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.networks import (
    drop_mesh_writes,
    set_up_networks,
    tear_down_networks,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.product import (
    import_into_product,
    leave_other_products,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.sender import Sender
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Writer


def apply_plan(
    target: Target,
    plan: Plan,
    mesh: Writer,
    max_failures: int | None = None,
    report: Report = ignore_progress,
) -> RunState:
    """Carry out every write of a plan. Failures are recorded in the returned state and not raised.

    :param mesh: sends the writes of networks.
    :param max_failures: the maximum number of failed devices. After one more failure, nothing more is sent. ``None``
        means no limit.
    :param report: called at the start, and whenever a device is done or fails.
    :returns: the states of the devices.
    """
    sender = Sender(target, mesh, max_failures, report)
    changing = [device for device in plan.devices if device.is_changed]
    sender.begin(changing)
    without = set_up_networks(sender, plan)
    changing = [drop_mesh_writes(device) if device.id in without else device for device in changing]
    leave_other_products(sender, changing)
    import_into_product(sender, [device for device in changing if device.imports and not device.claims], None)
    import_into_product(sender, [device for device in changing if device.claims], plan.claim_user)
    _keep_undeclared_devices(sender, changing)
    keep_replaced_devices(sender, changing)
    create_groups(sender, plan.create_groups, changing)
    change_groups(sender, changing)
    _write_devices(sender, changing)
    remove_replaced_devices(sender, changing, {device.key for device in plan.devices if not device.is_changed})
    tear_down_networks(sender, plan)
    return sender.state


def _write_devices(sender: Sender, devices: Sequence[DevicePlan]) -> None:
    """Send the writes of single devices, except the removals of replaced devices.

    Undeclared devices of an account come last, because failed claims decide whether these devices are kept.
    """
    if sender.target.product is not None:
        write_in_stages(sender, list_writes_before_removal(devices))
        return
    write_in_stages(sender, [device for device in devices if not device.is_undeclared])
    _keep_undeclared_devices(sender, devices)
    write_in_stages(sender, [device for device in devices if device.is_undeclared])


def _keep_undeclared_devices(sender: Sender, devices: Sequence[DevicePlan]) -> None:
    """Do not remove undeclared devices if a device could not be imported or claimed.

    The identifier of the failed device may be wrong, and the declared device may be one of the undeclared devices.
    """
    removals = {device.id for device in devices if device.is_undeclared} - sender.dropped
    coming = {device.id: device.key for device in devices if device.imports or device.claims}
    failed = coming.keys() & sender.state.find_devices(WriteState.FAILED)
    if removals and failed:
        sender.dropped |= removals
        sender.state.kept |= removals
        sender.target.warn(describe_kept_devices(removals, [coming[device] for device in failed]))
