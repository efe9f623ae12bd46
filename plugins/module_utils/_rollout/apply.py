# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the writes of a rollout. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import update_product_device
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import LockWrite

_OF_ONE_DEVICE = frozenset({"not_found", "forbidden", "conflict", "cloud_error", "bad_response", "device_not_yours"})
"""Codes of errors that may concern one device only, so that the others are written nevertheless."""


def write_locks(target: Target, writes: Sequence[LockWrite]) -> dict[str, ParticleError]:
    """Write the locks of devices, in parallel. Each write is absolute, so it may be repeated.

    :returns: the errors of devices that were not written, keyed by device id.
    :raises ParticleError: when an error concerns all devices, for example an expired login.
    """
    product = target.required_product.id

    def write(lock: LockWrite) -> ParticleError | None:
        fields: dict[str, Any] = {"desired_firmware_version": lock.lock}
        if lock.flash:
            fields["flash"] = True
        try:
            update_product_device(target.http, product, lock.device, fields)
        except ParticleError as error:
            if error.code not in _OF_ONE_DEVICE:
                raise
            return error
        return None

    results = map_in_parallel(write, writes, target.http.workers)
    return {lock.device: error for lock, error in zip(writes, results, strict=True) if error is not None}
