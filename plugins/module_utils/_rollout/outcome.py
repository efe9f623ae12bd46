# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the result of a run of a rollout. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import take_fitting
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.failed_items import (
    FailedItem,
    describe_reasons,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.brake import (
    count_states,
    describe_trip,
    show_tally,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Assessment,
    Device,
    Next,
    Progress,
    Rollout,
    State,
)

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
    from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision, LockWrite
    from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record
    from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
    from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.waves import Wave


_ROLLED_BACK_HINT = "Roll out a corrected version, or set supersede to begin again."
_BRAKE_HINT = (
    "Repair these devices and run again, set accept to their ids to continue without them, set rollback to lock to "
    "restore the previous versions, or roll out a corrected version with supersede."
)


@dataclass
class Outcome:
    """The result of a run; in check mode, the result that a run would have.

    :ivar writes: the number of writes to devices.
    :ivar changed: whether the run has changed a device, a release or the record, or would change it.
    """

    changed: bool = False
    writes: int = 0
    _decision: Decision | None = None
    _situation: Situation | None = None
    _phases: tuple[str | None, str] = (None, Progress.NONE.value)
    _locks: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    _release: tuple[int, Release, Release] | None = None
    _errors: dict[str, ParticleError] = field(default_factory=dict)
    _trip: ParticleError | None = None

    def note_nothing(self, stored: Record | None) -> None:
        """Note that there is no rollout that could be paused or aborted."""
        self._phases = (None if stored is None else stored.phase.value, Progress.NONE.value)

    def note_decision(self, decision: Decision, situation: Situation, stored: Record | None) -> None:
        """Note the last decision of a check.

        :param stored: the record before the check; ``None`` if there was none.
        """
        if self._decision is None:
            same = stored is not None and stored.version == decision.record.version
            self._phases = (stored.phase.value if stored is not None and same else None, "")
        self._phases = (self._phases[0], decision.record.phase.value)
        self._decision, self._situation = decision, situation

    def note_trip(self, decision: Decision, situation: Situation) -> None:
        """Note that the run restores the previous versions because of the brake."""
        self._trip = build_brake_error(decision, situation.rollout, situation.devices)

    def describe_kept_versions(self) -> str | None:
        """Return a sentence about devices to which the rollback gives no other version; ``None`` if there are none."""
        kept = [lock for device, (_unused, lock) in self._locks.items() if device not in self._errors].count(None)
        if not kept:
            return None
        count = format_count(kept, "targeted device keeps", "targeted devices keep")
        return f"{count} the present version, because no release gives another one."

    def _describe_rollback(self) -> str:
        """Return how many devices get another version, and how many do not, in sentences."""
        locks = [lock for device, (_unused, lock) in self._locks.items() if device not in self._errors]
        restored, unwritten = len(locks) - locks.count(None), len(self._errors)
        sentences = []
        if restored:
            sentences.append(f"{format_count(restored, 'device gets', 'devices get')} the previous version.")
        if kept := self.describe_kept_versions():
            sentences.append(kept)
        if unwritten:
            count = format_count(unwritten, "device was", "devices were")
            sentences.append(f"{count} not written; run again to roll back the rest.")
        return " ".join(sentences)

    def note_locks(
        self, writes: Iterable[LockWrite], devices: Mapping[str, Device], errors: Mapping[str, ParticleError]
    ) -> None:
        """Note the locks that were written.

        :param devices: the devices before the writes, keyed by device id.
        :param errors: the errors of devices that were not written, keyed by device id.
        """
        for write in writes:
            if write.device in errors:
                self._errors[write.device] = errors[write.device]
                continue
            before = self._locks.get(write.device, (devices[write.device].lock, None))[0]
            self._locks[write.device] = (before, write.lock)
            self._errors.pop(write.device, None)
            self.writes += 1

    def note_release(self, version: int, before: Release, after: Release) -> None:
        """Note the release at the end of the rollout."""
        self._release = (version, before, after)
        self.writes += 1

    @property
    def unwritten(self) -> frozenset[str]:
        """Return the ids of the devices whose last write has failed."""
        return frozenset(self._errors)

    def as_result(self) -> dict[str, Any]:
        """Return the documented result. The key ``diff`` contains a :class:`Diff`."""
        result: dict[str, Any] = {"changed": self.changed, "diff": self._build_diff()}
        if self._decision is None or self._situation is None:
            return {**result, **show_nothing()}
        result |= show_decision(self._decision, self._situation.rollout, self._situation.devices)
        error = self._build_error(self._decision, self._situation)
        return {**result, **(error.as_failure() if error is not None else {})}

    def _build_diff(self) -> Diff:
        items = []
        decision, situation = self._decision, self._situation
        if decision is None or situation is None:
            return Diff()
        title = f"rollout of version {decision.record.version}"
        if self._phases[0] != self._phases[1] and self.changed:
            items.append(ChangedItem(title, {"phase": self._phases}))
        if self._release is not None:
            version, before, after = self._release
            names = [name for name in ("default", "groups") if getattr(before, name) != getattr(after, name)]
            changes = {f"release.{name}": (before.as_result()[name], after.as_result()[name]) for name in names}
            items.append(ChangedItem(f"firmware {version}", changes))
        for device, pair in self._locks.items():
            if pair[0] != pair[1]:
                found = situation.devices.get(device)
                items.append(ChangedItem(device, {"firmware_lock": pair}, found.name if found else None))
        return Diff(tuple(items))

    def _build_error(self, decision: Decision, situation: Situation) -> ParticleError | None:
        if (trip := self._trip) is not None:
            hint = f"{self._describe_rollback()} {trip.hint}".strip()
            return ParticleError(trip.code, trip.message, hint=hint)
        if decision.progress is Progress.BRAKED:
            return build_brake_error(decision, situation.rollout, situation.devices)
        if not self._errors:
            return None
        failed = [
            FailedItem(situation.devices[device].title if device in situation.devices else device, (device,), error)
            for device, error in self._errors.items()
        ]
        first = failed[0].error
        count = format_count(len(failed), "device was", "devices were")
        reasons = "\n".join(describe_reasons(failed, first.hint))
        message = f"{count} not written, and the others were. {reasons}"
        return ParticleError(first.code, message, hint=first.hint, status=first.status, route=first.route)


def build_brake_error(decision: Decision, rollout: Rollout, devices: Mapping[str, Device]) -> ParticleError:
    """Return the error about a rollout that the brake has stopped, with the bad devices and the evidence."""
    bad = decision.tally.bad
    lines = list_lines([f"{devices[device].title}: {_show_state(decision.assessments[device])}" for device in bad])
    why = describe_trip(rollout.brake, decision.tally)
    message = f"The brake has stopped the rollout of version {decision.record.version}: {why}."
    hint = _ROLLED_BACK_HINT if rollout.is_rolled_back else _BRAKE_HINT
    return ParticleError("braked", "\n  ".join([message, *lines]), hint=hint)


def _show_state(assessment: Assessment) -> str:
    return f"{assessment.state.value}: {assessment.evidence}"


def show_nothing() -> dict[str, Any]:
    """Return the documented result for a product without a rollout."""
    return {
        "state": Progress.NONE.value,
        "version": None,
        "began": None,
        "waves": [],
        "devices": [],
        "counts": count_states({}),
        "brake": None,
        "next": None,
    }


def show_decision(decision: Decision, rollout: Rollout, devices: Mapping[str, Device]) -> dict[str, Any]:
    """Return what a run has found, as the modules show it."""
    number_of = {device: wave.number for wave in decision.waves for device in wave.members}
    order = {State.UPDATED: 2, State.SKIPPED_LOCKED: 3, State.SKIPPED_DEVELOPMENT: 3}
    assessments = sorted(
        decision.assessments.items(), key=lambda pair: 0 if pair[1].state.is_bad else order.get(pair[1].state, 1)
    )
    return {
        "state": decision.progress.value,
        "version": decision.record.version,
        "began": format_time(decision.record.began),
        "waves": [_show_wave(wave, decision) for wave in decision.waves],
        "devices": [
            {
                "id": device,
                "name": devices[device].name if device in devices else None,
                "state": assessment.state.value,
                "evidence": assessment.evidence,
                "wave": number_of.get(device),
                "firmware_version": devices[device].version if device in devices else None,
            }
            for device, assessment in assessments
        ],
        "counts": count_states(decision.assessments),
        "brake": show_tally(rollout.brake, decision.tally),
        "next": _show_next(decision.next),
    }


def _show_wave(wave: Wave, decision: Decision) -> dict[str, Any]:
    record = wave.record
    assessments = {device: decision.assessments[device] for device in wave.members if device in decision.assessments}
    approval = next((each for each in decision.record.approvals if each.wave >= wave.number), None)
    return {
        "number": wave.number,
        "state": _name_wave_state(wave, decision),
        "devices": len(wave.members),
        "total": wave.total,
        "groups": list(wave.groups),
        "members": list(wave.members),
        "began": None if record is None else format_time(record.began),
        "decided": None if record is None or record.decided is None else format_time(record.decided),
        "approved_by": None if approval is None else approval.by,
        "approved_at": None if approval is None else format_time(approval.at),
        "counts": count_states(assessments),
    }


def _name_wave_state(wave: Wave, decision: Decision) -> str:
    """Return the word that completes the sentence "The wave is …"."""
    if wave.record is None:
        return "waiting"
    if decision.progress is Progress.DONE:
        return "complete"
    if wave.record.decided is None:
        return "ended" if decision.progress in (Progress.ABORTED, Progress.ROLLED_BACK) else "updating"
    begun = sum(each.record is not None for each in decision.waves)
    return "soaking" if decision.progress is Progress.SOAKING and wave.number == begun else "complete"


def _show_next(found: Next | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"when": None if found.when is None else format_time(found.when), "why": found.why}


def describe_progress(decision: Decision) -> str:
    """Return a line about the progress of a rollout, such as ``wave 2/4 | 18 of 20 updated | 2 pending | soaking``."""
    begun = sum(wave.record is not None for wave in decision.waves)
    states = [assessment.state for assessment in decision.assessments.values()]
    targeted = sum(state not in (State.SKIPPED_DEVELOPMENT, State.SKIPPED_LOCKED) for state in states)
    parts = [f"wave {begun}/{len(decision.waves)}", f"{states.count(State.UPDATED):,} of {targeted:,} updated"]
    for number, word in (
        (states.count(State.UPDATING), "updating"),
        (sum(state.is_pending for state in states), "pending"),
        (len(decision.tally.failed), "failed"),
        (len(decision.tally.gone), "gone"),
        (len(decision.locks), "to write"),
    ):
        if number:
            parts.append(f"{number:,} {word}")
    parts.append(decision.progress.value.replace("_", " "))
    return " | ".join(parts)


def reduce_failed_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a run. If the run has failed, only with bad devices and without the members of waves.

    :param result: a result with the keys ``waves`` and ``devices``.
    """
    if not result.get("failed"):
        return {**result, "devices_omitted": 0}
    kept = take_fitting(row for row in result["devices"] if State(row["state"]).is_bad)
    waves = [{key: value for key, value in wave.items() if key != "members"} for wave in result["waves"]]
    omitted = len(result["devices"]) - len(kept)
    return {**result, "waves": waves, "devices": kept, "devices_omitted": omitted}
