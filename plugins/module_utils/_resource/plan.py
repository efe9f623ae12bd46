# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the changes that bring observed resources to their declared state. Private to this collection.

This module sends no requests. It compares secrets in memory. The fields ``before`` and ``after`` of a :class:`Change`
never contain secrets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    MAX_LINES,
    format_count,
    join_names,
    list_lines,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Declared,
    Placeholder,
    Row,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.comparison import (
    compare_values,
    find_masked_paths,
    is_empty,
    normalize,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.display import (
    show_pair,
    show_resource,
    show_value,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.variants import (
    get_variant,
    has_field,
    list_foreign_settings,
)

ON_CREATE = "on_create"
ALWAYS = "always"
UPDATE_SECRETS = (ON_CREATE, ALWAYS)
"""The choices for ``update_secrets``: when to write secrets that the cloud does not show. These secrets cannot be
compared."""

MAX_HINTS = 2
"""The maximum number of different hints after the message about several resources."""


def match_rows(kind: Kind, rows: Sequence[Row], keys: Collection[str]) -> dict[str, Row]:
    """Return a mapping from each of ``keys`` to the row of that resource, if there is such a row.

    A resource without a key cannot be declared, and is left alone.

    :raises ParticleError: ``twins`` when two rows have the same key.
    """
    found: dict[str, Row] = {}
    for row in rows:
        shown = kind.get_key(row)
        key = None if shown is None else kind.match_key(shown, keys)
        if key is None:
            continue
        if key in found:
            same = (each for each in rows if (other := kind.get_key(each)) and kind.match_key(other, [key]))
            ids = sorted(str(each[kind.id_key]) for each in same)
            message = f"{len(ids)} {kind.noun}s are called {key}: {' and '.join(ids)}."
            raise ParticleError("twins", message)
        found[key] = row
    return found


def plan_changes(
    kind: Kind,
    observed: Mapping[str, Row],
    declared: Sequence[Declared],
    *,
    update_secrets: str = ON_CREATE,
    written: Collection[str] = (),
) -> tuple[Change, ...]:
    """Compute one change for each declared resource, in the order of ``declared``.

    :param observed: the observed resources by key, with all their fields.
    :param update_secrets: when to write secrets that cannot be compared: one of :data:`UPDATE_SECRETS`.
    :param written: the keys of resources that were just written. If the cloud does not show a secret of one of these
        resources, the secret counts as hidden and not as missing.
    :raises ParticleError: ``conflict`` when resources cannot reach their declared state: a resource must be created but
        lacks a required field or a secret, a field differs that the cloud cannot change, a declared field belongs to
        another variant of the kind, the resource is reserved, or an update would replace a secret by a mask. The error
        names all these resources.
    """
    changes, refused = list[Change](), list[ParticleError]()
    for each in declared:
        try:
            just_written = each.key in written
            change = _plan_change(kind, observed.get(each.key), each, update_secrets, just_written=just_written)
            change = kind.revise(change, just_written)
        except ParticleError as error:
            refused.append(error)
        else:
            changes.append(change)
    if refused:
        raise join_errors(refused)
    return tuple(changes)


class _JoinedError(ParticleError):
    """Several errors of the same declaration as one error.

    :ivar errors: the errors. None of them is a joined error.
    """

    def __init__(self, errors: Sequence[ParticleError]) -> None:
        self.errors = tuple(errors)
        shown = list_lines([error.message for error in errors], MAX_LINES)
        hints = tuple(dict.fromkeys(error.hint for error in errors))
        message = f"{format_count(len(errors), 'resource')} cannot reach the declared state:\n  " + "\n  ".join(shown)
        super().__init__(errors[0].code, message, hint=" ".join(hints[:MAX_HINTS]))


def join_errors(errors: Sequence[ParticleError]) -> ParticleError:
    """Return one error for several errors of the same declaration. A single error is returned unchanged.

    :param errors: the errors; some of them may be joined errors, such as one for each kind.
    """
    single = [one for error in errors for one in (error.errors if isinstance(error, _JoinedError) else (error,))]
    return single[0] if len(single) == 1 else _JoinedError(single)


def _plan_change(kind: Kind, row: Row | None, declared: Declared, update_secrets: str, *, just_written: bool) -> Change:
    _refuse_variant(kind, row, declared)
    if declared.absent:
        if row is None:
            return Change(declared, Action.NONE)
        before = {name: value for name, value in show_resource(kind, row).items() if value is not None}
        return Change(declared, Action.DELETE, row, before=before)
    values = _fill_placeholders(kind, row, declared)
    if row is None:
        return _plan_creation(kind, declared, values)
    return _plan_update(kind, row, declared, values, update_secrets, just_written=just_written)


def _refuse_variant(kind: Kind, row: Row | None, declared: Declared) -> None:
    """Refuse to change a reserved resource, or one of another variant than the declaration means.

    :raises ParticleError: ``conflict``, see above.
    """
    name = f"{kind.title} {declared.key}"
    if row is not None and kind.is_reserved(row):
        message = f"{name} ({row[kind.id_key]}) exists, but this collection cannot manage it."
        raise ParticleError("conflict", message, hint=f"Choose another {kind.key.name}.")
    if kind.variant is None:
        return
    given, found = declared.values.get(kind.variant.name), get_variant(kind.variant, row or {})
    if row is not None and given not in (None, found):
        _refuse_fixed(kind, declared, {kind.variant.name: (found, given)})
    mistakes = list_foreign_settings(kind, declared.values, given or found)
    if mistakes and not declared.absent:
        state = "does not exist yet" if row is None else "exists"
        remedy = f"declare {kind.variant.name}" if row is None else f"declare another {kind.noun} under another name"
        hint = f"Remove these settings from the declaration, or {remedy}."
        raise ParticleError("conflict", f"{name} {state}, but {'; '.join(mistakes)}.", hint=hint)


def _fill_placeholders(kind: Kind, row: Row | None, declared: Declared) -> dict[str, Any]:
    """Return the declared values with the observed secrets in place of their placeholders.

    A field whose whole value is a placeholder is left out if the resource exists, so that it remains unchanged.

    :raises ParticleError: ``invalid_option`` when a secret is needed, because the resource does not have it yet.
    """
    values, missing = dict[str, Any](), list[str]()
    for each in kind.compared:
        if each.name not in declared.values:
            continue
        value = declared.values[each.name]
        if isinstance(value, Placeholder) and row is not None:
            continue
        found = None if row is None else normalize(each, row.get(each.cloud))
        values[each.name] = _fill(value, found, missing)
    if missing:
        names = ", ".join(dict.fromkeys(missing))  # all of them: users collect what they must give
        verb = "does not exist yet" if row is None else "does not have them yet"
        message = f"{kind.title} {declared.key} needs secrets that are not given: {names}. It {verb}."
        raise ParticleError("invalid_option", message, hint="Set each of them in the option secrets, and run again.")
    return values


def _fill(value: Any, found: Any, missing: list[str]) -> Any:
    """Return a value with the leaves of ``found`` in place of placeholders. Names are compared without their case."""
    if isinstance(value, Placeholder):
        if is_empty(found):
            missing.append(value.name)
        return found
    if isinstance(value, Mapping):
        leaves = {str(name).lower(): item for name, item in found.items()} if isinstance(found, Mapping) else {}
        return {name: _fill(item, leaves.get(str(name).lower()), missing) for name, item in value.items()}
    if isinstance(value, list):
        items = found if isinstance(found, list) and len(found) == len(value) else [None] * len(value)
        return [_fill(item, other, missing) for item, other in zip(value, items, strict=True)]
    return value


def _plan_creation(kind: Kind, declared: Declared, values: Mapping[str, Any]) -> Change:
    sent = {f.cloud: f.encode(values[f.name]) for f in kind.compared if not is_empty(values.get(f.name))}
    body = {**kind.constants, kind.key.cloud: declared.key, **sent}
    needed = [f.name for f in kind.fields if f.is_required(declared.values) and has_field(kind, f, body)]
    if missing := [name for name in needed if is_empty(declared.values.get(name))]:
        message = f"There is no {kind.noun} {declared.key} yet, and it cannot be created without {join_names(missing)}."
        raise ParticleError("conflict", message, hint=f"Declare {join_names(missing)}, or correct {kind.key.name}.")
    shown = {f.name: show_value(f, body[f.cloud]) for f in kind.compared if f.cloud in body}
    return Change(declared, Action.CREATE, body=body, after=shown)


def _plan_update(
    kind: Kind,
    row: Row,
    declared: Declared,
    values: Mapping[str, Any],
    update_secrets: str,
    *,
    just_written: bool,
) -> Change:
    wanted = _complete_fields(kind, values)
    differing, unknown = list[Field](), list[str]()
    for each in kind.compared:
        if each.name not in wanted:
            continue
        differs, paths = compare_values(each, wanted[each.name], row.get(each.cloud), just_written=just_written)
        unknown += paths
        if differs or (paths and update_secrets == ALWAYS and not just_written):
            differing.append(each)
    if not differing:
        return Change(declared, Action.NONE, row, not_compared=tuple(unknown))
    pairs = {f.name: show_pair(f, row.get(f.cloud), wanted[f.name]) for f in differing}
    _refuse_fixed(kind, declared, {f.name: pairs[f.name] for f in differing if f.fixed})
    body = {f.cloud: f.encode(wanted[f.name]) for f in differing}
    if kind.replaces:
        body = _build_whole_body(kind, row, declared, wanted)
    return Change(
        declared,
        Action.UPDATE,
        row,
        body,
        before={name: pair[0] for name, pair in pairs.items()},
        after={name: pair[1] for name, pair in pairs.items()},
        not_compared=tuple(unknown),
    )


def _refuse_fixed(kind: Kind, declared: Declared, pairs: Mapping[str, tuple[Any, Any]]) -> None:
    """Refuse to change fields that the cloud sets only when it creates a resource.

    :param pairs: the differing fixed fields, each with the shown values in the cloud and in the declaration.
    :raises ParticleError: ``conflict`` when ``pairs`` is not empty.
    """
    if not pairs:
        return
    values = {name: ("not set" if before is None else before, after) for name, (before, after) in pairs.items()}
    differences = " and ".join(f"{name} is {before}, not {after}" for name, (before, after) in values.items())
    message = f"{kind.title} {declared.key} exists, but {differences}. The cloud cannot change this."
    hint = f"Correct the declaration, or declare another {kind.noun} under another name."
    raise ParticleError("conflict", message, hint=hint)


def _complete_fields(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared fields, and ``None`` for each field that cannot be combined with a declared field."""
    wanted = dict(values)
    if any(not is_empty(wanted.get(name)) for name in kind.exclusive):
        wanted |= {name: None for name in kind.exclusive if name not in wanted}
    return wanted


def _build_whole_body(kind: Kind, row: Row, declared: Declared, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that replaces a whole resource: the declared fields, and the observed values of all other fields.

    :raises ParticleError: ``conflict`` when the body would contain a mask in place of a secret that is not declared.
    """
    sent_back = [(f, row.get(f.cloud)) for f in kind.compared if f.name not in wanted and has_field(kind, f, row)]
    sent_back += [(f, wanted[f.name]) for f in kind.compared if f.secret and f.name in wanted]  # filled placeholders
    masked = [path for f, value in sent_back for path in find_masked_paths(normalize(f, value), f.name)]
    if masked:
        options = join_names(sorted({path.partition(".")[0] for path in masked}))
        message = (
            f"A change of {kind.noun} {declared.key} would lose {join_names(masked)}: the cloud replaces the whole "
            f"{kind.noun}, but does not return these values in plain text."
        )
        raise ParticleError("conflict", message, hint=f"Declare {options} too, and run again.")
    replaced = {f.cloud for f in kind.compared if f.name in wanted}
    rest = {key: value for key, value in row.items() if key not in kind.read_only | replaced and value is not None}
    sent = {f.cloud: f.encode(wanted[f.name]) for f in kind.compared if not is_empty(wanted.get(f.name))}
    return {**kind.constants, **rest, kind.key.cloud: declared.key, **sent}
