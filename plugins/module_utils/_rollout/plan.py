# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a rollout does next. Private to this collection.

:func:`decide` assesses the devices and returns the next step. This module sends no requests: the caller carries out the
step, and asks again until a step contains no writes and no change of the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import DAY
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    format_count,
    list_names,
    show_text,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.brake import is_tripped
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import (
    POLL_SECONDS,
    Decision,
    LockWrite,
    build_decision,
    change_phase,
    end_rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.ending import (
    abort_rollout,
    release_version,
    roll_back,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Assessment,
    Device,
    Next,
    Phase,
    Progress,
    Releases,
    State,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    Approval,
    Record,
    WaveRecord,
    keep_offline,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import (
    Situation,
    View,
    assess_devices,
    assess_lasting_restarts,
    find_young_sessions,
    view_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import (
    Batch,
    Wave,
    can_update_now,
    choose_batch,
)

READY_SECONDS = 300.0
"""Seconds for which a device must keep its session with the new version before it stops using the disruption budget. A
device that crashes restarts sooner (firmware-and-events.md, section 4.3)."""

MIN_STEP = 5
"""The number of devices that may join a begun wave at once, however few devices are targeted."""

AWAY_SECONDS = float(DAY)
"""Seconds after which an offline device no longer uses the disruption budget, because most likely it is out of use."""


def decide(situation: Situation) -> Decision:
    """Assess the devices of a rollout, and return the next step."""
    view = view_devices(situation, _follow_options(situation))
    assess_devices(view)
    if view.record.phase.is_over:
        return end_rollout(view)
    if situation.rollout.phase is Phase.PAUSED:
        return build_decision(
            view, Progress.PAUSED, Next(None, "The rollout is paused. Set state to present to continue it.")
        )
    if view.record.phase is Phase.ROLLING_BACK:
        return roll_back(view)
    if view.record.phase is Phase.ABORTING:
        return abort_rollout(view)
    if view.record.phase is Phase.RELEASING:
        return release_version(view)
    return _continue(view)


def _follow_options(situation: Situation) -> Record:
    """Return the record, updated with the phase, the approvals and the accepted devices in the options of this run."""
    rollout, record = situation.rollout, situation.record
    if record.phase.is_over:
        return record
    accepted = record.accepted | rollout.accepted
    approvals = record.approvals
    if rollout.approved > record.approved_through:
        approvals += (Approval(rollout.approved, situation.now, situation.approver),)
    phase = record.phase
    if rollout.phase is Phase.ABORTED and phase is not Phase.ROLLING_BACK:
        phase = Phase.ROLLING_BACK if rollout.is_rolled_back else Phase.ABORTING
    elif phase in (Phase.RUNNING, Phase.PAUSED):
        phase = rollout.phase
    return replace(record, accepted=accepted, approvals=approvals, phase=phase)


def _continue(view: View) -> Decision:
    """Continue a running rollout: brake, target what is missing in its waves, wait, or begin the next wave."""
    situation = view.situation
    assess_lasting_restarts(view)
    if is_tripped(situation.rollout.brake, view.count()):
        if situation.rollout.is_rolled_back:
            return roll_back(change_phase(view, Phase.ROLLING_BACK))
        why = "The brake has stopped the rollout. Accept or repair the failed devices, or roll out another version."
        return build_decision(view, Progress.BRAKED, Next(None, why))
    return _take_back_locks(view) or _target_missing(view) or _wait_for_wave(view) or _begin_wave(view) or _finish(view)


def _take_back_locks(view: View) -> Decision | None:
    """Take back the locks of earlier rollouts from devices that do not run their versions yet.

    Otherwise, a device that was offline would still get a version that this rollout supersedes.
    """
    situation, record = view.situation, view.record
    locks = tuple(
        LockWrite(device.id, None)
        for device in situation.devices.values()
        if device.lock not in (None, record.version, device.version)
        and record.owns_lock(device.id, device.lock)
        and device.id not in situation.unwritable
    )
    if not locks:
        return None
    why = "Firmware locks of an earlier rollout are taken back."
    return build_decision(view, Progress.RUNNING, Next(situation.now + POLL_SECONDS, why), locks=locks)


def _target_missing(view: View) -> Decision | None:
    """Target the members of begun waves that are not targeted yet, wave by wave."""
    full: tuple[str, ...] = ()
    for wave in view.begun_waves:
        missing = view.find_missing(wave)
        if not missing or view.count_updating(wave) or wave.record is None:
            continue
        batch = _choose(view, missing)
        full += batch.full
        if batch.devices:
            return _target(view, wave, wave.record, batch.devices[: _limit_step(view, wave.record)])
    if full:
        return build_decision(view, Progress.HELD, _plan_budget_check(view, full))
    return None


def _limit_step(view: View, record: WaveRecord) -> int | None:
    """Return how many members of a begun wave may be targeted at once; ``None`` for no limit.

    Many devices join a begun wave if they are imported or if the selection becomes larger. Not all of them may get a
    version at once that only a few devices have proved, so each step at most doubles the number of targeted devices.
    """
    has_more = record.decided is not None or record.targeted > record.began
    return max(MIN_STEP, len(view.covered)) if has_more else None


def _choose(view: View, wanted: list[Device]) -> Batch:
    """Choose the devices that the disruption budget allows to target now."""
    most, devices, now = view.situation.rollout.unavailable, view.situation.devices, view.situation.now
    if most is None:
        return choose_batch(wanted, None, devices, frozenset())
    disrupted = frozenset(
        each for each, assessment in view.targeted.items() if _may_be_unavailable(view, each, assessment)
    )
    away = frozenset(
        device.id for device in devices.values() if not device.online and now - (device.heard or 0.0) < AWAY_SECONDS
    )
    return choose_batch(wanted, most, devices, disrupted, away)


def _may_be_unavailable(view: View, device_id: str, assessment: Assessment) -> bool:
    """Return whether a targeted device is unavailable, or may become so at any moment."""
    device, wave = view.eligible[device_id], view.covered[device_id]
    if assessment.state is not State.UPDATED:
        return not (assessment.state.is_bad and device_id in view.record.accepted)
    began = device.handshake or 0.0
    return began > wave.began and view.situation.now - began < READY_SECONDS


def _plan_budget_check(view: View, full: Iterable[str]) -> Next:
    """Return when to check again whether the disruption budget allows more devices to be targeted."""
    groups = frozenset(full)
    bad = [
        each
        for each, assessment in view.targeted.items()
        if assessment.state.is_bad and each not in view.record.accepted
        if not view.eligible[each].groups.isdisjoint(groups)
    ]
    names = list_names([show_text(name) for name in sorted(groups)])
    why = f"The disruption budget of these device groups is used up: {names}."
    if bad:
        count = format_count(len(bad), "device has", "devices have")
        why += f" The update of {count} failed there. Repair these devices, or set accept to their ids."
    else:
        why += " Devices there are updating, offline or not yet stable."
    return Next(view.situation.now + POLL_SECONDS, why)


def _target(view: View, wave: Wave, record: WaveRecord, batch: tuple[str, ...]) -> Decision:
    """Lock devices of a wave. The record is written first, so that it contains every device that is locked."""
    now = view.situation.now
    earlier = {device for device in wave.members if device in view.covered}
    offline = {device for device in batch if not can_update_now(view.eligible[device])}
    offline |= {device for device in earlier if record.was_offline(device) and not _is_updated(view, device)}
    still = None if record.offline is None else keep_offline(offline)
    begun = replace(record, targeted=now, written=now, decided=None, offline=still)
    failed = {each: view.assessments[each].state for each in earlier if view.assessments[each].state.is_bad}
    changed = view.record.replace_wave(wave.number, begun)
    changed = replace(changed, failed={**view.record.failed, **failed})
    version = view.record.version
    locks = tuple(LockWrite(device, version, flash=True) for device in batch)
    count = format_count(len(batch), "device gets", "devices get")
    then = Next(now + POLL_SECONDS, f"{count} version {version}.")
    return build_decision(view, Progress.RUNNING, then, record=changed, locks=locks)


def _is_updated(view: View, device: str) -> bool:
    assessment = view.assessments.get(device)
    return assessment is not None and assessment.state is State.UPDATED


def _wait_for_wave(view: View) -> Decision | None:
    """Wait until the devices of all begun waves are decided and have been healthy for the soak time.

    An earlier wave delays the rollout again if devices have joined it.
    """
    if not view.begun_waves:
        return None
    now, soak = view.situation.now, view.situation.rollout.health.soak
    decided = _decide_waves(view)
    if decided != view.record:
        return build_decision(view, Progress.SOAKING, None, record=decided)
    updating = sum(view.count_updating(wave) for wave in view.begun_waves)
    if updating:
        count = format_count(updating, "device is", "devices are")
        return build_decision(view, Progress.RUNNING, Next(now + POLL_SECONDS, f"{count} updating."))
    if (why := _describe_missing_proof(view)) is not None:
        return build_decision(view, Progress.HELD, Next(now + POLL_SECONDS, why))
    since, number = max((wave.decided or now, number) for number, wave in enumerate(view.record.waves, 1))
    if now < since + soak:
        why = f"Wave {number} must stay healthy for {soak:g} seconds before the rollout continues."
        return build_decision(view, Progress.SOAKING, Next(since + soak, why))
    young = find_young_sessions(view)
    is_last = len(view.waves) == len(view.begun_waves)
    if is_tripped(view.situation.rollout.brake, view.count(young)) or (is_last and young and now < since + 2 * soak):
        count = format_count(len(young), "device has", "devices have")
        why = f"{count} begun a new session after the update. Another check shows whether it happens again."
        return build_decision(view, Progress.SOAKING, Next(now + min(POLL_SECONDS, soak), why))
    return None


def _describe_missing_proof(view: View) -> str | None:
    """Return why the rollout must not be widened yet: no device is known to run the version.

    A failed device that the user accepts is no reason to wait.
    """
    accepted = view.record.accepted
    bad = sum(assessment.state.is_bad for assessment in view.targeted.values())
    if any(
        assessment.state is State.UPDATED or (assessment.state.is_bad and device in accepted)
        for device, assessment in view.targeted.items()
    ):
        return None
    version, total = view.record.version, format_count(len(view.covered), "targeted device")
    if unknown := sum(assessment.state is State.UNKNOWN for assessment in view.targeted.values()):
        count = format_count(unknown, "device")
        return f"The cloud does not show when the sessions of {count} began, which would prove the update."
    if not bad:
        return f"No device runs version {version} yet. Most likely, all devices of the begun waves are offline."
    return (
        f"No device runs version {version} yet, and {bad} of {total} failed. Repair them, or set accept to their ids."
    )


def _decide_waves(view: View) -> Record:
    """Return the record, in which waves without updating devices are decided."""
    record = view.record
    for wave in view.begun_waves:
        if wave.record is not None and wave.record.decided is None and not view.count_updating(wave):
            record = record.replace_wave(wave.number, replace(wave.record, decided=view.situation.now))
    return record


def _begin_wave(view: View) -> Decision | None:
    """Begin the next wave, if there is one and it is approved."""
    rollout, now = view.situation.rollout, view.situation.now
    wave = next((wave for wave in view.waves if wave.record is None), None)
    if wave is None:
        return None
    if rollout.needs_approval and view.record.approved_through < wave.number:
        count = format_count(len(wave.members), "device")
        why = f"Wave {wave.number} with {count} waits for approval. Set approved to {wave.number} to begin it."
        return build_decision(view, Progress.AWAITING_APPROVAL, Next(None, why))
    missing = view.find_missing(wave)
    batch = _choose(view, missing)
    if not batch.devices and batch.full:
        return build_decision(view, Progress.HELD, _plan_budget_check(view, batch.full))
    return _target(view, wave, WaveRecord(wave.through, wave.groups, now, now, now), batch.devices)


def _finish(view: View) -> Decision:
    """Begin the end of the rollout, unless devices are left that no wave contains."""
    situation = view.situation
    reached = sum(len(wave.members) for wave in view.waves)
    left = len(view.eligible) - reached
    if not view.covered and not view.waiting:
        return build_decision(view, Progress.HELD, Next(None, "The selection contains no device that can be updated."))
    if left > 0:
        why = (
            f"The declared waves reach {reached:,} of {len(view.eligible):,} devices. Declare another wave to continue."
        )
        return build_decision(view, Progress.HELD, Next(None, why))
    waiting = [
        device for device in view.waiting if not view.covered or not _gets_release(situation, view.eligible[device])
    ]
    if waiting:
        count = format_count(len(waiting), "device is offline or has", "devices are offline or have")
        why = f"{count} updates switched off. With a disruption budget, they are targeted when they can be updated."
        return build_decision(view, Progress.HELD, Next(situation.now + POLL_SECONDS, why))
    return release_version(change_phase(view, Phase.RELEASING))


def _gets_release(situation: Situation, device: Device) -> bool:
    """Return whether the release at the end brings the version to a device that was not targeted."""
    declared, version, before = situation.rollout.release, situation.rollout.version, situation.releases
    if declared is None:
        return False
    default = version if declared.get("default") else before.default
    after = Releases(default, {**before.by_group, **dict.fromkeys(declared.get("groups") or (), version)})
    return after.find_version(device) == version
