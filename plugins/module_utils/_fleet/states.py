# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the state of a run: the manifest, the observed state, and the device states. Private to this collection."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import Level
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Change, Observed, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import REMOVALS

MESH_LOCKS = "mesh_locks"
"""The word that confirms firmware locks that may take devices out of their mesh."""

ROLLOUT_LOCKS = "rollout_locks"
"""The word that confirms the removal of firmware locks that a rollout has left."""

REPLACE_ONLINE = "replace_online"
"""The word that confirms the replacement of devices that are online."""

CONFIRMED_BY_TRUE = (REMOVALS, MESH_LOCKS, ROLLOUT_LOCKS)
"""The words that ``confirm: true`` stands for."""

CONFIRMATIONS = (*CONFIRMED_BY_TRUE, REPLACE_ONLINE)
"""The words with which users confirm changes of a fleet."""


class WriteState(enum.Enum):
    """The state of the writes of a device. Each value completes the sentence "The device is …"."""

    DONE = "done"
    FAILED = "failed"
    HELD_BACK = "held back"
    """Not all writes for the network of the device were sent: another device must join or leave a network first."""
    WAITING = "waiting"
    """Another run can continue: the rate limit of the cloud does not allow the necessary request now, or the device has
    not joined its network yet.
    """


class RunState:
    """The states of the devices of a run. A device without a state was not reached.

    :ivar other_errors: the errors of writes that belong to no device.
    :ivar wrote: whether any write succeeded. A write also counts if its device failed later.
    :ivar kept: the undeclared devices that are not removed, because a declared device could not be imported or claimed,
        and the replaced devices that are not removed, because the product refuses the devices that replace them.
    :ivar done_steps: the steps of replacements that are done, keyed by the id of the replacing or replaced device.
    :ivar stopped: the error that ended the run early; ``None`` if the run did not end early.
    """

    def __init__(self) -> None:
        self._states: dict[str, tuple[WriteState, ParticleError | None]] = {}
        self._counts: Counter[WriteState] = Counter()
        self.other_errors: list[ParticleError] = []
        self.wrote = False
        self.kept: set[str] = set()
        self.done_steps: dict[str, set[str]] = {}
        self.stopped: ParticleError | None = None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the devices that have a state."""
        return iter(self._states)

    def mark_device(self, device: str, state: WriteState, error: ParticleError | None = None) -> None:
        """Set the state of a device.

        :param error: the reason, if the device failed or waits.
        """
        self.forget_device(device)
        self._states[device] = (state, error)
        self._counts[state] += 1

    def mark_devices(self, devices: Iterable[str], state: WriteState) -> None:
        """Set the state of several devices."""
        for device in list(devices):
            self.mark_device(device, state)

    def forget_device(self, device: str) -> ParticleError | None:
        """Remove the state of a device, which then counts as not reached.

        :returns: the error of the removed state; ``None`` if the removed state had no error.
        """
        state, error = self._states.pop(device, (None, None))
        if state is not None:
            self._counts[state] -= 1
        return error

    def forget_devices(self, devices: Iterable[str]) -> None:
        """Remove the states of several devices, which then count as not reached."""
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
        """Return the errors of the devices in a state, keyed by device. A device without an error has no key."""
        return {device: error for device, (known, error) in self._states.items() if known is state and error}

    def add_states(self, later: RunState) -> None:
        """Add the states of a later plan. If a device already has a state, the later state replaces it."""
        for device in later:
            self.mark_device(device, *later._states[device])
        self.other_errors += later.other_errors
        self.wrote |= later.wrote
        self.kept |= later.kept
        for device, steps in later.done_steps.items():
            self.done_steps.setdefault(device, set()).update(steps)
        self.stopped = self.stopped or later.stopped


@dataclass(frozen=True)
class Bounds:
    """The limits of a run.

    :param max_failures: the maximum number of failed devices. After one more failure, the run sends nothing more.
        ``None`` means no limit.
    :param max_removals: the maximum number of devices that are removed or unclaimed without a
        confirmation. ``None`` means a tenth of the devices, but at least 1.
    :param confirmed: the words of :data:`CONFIRMATIONS` with which the user confirms changes.
    """

    max_failures: int | None = None
    max_removals: int | None = None
    confirmed: frozenset[str] = frozenset()


@dataclass
class Run:
    """One run over a fleet.

    :param manifest: the declared fleet. When the cloud shows the id of a device that is declared by its label, the id
        replaces the label.
    :param mesh: the mesh backends that the task has opened.
    :ivar observed: the result of the latest observation of the whole fleet.
    :ivar known_variables: the environment variables that were read since the last writes, keyed by device.
    :ivar labels_known: whether the run has already tried to learn the ids of all devices that are declared by a label.
    :ivar uncertain: keys of the devices for which check mode cannot predict whether the cloud would accept them, and of
        the undeclared devices that are removed only if it does.
    :ivar mesh_warnings: the warnings of the latest plan for the networks.
    :ivar later_changes: the changes that later plans have found, keyed by :attr:`DevicePlan.key`.
    :ivar unneeded_devices: keys of devices that were found to need no write after their device ids had been learned.
    """

    target: Target
    manifest: Manifest
    bounds: Bounds
    mesh: Mesh
    state: RunState = field(default_factory=RunState)
    observed: Observed = field(default_factory=lambda: Observed({}))
    known_variables: dict[str, Level] = field(default_factory=dict)
    labels_known: bool = False
    uncertain: frozenset[str] = frozenset()
    mesh_warnings: tuple[str, ...] = ()
    later_changes: dict[str, dict[str, Change]] = field(default_factory=dict)
    unneeded_devices: set[str] = field(default_factory=set)

    def note_changes(self, plan: Plan) -> None:
        """Record the changes of a plan that was made after the first plan."""
        for device in plan.devices:
            self.later_changes.setdefault(device.key, {}).update(device.changes)

    def count_failures_left(self) -> int | None:
        """Return how many more devices may fail.

        :returns: a negative number if too many devices have failed; ``None`` if there is no limit.
        """
        most = self.bounds.max_failures
        return None if most is None else most - self.state.count_devices(WriteState.FAILED)

    def note_refusals(self, plan: Plan) -> None:
        """Mark each device in ``plan.refusals`` as failed."""
        for device, error in plan.refusals.items():
            self.state.mark_device(device, WriteState.FAILED, error)
