# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a rollout forward: observe, decide, write, and wait if the task says so. Private to this collection.

Between two checks, a run keeps only what it has written. The next run continues a run that was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import list_firmware, release_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._api.user import get_user
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.device_groups import refuse_unknown_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release, Row, read_release
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.reconcile import build_missing_version
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.apply import LockErrors, write_locks
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.begin import begin_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    Next,
    Phase,
    Progress,
    Releases,
    Rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.needs import NeededDeviceOs
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.observe import (
    find_groups_without_devices,
    read_cloud_time,
    read_devices,
    read_releases,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import Waiting
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import Outcome, describe_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import Record
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.settings import build_settings
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation

_TEMPORARY = frozenset(
    "unreachable cloud_error bad_response not_a_cloud device_offline rate_limited budget_exhausted".split()
)
"""Codes of errors after which a waiting run tries again later. A proxy in front of a cloud that is down may answer with
a web page, or with the status that otherwise means an offline device."""
_MAX_FAILED_CHECKS = 10
_LONG_WRITES_SECONDS = 60.0
"""Minimum duration, in seconds, of the writes of a wave for which the record contains the end of the writes."""
_REFUSAL_SECONDS = 600.0
"""Seconds after which a waiting run writes again to devices whose writes were refused.

Each attempt writes the record twice, so not every check makes one.
"""
_GROWTH = 1.5
"""Factor by which the time between two checks grows."""


@dataclass
class Run:
    """A run of a rollout.

    :param store: where the record of the rollout is stored.
    :param waiting: how long to wait until the rollout has ended; ``None`` not to wait.
    :param lock: returns a context manager that prevents other runs on this machine while the run reads and writes.
    :param report: shows a line about the progress of the rollout.
    """

    target: Target
    rollout: Rollout
    filters: Filters
    store: Store
    check_mode: bool
    waiting: Waiting | None = None
    clock: Clock = SYSTEM_CLOCK
    lock: Callable[[], AbstractContextManager[None]] = nullcontext
    report: Callable[[str], None] = lambda line: None
    outcome: Outcome = field(default_factory=Outcome)
    known: Mapping[int, Row] | None = None
    """The firmware versions of the product; ``None`` before they are read."""
    has_old_versions: bool = False
    """Whether an earlier check has read the firmware versions. Another person may have changed the releases since."""
    needs: NeededDeviceOs | None = None
    refused: frozenset[str] = frozenset()
    """Ids of the devices whose writes the cloud has refused. The run writes to them again after some minutes."""
    refused_since: float = 0.0
    """When the first of these writes was refused, in seconds of the monotonic clock."""


def run_rollout(run: Run) -> Outcome:
    """Carry a rollout forward. In check mode, only read and predict.

    :raises ParticleError: when an error concerns the whole rollout. Earlier writes remain, and the next run continues
        from there.
    """
    if run.waiting is not None and not run.check_mode:
        _wait(run, run.waiting)
        return run.outcome
    with run.lock():
        _check_rollout(run)
    return run.outcome


def _check_rollout(run: Run) -> Decision | None:
    """Observe the devices, and carry out all steps that are possible now.

    :returns: the last decision; ``None`` if there is no rollout to pause or abort.
    """
    run.has_old_versions = run.known is not None
    if run.known is None:
        run.known = list_firmware(run.target.http, run.target.required_product.id)
        _require_version(run, run.known)
    if run.clock.monotonic() - run.refused_since > _REFUSAL_SECONDS:
        run.refused = frozenset()
    devices = read_devices(run.target, run.filters, run.rollout.version)
    refuse_unknown_groups(run.target, find_groups_without_devices(run.rollout, devices), "waves and release")
    stored = run.store.load()
    now = read_cloud_time(run.target, run.clock)
    is_known = stored is not None and stored.version == run.rollout.version
    if run.rollout.phase is not Phase.RUNNING and not is_known:
        run.outcome.note_nothing(stored)
        return None
    record = begin_rollout(run.rollout, stored, devices, build_settings(run.rollout, run.filters), now)
    situation = Situation(
        run.rollout,
        record,
        devices,
        read_releases(run.known),
        read_release(run.known.get(run.rollout.version, {})),
        now,
        _find_approver(run, record),
        run.refused,
    )
    return _carry_out(run, situation, stored)


def _require_version(run: Run, known: Mapping[int, Row]) -> None:
    """Refuse a version that the product does not have. In check mode, only warn: an earlier task may upload it.

    :raises ParticleError: ``not_found`` when the product does not have the version.
    """
    if run.rollout.version in known:
        return
    hint = "Upload this version with the module firmware, or correct the option version."
    error = build_missing_version(run.target, run.rollout.version, known, hint)
    if not run.check_mode:
        raise error
    run.target.warn(f"{error.message} The prediction assumes that an earlier task uploads it. If not, the task fails.")


def _find_approver(run: Run, record: Record) -> str | None:
    """Return the username of the account, if this run approves waves."""
    if run.rollout.approved <= record.approved_through:
        return None
    try:
        username = get_user(run.target.http).get("username")
    except ParticleError:  # API users have no username
        return None
    return username if isinstance(username, str) else None


def _carry_out(run: Run, situation: Situation, stored: Record | None) -> Decision:
    """Decide and write, until nothing more can be done now.

    :param stored: the stored record; ``None`` if there is none.
    """
    saved = stored
    while True:
        decision = _decide(run, situation)
        if not decision.has_writes and decision.record == situation.record:
            break
        if run.has_old_versions and decision.record.phase in (Phase.RELEASING, Phase.ROLLING_BACK):
            situation = _read_releases_again(run, situation)
            continue
        if _is_rolled_back_by_brake(situation, decision):
            run.outcome.note_trip(decision, situation)
        if decision.has_writes:
            # An unchanged record is also written once, because the mark of this run in it makes other controllers stop.
            if _has_news(decision.record, saved) or not run.store.saved:
                _save(run, decision.record, situation.now, is_checked=True)
                saved = decision.record
            run.report(describe_progress(decision))
            situation, has_begun = _write(run, situation, decision)
            if not has_begun:
                continue  # without this step, because a refused device must not restart the soak time of its wave
        situation = replace(situation, record=_note_end_of_writes(run, decision, situation.now))
    if _has_news(decision.record, saved):
        _save(run, decision.record, situation.now, is_checked=_follows_person(run, decision.record, stored))
    run.outcome.note_decision(decision, situation, stored)
    if decision.progress is Progress.ROLLED_BACK and situation.rollout.phase is Phase.ABORTED:
        _warn_of_kept_versions(run)
    run.report(describe_progress(decision))
    return decision


def _read_releases_again(run: Run, situation: Situation) -> Situation:
    """Return the situation with the current releases, because a release at the end replaces them, and a rollback
    depends on them.
    """
    run.known = list_firmware(run.target.http, run.target.required_product.id)
    run.has_old_versions = False
    release = read_release(run.known.get(run.rollout.version, {}))
    return replace(situation, releases=read_releases(run.known), release=release)


def _warn_of_kept_versions(run: Run) -> None:
    """Warn of devices that a rollback does not change, if the user has requested it.

    For a rollback by the brake, its error names them.
    """
    if (kept := run.outcome.describe_kept_versions()) is not None:
        run.target.warn(kept)


def _is_rolled_back_by_brake(situation: Situation, decision: Decision) -> bool:
    """Return whether the brake, and not the user, has begun a rollback in this step."""
    has_begun = decision.record.phase is Phase.ROLLING_BACK and situation.record.phase is not Phase.ROLLING_BACK
    return has_begun and situation.rollout.phase is not Phase.ABORTED


def _decide(run: Run, situation: Situation) -> Decision:
    """Decide the next step. If devices are in safe mode, the evidence names the Device OS that they need."""
    if run.needs is None:
        run.needs = NeededDeviceOs(run.target, run.rollout.version)
    decision = decide(replace(situation, device_os=run.needs.module_version))
    if not run.needs.read_for(decision.assessments):
        return decision
    return decide(replace(situation, device_os=run.needs.module_version))


def _note_end_of_writes(run: Run, decision: Decision, began: float) -> Record:
    """Return the record after the writes of a step. If the writes took long, add the time at which they ended.

    :param began: the time at which the step targets devices, in seconds since 1970.
    """
    record = decision.record
    if not decision.locks or run.check_mode:
        return record
    end = read_cloud_time(run.target, run.clock)
    for number, wave in enumerate(record.waves, 1):
        if wave.written == wave.targeted == began and end - began > _LONG_WRITES_SECONDS:
            record = record.replace_wave(number, replace(wave, written=end))
    return record


def _has_news(record: Record, saved: Record | None) -> bool:
    """Return whether a record must be stored.

    Settings that are the only change are stored together with the next other change.
    """
    return saved is None or replace(record, settings=saved.settings) != saved


def _follows_person(run: Run, record: Record, stored: Record | None) -> bool:
    """Return whether a record contains a decision of a person from this run, such as a pause or an approval."""
    if run.rollout.phase is not Phase.RUNNING or stored is None or stored.phase is Phase.PAUSED:
        return True
    return (record.accepted, record.approvals) != (stored.accepted, stored.approvals)


def _save(run: Run, record: Record, now: float, *, is_checked: bool) -> None:
    run.outcome.changed = True
    if not run.check_mode:
        run.store.save(record, now, is_checked=is_checked)


def _write(run: Run, situation: Situation, decision: Decision) -> tuple[Situation, bool]:
    """Carry out the writes of a step. In check mode, predict the result.

    :returns: the situation afterwards, and whether any write may have taken effect.
    """
    run.outcome.changed = True
    if (release := decision.release) is not None:
        if not run.check_mode:
            version, product = run.rollout.version, run.target.required_product.id
            release_firmware(run.target.http, product, version, release.as_body())
            run.known = None  # the next check reads what the release has changed
        run.outcome.note_release(run.rollout.version, situation.release, release)
        releases = _predict_releases(situation.releases, run.rollout.version, release)
        situation = replace(situation, release=release, releases=releases)
    found = LockErrors({}) if run.check_mode else write_locks(run.target, decision.locks)
    errors = found.by_device
    _note_refusals(run, found.refused)
    run.outcome.note_locks(decision.locks, situation.devices, errors)
    devices = dict(situation.devices)
    for write in decision.locks:
        if write.device not in errors:
            devices[write.device] = replace(devices[write.device], lock=write.lock)
    has_begun = decision.release is not None or len(errors) < len(decision.locks) or bool(found.uncertain)
    return replace(situation, devices=devices, unwritable=situation.unwritable | errors.keys()), has_begun


def _note_refusals(run: Run, refused: frozenset[str]) -> None:
    if refused and not run.refused:
        run.refused_since = run.clock.monotonic()
    run.refused |= refused


def _predict_releases(releases: Releases, version: int, release: Release) -> Releases:
    default = version if release.default else releases.default
    return Releases(default, {**releases.by_group, **dict.fromkeys(release.groups, version)})


def _wait(run: Run, waiting: Waiting) -> None:
    """Check the rollout repeatedly until it has ended, needs a person, or the time is over."""
    end = run.clock.monotonic() + waiting.timeout
    decision = _check_first(run, waiting, end)
    pause, failures = waiting.first, 0
    while decision is not None and (then := _find_next(run, decision)) is not None:
        if run.clock.monotonic() + pause > end:
            run.target.warn(f"The rollout continues, but wait_timeout is over: {then.why} Run again.")
            return
        run.clock.sleep(pause)
        writes = run.outcome.writes
        try:
            with ExitStack() as stack:
                if _try_lock(run, stack) is None:
                    decision = _check_rollout(run)
            failures = 0
        except ParticleError as error:
            failures += 1
            if error.code not in _TEMPORARY or failures >= _MAX_FAILED_CHECKS:
                raise
            run.target.warn(f"The rollout is checked again later: {error.message}")
        pause = waiting.first if run.outcome.writes > writes else min(waiting.longest, pause * _GROWTH)


def _find_next(run: Run, decision: Decision) -> Next | None:
    """Return the next step that needs no person; ``None`` if there is no such step."""
    if decision.progress not in (Progress.RUNNING, Progress.SOAKING, Progress.HELD):
        return None
    is_ending = decision.record.phase not in (Phase.RUNNING, Phase.PAUSED)
    if is_ending and run.refused and run.outcome.unwritten <= run.refused:
        return None  # the only devices left are those whose writes the cloud refuses
    return None if decision.next is None or decision.next.when is None else decision.next


def _check_first(run: Run, waiting: Waiting, end: float) -> Decision | None:
    """Make the first check as soon as no other run on this machine holds the lock.

    :param end: until when to wait for another run, in seconds of the monotonic clock.
    :raises ParticleError: when the check fails, even if the failure is temporary, because the options may be wrong.
    """
    pause = waiting.first
    with ExitStack() as stack:
        while (error := _try_lock(run, stack)) is not None:
            if run.clock.monotonic() + pause > end:
                raise error
            run.clock.sleep(pause)
            pause = min(waiting.longest, pause * _GROWTH)
        return _check_rollout(run)


def _try_lock(run: Run, stack: ExitStack) -> ParticleError | None:
    """Take the lock of runs on this machine. If another run holds it, return the error that says so."""
    try:
        stack.enter_context(run.lock())
    except ParticleError as error:
        if error.code != "run_in_progress":
            raise
        return error
    return None
