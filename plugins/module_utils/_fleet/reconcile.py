# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe, plan, apply, prove: one run from a manifest to outcomes. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product, get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import Applied, apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DevicePlan,
    Manifest,
    Observed,
    Plan,
)
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
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh import ledger
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    Backend,
    MeshPlan,
)

_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Proof:
    """How a run shows that it worked: ``none``, ``read`` (what was written is there) or ``online`` (and joined).

    ``timeout``: how long to wait for members to join, in seconds.
    """

    verify: str = "read"
    timeout: float = 300.0


def reconcile(
    http: Http,
    manifest: Manifest,
    *,
    check_mode: bool,
    proof: Proof,
    warn: Callable[[str], None],
    max_failures: int | None = None,
    hold: Callable[[str | None], AbstractContextManager[None]] = lambda product: nullcontext(),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Bring the fleet to what ``manifest`` declares; in check mode say what that would take.

    :param hold: keeps other runs out; given the id of the product, or ``None`` for the account's own devices.
    :param max_failures: how many devices may fail before no more is begun; ``None``: all of them.
    :returns: the documented result of ``fleet``, failed when a device failed or the run ended early.
    :raises ParticleError: before the first write, for what concerns the whole run.
    """
    fleet = _Fleet(http, manifest, warn, max_failures)
    with hold(fleet.product_id):
        plan = fleet.plan(manifest)
        applied, states = Applied(), None
        if not check_mode:
            applied = fleet.apply(plan)
            try:
                if applied.stopped is None and proof.verify != "none":
                    fleet.prove_written(plan, applied)
                if applied.stopped is None and proof.verify == "online":
                    states = fleet.wait_until_joined(applied, proof.timeout, clock, sleep)
            except ParticleError as failed:
                applied.stopped = failed
    outcomes = _outcomes(manifest, plan, applied, states, check_mode=check_mode)
    error = first_failure(outcomes, applied.stopped)
    return {
        "changed": plan.changed if check_mode else applied.wrote,
        "summary": summary_of(outcomes),
        "devices": [outcome.as_result() for outcome in outcomes],
        "networks": networks_of(manifest, states),
        "diff": difference(plan),
        **(error.as_failure() if error else {}),
    }


def _outcomes(
    manifest: Manifest, plan: Plan, applied: Applied, states: Mapping[str, str] | None, *, check_mode: bool
) -> list[Outcome]:
    """One outcome for each declared device, in the order of the manifest."""
    plans = {device.id: device for device in plan.devices}
    refusals = {
        device: ParticleError("device_not_yours", f"Device {device} {reason}.")
        for device, reason in plan.refused.items()
    }
    outcomes = []
    for record in manifest.devices:
        device = plans.get(record.id)
        changes = device.changes if device else {}
        error = refusals.get(record.id) or applied.errors.get(record.id)
        if error is not None:
            status = FAILED
        elif (changes and not check_mode and record.id not in applied.done) or (
            states and states.get(record.id, JOINED) != JOINED
        ):
            status = PENDING
        else:
            status = CHANGED if changes else OK
        outcomes.append(Outcome(record.id, record.fields.get("name"), status, changes, error))
    return outcomes


class _Fleet:
    """One cloud and one product, with the three steps of a run."""

    def __init__(self, http: Http, manifest: Manifest, warn: Callable[[str], None], max_failures: int | None) -> None:
        self._http = http
        self._max_failures = max_failures
        self._manifest = manifest
        self._warn = warn
        self._backend: Backend = ledger
        self._product: Product | None = None
        if manifest.product is not None:
            self._product = get_product(http, manifest.product)

    @property
    def product_id(self) -> str | None:
        return self._product.id if self._product else None

    def plan(self, manifest: Manifest) -> Plan:
        """Observe the devices of ``manifest`` and plan them."""
        observed = self._observe(manifest)
        return make_plan(manifest, observed, self._plan_mesh(manifest, observed))

    def _observe(self, manifest: Manifest) -> Observed:
        if self._product is None:
            return observe_account(self._http, manifest)
        return observe_product(self._http, self._product, manifest, self._warn)

    def _plan_mesh(self, manifest: Manifest, observed: Observed) -> MeshPlan:
        wanted = {record.id: record.mesh for record in manifest.devices if record.speaks_of_mesh}
        if self._product is None or not wanted:
            return NO_MESH
        groups_of = {device: found.groups for device, found in observed.devices.items()}
        seen = self._backend.observe(self._http, self._product, frozenset(wanted), self._warn)
        return self._backend.plan(manifest.networks, wanted, groups_of, seen)

    def apply(self, plan: Plan) -> Applied:
        """Apply, and settle by another look what is in doubt: whether a write took effect is observed, not guessed."""
        applied = apply_plan(self._http, self._product, plan, self._backend, self._max_failures)
        doubtful = {device for device, error in applied.errors.items() if error.code == "ambiguous_write"}
        for device in doubtful:
            del applied.errors[device]  # until it is settled they are as good as those that were not reached
        if not doubtful or applied.stopped is not None:
            return applied
        try:
            second_plan = self.plan(self._only(doubtful))
        except ParticleError as error:
            applied.stopped = error
            return applied
        second = apply_plan(self._http, self._product, second_plan, self._backend, self._max_failures)
        settled = {device.id for device in second_plan.devices if not device.changed}
        applied.errors.update(second.errors)
        applied.done |= second.done | settled
        applied.wrote |= second.wrote or bool(settled)
        applied.stopped = second.stopped
        return applied

    def prove_written(self, plan: Plan, applied: Applied) -> None:
        """Look again: a device whose plan is not empty now has failed, whatever the cloud answered."""
        if not applied.done:
            return
        for device in self.plan(self._only(applied.done)).devices:
            if device.changed:
                applied.done.discard(device.id)
                applied.errors[device.id] = _not_written(device)

    def wait_until_joined(
        self, applied: Applied, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> dict[str, str]:
        """Sweep over the members' reports until all have joined, or the time is over."""
        wanted = {
            record.id: record.mesh
            for record in self._manifest.devices
            if record.mesh is not None and record.id not in applied.errors
        }
        if self._product is None or not wanted:
            return {}
        end = clock() + timeout
        while True:
            states = dict(self._backend.verify(self._http, self._product, wanted, self._warn))
            left = end - clock()
            if left <= 0 or all(state == JOINED for state in states.values()):
                return states
            sleep(min(_POLL_SECONDS, left))

    def _only(self, devices: Set[str]) -> Manifest:
        records = tuple(record for record in self._manifest.devices if record.id in devices)
        return replace(self._manifest, devices=records)


def _not_written(device: DevicePlan) -> ParticleError:
    fields = ", ".join(device.changes)
    message = f"The cloud took the writes for device {device.id}, and yet differs still: {fields}."
    return ParticleError("conflict", message, hint="See whether somebody else writes this device, then run again.")
