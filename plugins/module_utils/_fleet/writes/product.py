# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring devices into the product of a run. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    import_devices,
    remove_product_device,
    update_product_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.batches import split_items
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import build_import_error
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.steps import IMPORT
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.writes.sender import Sender
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel


def leave_other_products(sender: Sender, devices: Sequence[DevicePlan]) -> None:
    """Remove the devices that are moved from their other products."""

    def leave(device: DevicePlan) -> None:
        if device.leaves is None:
            return
        product, notes = device.leaves.id, device.marked_notes
        is_marked = notes is None or sender.try_write(
            [device.id], lambda: update_product_device(sender.http, product, device.id, {"notes": notes})
        )
        if is_marked:
            sender.try_write([device.id], lambda: remove_product_device(sender.http, product, device.id))

    map_in_parallel(leave, [device for device in devices if device.leaves is not None], sender.http.workers)


def import_into_product(sender: Sender, devices: Sequence[DevicePlan], claim_user: str | None) -> None:
    """Import devices into the product.

    A device that is already in the product but must be claimed is imported again, because an import claims devices.

    :param claim_user: the username for which the devices are claimed; ``None`` to claim no device.
    """
    if sender.target.product is None:
        return
    product = sender.target.product
    keys_of = {device.id: device.key for device in sender.list_remaining(devices)}
    called = {key.lower(): device for device, key in keys_of.items()}

    def send(chunk: Sequence[str]) -> bool:
        # An import accepts either device ids or identifiers on labels.
        keys = [keys_of[device] for device in chunk]
        left_out = import_devices(sender.http, product.id, keys, claim_user)
        sender.note_step([device for device in chunk if keys_of[device] not in left_out], IMPORT)
        for key, reason in left_out.items():
            sender.fail_devices([called.get(key.lower(), key)], build_import_error(key, reason, product))
        return len(left_out) < len(keys)

    for chunk in split_items(list(keys_of)):
        sender.batches.send(send, chunk)
