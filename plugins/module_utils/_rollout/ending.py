# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a rollout: release the version, abort, or roll back. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import (
    POLL_SECONDS,
    Decision,
    LockWrite,
    build_decision,
    end_rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Next, Phase, Progress
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    MAX_FOREIGN_LOCKS,
    Record,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import View


def release_version(view: View) -> Decision:
    """Release the version, and then take back the locks of devices to which the releases give the version."""
    situation, record = view.situation, view.record
    then = Next(situation.now + POLL_SECONDS, "Firmware locks are taken back.")
    if situation.rollout.release is not None:
        wanted = _complete_release(situation.release, situation.rollout.release)
        if (wanted.default, wanted.groups) != (situation.release.default, situation.release.groups):
            return build_decision(view, Progress.RUNNING, then, release=wanted)
        locked = [view.eligible[device] for device in view.covered if view.eligible[device].lock is not None]
        locks = tuple(
            LockWrite(device.id, None)
            for device in locked
            if situation.releases.find_version(device) == record.version and device.id not in situation.unwritable
        )
        if locks:
            return build_decision(view, Progress.RUNNING, then, locks=locks)
        if any(device.id in situation.unwritable for device in locked):
            return build_decision(view, Progress.RUNNING, then)
    failed = {device: assessment.state for device, assessment in view.targeted.items() if assessment.state.is_bad}
    return _end(view, replace(record, phase=Phase.DONE, failed=failed))


def _end(view: View, record: Record) -> Decision:
    """Return the decision about a rollout that has just ended.

    The record forgets the versions to which no rollout locks a device any more, because a later lock to such a version
    belongs to a user.
    """
    in_use = {each.lock for each in view.situation.devices.values() if record.owns_lock(each.id, each.lock)}
    locks = {version: foreign for version, foreign in record.locks.items() if version in in_use}
    return end_rollout(_with_record(view, replace(record, locks=locks)))


def _with_record(view: View, record: Record) -> View:
    view.record = record
    return view


def _complete_release(found: Release, declared: Mapping[str, Any]) -> Release:
    """Return the release at the end. Groups to which the version is released already keep it."""
    groups = set(found.groups) | set(declared.get("groups") or ())
    return replace(found, default=found.default or bool(declared.get("default")), groups=tuple(sorted(groups)))


def abort_rollout(view: View) -> Decision:
    """Take back the locks of devices that do not run the version yet, so that they do not get it later."""
    version = view.record.version
    waiting = [device for device in view.covered if view.eligible[device].version != version]
    locks = tuple(LockWrite(device, None) for device in waiting if device not in view.situation.unwritable)
    then = Next(view.situation.now + POLL_SECONDS, "Firmware locks are taken back.")
    return _undo(view, locks, then, Phase.ABORTED, is_left=len(locks) < len(waiting))


def roll_back(view: View) -> Decision:
    """Lock the targeted devices to the version that the releases give them, and send it at once."""
    situation, record = view.situation, view.record
    locks, owned = list[LockWrite](), dict(record.locks)
    for device_id in view.covered:
        device = view.eligible[device_id]
        before = situation.releases.find_version(device)
        version = None if before == record.version else before
        if version is not None and version not in owned:
            foreign = frozenset(each.id for each in situation.devices.values() if each.lock == version)
            # A rollback must not fail because the record is too large. The locks then count as locks of users.
            if len(foreign) + sum(map(len, owned.values())) <= MAX_FOREIGN_LOCKS:
                owned[version] = foreign
        if device_id not in situation.unwritable:
            locks.append(LockWrite(device_id, version, flash=version is not None))
    view = _with_record(view, replace(record, locks=owned))
    then = Next(situation.now + POLL_SECONDS, "Devices are rolled back.")
    return _undo(view, tuple(locks), then, Phase.ROLLED_BACK, is_left=len(locks) < len(view.covered))


def _undo(view: View, locks: tuple[LockWrite, ...], then: Next, end: Phase, *, is_left: bool) -> Decision:
    """Write locks that end a rollout before its time. The rollout has ended when none is left."""
    bad = {device: assessment.state for device, assessment in view.targeted.items() if assessment.state.is_bad}
    record = replace(view.record, failed={**view.record.failed, **bad})
    if locks:
        return build_decision(view, Progress.RUNNING, then, record=record, locks=locks)
    if is_left:
        return build_decision(view, Progress.RUNNING, then)
    return _end(view, replace(view.record, phase=end))
