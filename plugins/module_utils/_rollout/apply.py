# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the writes of a rollout. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    get_product_device,
    update_product_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import LockWrite

_REFUSALS = frozenset({"not_found", "forbidden", "conflict", "device_not_yours"})
"""Codes of errors with which the cloud refuses the write of one device. The other devices are still written."""
_FAILURES = frozenset({"cloud_error", "bad_response", "device_offline"})
"""Codes of errors that concern one device, whose write may still have taken effect."""
_MAX_READ = 20
"""The maximum number of devices that are read to find out whether a write has taken effect. If more writes fail, the
cloud is most likely down."""


@dataclass(frozen=True)
class LockErrors:
    """The errors of the locks that were not written, or may not have been written, keyed by device id.

    :param uncertain: the ids of the devices whose write may have taken effect.
    """

    by_device: Mapping[str, ParticleError]
    uncertain: frozenset[str] = frozenset()

    @property
    def refused(self) -> frozenset[str]:
        """Return the ids of the devices whose write the cloud has refused."""
        return frozenset(device for device, error in self.by_device.items() if error.code in _REFUSALS)


def write_locks(target: Target, writes: Sequence[LockWrite]) -> LockErrors:
    """Write the locks of devices, in parallel. Each write is idempotent, so it may be repeated.

    If a failed write may have taken effect, the device is read.

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
            if error.code not in _REFUSALS | _FAILURES:
                raise
            return error
        return None

    results = map_in_parallel(write, writes, target.http.workers)
    errors = {lock.device: error for lock, error in zip(writes, results, strict=True) if error is not None}
    doubtful = [lock for lock in writes if lock.device in errors and errors[lock.device].code in _FAILURES]
    if len(doubtful) > _MAX_READ:
        return LockErrors(errors, frozenset(lock.device for lock in doubtful))
    locks = {lock.device: _has_lock(target, lock) for lock in doubtful}
    left = {device: error for device, error in errors.items() if locks.get(device) is not True}
    return LockErrors(left, frozenset(device for device, has_lock in locks.items() if has_lock is None))


def _has_lock(target: Target, lock: LockWrite) -> bool | None:
    """Return whether a device has the intended lock; ``None`` if the device cannot be read."""
    try:
        row = get_product_device(target.http, target.required_product.id, lock.device)
    except ParticleError:
        return None
    name = "desired_firmware_version"
    return row[name] == lock.lock if name in row else None
