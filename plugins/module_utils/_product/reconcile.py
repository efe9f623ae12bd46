# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the resources of a product to the state that a definition declares. Private to this collection.

The steps are: read and plan all kinds, refuse impossible changes, create and change the resources kind by kind, remove
resources in the reverse order, and check every kind after its writes. Changes that are published together, such as
those of environment variables, are written with their removals in one step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import is_run_ending
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import REMOVALS
from ansible_collections.meshfleet.particle.plugins.module_utils._product.definition import Definition
from ansible_collections.meshfleet.particle.plugins.module_utils._product.outcome import ProductOutcome
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ON_CREATE, join_errors
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import CHANGING, KindRun

ADDING = frozenset({Action.CREATE, Action.UPDATE})


@dataclass(frozen=True)
class Settings:
    """The options of a run besides the definition.

    :param prune: the names of kinds whose undeclared resources are removed.
    :param update_secrets: when to write secrets that the cloud does not show.
    :param max_removals: the maximum number of resources that are removed without confirmation; ``None`` for the larger
        of 1 and a tenth of the existing resources that the run declares or prunes.
    :param confirmed: the words with which the user confirms changes: ``removals`` for any number of removals, and the
        words of the kinds, see ``Kind.removal_confirmation``.
    :param force: whether to remove resources that are in use.
    """

    prune: Collection[str] = field(default=())
    update_secrets: str = ON_CREATE
    max_removals: int | None = None
    confirmed: Collection[str] = field(default=())
    force: bool = False


def check_prune(prune: Collection[str], kinds: Mapping[str, Kind]) -> None:
    """Check the kinds that a task prunes.

    :raises ParticleError: ``invalid_option`` when the resources of a kind must not be pruned, with the reason.
    """
    refused = [f"{name}: {kinds[name].not_prunable}" for name in prune if kinds[name].not_prunable]
    if refused:
        message = f"prune cannot contain these kinds. {' '.join(refused)}"
        raise ParticleError("invalid_option", message, hint="Leave them out of prune.")


def reconcile_product(
    target: Target, kinds: Sequence[Kind], definition: Definition, settings: Settings, *, check_mode: bool
) -> ProductOutcome:
    """Bring the resources of a product to their declared state. In check mode, only read and plan.

    :param kinds: the kinds in the order in which their resources can be created.
    :raises ParticleError: when an error occurs before the first write. The outcome contains any later error.
    """
    runs = [
        KindRun(
            target,
            kind,
            definition.resources.get(kind.name, ()),
            update_secrets=settings.update_secrets,
            prune=kind.name in settings.prune,
        )
        for kind in kinds
        if definition.resources.get(kind.name) or kind.name in settings.prune
    ]
    _plan(runs, settings)
    _refuse_many_removals(runs, settings)
    if not check_mode:
        _apply(runs)
    return ProductOutcome(tuple(runs), check_mode=check_mode)


def _plan(runs: Sequence[KindRun], settings: Settings) -> None:
    """Plan all kinds, and collect the refusals of each kind."""
    refused = list[ParticleError]()
    for run in runs:
        try:
            run.plan()
            run.refuse(force=settings.force, confirmed=settings.confirmed)
            _refuse_lost_secrets(run)
        except ParticleError as error:
            if is_run_ending(error):
                raise
            refused.append(error)
    if refused:
        raise join_errors(refused)


def _refuse_lost_secrets(run: KindRun) -> None:
    """Refuse writes whose responses show secrets for which the definition names no file.

    :raises ParticleError: ``invalid_manifest`` with the names of these resources.
    """
    name = run.kind.secret_file
    writes = [change for change in run.outcome.changes if change.action in ADDING] if name else []
    if lost := [change.key for change in writes if name not in change.declared.values]:
        noun = format_count(len(lost), f"{run.kind.noun} gets a new token", f"{run.kind.noun}s get new tokens")
        message = f"{noun}, but the definition does not say where to store it: {list_names(lost)}."
        raise ParticleError("invalid_manifest", message, hint=f"Declare {name} for each of them.")


def _refuse_many_removals(runs: Sequence[KindRun], settings: Settings) -> None:
    leaving = [
        f"{run.kind.noun} {change.key}"
        for run in runs
        for change in run.outcome.changes
        if change.action is Action.DELETE
    ]
    known = sum(len(run.outcome.rows) for run in runs)
    most = max(1, known // 10) if settings.max_removals is None else settings.max_removals
    if REMOVALS in settings.confirmed or len(leaving) <= most:
        return
    verb = format_count(len(leaving), "resource would be removed", "resources would be removed")
    message = f"{verb}, but at most {most} may: {list_names(leaving)}."
    hint = "Set confirm to true or raise max_removals to allow this, or correct your definition."
    raise ParticleError("too_many_removals", message, hint=hint)


def _apply(runs: Sequence[KindRun]) -> None:
    """Write all kinds.

    Resources whose requirements have failed are not written. In this case, the final removals are not carried out
    either.
    """
    failed = dict[str, str]()
    for run in runs:
        blocking = [failed[name] for name in run.kind.after if name in failed]
        if blocking:
            _leave_out(run, _list_first(run.kind), blocking[0])
        else:
            _write(run, _list_first(run.kind))
        _note_failure(run, failed)
        if run.outcome.stopped is not None:
            return
    for run in reversed(runs):
        last = CHANGING - _list_first(run.kind)
        if failed:
            _leave_out(run, last, next(iter(failed.values())))
            continue
        _write(run, last)
        _note_failure(run, failed)
        if run.outcome.stopped is not None:
            return


def _list_first(kind: Kind) -> frozenset[Action]:
    """Return the actions that come before the removals. Changes that are published together include removals."""
    return ADDING if kind.publish is None else CHANGING


def _write(run: KindRun, actions: Collection[Action]) -> None:
    try:
        run.apply(actions)
        run.verify(actions)
    except ParticleError as error:  # reading again failed; the outcome still reports the writes
        run.outcome.stopped = run.outcome.error or error


def _note_failure(run: KindRun, failed: dict[str, str]) -> None:
    if run.outcome.errors:
        failed.setdefault(run.kind.name, f"{run.kind.noun} {next(iter(run.outcome.errors))}")


def _leave_out(run: KindRun, actions: Collection[Action], blocking: str) -> None:
    """Mark changes as failed that were not attempted.

    :param blocking: the resource that had to be written first, such as ``device group north``.
    """
    for change in run.outcome.changes:
        if change.action in actions and change.key not in run.outcome.errors:
            message = f"{run.kind.title} {change.key} was left alone, because {blocking} has failed."
            error = ParticleError("conflict", message, hint="Correct the first failure, and run again.")
            error.unsent = True
            run.outcome.errors[change.key] = error
