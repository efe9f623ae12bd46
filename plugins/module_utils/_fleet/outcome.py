# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the outcome of each device and the result of a run. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.failed_items import (
    FailedItem,
    describe_reasons,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import (
    build_undeclared_result,
    describe_undeclared,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Change, DevicePlan, Plan, Replaced
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import add_later_changes, build_diff
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.steps import (
    IMPORT,
    explain_failure,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import REPORT, DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    JOINED,
    LOST,
    MemberPending,
)

OK = "ok"
CHANGED = "changed"
FAILED = "failed"
PENDING = "pending"
STATUSES = (OK, CHANGED, FAILED, PENDING)

_MAX_SIMS = 3
"""The maximum number of SIMs in the message. The outcomes contain all of them."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run for one device.

    :param id: the device id; ``None`` if the device is declared by another identifier and its id is still unknown.
    :param identifier: the identifier by which the manifest declares the device.
    :param name: the declared name; ``None`` if no name is declared.
    :param status: one of :data:`STATUSES`. A ``pending`` device has not failed, and another run can finish its writes.
    :param mesh: the state of the device in its network; ``None`` if this state was not read.
    :param place: where the device is declared, such as ``fleet.yml:12 devices[3]``; empty if it is not declared.
    :param is_uncertain: whether check mode cannot tell if the cloud would accept the device.
    :param sim: the ICCID of the SIM in a device that leaves the product; ``None`` for any other device.
    :param restarts: whether the device restarts to apply its environment variables.
    :param replaces: the device whose place the device takes; ``None`` if there is none.
    :param replaced_by: the identifier of the device that takes the place of this device; ``None`` if there is none.
    :param written: whether the device is pending although all its writes were sent, or in check mode would be sent.
    """

    id: str | None
    identifier: str
    name: str | None
    status: str
    changes: Mapping[str, Change]
    error: ParticleError | None = None
    mesh: str | None = None
    place: str = ""
    is_uncertain: bool = False
    sim: str | None = None
    restarts: bool = False
    replaces: Replaced | None = None
    replaced_by: str | None = None
    written: bool = False

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The identifiers by which messages name the device."""
        return tuple(dict.fromkeys(filter(None, (self.identifier, self.id))))

    @property
    def title(self) -> str:
        """The name of the device, followed by its identifier and place, as shown to the user."""
        names = [name for name in (self.name, self.identifier, self.place) if name]
        return names[0] if len(names) == 1 else f"{names[0]} ({', '.join(names[1:])})"

    @classmethod
    def from_record(
        cls,
        record: DeviceRecord,
        status: str,
        changes: Mapping[str, Change],
        error: ParticleError | None,
        mesh: str | None,
    ) -> Outcome:
        """Return the outcome of a declared device."""
        name = record.fields.get("name")
        return cls(
            record.id if record.is_identified else None,
            record.key,
            None if name is None else str(name),
            status,
            changes,
            error,
            mesh,
            record.place,
        )

    def as_result(self) -> dict[str, Any]:
        """Return one item of the documented return value ``devices``."""
        return {
            "id": self.id,
            "identifier": self.identifier,
            "name": self.name,
            "status": self.status,
            "changes": {field: {"before": before, "after": after} for field, (before, after) in self.changes.items()},
            "mesh": self.mesh,
            **({"uncertain": True} if self.is_uncertain else {}),
            **({"sim": self.sim} if self.sim else {}),
            **({"restarts": True} if self.restarts else {}),
            **({"written": True} if self.written else {}),
            **({"replaces": {"id": self.replaces.id, "sim": self.replaces.sim}} if self.replaces else {}),
            **({"replaced_by": self.replaced_by} if self.replaced_by else {}),
            "error": self.error.as_result() if self.error else None,
        }


def build_result(run: Run, plan: Plan, states: Mapping[str, str] | None, *, check_mode: bool) -> dict[str, Any]:
    """Return the documented result of module ``fleet``.

    :param plan: the first plan of the run.
    :param states: the mesh states of members; ``None`` when the states were not read.
    """
    shown = add_later_changes(plan, run.later_changes, run.unneeded_devices | run.state.kept)
    outcomes = _build_outcomes(run, shown, states or {}, check_mode=check_mode)
    error = build_failure(outcomes, run.state.stopped) or next(iter(run.state.other_errors), None)
    networks = count_members(run.manifest, states)
    summary = summarize_outcomes(outcomes, networks)
    changed = shown.is_changed if check_mode else run.state.wrote
    undeclared = _build_undeclared(run)
    sentences = (
        describe_success(summary, changed=changed, check_mode=check_mode),
        _describe_restarts(sum(outcome.restarts for outcome in outcomes), check_mode=check_mode),
        describe_sims(outcomes),
        describe_undeclared(undeclared["undeclared"]) if undeclared else None,
    )
    return {
        "changed": changed,
        "msg": " ".join(filter(None, sentences)),
        "summary": summary,
        "devices": [outcome.as_result() for outcome in outcomes],
        "managed": list_managed_devices(outcomes, check_mode=check_mode),
        "networks": networks,
        "diff": build_diff(shown),
        **undeclared,
        "ended_early": run.state.stopped is not None,
        **(error.as_failure() if error else {}),
    }


def _build_undeclared(run: Run) -> dict[str, Any]:
    """Return the return value ``undeclared``. The result is empty if the run ignores or removes undeclared devices."""
    if run.manifest.undeclared != REPORT:
        return {}
    return {"undeclared": build_undeclared_result(run.observed.undeclared, run.observed.unread)}


def _build_outcomes(run: Run, plan: Plan, states: Mapping[str, str], *, check_mode: bool) -> list[Outcome]:
    """Return one outcome for each declared device, in the order of the manifest."""
    plans = {device.key: device for device in plan.devices}
    errors = {**run.state.find_errors(), **plan.refusals}
    waiting = run.state.find_errors(WriteState.WAITING)
    outcomes = []
    for record in run.manifest.devices:
        device = plans.get(record.key)
        changes = device.changes if device else {}
        error = errors.get(record.id)
        is_written = check_mode or not changes or run.state.is_in(record.id, WriteState.DONE)
        if error is not None:
            status = FAILED
        elif not is_written or record.id in run.state.kept or states.get(record.id, JOINED) != JOINED:
            status, error = PENDING, waiting.get(record.id)
        elif (leaving := _find_pending_member(device)) is not None:
            status, error = PENDING, leaving
        else:
            status = CHANGED if changes else OK
        if error is not None and status == FAILED:
            error = _explain_replacement(run, plans, record, error)
        outcome = Outcome.from_record(record, status, changes, error, states.get(record.id))
        outcome = replace(
            outcome,
            is_uncertain=record.key in run.uncertain,
            sim=device.sim if device else None,
            restarts=status == CHANGED and device is not None and device.restarts,
            replaces=device.replaces if device else None,
            replaced_by=record.replaced_by,
            written=status == PENDING and bool(changes) and is_written,
        )
        outcomes.append(outcome)
    return outcomes


def _find_pending_member(device: DevicePlan | None) -> ParticleError | None:
    """Return why a device is not in its declared state although all its writes were sent; ``None`` if it is in this
    state.
    """
    if device is None or device.mesh is None or not device.mesh.pending:
        return None
    hint = "Run again when the device has been online, or remove it from the product if it will not come back."
    return MemberPending("device_offline", device.mesh.pending, hint=hint)


def _explain_replacement(
    run: Run, plans: Mapping[str, DevicePlan], record: DeviceRecord, error: ParticleError
) -> ParticleError:
    """Return the error of a device.

    If the device belongs to a replacement, the error also lists the remaining steps.
    """
    replaced_by = {plan.replaced_by: plan for plan in plans.values() if plan.replaced_by is not None}
    new = plans.get(record.replaced_by or record.key)
    if new is None or new.replaces is None or run.state.stopped is not None:
        return error
    old = replaced_by.get(new.key)
    ids = {one.key: one.id for one in run.manifest.devices}
    done = {IMPORT} if ids.get(new.key) in run.observed.devices else set()
    for plan in (new, old):
        done |= run.state.done_steps.get(ids.get(plan.key, plan.id), set()) if plan is not None else set()
    return explain_failure(error, new, old, done)


def _describe_restarts(number: int, *, check_mode: bool) -> str | None:
    """Return a sentence about the devices that restart; ``None`` if there are none."""
    if not number:
        return None
    verb = "would restart" if check_mode else "restart" if number > 1 else "restarts"
    return f"{format_count(number, 'device')} {verb} to apply environment variables, at once if online."


def list_managed_devices(outcomes: Iterable[Outcome], *, check_mode: bool) -> dict[str, str | None]:
    """Return the names of the devices that are in their declared state after the run, keyed by device id.

    An automation controller counts these devices as managed by its job. In check mode, the result is empty, because a
    prediction manages no device.
    """
    if check_mode:
        return {}
    return {outcome.id: outcome.name for outcome in outcomes if outcome.id and outcome.status in (OK, CHANGED)}


def summarize_outcomes(outcomes: Iterable[Outcome], networks: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Count the devices in total and by status.

    :param networks: the result of :func:`count_members`. An empty result is left out.
    """
    statuses = [outcome.status for outcome in outcomes]
    counts = {"total": len(statuses), **{status: statuses.count(status) for status in STATUSES}}
    # The mappings are copied, because YAML output would show an object that occurs twice in a result as an alias.
    return {**counts, "networks": {name: dict(of) for name, of in networks.items()}} if networks else counts


def describe_sims(outcomes: Iterable[Outcome]) -> str | None:
    """Return a sentence about the SIMs of the devices that leave the product, or ``None`` if there are none."""
    sims = [outcome.sim for outcome in outcomes if outcome.sim and outcome.status == CHANGED]
    if not sims:
        return None
    return f"SIMs of removed devices, which are not released: {list_names(sims, _MAX_SIMS)}."


def count_members(manifest: Manifest, states: Mapping[str, str] | None) -> dict[str, dict[str, int]]:
    """Count the declared members of each network by role, and by state if ``states`` is not ``None``."""
    members: dict[str, list[DeviceRecord]] = {name: [] for name in manifest.networks}
    for record in manifest.devices:
        if record.mesh:
            members[record.mesh.network].append(record)
    networks: dict[str, dict[str, int]] = {}
    for name, records in members.items():
        gateways = sum(1 for record in records if record.mesh and record.mesh.role == GATEWAY)
        networks[name] = {"gateways": gateways, "nodes": len(records) - gateways}
        if states is not None:
            reported = [states.get(record.id) for record in records]
            joined, lost = reported.count(JOINED), reported.count(LOST)
            networks[name].update(joined=joined, lost=lost, pending=len(records) - joined - lost)
    return networks


def build_failure(outcomes: Sequence[Outcome], stopped: ParticleError | None) -> ParticleError | None:
    """Return the error with which the task fails; ``None`` if the task succeeds.

    If the run ended early, the task fails with the error that ended the run. Otherwise the task fails with the error of
    the first failed device. The message also counts the pending and failed devices, and names the failed devices with
    their reasons.
    """
    left = sum(1 for outcome in outcomes if outcome.status == PENDING)
    pending = f"{format_count(left, 'device is', 'devices are')} pending"
    failed = [
        FailedItem(outcome.title, outcome.identifiers, outcome.error)
        for outcome in outcomes
        if outcome.status == FAILED and outcome.error
    ]
    if not failed and stopped is None:
        return None
    error = stopped or failed[0].error
    reasons = "\n".join(describe_reasons(failed, error.hint)) if failed else ""
    counted = f"{len(failed):,} of {format_count(len(outcomes), 'device')} failed"
    others = f", {pending}" if left else ", all others are done"
    if stopped is not None:
        message = f"The run ended early, and {pending}. {_describe_end(stopped, failed, counted, reasons)}"
    elif len(failed) == len(outcomes):
        message = f"{counted}. {reasons}"
    else:
        message = f"{counted}{others}. {reasons}"
    return ParticleError(error.code, message, hint=error.hint, status=error.status, route=error.route)


def _describe_end(stopped: ParticleError, failed: Sequence[FailedItem], counted: str, reasons: str) -> str:
    """Return why a run ended early, followed by the failed devices.

    :param counted: the number of failed devices.
    :param reasons: the result of :func:`describe_reasons`; empty if no device failed.
    """
    if not failed:
        return stopped.message
    # If the run ended because of failed devices, the message ends with the reason of one of them.
    for item in failed:
        if stopped.message.endswith(item.error.message):
            return f"{stopped.message.removesuffix(item.error.message)}{counted}. {reasons}"
    return f"{stopped.message}\n{counted}. {reasons}"


def describe_success(summary: Mapping[str, Any], *, changed: bool, check_mode: bool) -> str:
    """Return a sentence with the numbers of devices, such as ``500 devices: 20 changed, 480 unchanged.``.

    :param summary: the result of :func:`summarize_outcomes`.
    :param changed: whether the run has changed anything, which includes device groups and networks.
    """
    words = {
        CHANGED: "would change" if check_mode else "changed",
        OK: "unchanged",
        PENDING: "pending",
        FAILED: "failed",
    }
    counts = ", ".join(f"{summary[status]:,} {word}" for status, word in words.items() if summary[status])
    total = format_count(summary["total"], "device")
    text = f"{total}: {counts}." if counts else f"{total}."
    if changed and not summary[CHANGED]:
        text += f" Device groups or networks {words[CHANGED]}."
    return text
