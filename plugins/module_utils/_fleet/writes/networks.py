# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the writes of networks that concern several devices. Private to this collection."""

from __future__ import annotations

import functools
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.sender import Sender
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import drop_reserved_groups


def set_up_networks(sender: Sender, plan: Plan) -> set[str]:
    """Create the resources of networks. Return the members whose resources could not be created."""
    without, refused = set[str](), set[str]()
    for shared in plan.setup:
        if sender.state.stopped is not None or (shared.members and shared.members <= refused):
            continue
        try:
            sender.mesh.apply_write(sender.target, shared.write)
            sender.state.wrote |= not shared.is_attempt
        except ParticleError as error:
            without |= shared.members
            if not shared.members:  # no device can report the error
                sender.state.other_errors.append(error)
            # Only the writes of networks are left out: the other writes of these members are still sent.
            sender.note_failure(shared.members, error)
            if error.code != "ambiguous_write":  # after ambiguous_write, the resource may exist
                refused |= shared.members
    return without


def tear_down_networks(sender: Sender, plan: Plan) -> None:
    """Remove the resources of networks that all members have left."""
    state = sender.state
    for shared in plan.teardown:
        out = {member for member in shared.members if state.is_in(member, WriteState.DONE)}
        if out < shared.members:
            # The resource is removed when its last member has left. Until then, the other members are held back.
            state.mark_devices(out, WriteState.HELD_BACK)
            continue
        write = functools.partial(sender.mesh.apply_write, sender.target, shared.write)
        if not sender.try_write(sorted(shared.members), write):
            state.forget_devices(member for member in shared.members if state.is_in(member, WriteState.DONE))


def drop_mesh_writes(device: DevicePlan) -> DevicePlan:
    """Return a copy of the plan of a device, without the writes for its network."""
    return replace(
        device,
        mesh=None,
        add_groups=drop_reserved_groups(device.add_groups),
        remove_groups=drop_reserved_groups(device.remove_groups),
    )
