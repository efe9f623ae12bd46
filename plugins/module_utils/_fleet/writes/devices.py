# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the writes of single devices. Private to this collection."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import (
    claim_device,
    unclaim_device,
    update_account_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    build_device_scope,
    edit_variables,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    deny_product_device,
    remove_product_device,
    unclaim_product_device,
    update_product_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.environment.apply import roll_out_variables
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.steps import (
    FIELDS,
    LEAVING,
    MEMBERSHIP,
    REMOVAL,
    RENAMING,
    VARIABLES,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.networks import drop_mesh_writes
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.sender import Sender
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import build_put_body


def write_in_stages(sender: Sender, devices: Sequence[DevicePlan]) -> None:
    """Send the writes of single devices. The devices of one stage are written in parallel."""
    stages: dict[int, list[DevicePlan]] = {}
    for device in sender.list_remaining(devices):
        stages.setdefault(device.mesh.stage if device.mesh else 0, []).append(device)
    for _unused, side_by_side in sorted(stages.items()):
        map_in_parallel(functools.partial(_write_device, sender), side_by_side, sender.http.workers)


def _write_device(sender: Sender, device: DevicePlan) -> None:
    state = sender.state
    needs = device.mesh.needs if device.mesh else ()
    held = any(not any(state.is_in(other, WriteState.DONE) for other in need) for need in needs)
    if held and device.replaced_by is not None:
        sender.mark_device(device.id, WriteState.HELD_BACK)
        return
    writes = _list_writes(sender, drop_mesh_writes(device) if held else device)
    written = all(sender.try_step(device, step, write) for step, write in writes)
    if written and not state.stopped and not state.is_in(device.id, WriteState.FAILED):
        sender.mark_device(device.id, WriteState.HELD_BACK if held else WriteState.DONE)


def _list_writes(sender: Sender, device: DevicePlan) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the writes of a device in order, each with the name of its step in a replacement.

    The caller must stop when a write fails.
    """
    target, http = sender.target, sender.http
    at_home = target.product is None
    if device.claims and at_home:
        yield "", lambda: claim_device(http, device.id)
    body = build_put_body(device.fields)
    if device.replaces is not None and device.replaces.new_name is not None:
        renamed = {"name": device.replaces.new_name}
        yield RENAMING, functools.partial(_update_device, sender, device.replaces.id, renamed)
    if body and not at_home:
        yield FIELDS, functools.partial(_update_device, sender, device.id, body)
    for name, value in body.items() if at_home else ():
        yield FIELDS, functools.partial(update_account_device, http, device.id, name, value)
    for mesh_write in device.mesh.writes if device.mesh is not None else ():
        step = LEAVING if device.replaced_by is not None else MEMBERSHIP
        yield step, functools.partial(sender.mesh.apply_write, target, mesh_write)
    if device.edits:
        yield "", functools.partial(edit_variables, http, build_device_scope(device.id), device.edits)
    if device.edits is not None:
        yield VARIABLES, functools.partial(roll_out_variables, http, device.id)
    if device.unclaims and at_home:
        yield "", lambda: unclaim_device(http, device.id)
    elif device.unclaims:
        yield "", lambda: unclaim_product_device(http, target.required_product.id, device.id)
    if device.denies:
        yield "", lambda: deny_product_device(http, target.required_product.id, device.id)
    if device.removes:
        yield REMOVAL, lambda: remove_product_device(http, target.required_product.id, device.id)


def _update_device(sender: Sender, device: str, body: Mapping[str, Any]) -> None:
    update_product_device(sender.http, sender.target.required_product.id, device, body)
