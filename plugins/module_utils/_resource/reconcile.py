# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring resources of one kind to their declared state. Private to this collection.

The steps are: read the resources, plan changes, write, read the resources whose writes have an unknown result, and read
all written resources again to check the result.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    has_exhausted_retries,
    is_in_doubt,
    is_run_ending,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Declared, Kind, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import (
    ON_CREATE,
    Action,
    Change,
    find_secrets,
    match_rows,
    plan_changes,
    show_resource,
)


@dataclass
class Outcome:
    """The outcome of a run for all declared resources.

    :param changes: the first plan, with one change for each resource.
    :param rows: the rows from the last reading of each resource, keyed by resource key.
    :param written: the keys of resources that were written, completely or partly.
    :param errors: the errors of failed resources, keyed by resource key.
    :param stopped: the error that ended the run before all resources were written and read again.
    """

    changes: tuple[Change, ...]
    rows: dict[str, Row]
    written: set[str] = field(default_factory=set)
    errors: dict[str, ParticleError] = field(default_factory=dict)
    stopped: ParticleError | None = None

    @property
    def error(self) -> ParticleError | None:
        """Return the error to report, or ``None`` if the run has no error.

        An error that ended the run takes precedence over the error of the first failed resource.
        """
        failed = (self.errors[change.key] for change in self.changes if change.key in self.errors)
        return self.stopped or next(failed, None)

    @property
    def diff(self) -> Diff:
        """The changing fields of each resource, with their values before and after the change."""
        return Diff(
            tuple(
                ChangedItem(change.key, _pair_values(change), is_removal=change.action is Action.DELETE)
                for change in self.changes
                if change.action is not Action.NONE
            )
        )


def _pair_values(change: Change) -> dict[str, tuple[Any, Any]]:
    """Return the values of the changing fields before and after a change. A value that does not exist is ``None``."""
    names = dict.fromkeys((*change.before, *change.after))
    return {name: (change.before.get(name), change.after.get(name)) for name in names}


def reconcile_resources(
    target: Target,
    kind: Kind,
    declared: Sequence[Declared],
    *,
    check_mode: bool,
    update_secrets: str = ON_CREATE,
    force: bool = False,
) -> Outcome:
    """Bring resources to their declared state. In check mode, only read the resources and plan the changes.

    :param update_secrets: when to write secrets that cannot be compared: one of :data:`UPDATE_SECRETS`.
    :param force: whether to remove resources that are in use.
    :raises ParticleError: when an error occurs before the first write. The returned outcome contains any later error.
    """
    run = _Run(target, kind, {each.key: each for each in declared}, update_secrets)
    outcome = run.plan()
    if not force:
        run.refuse_removals(outcome)
    if check_mode:
        return outcome
    try:
        run.apply(outcome.changes, outcome)
        run.settle(outcome)
        run.verify(outcome)
    except ParticleError as error:  # reading again failed; the outcome still reports the writes
        outcome.stopped = outcome.error or error
    return outcome


class _Run:
    def __init__(self, target: Target, kind: Kind, declared: dict[str, Declared], update_secrets: str) -> None:
        self._target = target
        self._kind = kind
        self._declared = declared
        self._update_secrets = update_secrets

    def plan(self) -> Outcome:
        """Read all resources, and compute their changes."""
        for each in self._declared.values():
            self._mask({f.cloud: each.values.get(f.name) for f in self._kind.fields})
        rows = self._observe(self._declared)
        declared = list(self._declared.values())
        return Outcome(plan_changes(self._kind, rows, declared, update_secrets=self._update_secrets), rows)

    def refuse_removals(self, outcome: Outcome) -> None:
        """Refuse to remove resources that are in use.

        :raises ParticleError: the error of the kind about the first resource in use.
        """
        if self._kind.refuse_removal is None:
            return
        for change in outcome.changes:
            if change.action is Action.DELETE and change.row is not None:
                self._kind.refuse_removal(self._target, change.row)

    def _observe(self, keys: Collection[str]) -> dict[str, Row]:
        """Read the list of resources. Return a mapping from each of ``keys`` to the row of that resource, if any.

        If the list lacks fields, also read each resource with a separate request.
        """
        rows = match_rows(self._kind, self._kind.list_rows(self._target), keys)
        if self._kind.read_row is not None:
            read = self._kind.read_row
            whole = map_in_parallel(lambda row: read(self._target, row), rows.values(), self._target.http.workers)
            # Keep the fields that are in the row of the list, but not in the response for the single resource.
            rows = {key: {**row, **more} for (key, row), more in zip(rows.items(), whole, strict=True)}
        for row in rows.values():
            self._mask(row)
        return rows

    def _mask(self, values: Row) -> None:
        self._target.http.redact.add_secrets(find_secrets(self._kind, values))

    def _plan_again(self, keys: Collection[str], outcome: Outcome, written: Collection[str]) -> tuple[Change, ...]:
        """Read the resources with the given keys again, and compute the changes that these resources still need."""
        rows = self._observe(keys)
        outcome.rows = {key: row for key, row in outcome.rows.items() if key not in keys} | rows
        declared = [self._declared[key] for key in self._declared if key in keys]
        return plan_changes(self._kind, rows, declared, update_secrets=self._update_secrets, written=frozenset(written))

    def apply(self, changes: Sequence[Change], outcome: Outcome) -> None:
        """Send all changes in parallel. An error marks only one resource as failed, unless the error ends the run."""

        def write(change: Change) -> None:
            if outcome.stopped is not None:
                return
            try:
                self._write(change)
                outcome.written.add(change.key)
            except ParticleError as error:
                if is_run_ending(error):
                    outcome.stopped = outcome.stopped or error
                else:
                    outcome.errors[change.key] = error

        map_in_parallel(write, [each for each in changes if each.action is not Action.NONE], self._target.http.workers)

    def _write(self, change: Change) -> None:
        if change.row is None:
            self._kind.create_row(self._target, change.body)
        elif change.action is Action.DELETE:
            self._kind.delete_row(self._target, change.row)
        else:
            self._kind.update_row(self._target, change.row, change.body)

    def settle(self, outcome: Outcome) -> None:
        """Read the resources whose writes have an unknown result, and repeat only writes that have not taken effect."""
        uncertain = {key: error for key, error in outcome.errors.items() if is_in_doubt(error)}
        if not uncertain or outcome.stopped is not None:
            return
        first = {change.key: change for change in outcome.changes}
        # The result of these creations is unknown. If a resource exists now, it was created completely, including its
        # secrets.
        created = {key for key in uncertain if first[key].action is Action.CREATE}
        again = []
        for change in self._plan_again(uncertain, outcome, created):
            if change.action is Action.NONE:
                outcome.written.add(change.key)
                del outcome.errors[change.key]
            elif not (has_exhausted_retries(uncertain[change.key]) and _is_same(change, first[change.key])):
                del outcome.errors[change.key]
                again.append(change)
        self.apply(again, outcome)

    def verify(self, outcome: Outcome) -> None:
        """Read the written resources again. A resource that still differs from its declaration is marked as failed."""
        keys = outcome.written - outcome.errors.keys()
        if not keys or outcome.stopped is not None:
            return
        proved = {change.key: change for change in self._plan_again(keys, outcome, keys)}
        for change in proved.values():
            if change.action is not Action.NONE:
                outcome.errors[change.key] = _build_difference_error(self._kind, change)
        outcome.changes = tuple(
            replace(each, not_compared=proved[each.key].not_compared) if each.key in proved else each
            for each in outcome.changes
        )


def _is_same(one: Change, other: Change) -> bool:
    return (one.action, one.before, one.after) == (other.action, other.before, other.after)


def _build_difference_error(kind: Kind, change: Change) -> ParticleError:
    fields = ", ".join(change.after) or "it still exists"
    if change.row is None:
        fields = "it does not exist"
    message = f"The cloud accepted the writes, but {kind.noun} {change.key} still differs: {fields}."
    return ParticleError("conflict", message, hint="Check whether another run or person changes it, then run again.")


def reconcile_resource(
    target: Target,
    kind: Kind,
    declared: Declared,
    *,
    check_mode: bool,
    update_secrets: str = ON_CREATE,
    force: bool = False,
) -> dict[str, Any]:
    """Bring one resource to its declared state, for the module that manages this kind of resource.

    :returns: the documented result of the module. If the resource failed, the result contains the error.
    :raises ParticleError: when an error occurs before the first write. The returned result contains any later error.
    """
    outcome = reconcile_resources(
        target, kind, [declared], check_mode=check_mode, update_secrets=update_secrets, force=force
    )
    (change,) = outcome.changes
    changes = change.action is not Action.NONE
    result: dict[str, Any] = {
        "changed": changes if check_mode else bool(outcome.written),
        kind.module: _describe(kind, change, outcome.rows.get(declared.key), predict=check_mode and changes),
        "changes": {name: {"before": before, "after": after} for name, (before, after) in _pair_values(change).items()},
        "diff": outcome.diff,
    }
    if any(each.secret for each in kind.fields):
        result["not_compared"] = list(change.not_compared)
    if change.not_compared:
        result["msg"] = _describe_not_compared(kind, change, update_secrets)
    return {**result, **(outcome.error.as_failure() if outcome.error else {})}


def _describe(kind: Kind, change: Change, row: Row | None, *, predict: bool) -> dict[str, Any] | None:
    """Return the resource as the module shows it, or ``None`` if the resource does not exist.

    :param row: the row from the last reading of the resource.
    :param predict: whether to return the resource as it will be after the change, instead of ``row``.
    """
    if predict and change.action is Action.DELETE:
        return None
    if predict:
        known = change.row or {}
        row = {kind.id_key: known.get(kind.id_key), **({} if kind.replaces else known), **change.body}
    if row is None:
        return None
    identity = {} if kind.id_key == kind.key.cloud else {"id": row.get(kind.id_key)}
    return {**identity, kind.key.name: row.get(kind.key.cloud), **show_resource(kind, row)}


def _describe_not_compared(kind: Kind, change: Change, update_secrets: str) -> str:
    names = ", ".join(change.not_compared)
    text = f"The cloud does not show these secrets of {kind.noun} {change.key}, so they cannot be compared: {names}."
    if change.action is not Action.NONE:
        return f"{text} They were written with the change."
    if update_secrets == ON_CREATE:
        return f"{text} They were left as they are; set update_secrets to always to write them."
    return text
