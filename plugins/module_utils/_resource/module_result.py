# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one resource to its declared state, and build the result of its module. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import (
    Target,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Declared,
    Row,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.display import (
    show_resource,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import (
    Kind,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.outcome import (
    pair_values,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import ON_CREATE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import reconcile_resources


def describe_row(kind: Kind, row: Row) -> dict[str, Any]:
    """Return a resource as the modules show it. Secrets are masked, and a setting that is not set is ``None``."""
    identity = {} if kind.id_key == kind.key.cloud else {"id": row.get(kind.id_key)}
    facts = {key: row.get(key) for key in kind.shown}
    return {**identity, kind.key.name: row.get(kind.key.cloud), **show_resource(kind, row), **facts}


def reconcile_resource(
    target: Target,
    kind: Kind,
    declared: Declared,
    *,
    check_mode: bool,
    update_secrets: str = ON_CREATE,
    force: bool = False,
    confirmed: Collection[str] = (),
) -> dict[str, Any]:
    """Bring one resource to its declared state, for the module that manages this kind of resource.

    :returns: the documented result of the module. If the resource failed, the result contains the error. If it did not
        fail, the description of the resource contains the secrets that only the responses to the writes have shown.
    :raises ParticleError: when an error occurs before the first write. The returned result contains any later error.
    """
    outcome = reconcile_resources(
        target,
        kind,
        [declared],
        check_mode=check_mode,
        update_secrets=update_secrets,
        force=force,
        confirmed=confirmed,
    )
    (change,) = outcome.changes
    changes = change.action is not Action.NONE
    result: dict[str, Any] = {
        "changed": changes if check_mode else bool(outcome.written),
        kind.module: _describe(kind, change, outcome.rows.get(declared.key), predict=check_mode and changes),
        "changes": {name: {"before": before, "after": after} for name, (before, after) in pair_values(change).items()},
        "diff": outcome.diff,
    }
    if any(each.secret for each in kind.fields):
        result["not_compared"] = list(change.not_compared)
    if change.not_compared:
        result["msg"] = describe_not_compared(kind, change, update_secrets)
    if check_mode and (costs := kind.describe_costs(outcome.changes)):
        result["msg"] = costs
    if declared.key in outcome.pending:
        result["msg"] = outcome.pending[declared.key]
    if outcome.error is not None:
        if declared.key in outcome.once:
            lost = f"The result of the failed task does not contain the new secrets of {kind.noun} {declared.key}"
            target.warn(f"{lost}, and the cloud does not show them again.")
        return {**result, **outcome.error.as_failure()}
    if declared.key in outcome.once:
        result[kind.module] = {**result[kind.module], **outcome.once[declared.key]}
    return result


def _describe(kind: Kind, change: Change, row: Row | None, *, predict: bool) -> dict[str, Any] | None:
    """Return the resource as the module shows it, or ``None`` if the resource does not exist.

    :param row: the row from the last reading of the resource.
    :param predict: whether to return the resource as it will be after the change, instead of ``row``.
    """
    if predict and change.action is Action.DELETE:
        return None
    if predict:
        known = change.row or {}
        row = {key: known.get(key) for key in (kind.id_key, *kind.shown)}
        row |= {**({} if kind.replaces else known), **change.body}
    return None if row is None else describe_row(kind, row)


def describe_not_compared(kind: Kind, change: Change, update_secrets: str) -> str:
    """Return a sentence about the secrets of a resource that cannot be compared."""
    names = ", ".join(change.not_compared)
    text = f"The cloud does not show these secrets of {kind.noun} {change.key}, so they cannot be compared: {names}."
    if change.action is not Action.NONE:
        return f"{text} They were written with the change."
    if update_secrets == ON_CREATE:
        return f"{text} They were left as they are; set update_secrets to always to write them."
    return text
