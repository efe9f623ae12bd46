# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a rollout does next. Private to this collection.

:func:`decide` judges the devices and returns the next step. This module sends no requests: the caller carries out the
step, and asks again until a step contains no writes and no change of the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.brake import Tally, count_devices, is_tripped
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.health import Judge, find_restarts
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Device,
    Next,
    Phase,
    Progress,
    Releases,
    Rollout,
    State,
    Verdict,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.record import (
    MAX_FOREIGN_LOCKS,
    Approval,
    Record,
    WaveRecord,
    keep_offline,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import Wave, choose_batch, plan_waves

POLL_SECONDS = 60.0
"""Seconds after which it is worth looking again at updating devices."""
LATE_SECONDS = 1800.0
"""Seconds after which updating devices no longer delay their wave if it is unknown which of them were offline."""


@dataclass(frozen=True)
class Situation:
    """All that a decision depends on.

    :param devices: the approved devices of the product, keyed by device id.
    :param releases: what the releases of the product give to its devices.
    :param release: the release of the version of the rollout.
    :param now: the time of the cloud, in whole seconds since 1970, rounded up.
    :param approver: the account that approves waves in this run; ``None`` if unknown.
    :param unwritable: ids of devices whose writes have failed in this run.
    """

    rollout: Rollout
    record: Record
    devices: Mapping[str, Device]
    releases: Releases
    release: Release
    now: float
    approver: str | None = None
    unwritable: frozenset[str] = frozenset()


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
    """What a run does next, and what it has found.

    :param record: the record after the step.
    :param verdicts: the state of each device of the rollout, keyed by device id.
    :param locks: the locks to write after the record.
    :param release: the release to write before the locks; ``None`` if the release is as declared.
    """

    progress: Progress
    record: Record
    next: Next | None
    verdicts: Mapping[str, Verdict]
    waves: tuple[Wave, ...]
    tally: Tally
    locks: tuple[LockWrite, ...] = ()
    release: Release | None = None

    @property
    def has_writes(self) -> bool:
        """Return whether the step writes to devices or releases the version."""
        return bool(self.locks) or self.release is not None


# ---------------------------------------------------------------------- the beginning of a rollout


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
            return replace(known, settings=dict(settings))
    elif known is not None and not known.phase.is_over and not rollout.supersedes:
        message = f"The rollout of version {known.version}, which began at {format_time(known.began)}, is not over."
        hint = f"Continue it, abort it, or set supersede to true to roll out version {rollout.version} in its place."
        raise ParticleError("conflict", message, hint=hint)
    locks = dict(known.locks) if known is not None else {}
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


# ---------------------------------------------------------------------- the devices


@dataclass
class _View:
    """The devices of a rollout, each with its wave and its state."""

    situation: Situation
    record: Record
    eligible: dict[str, Device] = field(default_factory=dict)
    covered: dict[str, WaveRecord] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    waves: list[Wave] = field(default_factory=list)

    @property
    def begun(self) -> list[Wave]:
        return [wave for wave in self.waves if wave.record is not None]

    @property
    def targeted(self) -> dict[str, Verdict]:
        """Return the verdicts on the targeted devices."""
        return {device: self.verdicts[device] for device in self.covered}

    def count(self, also_failed: Iterable[str] = ()) -> Tally:
        accepted = self.record.accepted
        return count_devices(self.targeted, accepted, frozenset(also_failed))

    def find_missing(self, wave: Wave) -> list[Device]:
        """Return the members of a wave that are not targeted, although they could be."""
        left = (each for each in wave.members if each not in self.covered and each not in self.situation.unwritable)
        return [self.eligible[device] for device in left]

    def count_updating(self, wave: Wave) -> int:
        """Return how many members delay their wave: they were online when they were targeted, and are not decided."""
        record = wave.record
        if record is None or (record.offline is None and self.situation.now - record.targeted > LATE_SECONDS):
            return 0
        return sum(
            device in self.covered and self.verdicts[device].state is State.UPDATING and not record.was_offline(device)
            for device in wave.members
        )


def _view_devices(situation: Situation, record: Record) -> _View:
    view = _View(situation, record)
    for device in situation.devices.values():
        is_targeted = device.lock == record.version and record.owns_lock(device.id, device.lock)
        if not (device.is_selected or is_targeted):
            continue
        if device.in_development:
            evidence = "is a development device, which gets no locks and no releases"
            view.verdicts[device.id] = Verdict(State.SKIPPED_DEVELOPMENT, evidence)
        elif device.lock is not None and not record.owns_lock(device.id, device.lock):
            evidence = f"is locked to version {device.lock}, and not by a rollout"
            view.verdicts[device.id] = Verdict(State.SKIPPED_LOCKED, evidence)
        else:
            view.eligible[device.id] = device
    view.waves = plan_waves(situation.rollout.waves, record.waves, view.eligible.values())
    if not record.waves:
        return view
    wave_of = {device: wave.record for wave in view.begun for device in wave.members if wave.record is not None}
    for device in view.eligible.values():
        if _is_covered(device, situation, record, is_member=device.id in wave_of):
            view.covered[device.id] = wave_of.get(device.id, record.waves[-1])
    return view


def _is_covered(device: Device, situation: Situation, record: Record, *, is_member: bool) -> bool:
    """Return whether a device was targeted. At the end of the rollout, locks are replaced by the release."""
    if device.lock == record.version:
        return True
    is_ending = record.phase in (Phase.RELEASING, Phase.DONE)
    return is_ending and is_member and device.lock is None and situation.releases.find_version(device) == record.version


def _judge_devices(view: _View) -> None:
    """Judge the targeted devices, and note in the record which have restarted."""
    situation, record = view.situation, view.record
    pairs = [(view.eligible[device], wave) for device, wave in view.covered.items()]
    health, now = situation.rollout.health, situation.now
    if record.phase in (Phase.RUNNING, Phase.RELEASING):
        restarts = find_restarts(record.restarts, pairs, record.version, health, now)
        view.record = record = replace(record, restarts=restarts)
    judge = Judge(record.version, health, now, record.failed, record.restarts)
    for device, wave in pairs:
        view.verdicts[device.id] = judge.judge(device, wave)
    if record.phase in (Phase.ABORTED, Phase.ROLLED_BACK):
        for device_id, state in record.failed.items():
            if device_id not in view.verdicts:
                view.verdicts[device_id] = Verdict(state, "failed before the rollout ended")


# ---------------------------------------------------------------------- the decision


def decide(situation: Situation) -> Decision:
    """Judge the devices of a rollout, and return the next step."""
    view = _view_devices(situation, _follow_options(situation))
    _judge_devices(view)
    if view.record.phase.is_over:
        return _end(view)
    if situation.rollout.phase is Phase.PAUSED:
        return _build(view, Progress.PAUSED, Next(None, "The rollout is paused. Set state to present to continue it."))
    if view.record.phase is Phase.ROLLING_BACK:
        return _roll_back(view)
    if view.record.phase is Phase.ABORTING:
        return _abort(view)
    if view.record.phase is Phase.RELEASING:
        return _release(view)
    return _continue(view)


def _follow_options(situation: Situation) -> Record:
    """Return the record with what the options of this run add: the phase, approvals and accepted devices."""
    rollout, record = situation.rollout, situation.record
    if record.phase.is_over:
        return record
    accepted = record.accepted | rollout.accepted
    approvals = record.approvals + tuple(
        Approval(number, situation.now, situation.approver)
        for number in range(record.approved_through + 1, rollout.approved + 1)
    )
    phase = record.phase
    if rollout.phase is Phase.ABORTED and phase is not Phase.ROLLING_BACK:
        phase = Phase.ROLLING_BACK if rollout.is_rolled_back else Phase.ABORTING
    elif phase in (Phase.RUNNING, Phase.PAUSED):
        phase = rollout.phase
    return replace(record, accepted=accepted, approvals=approvals, phase=phase)


def _build(view: _View, progress: Progress, then: Next | None, **step: Any) -> Decision:
    record = step.pop("record", view.record)
    return Decision(progress, record, then, view.verdicts, tuple(view.waves), view.count(), **step)


def _end(view: _View) -> Decision:
    words = {Phase.DONE: Progress.DONE, Phase.ABORTED: Progress.ABORTED, Phase.ROLLED_BACK: Progress.ROLLED_BACK}
    return _build(view, words[view.record.phase], None)


def _continue(view: _View) -> Decision:
    """Continue a running rollout: brake, target what is missing in its waves, wait, or begin the next wave."""
    situation = view.situation
    if is_tripped(situation.rollout.brake, view.count()):
        if situation.rollout.is_rolled_back:
            return _roll_back(_with_phase(view, Phase.ROLLING_BACK))
        why = "The brake has stopped the rollout. Accept or repair the failed devices, or roll out another version."
        return _build(view, Progress.BRAKED, Next(None, why))
    return _target_missing(view) or _wait_for_wave(view) or _begin_wave(view) or _finish(view)


def _target_missing(view: _View) -> Decision | None:
    """Target the members of begun waves that are not targeted yet, wave by wave."""
    full: tuple[str, ...] = ()
    for wave in view.begun:
        missing = view.find_missing(wave)
        if not missing or view.count_updating(wave) or wave.record is None:
            continue
        batch = _choose(view, missing)
        full += batch.full
        if batch.devices:
            return _target(view, wave, wave.record, batch.devices)
    if full:
        return _build(view, Progress.HELD, _wait_for_budget(view, full))
    return None


def _choose(view: _View, wanted: list[Device]) -> Any:
    most, devices = view.situation.rollout.unavailable, view.situation.devices
    disrupted = frozenset(each for each, verdict in view.targeted.items() if verdict.state is not State.UPDATED)
    return choose_batch(wanted, most, devices, disrupted)


def _wait_for_budget(view: _View, full: Iterable[str]) -> Next:
    names = list_names(sorted(set(full)))
    why = f"The disruption budget of these device groups is used up: {names}. Devices are unavailable or updating."
    return Next(view.situation.now + POLL_SECONDS, why)


def _target(view: _View, wave: Wave, record: WaveRecord, batch: tuple[str, ...]) -> Decision:
    """Lock devices of a wave. The record is written first, so that no device is ahead of the record."""
    now = view.situation.now
    earlier = {device for device in wave.members if device in view.covered}
    offline = {device for device in batch if not view.eligible[device].online}
    offline |= {device for device in earlier if record.was_offline(device) and not _is_updated(view, device)}
    still = None if record.offline is None else keep_offline(offline)
    begun = replace(record, targeted=now, decided=None, offline=still)
    failed = {each: view.verdicts[each].state for each in earlier if view.verdicts[each].state.is_bad}
    changed = view.record.replace_wave(wave.number, begun)
    changed = replace(changed, failed={**view.record.failed, **failed})
    version = view.record.version
    locks = tuple(LockWrite(device, version, flash=True) for device in batch)
    count = format_count(len(batch), "device gets", "devices get")
    then = Next(now + POLL_SECONDS, f"{count} version {version}.")
    return _build(view, Progress.RUNNING, then, record=changed, locks=locks)


def _is_updated(view: _View, device: str) -> bool:
    verdict = view.verdicts.get(device)
    return verdict is not None and verdict.state is State.UPDATED


def _wait_for_wave(view: _View) -> Decision | None:
    """Wait until the devices of the last wave are decided and have been healthy for the soak time."""
    if not view.begun:
        return None
    now, soak = view.situation.now, view.situation.rollout.health.soak
    wave = view.begun[-1]
    updating = view.count_updating(wave)
    if updating:
        count = format_count(updating, "device is", "devices are")
        return _build(view, Progress.RUNNING, Next(now + POLL_SECONDS, f"{count} updating."))
    record = wave.record
    if record is not None and record.decided is None:
        return _build(view, Progress.SOAKING, None, record=view.record.replace_wave(wave.number, _decide(record, now)))
    if not any(verdict.state.is_decided for verdict in view.targeted.values()):
        count = format_count(len(view.covered), "targeted device has", "targeted devices have")
        why = f"None of the {count} taken the version or failed yet. Most likely, all of them are offline."
        return _build(view, Progress.HELD, Next(now + POLL_SECONDS, why))
    decided = now if record is None or record.decided is None else record.decided
    if now < decided + soak:
        why = f"Wave {wave.number} must stay healthy for {soak:g} seconds before the rollout continues."
        return _build(view, Progress.SOAKING, Next(decided + soak, why))
    young = [device for device, restart in view.record.restarts.items() if restart.count == 1]
    is_last = len(view.waves) == len(view.begun)
    if is_tripped(view.situation.rollout.brake, view.count(young)) or (is_last and young and now < decided + 2 * soak):
        count = format_count(len(young), "device has", "devices have")
        why = f"{count} begun a new session after the update. Another look shows whether it happens again."
        return _build(view, Progress.SOAKING, Next(now + min(POLL_SECONDS, soak), why))
    return None


def _decide(record: WaveRecord, now: float) -> WaveRecord:
    return replace(record, decided=now)


def _begin_wave(view: _View) -> Decision | None:
    """Begin the next wave, if there is one and it is approved."""
    rollout, now = view.situation.rollout, view.situation.now
    wave = next((wave for wave in view.waves if wave.record is None), None)
    if wave is None:
        return None
    if rollout.needs_approval and view.record.approved_through < wave.number:
        count = format_count(len(wave.members), "device")
        why = f"Wave {wave.number} with {count} waits for approval. Set approved to {wave.number} to begin it."
        return _build(view, Progress.AWAITING_APPROVAL, Next(None, why))
    missing = view.find_missing(wave)
    batch = _choose(view, missing)
    if not batch.devices and batch.full:
        return _build(view, Progress.HELD, _wait_for_budget(view, batch.full))
    return _target(view, wave, WaveRecord(wave.through, wave.groups, now, now), batch.devices)


def _finish(view: _View) -> Decision:
    """Begin the end of the rollout, unless devices are left that no wave contains."""
    reached = sum(len(wave.members) for wave in view.waves)
    left = len(view.eligible) - reached
    if not view.covered:
        return _build(view, Progress.HELD, Next(None, "The selection contains no device that can be updated."))
    if left > 0:
        why = (
            f"The declared waves reach {reached:,} of {len(view.eligible):,} devices. Declare another wave to continue."
        )
        return _build(view, Progress.HELD, Next(None, why))
    return _release(_with_phase(view, Phase.RELEASING))


def _with_phase(view: _View, phase: Phase) -> _View:
    view.record = replace(view.record, phase=phase)
    return view


# ---------------------------------------------------------------------- the end


def _release(view: _View) -> Decision:
    """Release the version, and then take back the locks of devices to which the releases give the version."""
    situation, record = view.situation, view.record
    then = Next(situation.now + POLL_SECONDS, "Firmware locks are taken back.")
    if situation.rollout.release is not None:
        wanted = _complete_release(situation.release, situation.rollout.release)
        if (wanted.default, wanted.groups) != (situation.release.default, situation.release.groups):
            return _build(view, Progress.RUNNING, then, release=wanted)
        locked = [view.eligible[device] for device in view.covered if view.eligible[device].lock is not None]
        locks = tuple(
            LockWrite(device.id, None)
            for device in locked
            if situation.releases.find_version(device) == record.version and device.id not in situation.unwritable
        )
        if locks:
            return _build(view, Progress.RUNNING, then, locks=locks)
        if any(device.id in situation.unwritable for device in locked):
            return _build(view, Progress.RUNNING, then)
    failed = {device: verdict.state for device, verdict in view.targeted.items() if verdict.state.is_bad}
    return _end(_with_record(view, replace(record, phase=Phase.DONE, failed=failed)))


def _with_record(view: _View, record: Record) -> _View:
    view.record = record
    return view


def _complete_release(found: Release, declared: Mapping[str, Any]) -> Release:
    """Return the release at the end. Groups to which the version is released already keep it."""
    groups = set(found.groups) | set(declared.get("groups") or ())
    return replace(found, default=found.default or bool(declared.get("default")), groups=tuple(sorted(groups)))


def _abort(view: _View) -> Decision:
    """Take back the locks of devices that do not run the version yet, so that they do not get it later."""
    version = view.record.version
    waiting = [device for device in view.covered if view.eligible[device].version != version]
    locks = tuple(LockWrite(device, None) for device in waiting if device not in view.situation.unwritable)
    then = Next(view.situation.now + POLL_SECONDS, "Firmware locks are taken back.")
    return _undo(view, locks, then, Phase.ABORTED, is_left=len(locks) < len(waiting))


def _roll_back(view: _View) -> Decision:
    """Lock the targeted devices to the version that the releases give them, and send it at once."""
    situation, record = view.situation, view.record
    locks, owned = list[LockWrite](), dict(record.locks)
    for device_id in view.covered:
        device = view.eligible[device_id]
        before = situation.releases.find_version(device)
        version = None if before == record.version else before
        if version is not None and version not in owned:
            owned[version] = frozenset(each.id for each in situation.devices.values() if each.lock == version)
        if device_id not in situation.unwritable:
            locks.append(LockWrite(device_id, version, flash=version is not None))
    view = _with_record(view, replace(record, locks=owned))
    then = Next(situation.now + POLL_SECONDS, "Devices are rolled back.")
    return _undo(view, tuple(locks), then, Phase.ROLLED_BACK, is_left=len(locks) < len(view.covered))


def _undo(view: _View, locks: tuple[LockWrite, ...], then: Next, end: Phase, *, is_left: bool) -> Decision:
    """Write locks that end a rollout before its time. The rollout has ended when none is left."""
    bad = {device: verdict.state for device, verdict in view.targeted.items() if verdict.state.is_bad}
    record = replace(view.record, failed={**view.record.failed, **bad})
    if locks:
        return _build(view, Progress.RUNNING, then, record=record, locks=locks)
    if is_left:
        return _build(view, Progress.RUNNING, then)
    return _end(_with_record(view, replace(view.record, phase=end)))
