# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe, plan, apply, prove: one run from a manifest to outcomes. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import some_of
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import Applied, apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    is_in_doubt,
    too_many,
    was_repeated_in_vain,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.firmware_guard import (
    locks_of_mesh_members,
    refuse_to_leave_a_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.identify import look_up, resolved
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Observed, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.observe import (
    observe_account,
    observe_product,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.outcome import (
    CHANGED,
    FAILED,
    OK,
    PENDING,
    Outcome,
    first_failure,
    networks_of,
    summary_of,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import (
    NO_MESH,
    difference,
    make_plan,
    only_imported,
    removals,
    with_more_changes,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, no_report
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord, Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh import backends
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    USUAL_LEDGERS,
    WRONG_NETWORK,
    Board,
    Ledgers,
    MeshPlan,
)

_POLL_SECONDS = 5.0
_SHOWN = 10


@dataclass(frozen=True)
class Proof:
    """How a run shows that it worked: ``none``, ``read`` (what was written is there) or ``online`` (and joined).

    ``timeout``: how long to wait for members to join, in seconds; ``strict``: who has not by then has failed.
    """

    verify: str = "read"
    timeout: float = 300.0
    strict: bool = False


def reconcile(
    http: Http,
    manifest: Manifest,
    *,
    check_mode: bool,
    proof: Proof,
    warn: Callable[[str], None],
    max_failures: int | None = None,
    max_removals: int | None = None,
    confirm: bool = False,
    hold: Callable[[str | None], AbstractContextManager[None]] = lambda product: nullcontext(),
    ledgers: Ledgers = USUAL_LEDGERS,
    report: Report = no_report,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Bring the fleet to what ``manifest`` declares; in check mode say what that would take.

    :param hold: keeps other runs out; given the id of the product, or ``None`` for the account's own devices.
    :param ledgers: what the two of backend ``ledger`` are called.
    :param max_failures: how many devices may fail before no more is begun; ``None``: all of them.
    :param max_removals: how many devices may leave without ``confirm``; ``None``: 1, or one in ten when that is more.
    :param report: told how many devices are written, as it goes.
    :returns: the documented result of ``fleet``, failed when a device failed or the run ended early.
    :raises ParticleError: before the first write, for what concerns the whole run.
    """
    product = get_product(http, manifest.product) if manifest.product is not None else None
    fleet = _Fleet(Target(http, product, warn), manifest, _Bounds(max_failures, max_removals, confirm), ledgers)
    with hold(product.id if product else None):
        plan = fleet.plan()
        applied, states = Applied() if check_mode else fleet.apply(plan, report), dict[str, str]()
        # A dry run that finds nothing to write can look at the members, and has nothing to wait for.
        asks = proof.verify == "online" and not (check_mode and plan.changed)
        try:
            if applied.stopped is None and proof.verify != "none":
                fleet.prove_written(applied)
            if applied.stopped is None and asks:
                states = fleet.wait_until_joined(applied, 0.0 if check_mode else proof.timeout, clock, sleep)
        except ParticleError as failed:
            applied.stopped = failed
        if proof.strict:
            applied.errors |= _not_joined(states, fleet.manifest)
    for warning in fleet.mesh_warnings:
        warn(warning)
    plan = with_more_changes(plan, applied.found, applied.unneeded)
    outcomes = _outcomes(fleet.manifest, plan, applied, states, check_mode=check_mode)
    error = first_failure(outcomes, applied.stopped) or next(iter(applied.besides), None)
    networks = networks_of(fleet.manifest, states if asks else None)
    return {
        "changed": plan.changed if check_mode else applied.wrote,
        "summary": summary_of(outcomes, networks),
        "devices": [outcome.as_result() for outcome in outcomes],
        "networks": networks,
        "diff": difference(plan),
        "ended_early": applied.stopped is not None,
        **(error.as_failure() if error else {}),
    }


@dataclass(frozen=True)
class _Bounds:
    """How far a run may go; see :func:`reconcile`."""

    max_failures: int | None
    max_removals: int | None
    confirm: bool


def _refuse_many_removals(plan: Plan, bounds: _Bounds, devices: int) -> None:
    leaving = removals(plan)
    most = max(1, devices // 10) if bounds.max_removals is None else bounds.max_removals
    if bounds.confirm or len(leaving) <= most:
        return
    shown = some_of(leaving, _SHOWN)
    message = f"{len(leaving)} devices would leave the product or give up their claim, at most {most} may: {shown}."
    hint = "Set confirm to true when that is meant, or raise max_removals; else correct what is declared."
    raise ParticleError("too_many_removals", message, hint=hint)


def _outcomes(
    manifest: Manifest, plan: Plan, applied: Applied, states: Mapping[str, str], *, check_mode: bool
) -> list[Outcome]:
    """One outcome for each declared device, in the order of the manifest."""
    plans = {device.key: device for device in plan.devices}
    refusals = _refusals(plan)
    outcomes = []
    for record in manifest.devices:
        device = plans.get(record.key)
        changes = device.changes if device else {}
        error = refusals.get(record.id) or applied.errors.get(record.id)
        if error is not None:
            status = FAILED
        elif (changes and not check_mode and record.id not in applied.done) or (
            states.get(record.id, JOINED) != JOINED
        ):
            status, error = PENDING, applied.waiting.get(record.id)
        else:
            status = CHANGED if changes else OK
        outcomes.append(Outcome.of(record, status, changes, error, states.get(record.id)))
    return outcomes


def _not_joined(states: Mapping[str, str], manifest: Manifest) -> dict[str, ParticleError]:
    """What is wrong with each member that should have joined by now."""
    errors = {}
    for record in manifest.devices:
        state = states.get(record.id, JOINED)
        if state == JOINED or record.mesh is None:
            continue
        where = "is in another network" if state == WRONG_NETWORK else f"is {state}"
        message = f"Device {record.key} should have joined network {record.mesh.network} by now, and {where}."
        errors[record.id] = ParticleError("conflict" if state == WRONG_NETWORK else "device_offline", message)
    return errors


def _refusals(plan: Plan) -> dict[str, ParticleError]:
    return {
        device: ParticleError("device_not_yours", f"Device {device} {reason}.")
        for device, reason in plan.refused.items()
    }


class _Fleet:
    """One cloud and one product, with the three steps of a run."""

    def __init__(self, target: Target, manifest: Manifest, bounds: _Bounds, ledgers: Ledgers) -> None:
        self._target = target
        self._bounds = bounds
        self._ledgers = ledgers
        self.manifest = manifest
        """What is declared, with the ids of all devices that the cloud has told by now."""
        self._observed = Observed({})
        self._labels_told = False
        """Whether the cloud has told by now what it ever will of devices that are declared by their label."""
        self.mesh_warnings: tuple[str, ...] = ()
        """What is to be said of the networks as they were last looked at: of those that came in this run, too."""

    def plan(self) -> Plan:
        """Observe all devices and plan them. :raises ParticleError: for what cannot be, or needs to be confirmed."""
        self._observed = self._observe(self.manifest)
        self.manifest = resolved(self.manifest, self._observed.ids)
        self._take_in_members_of_absent()
        mesh = self._plan_mesh(self.manifest, self._observed)
        backends.refuse_what_cannot_be(mesh)
        plan = make_plan(self.manifest, self._observed, mesh)
        _refuse_many_removals(plan, self._bounds, len(self.manifest.devices))
        locks = locks_of_mesh_members(plan, self.manifest, self._observed)
        if locks and self._target.product is not None and not self._bounds.confirm:
            refuse_to_leave_a_mesh(self._target, locks)
        return plan

    def _plan_again(self, devices: Set[str]) -> Plan:
        """Observe and plan these devices again, and nothing else. :raises ParticleError: when too many would leave.

        Who goes into a network when, and with what, depends on all its members: then all are looked at.
        """
        records = tuple(record for record in self.manifest.devices if record.id in devices)
        manifest = replace(self.manifest, devices=records)
        looked_at = self.manifest if any(record.speaks_of_mesh for record in self.manifest.devices) else manifest
        observed = self._observe(looked_at)
        plan = make_plan(manifest, observed, self._plan_mesh(looked_at, observed))
        _refuse_many_removals(plan, self._bounds, len(self.manifest.devices))
        return plan

    def _observe(self, manifest: Manifest) -> Observed:
        if self._target.product is None:
            return observe_account(self._target, manifest)
        return observe_product(self._target, manifest)

    def _take_in_members_of_absent(self) -> None:
        """Who is in a network that is to be dissolved leaves it, also when nothing is said of the device."""
        networks = self.manifest.networks
        if not any(network.absent for network in networks.values()):
            return
        boards = {device: found.board for device, found in self._observed.devices.items()}
        leaving = backends.members_of_absent(self._target, networks, boards, self._ledgers)
        known = {record.id for record in self.manifest.devices}
        records = tuple(
            replace(record, leaves_mesh=True) if record.id in leaving and not record.speaks_of_mesh else record
            for record in self.manifest.devices
        )
        more = tuple(DeviceRecord(device, leaves_mesh=True) for device in sorted(leaving - known))
        self.manifest = replace(self.manifest, devices=records + more)
        if more:
            self._observed = self._observe(self.manifest)

    def _plan_mesh(self, manifest: Manifest, observed: Observed) -> MeshPlan:
        wanted = {record.id: record.mesh for record in manifest.devices if record.speaks_of_mesh}
        if manifest.absent:
            wanted = {record.id: None for record in manifest.devices}
        if not wanted and not any(network.absent for network in manifest.networks.values()):
            return NO_MESH
        networks = manifest.networks
        if self._labels_told:
            unknown = {record.id for record in self.manifest.devices if not record.identified}
            networks = {name: network.without(unknown) for name, network in networks.items()}
        groups_of = {device: found.groups for device, found in observed.devices.items()}
        unseen = Board(self._target.product.platform_id if self._target.product else None)
        boards = {d: observed.devices[d].board if d in observed.devices else unseen for d in wanted}
        mesh = backends.plan(self._target, networks, wanted, groups_of, boards, self._ledgers)
        self.mesh_warnings = mesh.warnings
        return mesh

    def apply(self, plan: Plan, report: Report) -> Applied:
        """Apply, and settle by another look what is in doubt: whether a write took effect is observed, not guessed."""
        applied = Applied(errors=_refusals(plan))
        self._carry_out(plan, report, applied)
        unsettled = {device for device, error in applied.errors.items() if is_in_doubt(error)}
        doubts = {device: applied.errors.pop(device) for device in unsettled}  # as good as those that were not reached
        unsettled |= self._may_have_brought(plan) & applied.done
        applied.done -= unsettled
        if not unsettled or applied.stopped is not None:
            return applied
        try:
            second_plan = self._plan_again(unsettled | applied.held)
        except ParticleError as error:
            applied.stopped = error
            return applied
        applied.find(second_plan)
        settled = {device.id for device in second_plan.devices if not device.changed}
        applied.done |= settled
        planned = {device.key: device.changes for device in plan.devices}
        unmoved = {device.id for device in second_plan.devices if device.changes == planned.get(device.key)}
        applied.wrote |= bool(settled) or not doubts.keys() <= unmoved
        applied.errors.update(_refusals(second_plan))
        # What was repeated and has moved nothing is not begun once more.
        vain = {device: doubts[device] for device in unmoved & doubts.keys() if was_repeated_in_vain(doubts[device])}
        applied.errors.update(vain)
        left = tuple(device for device in second_plan.devices if device.id not in vain)
        self._carry_out(replace(second_plan, devices=left), no_report, applied)
        return applied

    def _may_have_brought(self, plan: Plan) -> set[str]:
        """Devices that may have come with what they are to be without: nobody sees it before they are here."""
        to_be_without = {
            record.id for record in self.manifest.devices if record.claimed is False or record.fields.get("notes") == ""
        }
        # By what the manifest calls them: some have learnt their id only since they were planned.
        newcomers = {
            device.key for device in plan.devices if device.imports or (device.claims and not self._target.product)
        }
        return {record.id for record in self.manifest.devices if record.key in newcomers} & to_be_without

    def _carry_out(self, plan: Plan, report: Report, applied: Applied) -> None:
        """Do what is planned; first of all learn the ids that are needed for it."""
        self._stop_at_too_many(applied)
        if applied.stopped is None and any(
            not device.identified and (device.imports or device.claims) for device in plan.devices
        ):
            plan = self._identify(plan, applied)
            self._stop_at_too_many(applied)
        if applied.stopped is None:
            applied.add(apply_plan(self._target, plan, backends, self._failures_left(applied), report))

    def _failures_left(self, applied: Applied) -> int | None:
        most = self._bounds.max_failures
        return None if most is None else most - len(applied.errors)

    def _stop_at_too_many(self, applied: Applied) -> None:
        """Begin nothing more when those that were refused before any write are more than the run is to bear."""
        left = self._failures_left(applied)
        if left is not None and left < 0 and applied.stopped is None:
            applied.stopped = too_many(len(applied.errors), next(iter(applied.errors.values())))

    def _identify(self, plan: Plan, applied: Applied) -> Plan:
        """Learn the ids of devices that are declared by their label, and plan these devices again with them."""
        keys = {device.key for device in plan.devices}
        self._labels_told = True
        try:
            if self._target.product is not None:
                imports = tuple(only_imported(device) for device in plan.devices if device.imports)
                first = apply_plan(
                    self._target,
                    replace(plan, create_groups=(), setup=(), teardown=(), devices=imports),
                    backends,
                    self._failures_left(applied),
                )
                first.done.clear()  # there may be more to write
                applied.add(first)
                if applied.stopped is not None:
                    return plan
                plan = self.plan()
                _note_imported([device for device in plan.devices if device.key in keys], imports, applied)
            else:
                unknown = {device.id for device in plan.devices if not device.identified and device.claims}
                found = look_up(self._target.http, [record for record in self.manifest.devices if record.id in unknown])
                applied.errors.update(found.errors)
                applied.waiting.update(found.waiting)
                self.manifest = resolved(self.manifest, found.ids)
                # The list may have shown some of them all the time, without the label.
                plan = self.plan()
        except ParticleError as error:
            applied.stopped = error
            return plan
        applied.errors.update(_refusals(plan))
        applied.find(plan)
        planned = tuple(device for device in plan.devices if device.key in keys)
        applied.unneeded |= {device.key for device in planned if not device.changed and device.id not in applied.done}
        for device in planned:
            if not device.identified and (device.imports or device.claims) and device.id not in applied.waiting:
                applied.errors.setdefault(device.id, _not_listed(device))
        left = applied.errors.keys() | applied.waiting.keys()
        return replace(plan, devices=tuple(device for device in planned if device.id not in left))

    def prove_written(self, applied: Applied) -> None:
        """Look again: a device whose plan is not empty now has failed, whatever the cloud answered."""
        if not applied.done:
            return
        plan = self._plan_again(applied.done)
        differing = {device.id: _not_written(device) for device in plan.devices if device.changed}
        applied.errors.update(differing | _refusals(plan))
        applied.done -= applied.errors.keys()

    def wait_until_joined(
        self, applied: Applied, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> dict[str, str]:
        """Sweep over the lists that tell of members until all have joined, or the time is over."""
        wanted = {
            record.id: record.mesh
            for record in self.manifest.devices
            if record.mesh is not None and record.id not in applied.errors.keys() | applied.held
        }
        if not wanted or self.manifest.absent:
            return {}
        end = clock() + timeout
        while True:
            declared = self.manifest.networks
            states = backends.verify(self._target, declared, wanted, self._ledgers)
            left = end - clock()
            if left <= 0 or all(state == JOINED for state in states.values()):
                return states
            sleep(min(_POLL_SECONDS, left))


def _note_imported(planned: Iterable[DevicePlan], imports: Iterable[DevicePlan], applied: Applied) -> None:
    """Who is listed now has come in, whatever the import answered, and may need no more than that."""
    asked = {device.key for device in imports}
    for device in planned:
        if device.key in asked and not device.imports:
            applied.wrote = True
            applied.errors.pop(device.key, None)
            if not device.changed:
                applied.done.add(device.id)


def _not_listed(device: DevicePlan) -> ParticleError:
    message = f"The cloud took {device.declared_by} and yet lists no device with it."
    return ParticleError("conflict", message, hint="Declare the device by its id instead.")


def _not_written(device: DevicePlan) -> ParticleError:
    fields = ", ".join(device.changes)
    message = f"The cloud took the writes for device {device.key}, and yet differs still: {fields}."
    return ParticleError("conflict", message, hint="See whether somebody else writes this device, then run again.")
