# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The error of a run names every cause once."""

from __future__ import annotations

from fleet_cloud import OURS, client

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._product.outcome import ProductOutcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import KindRun
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS


def fail(target: Target, kind: str, errors: dict[str, ParticleError]) -> KindRun:
    """Build a run in which all resources of a kind have failed."""
    run = KindRun(target, KINDS[kind], [])
    run.outcome.changes = tuple(Change(Declared(name), Action.CREATE) for name in errors)
    run.outcome.errors = errors
    return run


def test_error_of_variables_that_are_written_together_is_shown_once() -> None:
    refused = ParticleError("forbidden", "Could not edit 3 environment variables.")
    other = ParticleError("conflict", "Could not create device group north.")
    with client("http://127.0.0.1:9") as http:
        target = Target(http, OURS, lambda sentence: None)
        variables = fail(target, "environment", dict.fromkeys(("DEBUG", "SECONDS", "UNITS"), refused))
        groups = fail(target, "groups", {"north": other})
    outcome = ProductOutcome((variables,), check_mode=False)
    assert (outcome.error, outcome.as_result()["summary"]["failed"]) == (refused, 3)
    both = ProductOutcome((variables, groups), check_mode=False).error
    assert both is not None
    assert both.message.split("\n  ") == ["4 resources of the product failed:", refused.message, other.message]


def test_summary_counts_the_pending_resources_that_it_does_not_name() -> None:
    names = [f"group-{number:02}" for number in range(12)]
    with client("http://127.0.0.1:9") as http:
        run = KindRun(Target(http, OURS, lambda sentence: None), KINDS["groups"], [])
    run.outcome.changes = tuple(Change(Declared(name), Action.DELETE) for name in names)
    run.outcome.pending = {name: f"Device group {name} still has devices." for name in names}
    message = ProductOutcome((run,), check_mode=False).as_result()["msg"]
    assert "Device group group-09 still has devices. 2 more resources are pending; see resources." in message
    assert "group-10" not in message
