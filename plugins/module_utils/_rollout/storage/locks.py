# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out which firmware locks of a product belong to rollouts. Private to this collection.

Only the record in the ledger tells this. A record in a file of a user is unknown to all other tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import NOT_READABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import observe_fields
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import LedgerMemory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record, read_record


@dataclass(frozen=True)
class RolloutLocks:
    """The firmware locks of a product that belong to rollouts.

    :param record: the record of the latest rollout; ``None`` if there is none, or if it is not readable.
    :param is_damaged: whether there is a record that is not readable. All locks may then belong to a running rollout.
    """

    record: Record | None = None
    is_damaged: bool = False

    @property
    def may_be_running(self) -> bool:
        """Return whether the rollout is not over, or this is unknown."""
        return self.is_damaged if self.record is None else not self.record.phase.is_over

    def owns(self, device: str, lock: object) -> bool:
        """Return whether the lock of a device belongs to a rollout, or may belong to one.

        :param lock: the version of the lock; any other value means that the device is unlocked.
        """
        if not isinstance(lock, int) or isinstance(lock, bool):
            return False
        return self.is_damaged if self.record is None else self.record.owns_lock(device, lock)

    def describe(self) -> str:
        """Return the rollout as a part of a sentence, such as ``the rollout of version 2, which is not over``."""
        if self.record is None:
            return "a rollout whose record cannot be read"
        state = "not over" if self.may_be_running else self.record.phase.value.replace("_", " ")
        return f"the rollout of version {self.record.version}, which is {state}"


def read_rollout_locks(target: Target) -> RolloutLocks:
    """Read the record of the product's rollout with one request.

    Without the permission to read it, no lock counts as a lock of a rollout: accounts without rollouts can then still
    change locks. With a damaged record, all locks count as locks of a rollout. Both cases cause a warning.
    """
    memory = LedgerMemory(target)
    try:
        data = memory.read()
        return RolloutLocks() if data is None else RolloutLocks(read_record(data, memory.title))
    except ParticleError as error:
        if error.code == "conflict":
            target.warn(f"All firmware locks count as locks of a rollout. {error.message} {error.hint}")
            return RolloutLocks(is_damaged=True)
        if error.code not in NOT_READABLE:
            raise
        target.warn(
            "It is not known whether firmware locks belong to a rollout, so they count as locks of no rollout: "
            f"{error.message} {error.hint}"
        )
        return RolloutLocks()


def refuse_version_of_rollout(target: Target, version: int) -> None:
    """Refuse to remove a version that a rollout brings to devices. Sends one request.

    If the record cannot be read, nothing is refused: the devices show whether any of them needs the version.

    :raises ParticleError: ``conflict`` when the rollout of the version is not over.
    """
    memory = LedgerMemory(target)
    try:
        data = memory.read()
        record = None if data is None else read_record(data, memory.title)
    except ParticleError as error:
        if error.code not in (*NOT_READABLE, "conflict"):
            raise
        return
    if record is None or record.version != version or record.phase.is_over:
        return
    message = f"Firmware version {version} of product {target.required_product.slug} cannot be removed, because "
    message += "its rollout is not over."
    raise ParticleError("conflict", message, hint="Abort the rollout with state aborted of module rollout first.")


def find_rollout_locks(target: Target, devices: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of the devices whose firmware lock belongs to a rollout.

    Sends one request if any device has a lock.

    :param devices: the facts or list rows of devices, keyed by device id.
    """
    found = {device: observe_fields(row).get("firmware_lock") for device, row in devices.items()}
    locked = {device: lock for device, lock in found.items() if isinstance(lock, int)}
    if not locked:
        return frozenset()
    locks = read_rollout_locks(target)
    return frozenset(device for device, lock in locked.items() if locks.owns(device, lock))
