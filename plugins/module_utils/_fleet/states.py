# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the state of a run: its manifest, its observations and the state of each device. Private to this collection."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Change, Observed, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh


class WriteState(enum.Enum):
    """The state of the writes of a device. The value completes the sentence "The device is …"."""

    DONE = "done"
    FAILED = "failed"
    HELD_BACK = "held back"
    """Written, but unfinished in its network: a device that it needs has not joined, or another member has not left."""
    WAITING = "waiting"
    """Not written yet, because the rate limit of the cloud allows no request for it."""


class RunState:
    """The states of the devices of a run. A device without a state was not reached.

    :ivar other_errors: failures that concern no single device.
    :ivar wrote: whether anything was written, including writes for a device that failed later.
    :ivar stopped: the error that ended the run early, if any.
    """

    def __init__(self) -> None:
        self._states: dict[str, tuple[WriteState, ParticleError | None]] = {}
        self._counts: Counter[WriteState] = Counter()
        self.other_errors: list[ParticleError] = []
        self.wrote = False
        self.stopped: ParticleError | None = None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the devices that have a state."""
        return iter(self._states)

    def mark_device(self, device: str, state: WriteState, error: ParticleError | None = None) -> None:
        """Set the state of a device, with the reason when it failed or waits."""
        self.forget_device(device)
        self._states[device] = (state, error)
        self._counts[state] += 1

    def mark_devices(self, devices: Iterable[str], state: WriteState) -> None:
        """Set the state of several devices."""
        for device in list(devices):
            self.mark_device(device, state)

    def forget_device(self, device: str) -> ParticleError | None:
        """Remove the state of a device, so that it counts as not reached, and return the reason for that state."""
        state, error = self._states.pop(device, (None, None))
        if state is not None:
            self._counts[state] -= 1
        return error

    def forget_devices(self, devices: Iterable[str]) -> None:
        """Remove the states of devices, so that they count as not reached."""
        for device in list(devices):
            self.forget_device(device)

    def is_in(self, device: str, state: WriteState) -> bool:
        """Return whether a device is in a state."""
        return self._states.get(device, (None, None))[0] is state

    def count_devices(self, state: WriteState) -> int:
        """Return how many devices are in a state."""
        return self._counts[state]

    def find_devices(self, state: WriteState) -> set[str]:
        """Return the devices in a state."""
        return {device for device, (known, _unused) in self._states.items() if known is state}

    def find_errors(self, state: WriteState = WriteState.FAILED) -> dict[str, ParticleError]:
        """Return the reason for each device that is in a state and has one."""
        return {device: error for device, (known, error) in self._states.items() if known is state and error}

    def add_states(self, later: RunState) -> None:
        """Add the states of a later plan. They replace the earlier states of the same devices."""
        for device in later:
            self.mark_device(device, *later._states[device])
        self.other_errors += later.other_errors
        self.wrote |= later.wrote
        self.stopped = self.stopped or later.stopped


@dataclass(frozen=True)
class Bounds:
    """The limits of a run.

    :param max_failures: how many devices may fail before the run sends nothing more; ``None`` means no limit.
    :param max_removals: how many devices may be removed or unclaimed without ``confirm``; ``None`` means a tenth of the
        devices, but at least 1.
    :param confirm: whether the user confirms all removals, and firmware locks that may end a mesh.
    """

    max_failures: int | None = None
    max_removals: int | None = None
    confirm: bool = False


@dataclass
class Run:
    """One run over a fleet.

    :param manifest: the declared fleet; ids replace labels once the cloud shows them.
    :param mesh: the mesh backends that the task has opened.
    :ivar observed: the devices as last observed.
    :ivar labels_known: whether the run has learnt all ids that the cloud shows for devices declared by their label.
    :ivar mesh_warnings: warnings of the last plan for the networks.
    :ivar later_changes: changes that only a later observation has shown, by :attr:`DevicePlan.key`.
    :ivar unneeded_devices: keys of devices that a later observation has shown to be as declared.
    """

    target: Target
    manifest: Manifest
    bounds: Bounds
    mesh: Mesh
    state: RunState = field(default_factory=RunState)
    observed: Observed = field(default_factory=lambda: Observed({}))
    labels_known: bool = False
    mesh_warnings: tuple[str, ...] = ()
    later_changes: dict[str, dict[str, Change]] = field(default_factory=dict)
    unneeded_devices: set[str] = field(default_factory=set)

    def note_changes(self, plan: Plan) -> None:
        """Record the changes of a later plan that the first plan could not show."""
        for device in plan.devices:
            self.later_changes.setdefault(device.key, {}).update(device.changes)

    def count_failures_left(self) -> int | None:
        """Return how many more devices may fail: a negative number if too many have failed, ``None`` if there is no
        limit.
        """
        most = self.bounds.max_failures
        return None if most is None else most - self.state.count_devices(WriteState.FAILED)

    def build_refusals(self, plan: Plan) -> dict[str, ParticleError]:
        """Return an error for each device of a plan that no write can bring to its declared state."""
        return {
            device: ParticleError("device_not_yours", f"Device {device} {reason}.")
            for device, reason in plan.refusals.items()
        }

    def note_refusals(self, plan: Plan) -> None:
        """Mark as failed each device of a plan that no write can bring to its declared state."""
        for device, error in self.build_refusals(plan).items():
            self.state.mark_device(device, WriteState.FAILED, error)
