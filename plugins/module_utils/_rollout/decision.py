# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define what a run of a rollout decides. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.brake import Tally
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Assessment,
    Next,
    Phase,
    Progress,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import View
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import Wave

POLL_SECONDS = 60.0
"""Seconds until the next check of devices that are updating."""


@dataclass(frozen=True)
class LockWrite:
    """A write of the firmware lock of a device.

    :param lock: the version; ``None`` to remove the lock.
    :param flash: whether the version is sent at once if the device is online.
    """

    device: str
    lock: int | None
    flash: bool = False


@dataclass(frozen=True)
class Decision:
    """The next step of a run, and the state of the devices on which it is based.

    :param record: the record after the step.
    :param assessments: the state of each device of the rollout, keyed by device id.
    :param locks: the locks to write after the record.
    :param release: the release to write before the locks; ``None`` if the release is as declared.
    """

    progress: Progress
    record: Record
    next: Next | None
    assessments: Mapping[str, Assessment]
    waves: tuple[Wave, ...]
    tally: Tally
    locks: tuple[LockWrite, ...] = ()
    release: Release | None = None

    @property
    def has_writes(self) -> bool:
        """Return whether the step writes to devices or releases the version."""
        return bool(self.locks) or self.release is not None


def build_decision(view: View, progress: Progress, then: Next | None, **step: Any) -> Decision:
    """Return a decision with the record, the devices and the waves of a view.

    :param step: fields of :class:`Decision` for a step that writes or that changes the record.
    """
    record = step.pop("record", view.record)
    return Decision(progress, record, then, view.assessments, tuple(view.waves), view.count(), **step)


def end_rollout(view: View) -> Decision:
    """Return the decision about a rollout that is over."""
    words = {Phase.DONE: Progress.DONE, Phase.ABORTED: Progress.ABORTED, Phase.ROLLED_BACK: Progress.ROLLED_BACK}
    return build_decision(view, words[view.record.phase], None)


def change_phase(view: View, phase: Phase) -> View:
    """Return the view with another phase in the record."""
    view.record = replace(view.record, phase=phase)
    return view
