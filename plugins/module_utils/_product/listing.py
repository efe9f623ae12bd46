# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the resources of a product, and export them as a definition. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import NOT_READABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._product.export import (
    Export,
    describe_unknown,
    list_masked_places,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Row
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import match_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.reconcile import read_whole_rows
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.registry import KINDS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.secrets import list_shown_texts


def read_resources(target: Target, names: list[str] | None) -> tuple[dict[str, list[Row]], list[str]]:
    """Return the resources of the product with all their fields, and the kinds that the account cannot read.

    :param names: the kinds to read; ``None`` for all kinds that are not left out by default.
    :returns: the resources, keyed by the name of their kind, and the names of the other kinds.
    :raises ParticleError: when resources cannot be read, although their kind is in ``names``.
    """
    kinds = [kind for name, kind in KINDS.items() if (name in names if names is not None else not kind.only_if_asked)]
    listed = {kind.name: _list_rows(target, kind, is_named=names is not None) for kind in kinds}
    found = {name: rows for name, rows in listed.items() if rows is not None}
    # A template may contain the name of an event or the value of a variable, which must not be masked then.
    shown = {text for name, rows in found.items() for row in rows for text in list_shown_texts(KINDS[name], row)}
    whole = {name: read_whole_rows(target, KINDS[name], rows, shown) for name, rows in found.items()}
    return whole, [name for name in listed if name not in found]


def export_resources(
    found: Mapping[str, Sequence[Row]], unread: Sequence[str], secrets: Collection[str]
) -> dict[str, Any]:
    """Return the definition of the resources, and what it cannot contain.

    :param unread: the kinds that the account cannot read.
    :param secrets: the strings that are masked in the result.
    :raises ParticleError: ``twins`` when two resources of a kind have the same name; ``conflict`` when a setting
        contains a secret of another setting, so that it would be exported with a mask in place of its value.
    """
    export = Export()
    for name, rows in found.items():
        kind = KINDS[name]
        match_rows(kind, rows, {str(row.get(kind.key.cloud)) for row in rows})
        export.add(kind, rows)
    if masked := list_masked_places(export.definition, secrets):
        message = f"These settings cannot be exported, because their text is a secret elsewhere: {list_names(masked)}."
        raise ParticleError("conflict", message, hint="Change these settings or the secret, or name other kinds.")
    return {
        "definition": export.definition,
        "secrets": dict(sorted(export.secrets.items())),
        "not_exported": [
            *(f"The account cannot read {name}, so {name} are not exported." for name in unread),
            *describe_unknown(export.definition, export.secrets),
        ],
    }


def _list_rows(target: Target, kind: Kind, *, is_named: bool) -> Sequence[Row] | None:
    """Return the resources of a kind, or ``None`` with a warning if the account cannot read them.

    :param is_named: whether the task names the kind, so that it must be readable.
    :raises ParticleError: when the resources cannot be read.
    """
    try:
        return kind.list_rows(target)
    except ParticleError as error:
        if is_named or error.code not in NOT_READABLE:
            raise
        target.warn(f"The result does not contain {kind.name}. {error.message}")
        return None
