# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Begin a rollout, or continue the one that the record describes. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    NO_RELEASE,
    Device,
    Phase,
    Rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    MAX_FOREIGN_LOCKS,
    Record,
)


def begin_rollout(
    rollout: Rollout, known: Record | None, devices: Mapping[str, Device], settings: Mapping[str, Any], now: float
) -> Record:
    """Return the record with which a run begins: the known one, or that of a new rollout.

    :param known: the stored record; ``None`` if there is none.
    :param settings: the declared options that ``rollout_info`` needs.
    :raises ParticleError: ``conflict`` when another rollout is running, when the rollout was aborted or rolled back, or
        when too many devices have a foreign lock.
    """
    if known is not None and known.version == rollout.version:
        is_begun_again = known.phase in (Phase.ABORTED, Phase.ROLLED_BACK) and rollout.phase is Phase.RUNNING
        if is_begun_again and not rollout.supersedes:
            raise _build_ended(known)
        if not is_begun_again:
            # A rollout that ended without a release gets one as soon as the user declares it.
            is_released_later = known.phase is Phase.DONE and known.settings.get("release") == NO_RELEASE
            is_released_later = is_released_later and rollout.release is not None and rollout.phase is Phase.RUNNING
            phase = Phase.RELEASING if is_released_later else known.phase
            return replace(known, phase=phase, settings=dict(settings))
    elif known is not None and not known.phase.is_over and not rollout.supersedes:
        message = f"The rollout of version {known.version}, which began at {format_time(known.began)}, is not over."
        hint = f"Continue it, abort it, or set supersede to true to roll out version {rollout.version} in its place."
        raise ParticleError("conflict", message, hint=hint)
    in_use = {device.lock for device in devices.values()}
    locks = {version: foreign for version, foreign in (known.locks if known else {}).items() if version in in_use}
    if rollout.version not in locks:
        foreign = frozenset(device.id for device in devices.values() if device.lock == rollout.version)
        if len(foreign) > MAX_FOREIGN_LOCKS:
            count = format_count(len(foreign), "device is", "devices are")
            message = (
                f"{count} locked to version {rollout.version} already, "
                f"but a rollout can remember at most {MAX_FOREIGN_LOCKS} locks that do not belong to it."
            )
            raise ParticleError("conflict", message, hint="Remove locks that are not needed, then run again.")
        locks[rollout.version] = foreign
    return Record(rollout.version, Phase.RUNNING, now, locks=locks, settings=dict(settings))


def _build_ended(known: Record) -> ParticleError:
    verb = "aborted" if known.phase is Phase.ABORTED else "rolled back"
    message = f"The rollout of version {known.version} was {verb}."
    hint = "Set supersede to true to begin it again, or roll out another version."
    return ParticleError("conflict", message, hint=hint)
