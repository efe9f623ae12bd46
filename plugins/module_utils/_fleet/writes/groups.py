# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create device groups, and change the groups of devices. Private to this collection."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import may_exist_already
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import create_group, list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import change_group_of_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.batches import MAX_BATCH_ITEMS
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import batch_group_changes, find_stage
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.steps import GROUPS
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.sender import Sender
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel


def create_groups(sender: Sender, groups: Sequence[str], devices: Sequence[DevicePlan]) -> None:
    """Create the device groups. If a group cannot be created, each device that needs this group fails."""
    members: dict[str, list[str]] = {}
    for device in sender.list_remaining(devices):
        for group in device.add_groups:
            members.setdefault(group, []).append(device.id)

    def create(group: str) -> None:
        sender.try_write(members[group], lambda: _create_group(sender, group))

    map_in_parallel(create, [group for group in groups if group in members], sender.http.workers)


def _create_group(sender: Sender, group: str) -> None:
    product = sender.target.required_product.id
    try:
        create_group(sender.http, product, group)
    except ParticleError as error:
        if not may_exist_already(error) or group not in list_groups(sender.http, product):
            raise


def change_groups(sender: Sender, devices: Sequence[DevicePlan]) -> None:
    """Change the device groups of devices in stages, so that gateways join before nodes and leave after nodes.

    The requests for one group are sent in sequence.
    """
    waiting = {device.id: device for device in sender.list_remaining(devices)}
    stages: dict[int, dict[tuple[str, str], list[tuple[str, ...]]]] = {}
    for change, group, chunk in batch_group_changes(waiting.values(), MAX_BATCH_ITEMS):
        stages.setdefault(find_stage(change, group), {}).setdefault((change, group), []).append(chunk)

    def select_coming(devices: Sequence[str]) -> list[str]:
        lost = _find_lost(sender, devices, waiting)
        return [device for device in devices if device not in sender.dropped and device not in lost]

    def change_group(call: tuple[tuple[str, str], list[tuple[str, ...]]]) -> None:
        (change, group), parts = call
        for part in parts:
            sender.batches.send(functools.partial(_send_groups, sender, change, group), part, select_coming)

    for _unused, calls in sorted(stages.items()):
        map_in_parallel(change_group, calls.items(), sender.http.workers)


def _send_groups(sender: Sender, change: str, group: str, devices: Sequence[str]) -> bool:
    change_group_of_devices(sender.http, sender.target.required_product.id, group, change, devices)
    sender.note_step(devices, GROUPS)
    return True


def _find_lost(sender: Sender, devices: Iterable[str], plans: Mapping[str, DevicePlan]) -> set[str]:
    """Return the lost devices: devices that cannot change their network because other devices have failed.

    :attr:`MemberPlan.needs` of a device contains sets of other devices. The device is lost if, in one of these sets,
    every device has failed or is lost.

    :param plans: the plan of each device that had not failed before the device groups were changed, keyed by device.
    """
    known: dict[str, bool] = {}

    def is_coming(device: str) -> bool:
        if device not in known:
            plan = plans.get(device)
            known[device] = plan is not None and device not in sender.dropped and not is_lost(plan)
        return known[device]

    def is_lost(plan: DevicePlan) -> bool:
        return plan.mesh is not None and not all(any(map(is_coming, need)) for need in plan.mesh.needs)

    return {device for device in devices if is_lost(plans[device])}
