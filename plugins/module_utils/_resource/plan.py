# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the changes that bring observed resources to their declared state. Private to this collection.

This module sends no requests. It compares secrets in memory. The fields ``before`` and ``after`` of a :class:`Change`
never contain secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Action,
    Change,
    Declared,
    Placeholder,
    Row,
    Staged,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Field, Kind, keep_value
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.variants import (
    find_foreign_settings,
    get_variant,
    has_field,
    list_foreign_settings,
)

ON_CREATE = "on_create"
ALWAYS = "always"
UPDATE_SECRETS = (ON_CREATE, ALWAYS)
"""The choices for ``update_secrets``: when to write secrets that the cloud does not show. These secrets cannot be
compared."""

MIN_PASSWORD = 4
"""A password of at least this length is masked in all output. Masking shorter passwords would make the output
unreadable."""
MIN_VALUE = 8
"""A value in a secret mapping, such as ``headers``, is masked in all output if the value has at least this length.
Shorter values are often ordinary words."""
MIN_LITERAL = 12
"""A word in a string that may contain a secret is masked in all output if the word has at least this length. Tokens are
longer than ordinary words."""

MAX_LINES = 20
"""The maximum number of resources that one message names."""
MAX_HINTS = 2
"""The maximum number of different hints after such a message."""

_MASKED = re.compile(r"(\w+ )?([\w-]{0,4}[*•]{3,}\w{0,4}|-{4,}|\[\[SENSITIVE\]\])")
"""The pattern of the mask that a cloud shows in place of a secret. The mask may include a scheme such as Bearer, or the
first and last characters of the secret."""
_ANY_VARIABLE = re.compile(r"\{\{\{[^{}]+\}\}\}|\{\{[^{}]+\}\}")
_VARIABLE = re.compile(r"((Basic|Bearer|Token) )?(\{\{[^{}]+\}\}|\{\{\{[^{}]+\}\}\})")


def read_declared(kind: Kind, options: Mapping[str, Any]) -> Declared:
    """Convert the options of a module to the declaration of one resource, and check it; see :func:`check_declared`."""
    declared = kind.read_options(options)
    check_declared(kind, declared)
    return declared


def check_declared(kind: Kind, declared: Declared) -> None:
    """Check a declaration by itself, before anything is read.

    :raises ParticleError: ``invalid_option`` when the declaration is not valid. The error names all mistakes.
    """
    if mistakes := find_mistakes(kind, declared):
        name = f"{kind.title} {declared.key}"
        raise ParticleError("invalid_option", f"{name} is not valid: {'; '.join(mistakes)}.")


def find_mistakes(kind: Kind, declared: Declared) -> list[str]:
    """Return sentences about the mistakes in a declaration.

    Declared fields must not be empty if they are required, belong to another variant, or exclude each other.
    """
    values, mistakes = declared.values, list(kind.check(declared))
    if not declared.absent:
        mistakes += find_foreign_settings(kind, values)
    needed = [each.name for each in kind.fields if each.name in values and each.is_required(values)]
    if (empty := [name for name in needed if is_empty(values[name])]) and not declared.absent:
        mistakes.append(f"{_join_names(empty)} cannot be empty")
    given = [name for name in kind.exclusive if not is_empty(values.get(name))]
    if len(given) > 1:
        mistakes.append(f"{_join_names(given)} cannot be combined, declare only one of them")
    return mistakes


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


def join_errors(errors: Sequence[ParticleError]) -> ParticleError:
    """Return one error for several errors of the same declaration. A single error is returned unchanged."""
    if len(errors) == 1:
        return errors[0]
    lines = [error.message for error in errors]
    shown = lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], f"and {len(lines) - MAX_LINES} more"]
    hints = tuple(dict.fromkeys(error.hint for error in errors))
    message = f"{format_count(len(errors), 'resource')} cannot reach the declared state:\n  " + "\n  ".join(shown)
    return ParticleError(errors[0].code, message, hint=" ".join(hints[:MAX_HINTS]))


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

    :raises ParticleError: ``conflict`` when a secret is needed, because the resource does not have it yet.
    """
    values, missing = dict[str, Any](), list[str]()
    for each in kind.compared:
        if each.name not in declared.values:
            continue
        value = declared.values[each.name]
        if isinstance(value, Placeholder) and row is not None:
            continue
        found = None if row is None else _normalise(each, row.get(each.cloud))
        values[each.name] = _fill(value, found, missing)
    if missing:
        names = list_names(list(dict.fromkeys(missing)))
        verb = "does not exist yet" if row is None else "does not have them yet"
        message = f"{kind.title} {declared.key} needs secrets that are not given: {names}. It {verb}."
        raise ParticleError("conflict", message, hint="Give each of these secrets by its name, and run again.")
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
        message = (
            f"There is no {kind.noun} {declared.key} yet, and it cannot be created without {_join_names(missing)}."
        )
        raise ParticleError("conflict", message, hint=f"Declare {_join_names(missing)}, or correct {kind.key.name}.")
    shown = {f.name: _show(f, body[f.cloud]) for f in kind.compared if f.cloud in body}
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
        differs, paths = _compare(each, wanted[each.name], row.get(each.cloud), just_written=just_written)
        unknown += paths
        if differs or (paths and update_secrets == ALWAYS and not just_written):
            differing.append(each)
    if not differing:
        return Change(declared, Action.NONE, row, not_compared=tuple(unknown))
    pairs = {f.name: _show_pair(f, row.get(f.cloud), wanted[f.name]) for f in differing}
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
    masked = [path for f, value in sent_back for path in _find_masked_paths(_normalise(f, value), f.name)]
    if masked:
        options = _join_names(sorted({path.partition(".")[0] for path in masked}))
        message = (
            f"A change of {kind.noun} {declared.key} would lose {_join_names(masked)}: the cloud replaces the whole "
            f"{kind.noun}, but does not return these values in plain text."
        )
        raise ParticleError("conflict", message, hint=f"Declare {options} too, and run again.")
    replaced = {f.cloud for f in kind.compared if f.name in wanted}
    rest = {key: value for key, value in row.items() if key not in kind.read_only | replaced and value is not None}
    sent = {f.cloud: f.encode(wanted[f.name]) for f in kind.compared if not is_empty(wanted.get(f.name))}
    return {**kind.constants, **rest, kind.key.cloud: declared.key, **sent}


# --- comparison ---


def is_empty(value: Any) -> bool:
    """Return whether a value is ``None``, or an empty string, list or mapping.

    The cloud uses its default in place of an empty value.
    """
    return value is None or (isinstance(value, (str, Mapping, list)) and not value)


def _normalise(each: Field, value: Any) -> Any:
    return each.default if is_empty(value) else each.normalise(value)


def _compare(each: Field, wanted: Any, found: Any, *, just_written: bool) -> tuple[bool, list[str]]:
    """Return whether two values of a field differ, and the paths of the secrets that cannot be compared."""
    left, right = _normalise(each, _complete_value(each, wanted, found)), _normalise(each, found)
    if each.write_only:
        return False, [] if left is None else [each.name]
    if not each.secret:
        return left != right, []
    differs, unknown = False, list[str]()
    for path, one, other in _pair_leaves(left, right, each.name):
        if one == other:
            continue
        if one is not None and (_is_mask(other) or (just_written and other is None)):
            unknown.append(path)
        else:
            differs = True
    return differs, unknown


def _complete_value(each: Field, wanted: Any, found: Any) -> Any:
    """Return the declared value of a field, with the observed parts of a mapping that the declaration leaves out."""
    is_part = each.merges and isinstance(wanted, Mapping) and isinstance(found, Mapping)
    return {**found, **wanted} if is_part else wanted


def _pair_leaves(left: Any, right: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each leaf of two nested structures: its path, its value in ``left`` and its value in ``right``.

    A missing value is ``None``.
    """
    if isinstance(left, Mapping) and (isinstance(right, Mapping) or right is None):
        for name in [*left, *(name for name in right or () if name not in left)]:
            yield from _pair_leaves(left.get(name), (right or {}).get(name), f"{path}.{name}")
    else:
        yield path, left, right


def _is_mask(value: Any) -> bool:
    """Return whether ``value`` is a mask that the cloud shows in place of a secret."""
    return isinstance(value, str) and _MASKED.fullmatch(value) is not None


def _find_masked_paths(value: Any, path: str) -> list[str]:
    return [place for place, _unused, leaf in _pair_leaves(value, value, path) if _is_mask(leaf)]


# --- display ---


def show_resource(kind: Kind, row: Row) -> dict[str, Any]:
    """Return all fields of a resource by name, without those that the cloud never shows.

    Secrets are masked. A field that is not set, or that the variant of the resource does not have, is ``None``.
    """
    shown = [each for each in kind.compared if not each.write_only]
    return {f.name: _show(f, row.get(f.cloud)) if has_field(kind, f, row) else None for f in shown}


def hide_values(value: Any) -> Any:
    """Return a structure with masks in place of its values. Booleans and variables in braces are kept.

    A variable in braces is only the name of a secret.
    """
    if isinstance(value, Mapping):
        return {name: hide_values(item) for name, item in value.items()}
    if isinstance(value, list):
        return [hide_values(item) for item in value]
    if value is None or isinstance(value, bool) or (isinstance(value, str) and _VARIABLE.fullmatch(value)):
        return value
    return MASK


def _show(each: Field, value: Any) -> Any:
    normalised = _normalise(each, value)
    if is_empty(normalised):
        return None
    if isinstance(normalised, Staged):
        return str(normalised)
    return hide_values(normalised) if each.secret else each.show(normalised)


def _show_pair(each: Field, found: Any, wanted: Any) -> tuple[Any, Any]:
    """Return the shown values of a field before and after a change.

    If the shown values are equal, a note such as ``(changed)`` is added to the second value.
    """
    if each.write_only:
        return MASK, f"{MASK} (not compared)"
    before, after = _show(each, found), _show(each, _complete_value(each, wanted, found))
    if not each.secret:
        return before, f"{after} (changed)" if before == after else after
    return before, _mark_changes(_normalise(each, found), _normalise(each, wanted))


def _mark_changes(found: Any, wanted: Any) -> Any:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return {name: _mark_changes(found.get(name), item) for name, item in wanted.items()}
    after = hide_values(wanted)
    if after != hide_values(found):
        return after
    if _is_mask(found):
        return f"{after} (not compared)"
    return after if found == wanted else f"{after} (changed)"


def list_given(kind: Kind, declared: Declared) -> dict[str, Any]:
    """Return the declared fields, keyed by the names in the cloud, without placeholders."""
    given = {f.cloud: _drop_placeholders(declared.values[f.name]) for f in kind.compared if f.name in declared.values}
    return {name: value for name, value in given.items() if value is not None}


def _drop_placeholders(value: Any) -> Any:
    if isinstance(value, Placeholder):
        return None
    if isinstance(value, Mapping):
        return {name: kept for name, item in value.items() if (kept := _drop_placeholders(item)) is not None}
    if isinstance(value, list):
        return [kept for item in value if (kept := _drop_placeholders(item)) is not None]
    return value


def find_secrets(kind: Kind, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the strings that must be masked in all output.

    These strings are secrets, long words in secrets, and all values from which ``Field.show`` removes a secret, such as
    URLs.

    :param values: the fields of a resource, keyed by the names in the cloud.
    """
    for each in kind.compared:
        value = _normalise(each, values.get(each.cloud))
        if is_empty(value):
            continue
        if each.secret:
            for path, leaf, _same in _pair_leaves(value, value, each.name):
                yield from _find_in_leaf(each, path, leaf)
        elif each.show(value) != value:
            yield from {value, values[each.cloud]}


def _find_in_leaf(each: Field, path: str, leaf: Any) -> Iterator[str]:
    """Yield the strings in a leaf of a secret field that must be masked in all output."""
    if path.rpartition(".")[2] in each.open_parts:
        return
    for text in _find_texts(leaf):
        literal = _ANY_VARIABLE.sub(" ", text).strip()
        if len(literal) >= _get_min_length(each, path):
            yield text
        yield from (word for word in literal.split() if len(word) >= MIN_LITERAL)


def hide_secrets(each: Field, value: Any, name: Callable[[str], Any]) -> Any:
    """Return the value of a field for an export. Secrets, and masks of secrets, are replaced.

    :param value: the value as the cloud shows it.
    :param name: function that returns what stands for a secret, given the path of the secret, such as
        ``headers.authorization``.
    """
    normalised = _normalise(each, value)
    if each.secret:
        return _hide_leaves(each, normalised, each.name, name)
    return normalised if each.show is keep_value or each.show(normalised) == normalised else name(each.name)


def _hide_leaves(each: Field, value: Any, path: str, name: Callable[[str], Any]) -> Any:
    if isinstance(value, Mapping):
        return {part: _hide_leaves(each, item, f"{path}.{part}", name) for part, item in value.items()}
    is_secret = _is_mask(value) or any(_find_in_leaf(each, path, value))
    return name(path) if is_secret else value


def _get_min_length(each: Field, path: str) -> int:
    """Return the length from which the value at ``path`` is masked in all output."""
    suboptions = each.spec.get("options") or {}
    spec = suboptions.get(path.rpartition(".")[2], {}) if suboptions else each.spec
    if not spec.get("no_log"):
        return MIN_LITERAL
    return MIN_VALUE if spec["type"] == "dict" else MIN_PASSWORD


def _find_texts(leaf: Any) -> Iterator[str]:
    """Yield the strings in a leaf, which may be a list. Skip variables in braces and masks."""
    if isinstance(leaf, list):
        for item in leaf:
            yield from (text for _unused, inner, _same in _pair_leaves(item, item, "") for text in _find_texts(inner))
    elif isinstance(leaf, str) and not _VARIABLE.fullmatch(leaf) and not _is_mask(leaf):
        yield leaf


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
