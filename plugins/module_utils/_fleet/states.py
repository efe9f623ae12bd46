# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run knows: what it works on, and what became of each device. Private to this collection."""

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
    """How far the writes of a device have come: the device is ..."""

    DONE = "done"
    FAILED = "failed"
    HELD = "held back"
    """Written, but not in its network because a device that must be there first is not, or not wholly out of one."""
    WAITING = "waiting"
    """Not written, because the cloud allows no request for it yet."""


class RunState:
    """What became of the devices of a run, each in one state. A device without a state was not reached.

    :ivar besides: failures that do not concern a device.
    :ivar wrote: whether anything was written, also for a device that failed later.
    :ivar stopped: what ended the run early, if anything did.
    """

    def __init__(self) -> None:
        self._states: dict[str, tuple[WriteState, ParticleError | None]] = {}
        self._counts: Counter[WriteState] = Counter()
        self.besides: list[ParticleError] = []
        self.wrote = False
        self.stopped: ParticleError | None = None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the devices that have a state."""
        return iter(self._states)

    def mark(self, device: str, state: WriteState, error: ParticleError | None = None) -> None:
        """Put a device into a state, with the reason where it failed or waits."""
        self.forget(device)
        self._states[device] = (state, error)
        self._counts[state] += 1

    def mark_all(self, devices: Iterable[str], state: WriteState) -> None:
        """Put devices into a state."""
        for device in list(devices):
            self.mark(device, state)

    def forget(self, device: str) -> ParticleError | None:
        """Count a device as not reached, and return the reason for the state that it had."""
        state, error = self._states.pop(device, (None, None))
        if state is not None:
            self._counts[state] -= 1
        return error

    def forget_all(self, devices: Iterable[str]) -> None:
        """Count devices as not reached."""
        for device in list(devices):
            self.forget(device)

    def has(self, device: str, state: WriteState) -> bool:
        """Return whether a device is in a state."""
        return self._states.get(device, (None, None))[0] is state

    def count(self, state: WriteState) -> int:
        """Return how many devices are in a state."""
        return self._counts[state]

    def devices(self, state: WriteState) -> set[str]:
        """Return the devices in a state."""
        return {device for device, (known, _unused) in self._states.items() if known is state}

    def errors(self, state: WriteState = WriteState.FAILED) -> dict[str, ParticleError]:
        """Return the devices that failed, or are in another state that has a reason, with the reason."""
        return {device: error for device, (known, error) in self._states.items() if known is state and error}

    def add(self, later: RunState) -> None:
        """Take over what became of another plan, for other devices or for what was left of these."""
        for device in later:
            self.mark(device, *later._states[device])
        self.besides += later.besides
        self.wrote |= later.wrote
        self.stopped = self.stopped or later.stopped


@dataclass(frozen=True)
class Bounds:
    """How far a run may go.

    :param max_failures: how many devices may fail before nothing more is begun; ``None``: all of them.
    :param max_removals: how many devices may leave without ``confirm``; ``None``: 1, or one in ten when that is more.
    :param confirm: whether removals, and locks that end a mesh, are confirmed.
    """

    max_failures: int | None = None
    max_removals: int | None = None
    confirm: bool = False


@dataclass
class Run:
    """One run over a fleet.

    :param manifest: what is declared; ids replace labels as the cloud tells them.
    :param mesh: the mesh backends as the task has opened them.
    :ivar observed: the devices as they were last looked at.
    :ivar labels_known: whether the cloud has told all that it ever will of devices that are declared by their label.
    :ivar mesh_warnings: warnings about the networks as they were last looked at.
    :ivar found: changes that only a later look has shown, by what the manifest calls the device.
    :ivar unneeded: devices that a later look has shown to be as declared, by what the manifest calls them.
    """

    target: Target
    manifest: Manifest
    bounds: Bounds
    mesh: Mesh
    state: RunState = field(default_factory=RunState)
    observed: Observed = field(default_factory=lambda: Observed({}))
    labels_known: bool = False
    mesh_warnings: tuple[str, ...] = ()
    found: dict[str, dict[str, Change]] = field(default_factory=dict)
    unneeded: set[str] = field(default_factory=set)

    def note_changes(self, plan: Plan) -> None:
        """Note the changes of a later plan, which saw what the first one could not see."""
        for device in plan.devices:
            self.found.setdefault(device.key, {}).update(device.changes)

    def failures_left(self) -> int | None:
        """Return how many more devices may fail, below zero when too many have; ``None`` without a limit."""
        most = self.bounds.max_failures
        return None if most is None else most - self.state.count(WriteState.FAILED)

    def refusals_of(self, plan: Plan) -> dict[str, ParticleError]:
        """Return why no write can bring some devices where they are declared."""
        return {
            device: ParticleError("device_not_yours", f"Device {device} {reason}.")
            for device, reason in plan.refused.items()
        }

    def note_refusals(self, plan: Plan) -> None:
        """Note the devices as failed that no write can bring where they are declared."""
        for device, error in self.refusals_of(plan).items():
            self.state.mark(device, WriteState.FAILED, error)
