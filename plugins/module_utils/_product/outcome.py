# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the outcome of a run for the resources of a product. Private to this collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    MAX_SHOWN,
    format_count,
    list_lines,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import pair_values
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import KindRun

FAILED, PENDING, UNCHANGED, CREATED, CHANGED, REMOVED = STATUSES = (
    "failed",
    "pending",
    "unchanged",
    "created",
    "changed",
    "removed",
)
_DONE = {Action.NONE: UNCHANGED, Action.CREATE: CREATED, Action.UPDATE: CHANGED, Action.DELETE: REMOVED}


@dataclass(frozen=True)
class ProductOutcome:
    """The outcome of a run for all kinds of resources.

    :param runs: the runs, in the order in which the kinds are written.
    """

    runs: tuple[KindRun, ...]
    check_mode: bool

    @property
    def error(self) -> ParticleError | None:
        """Return the error to report, or ``None`` if the run has no error."""
        for run in self.runs:
            if run.outcome.stopped is not None:
                return run.outcome.stopped
        found = [error for run in self.runs for error in _order_errors(run)]
        # Resources that are written together, such as environment variables, share one error. Resources that were not
        # written because of another failure come last.
        failed = sorted(dict.fromkeys(found), key=lambda error: error.unsent)
        if len(failed) <= 1:
            return failed[0] if failed else None
        shown = list_lines([error.message for error in failed], others_in="resources")
        head = f"{format_count(len(found), 'resource')} of the product failed:"
        message = "\n  ".join([head, *shown])
        return ParticleError(
            failed[0].code, message, hint=failed[0].hint, status=failed[0].status, route=failed[0].route
        )

    def as_result(self) -> dict[str, Any]:
        """Return the documented result. The key ``diff`` contains a :class:`Diff`."""
        resources = [row for run in self.runs for row in self._describe_run(run)]
        counts = Counter(row["status"] for row in resources)
        is_written = any(run.outcome.written for run in self.runs)
        would_change = any(change.action is not Action.NONE for run in self.runs for change in run.outcome.changes)
        result: dict[str, Any] = {
            "changed": would_change if self.check_mode else is_written,
            "resources": resources,
            "summary": {"total": len(resources), **{status: counts[status] for status in STATUSES}},
            "msg": self._describe(counts),
            "diff": self._build_diff(),
        }
        return {**result, **(self.error.as_failure() if self.error else {})}

    def _describe_run(self, run: KindRun) -> Iterator[dict[str, Any]]:
        for change in run.outcome.changes:
            error = run.outcome.errors.get(change.key)
            yield {
                "kind": run.kind.name,
                "name": change.key,
                "status": self._find_status(run, change),
                "changes": {
                    name: {"before": before, "after": after}
                    for name, (before, after) in pair_values(change).items()
                    if change.action is not Action.NONE
                },
                "not_compared": list(change.not_compared),
                "error": None if error is None else error.as_result(),
            }

    def _find_status(self, run: KindRun, change: Change) -> str:
        if change.key in run.outcome.errors:
            return FAILED
        is_left = change.action is not Action.NONE and change.key not in run.outcome.written
        if change.key in run.outcome.pending or (is_left and not self.check_mode):
            return PENDING
        return _DONE[change.action]

    def _describe(self, counts: Counter[str]) -> str:
        """Return the summary in one sentence, and a sentence for each of the first pending resources."""
        parts = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
        would = "would be " if self.check_mode and set(counts) - {UNCHANGED} else ""
        total = format_count(sum(counts.values()), "resource")
        pending = [reason for run in self.runs for reason in run.outcome.pending.values()]
        costs = [
            text for run in self.runs if self.check_mode and (text := run.kind.describe_costs(run.outcome.changes))
        ]
        hidden = sum(len(change.not_compared) for run in self.runs for change in run.outcome.changes)
        more = [f"{format_count(hidden, 'secret')} could not be compared."] if hidden else []
        shown = pending[:MAX_SHOWN]
        if unshown := len(pending) - len(shown):
            shown.append(f"{format_count(unshown, 'more resource is', 'more resources are')} pending; see resources.")
        return " ".join([f"{total}: {would}{', '.join(parts) or 'nothing declared'}.", *costs, *more, *shown])

    def _build_diff(self) -> Diff:
        return Diff(
            tuple(
                ChangedItem(
                    f"{run.kind.noun} {change.key}", _pair_shown(change), is_removal=change.action is Action.DELETE
                )
                for run in self.runs
                for change in run.outcome.changes
                if change.action is not Action.NONE
            ),
            noun="resource",
        )


def _order_errors(run: KindRun) -> Sequence[ParticleError]:
    return [run.outcome.errors[change.key] for change in run.outcome.changes if change.key in run.outcome.errors]


def _pair_shown(change: Change) -> dict[str, tuple[Any, Any]]:
    """Return the values of a change for the diff. A new resource may have no settings."""
    if change.action is Action.DELETE:
        return {"state": ("present", "absent")}
    created = {"state": ("absent", "present")} if change.action is Action.CREATE else {}
    return {**created, **pair_values(change)}
