# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the resource kind "environment variable" (endpoints.yml: env_list, env_patch, env_rollout_start).

Private to this collection. A variable has two values in the cloud: the edited value, and the value of the last rollout,
which is the one that devices get. A variable is as declared only when both are equal to the declared value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    CONNECT,
    Level,
    build_product_scope,
    edit_variables,
    read_level,
    start_rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import (
    convert_value,
    find_limit_mistakes,
    find_mistakes,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Row,
    Staged,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind

_VALUE = Field(
    "value", "value", {"type": "raw"}, required=lambda values: "value" not in values, normalize=convert_value
)


def _get_edited(row: Row) -> str | None:
    value = row["value"]
    return value.edited if isinstance(value, Staged) else value


def collect_edits(changes: Sequence[Change]) -> dict[str, str | None]:
    """Return the edits that changes need, keyed by name. ``None`` removes a variable.

    A variable whose edited value is already as declared needs no edit.
    """
    edits = {}
    for change in changes:
        wanted = None if change.action is Action.DELETE else convert_value(change.body.get("value", ""))
        if wanted != (_get_edited(change.row) if change.row is not None else None):
            edits[change.key] = wanted
    return edits


def _refuse_changes(changes: Sequence[Change], rows: Sequence[Row]) -> None:
    """Refuse a rollout that would publish edits that are not declared, and an environment that is too large.

    :raises ParticleError: ``conflict``.
    """
    keys = {change.key for change in changes}
    if others := [row["name"] for row in rows if isinstance(row["value"], Staged) and row["name"] not in keys]:
        message = f"The rollout would publish staged edits that are not declared: {list_names(others)}."
        hint = "Declare them, undo or roll them out in the console, or use publish_staged of product_environment."
        raise ParticleError("conflict", message, hint=hint)
    edited = {row["name"]: value for row in rows if (value := _get_edited(row)) is not None}
    if mistakes := find_limit_mistakes(Level(edited).edit(collect_edits(changes))):
        message = f"The environment would be too large: {'; '.join(mistakes)}."
        raise ParticleError("conflict", message, hint="Remove variables, or declare them at the devices.")


def read_product_level(target: Target) -> Level:
    """Return the variables of a product itself."""
    return read_level(target.http, build_product_scope(target.required_product.id))


def build_environment(rollout: str | None = CONNECT, note: Callable[[Level], None] = lambda level: None) -> Kind:
    """Return the kind "environment variable" of a product.

    :param rollout: when devices get a rollout: ``CONNECT`` or ``IMMEDIATE``. If it is ``None``, variables are only
        edited and not rolled out, and the edited values are compared.
    :param note: function that gets the variables each time they are read.
    """

    def list_variables(target: Target) -> list[Row]:
        note(level := read_product_level(target))
        names = () if rollout is None else level.staged
        staged = {name: Staged(level.edited.get(name), level.rolled_out.get(name)) for name in names}
        return [{"name": name, "value": value} for name, value in {**level.edited, **staged}.items()]

    def write_variables(target: Target, changes: Sequence[Change]) -> Collection[str]:
        edits = collect_edits(changes)
        if edits:
            edit_variables(target.http, build_product_scope(target.required_product.id), edits)
        return edits

    def publish_variables(target: Target) -> None:
        if rollout is not None:
            start_rollout(target.http, build_product_scope(target.required_product.id), rollout)

    return Kind(
        name="environment",
        module="product_environment",
        noun="environment variable",
        key=Field("name", "name", {"type": "str"}),
        fields=(_VALUE,),
        list_rows=list_variables,
        write_rows=write_variables,
        publish=publish_variables,
        check=lambda declared: find_mistakes({declared.key: declared.values.get("value", "")}),
        refuse_changes=_refuse_changes,
        short="value",
        id_key="name",
    )


ENVIRONMENT = build_environment()
