# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring resources of one kind to their declared state. Private to this collection.

The steps are: read the resources, plan changes, write, read the resources whose writes have an unknown result, and read
all written resources again to check the result.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import (
    ParticleError,
    build_difference_error,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import (
    has_exhausted_retries,
    is_in_doubt,
    is_run_ending,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared, Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind, Once
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import (
    ON_CREATE,
    join_errors,
    match_rows,
    plan_changes,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.secrets import find_secrets, list_given

CHANGING = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
"""All kinds of changes."""


def reconcile_resources(
    target: Target,
    kind: Kind,
    declared: Sequence[Declared],
    *,
    check_mode: bool,
    update_secrets: str = ON_CREATE,
    force: bool = False,
    confirmed: Collection[str] = (),
    prune: bool = False,
) -> Outcome:
    """Bring resources to their declared state. In check mode, only read the resources and plan the changes.

    :param update_secrets: when to write secrets that cannot be compared: one of :data:`UPDATE_SECRETS`.
    :param force: whether to remove resources that are in use.
    :param confirmed: the words with which the user confirms changes, see ``Kind.removal_confirmation``.
    :param prune: whether to remove all resources that are not declared; see :class:`KindRun`.
    :raises ParticleError: when an error occurs before the first write. The returned outcome contains any later error.
    """
    run = KindRun(target, kind, declared, update_secrets=update_secrets, prune=prune)
    run.plan()
    run.refuse(force=force, confirmed=confirmed)
    if check_mode:
        return run.outcome
    try:
        run.apply()
        run.verify()
    except ParticleError as error:  # reading again failed; the outcome still reports the writes
        run.outcome.stopped = run.outcome.error or error
    return run.outcome


def read_whole_rows(target: Target, kind: Kind, rows: Sequence[Row], shown: Collection[str] = ()) -> list[Row]:
    """Return rows of a list with all their fields. Secrets in the rows are masked in all output from now on.

    If the list lacks fields, each resource is read with a separate request.

    :param shown: texts that the output must show as they are; see :func:`find_secrets`.
    """
    found = list(rows)
    if kind.read_row is not None:
        read = kind.read_row
        whole = map_in_parallel(lambda row: read(target, row), rows, target.http.workers)
        # Keep the fields that are in the row of the list, but not in the response for the single resource.
        found = [{**row, **more} for row, more in zip(rows, whole, strict=True)]
    for row in found:
        target.http.redact.add_secrets(find_secrets(kind, row, [*shown, target.required_product.slug]))
    return found


class KindRun:
    """A run for the resources of one kind, in steps: :meth:`plan`, :meth:`refuse`, :meth:`apply` and :meth:`verify`.

    :param update_secrets: when to write secrets that cannot be compared: one of :data:`UPDATE_SECRETS`.
    :param prune: whether to remove all resources that are not declared, except those of other parts of this collection.
    :ivar outcome: the outcome of the steps so far.
    """

    def __init__(
        self,
        target: Target,
        kind: Kind,
        declared: Sequence[Declared],
        *,
        update_secrets: str = ON_CREATE,
        prune: bool = False,
    ) -> None:
        self.kind = kind
        self.outcome = Outcome()
        self._target = target
        self._declared = {each.key: kind.complete(each) for each in declared}
        self._update_secrets = update_secrets
        self._prune = prune
        self._listed: Sequence[Row] = ()

    def plan(self) -> None:
        """Read all resources, and compute their changes.

        :raises ParticleError: when the resources cannot be read, or cannot reach their declared state.
        """
        for each in self._declared.values():
            shown = [each.key, self._target.required_product.slug]
            self._target.http.redact.add_secrets(find_secrets(self.kind, list_given(self.kind, each), shown))
        self._listed = rows = self.kind.list_rows(self._target)
        if self._prune:
            kept = [row for row in rows if not self.kind.is_reserved(row)]
            for key in sorted(filter(None, map(self.kind.get_key, kept))):
                self._declared.setdefault(key, Declared(key, absent=True))
        self.outcome.rows = self._read_matching(rows, self._declared)
        declared = list(self._declared.values())
        self.outcome.changes = plan_changes(self.kind, self.outcome.rows, declared, update_secrets=self._update_secrets)

    def refuse(self, *, force: bool = False, confirmed: Collection[str] = ()) -> None:
        """Refuse changes that the cloud would refuse, that would harm what is in use, or that are not confirmed.

        :param force: whether to remove resources that are in use.
        :param confirmed: the words with which the user confirms changes, see ``Kind.removal_confirmation``.
        :raises ParticleError: the errors of the kind about its resources; ``invalid_option`` when removals must be
            confirmed.
        """
        changing = self.outcome.changing
        if changing and self.kind.refuse_changes is not None:
            self.kind.refuse_changes(changing, self._listed)
        errors = list[ParticleError]()
        for change in self.outcome.changes:
            try:
                self._refuse_change(change, force=force)
            except ParticleError as error:
                if is_run_ending(error):
                    raise
                errors.append(error)
        if errors:
            raise join_errors(errors)
        self._refuse_unconfirmed(confirmed)

    def _refuse_unconfirmed(self, confirmed: Collection[str]) -> None:
        word = self.kind.removal_confirmation
        removals = [change for change in self.outcome.changes if change.action is Action.DELETE]
        if not removals or not word or word in confirmed:
            return
        names = list_names([change.key for change in removals])
        message = f"Removals of {self.kind.noun}s must be confirmed: {names}. {self.kind.describe_costs(removals)}"
        hint = f"Set confirm to [{word}] to allow this, or correct the declaration."
        raise ParticleError("invalid_option", message, hint=hint)

    def _refuse_change(self, change: Change, *, force: bool) -> None:
        if change.action is Action.CREATE and self.kind.refuse_creation is not None:
            self.kind.refuse_creation(self._target, change)
        if change.row is not None and not change.declared.absent and self.kind.refuse_existing is not None:
            self.kind.refuse_existing(self._target, change)
        refuse_removal = self.kind.refuse_removal
        if change.action is Action.DELETE and change.row is not None and refuse_removal is not None and not force:
            refuse_removal(self._target, change.row)

    def _read_matching(self, rows: Sequence[Row], keys: Collection[str]) -> dict[str, Row]:
        """Return a mapping from each of ``keys`` to the row of that resource, if any, with all fields.

        If the list lacks fields, also read each resource with a separate request.
        """
        matching = match_rows(self.kind, rows, keys)
        whole = read_whole_rows(self._target, self.kind, list(matching.values()))
        matching = dict(zip(matching, whole, strict=True))
        if self.kind.observe is not None:
            observe = self.kind.observe
            matching = {key: observe(self._target, self._declared[key], row) for key, row in matching.items()}
        return matching

    def _plan_again(self, keys: Collection[str], written: Collection[str]) -> tuple[Change, ...]:
        """Read the resources with the given keys again, and compute the changes that these resources still need."""
        rows = self._read_matching(self.kind.list_rows(self._target), keys)
        self.outcome.rows = {key: row for key, row in self.outcome.rows.items() if key not in keys} | rows
        declared = [self._declared[key] for key in self._declared if key in keys]
        return plan_changes(self.kind, rows, declared, update_secrets=self._update_secrets, written=frozenset(written))

    def apply(self, actions: Collection[Action] = CHANGING) -> None:
        """Write the changes in parallel, and repeat writes that have an unknown result and have not taken effect.

        An error marks only one resource as failed, unless the error ends the run.

        :param actions: the kinds of changes to write.
        """
        due = [change for change in self.outcome.changes if change.action in actions]
        self._write_all(due)
        self._settle({change.key for change in due})

    def _write_all(self, changes: Sequence[Change]) -> None:
        batches, alone = dict[Hashable, list[Change]](), list[Change]()
        for change in changes:
            batch = None if self.kind.write_rows is None else self.kind.find_batch(change)
            (alone if batch is None else batches.setdefault(batch, [])).append(change)
        for together in batches.values():
            self._write_together(together)
        map_in_parallel(self._write_alone, alone, self._target.http.workers)

    def _write_together(self, changes: Sequence[Change]) -> None:
        if self.kind.write_rows is None or self.outcome.stopped is not None:
            return
        try:
            self.outcome.written |= set(self.kind.write_rows(self._target, changes))
            if self.kind.publish is not None:
                self.kind.publish(self._target)
            self.outcome.written |= {change.key for change in changes}
        except ParticleError as error:
            for change in changes:
                self._note_error(change, error)

    def _write_alone(self, change: Change) -> None:
        if self.outcome.stopped is not None:
            return
        try:
            once = self._write(change)
            self.outcome.written.add(change.key)
            if once:
                self.outcome.once[change.key] = once
        except ParticleError as error:
            self._note_error(change, error)

    def _note_error(self, change: Change, error: ParticleError) -> None:
        if is_run_ending(error):
            self.outcome.stopped = self.outcome.stopped or error
        else:
            self.outcome.errors[change.key] = error

    def _write(self, change: Change) -> Once | None:
        if change.action is Action.CREATE:
            return self.kind.create_row(self._target, change)
        if change.action is Action.UPDATE:
            return self.kind.update_row(self._target, change)
        self.kind.delete_row(self._target, change)
        return None

    def _settle(self, keys: Collection[str]) -> None:
        """Read the resources whose writes have an unknown result, and repeat only writes that have not taken effect."""
        outcome = self.outcome
        uncertain = {key: error for key, error in outcome.errors.items() if key in keys and is_in_doubt(error)}
        if not uncertain or outcome.stopped is not None:
            return
        first = {change.key: change for change in outcome.changes}
        # The result of these creations is unknown. If a resource exists now, it was created completely, including its
        # secrets.
        created = {key for key in uncertain if first[key].action is Action.CREATE}
        again = []
        for change in self._plan_again(uncertain, created):
            if change.action is Action.NONE:
                outcome.written.add(change.key)
                del outcome.errors[change.key]
            elif not (has_exhausted_retries(uncertain[change.key]) and _is_same(change, first[change.key])):
                del outcome.errors[change.key]
                again.append(change)
        self._write_all(again)

    def verify(self, actions: Collection[Action] = CHANGING) -> None:
        """Read the written resources again. A resource that still differs from its declaration is marked as failed.

        :param actions: the kinds of changes to check.
        :raises ParticleError: when the resources cannot be read.
        """
        outcome = self.outcome
        due = {change.key for change in outcome.changes if change.action in actions}
        keys = due & outcome.written - outcome.errors.keys()
        if not keys or outcome.stopped is not None:
            return
        proved = {change.key: change for change in self._plan_again(keys, keys)}
        for change in proved.values():
            if change.action is Action.NONE:
                continue
            if (reason := self.kind.find_pending(change)) is not None:
                outcome.pending[change.key] = reason
            else:
                outcome.errors[change.key] = _build_difference_error(self.kind, change)
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
    return build_difference_error(f"{kind.noun} {change.key}", fields)
