# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a fleet to its declared state: observe, plan, learn ids, apply, settle, verify. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.other_products import predict_imports
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import stop_at_failure_limit
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.labels import learn_ids
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.outcome import build_result
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.planning import plan_fleet
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.progress import Report, ignore_progress
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.settle import settle_run
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Bounds, Run
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.verify import Verification, verify_run
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.mesh import Mesh


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run.

    :param check_mode: whether to report the necessary changes without making them.
    """

    check_mode: bool
    verification: Verification = field(default_factory=Verification)
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True)
class Callbacks:
    """The functions that a run calls.

    :param warn: shows a sentence to the user.
    :param lock: returns a context manager that prevents other runs at the same time. The argument of ``lock`` is the
        product id, or ``None`` for the account's own devices.
    :param report: called with the progress of the writes.
    """

    warn: Callable[[str], None]
    lock: Callable[[str | None], AbstractContextManager[None]] = lambda product: nullcontext()
    report: Report = ignore_progress


def reconcile(
    http: Http,
    manifest: Manifest,
    settings: RunSettings,
    callbacks: Callbacks,
    mesh: Mesh | None = None,
) -> dict[str, Any]:
    """Bring a fleet to its declared state. In check mode, only report the necessary changes.

    :param mesh: the mesh backends that the task has opened; ``None`` means backends with default options.
    :returns: the documented result of module ``fleet``. An error after the first write is not raised but added to the
        result.
    :raises ParticleError: only before the first write, for an error that concerns the whole run.
    """
    product = get_product(http, manifest.product) if manifest.product is not None else None
    run = Run(Target(http, product, callbacks.warn), manifest, settings.bounds, mesh or Mesh())
    with callbacks.lock(product.id if product else None):
        plan = plan_fleet(run)
        if settings.check_mode:
            plan = predict_imports(run, plan)
        else:
            run.note_refusals(plan)
            carry_out_plan(run, plan, callbacks.report)
            if (rest := settle_run(run, plan)) is not None:
                carry_out_plan(run, rest)
        states = verify_run(run, plan, settings.verification, check_mode=settings.check_mode)
    for warning in run.mesh_warnings:
        callbacks.warn(warning)
    return build_result(run, plan, states, check_mode=settings.check_mode)


def carry_out_plan(run: Run, plan: Plan, report: Report = ignore_progress) -> None:
    """Learn the device ids that a plan needs, and send the writes of the plan.

    Nothing is sent if too many devices have already failed.
    """
    stop_at_failure_limit(run)
    if run.state.stopped is None:
        plan = learn_ids(run, plan, plan_fleet)
        stop_at_failure_limit(run)
    if run.state.stopped is None:
        run.known_variables.clear()
        run.state.add_states(apply_plan(run.target, plan, run.mesh, run.count_failures_left(), report))
