# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""View the devices of a rollout: which are eligible, in which wave, and in which state. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.brake import Tally, count_devices, is_tripped
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.health import (
    RECENT_SECONDS,
    Assessor,
    find_restarts,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Assessment,
    Device,
    Phase,
    Releases,
    Rollout,
    State,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record, WaveRecord
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import (
    Wave,
    can_update_now,
    plan_waves,
)

LATE_SECONDS = 1800.0
"""Seconds after which updating devices no longer delay their wave if it is unknown which of them were offline."""

_ENDING = (Phase.RELEASING, Phase.DONE)


@dataclass(frozen=True)
class Situation:
    """All that a decision depends on.

    :param devices: the approved devices of the product, keyed by device id.
    :param releases: what the releases of the product give to its devices.
    :param release: the release of the version of the rollout.
    :param now: the time of the cloud, in whole seconds since 1970, rounded up.
    :param approver: the account that approves waves in this run; ``None`` if unknown.
    :param unwritable: ids of devices whose writes have failed in this run.
    :param device_os: the module version of the oldest Device OS that runs the version; ``None`` if unknown.
    """

    rollout: Rollout
    record: Record
    devices: Mapping[str, Device]
    releases: Releases
    release: Release
    now: float
    approver: str | None = None
    unwritable: frozenset[str] = frozenset()
    device_os: int | None = None


@dataclass
class View:
    """The devices of a rollout, each with its wave and its state."""

    situation: Situation
    record: Record
    eligible: dict[str, Device] = field(default_factory=dict)
    covered: dict[str, WaveRecord] = field(default_factory=dict)
    assessments: dict[str, Assessment] = field(default_factory=dict)
    waves: list[Wave] = field(default_factory=list)

    @property
    def begun_waves(self) -> list[Wave]:
        """Return the waves that have begun."""
        return [wave for wave in self.waves if wave.record is not None]

    @property
    def targeted(self) -> dict[str, Assessment]:
        """Return the assessments of the targeted devices."""
        return {device: self.assessments[device] for device in self.covered}

    @property
    def waiting(self) -> list[str]:
        """Return the members of begun waves that are not targeted before they can be updated, because of a disruption
        budget.
        """
        if self.situation.rollout.unavailable is None:
            return []
        missing = (device for wave in self.begun_waves for device in self.find_missing(wave))
        return [device.id for device in missing if not can_update_now(device)]

    def count(self, also_failed: Iterable[str] = ()) -> Tally:
        """Return the numbers of targeted devices that the brake considers.

        :param also_failed: the ids of devices that count as failed, whatever their state.
        """
        accepted = self.record.accepted
        return count_devices(self.targeted, accepted, frozenset(also_failed))

    def find_missing(self, wave: Wave) -> list[Device]:
        """Return the members of a wave that are not targeted, although they could be."""
        left_out = self.covered.keys() | self.situation.unwritable | self.record.accepted
        members = (self.eligible[device] for device in wave.members if device not in left_out)
        # The other devices have been locked since an earlier rollout.
        return [device for device in members if device.is_selected]

    def count_updating(self, wave: Wave) -> int:
        """Return how many members delay their wave: members that were online when they were targeted, and whose update
        has no result yet.
        """
        record = wave.record
        if record is None or (record.offline is None and self.situation.now - record.written > LATE_SECONDS):
            return 0
        online = (device for device in wave.members if device in self.covered and not record.was_offline(device))
        return sum(self.assessments[device].state is State.UPDATING for device in online)


def view_devices(situation: Situation, record: Record) -> View:
    """Return the eligible devices of a rollout, with the wave and the state of each targeted device."""
    view = View(situation, record)
    for device in situation.devices.values():
        is_targeted = device.lock == record.version and record.owns_lock(device.id, device.lock)
        was_targeted = record.phase in _ENDING and device.was_selected  # after the release, its lock is removed
        if not (device.is_selected or is_targeted or was_targeted):
            continue
        if device.in_development:
            evidence = "is a development device, which gets no locks and no releases"
            view.assessments[device.id] = Assessment(State.SKIPPED_DEVELOPMENT, evidence)
        elif device.lock is not None and not record.owns_lock(device.id, device.lock):
            evidence = f"is locked to version {device.lock}, and not by a rollout"
            view.assessments[device.id] = Assessment(State.SKIPPED_LOCKED, evidence)
        else:
            view.eligible[device.id] = device
    view.waves = plan_waves(situation.rollout.waves, record.waves, view.eligible.values())
    if not record.waves:
        return view
    wave_of = {device: wave.record for wave in view.begun_waves for device in wave.members if wave.record is not None}
    for device in view.eligible.values():
        if _is_covered(device, situation, record, is_member=device.id in wave_of):
            view.covered[device.id] = wave_of.get(device.id, record.waves[-1])
    return view


def _is_covered(device: Device, situation: Situation, record: Record, *, is_member: bool) -> bool:
    """Return whether a device was targeted. At the end of the rollout, locks are replaced by the release."""
    if device.lock == record.version:
        return True
    is_ending = record.phase in _ENDING
    return is_ending and is_member and device.lock is None and situation.releases.find_version(device) == record.version


def assess_devices(view: View) -> None:
    """Assess the targeted devices, and record those that have restarted."""
    situation, record = view.situation, view.record
    pairs = [(view.eligible[device], wave) for device, wave in view.covered.items()]
    health, now = situation.rollout.health, situation.now
    if record.phase in (Phase.RUNNING, Phase.RELEASING):
        restarts = find_restarts(record.restarts, pairs, record.version, health, now)
        view.record = record = replace(record, restarts=restarts)
    assessor = Assessor(record.version, health, now, record.failed, record.restarts, situation.device_os)
    for device, wave in pairs:
        view.assessments[device.id] = assessor.assess(device, wave)
    for device_id in view.waiting:
        state = State.PENDING_DISABLED if view.eligible[device_id].online else State.PENDING_OFFLINE
        evidence = "cannot be updated at present; with a disruption budget, it is targeted when it can be updated"
        view.assessments[device_id] = Assessment(state, evidence)
    if record.phase in (Phase.ABORTED, Phase.ROLLED_BACK):
        for device_id, state in record.failed.items():
            if device_id not in view.assessments:
                view.assessments[device_id] = Assessment(state, "failed before the rollout ended")


def find_young_sessions(view: View) -> list[str]:
    """Return the devices that have recently begun one new session after their update."""
    now = view.situation.now
    return [
        device
        for device, restart in view.record.restarts.items()
        if restart.count == 1 and now - restart.at < RECENT_SECONDS and device in view.covered
    ]


def assess_lasting_restarts(view: View) -> None:
    """Assess devices with young sessions as crashing if they would still trip the brake after two soak times.

    The record has room for the sessions of a few hundred devices only. It therefore does not show every device that
    crashes repeatedly.
    """
    decided = [wave.decided for wave in view.record.waves]
    last = max((moment for moment in decided if moment is not None), default=None)
    soak = view.situation.rollout.health.soak
    if last is None or None in decided or view.situation.now < last + 2 * soak:
        return
    young = find_young_sessions(view)
    if is_tripped(view.situation.rollout.brake, view.count(young)):
        evidence = f"came back with version {view.record.version}, and begins new sessions long after its update"
        for device in young:
            view.assessments[device] = Assessment(State.CRASHING, f"{evidence}, like many other devices")
