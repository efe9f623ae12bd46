# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the changes that bring observed resources to their declared state. Private to this collection.

This module sends no requests. It compares secrets in memory. The fields ``before`` and ``after`` of a :class:`Change`
never contain secrets.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import MASK
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Body, Declared, Field, Kind, Row

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

_MASKED = re.compile(r"(\w+ )?([\w-]{0,4}[*•]{3,}\w{0,4}|-{4,}|\[\[SENSITIVE\]\])")
"""The pattern of the mask that a cloud shows in place of a secret. The mask may include a scheme such as Bearer, or the
first and last characters of the secret."""
_VARIABLE = re.compile(r"((Basic|Bearer|Token) )?(\{\{[^{}]+\}\}|\{\{\{[^{}]+\}\}\})")


class Action(enum.Enum):
    """The kinds of changes. Each value completes the sentence "The resource is …"."""

    NONE = "as declared"
    CREATE = "created"
    UPDATE = "changed"
    DELETE = "removed"


@dataclass(frozen=True)
class Change:
    """The change that brings one resource to its declared state.

    :param row: the observed resource; ``None`` if the resource does not exist.
    :param body: the body of the request to send.
    :param before: the changing fields with their values before the change, without secrets.
    :param after: the changing fields with their values after the change, without secrets.
    :param not_compared: paths of secrets that cannot be compared, because the cloud does not show them. An example is
        ``headers.authorization``.
    """

    declared: Declared
    action: Action
    row: Row | None = field(default=None, repr=False)
    body: Body = field(default_factory=dict, repr=False)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    not_compared: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return the key of the resource."""
        return self.declared.key


def read_declared(kind: Kind, options: Mapping[str, Any]) -> Declared:
    """Convert the options of a module to the declaration of one resource, and check it; see :func:`check_declared`."""
    declared = Declared.from_options(kind, options)
    check_declared(kind, declared)
    return declared


def check_declared(kind: Kind, declared: Declared) -> None:
    """Check a declaration by itself, before anything is read.

    :raises ParticleError: ``invalid_option`` when the declaration is not valid, or sets more than one field of
        ``kind.exclusive``.
    """
    if mistakes := kind.check(declared):
        raise ParticleError("invalid_option", f"The {kind.noun} is not valid: {'; '.join(mistakes)}.")
    given = [name for name in kind.exclusive if not _is_empty(declared.values.get(name))]
    if len(given) > 1:
        message = f"{' and '.join(given)} of {kind.noun} {declared.key} cannot be combined."
        raise ParticleError("invalid_option", message, hint="Declare only one of them.")


def match_rows(kind: Kind, rows: Sequence[Row], keys: Collection[str]) -> dict[str, Row]:
    """Return a mapping from each of ``keys`` to the row of that resource, if there is such a row.

    :raises ParticleError: ``conflict`` when two rows have the same key.
    """
    found: dict[str, Row] = {}
    for row in rows:
        key = row.get(kind.key.cloud)
        if key not in keys:
            continue
        if key in found:
            ids = sorted(str(each[kind.id_key]) for each in rows if each.get(kind.key.cloud) == key)
            message = f"{len(ids)} {kind.noun}s are called {key}: {' and '.join(ids)}."
            raise ParticleError("conflict", message, hint="Remove or rename all but one of them, and run again.")
        found[str(key)] = row
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
    :raises ParticleError: ``conflict`` when a resource must be created but lacks a required field, or when an update
        would replace a secret by a mask.
    """
    return tuple(
        _plan_change(kind, observed.get(each.key), each, update_secrets, just_written=each.key in written)
        for each in declared
    )


def _plan_change(kind: Kind, row: Row | None, declared: Declared, update_secrets: str, *, just_written: bool) -> Change:
    if declared.absent:
        if row is None:
            return Change(declared, Action.NONE)
        return Change(declared, Action.DELETE, row, before=show_resource(kind, row))
    if row is None:
        return _plan_creation(kind, declared)
    return _plan_update(kind, row, declared, update_secrets, just_written=just_written)


def _plan_creation(kind: Kind, declared: Declared) -> Change:
    missing = [each.name for each in kind.fields if each.required and _is_empty(declared.values.get(each.name))]
    if missing:
        message = (
            f"There is no {kind.noun} {declared.key} yet, and it cannot be created without {_join_names(missing)}."
        )
        raise ParticleError("conflict", message, hint=f"Declare {_join_names(missing)}, or correct {kind.key.name}.")
    sent = {f.cloud: declared.values[f.name] for f in kind.fields if not _is_empty(declared.values.get(f.name))}
    body = {**kind.constants, kind.key.cloud: declared.key, **sent}
    shown = {f.name: _show(f, body[f.cloud]) for f in kind.fields if f.cloud in body}
    return Change(declared, Action.CREATE, body=body, after=shown)


def _plan_update(kind: Kind, row: Row, declared: Declared, update_secrets: str, *, just_written: bool) -> Change:
    wanted = _complete_fields(kind, declared)
    differing, unknown = list[Field](), list[str]()
    for each in kind.fields:
        if each.name not in wanted:
            continue
        differs, paths = _compare(each, wanted[each.name], row.get(each.cloud), just_written=just_written)
        unknown += paths
        if differs or (paths and update_secrets == ALWAYS and not just_written):
            differing.append(each)
    if not differing:
        return Change(declared, Action.NONE, row, not_compared=tuple(unknown))
    pairs = {f.name: _show_pair(f, row.get(f.cloud), wanted[f.name]) for f in differing}
    body = {f.cloud: wanted[f.name] for f in differing}
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


def _complete_fields(kind: Kind, declared: Declared) -> dict[str, Any]:
    """Return the declared fields, and ``None`` for each field that cannot be combined with a declared field."""
    wanted = dict(declared.values)
    if any(not _is_empty(wanted.get(name)) for name in kind.exclusive):
        wanted |= {name: None for name in kind.exclusive if name not in wanted}
    return wanted


def _build_whole_body(kind: Kind, row: Row, declared: Declared, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that replaces a whole resource: the declared fields, and the observed values of all other fields.

    :raises ParticleError: ``conflict`` when the body would contain a mask in place of a secret that is not declared.
    """
    kept = {f.cloud: f for f in kind.fields if f.name not in wanted}
    masked = [path for cloud, f in kept.items() for path in _find_masked_paths(_normalise(f, row.get(cloud)), f.name)]
    if masked:
        options = _join_names(sorted({path.partition(".")[0] for path in masked}))
        message = (
            f"A change of {kind.noun} {declared.key} would lose {_join_names(masked)}: the cloud replaces the whole "
            f"{kind.noun}, but does not return these values in plain text."
        )
        raise ParticleError("conflict", message, hint=f"Declare {options} too, and run again.")
    replaced = {f.cloud for f in kind.fields if f.name in wanted}
    rest = {key: value for key, value in row.items() if key not in kind.read_only | replaced and value is not None}
    sent = {f.cloud: wanted[f.name] for f in kind.fields if not _is_empty(wanted.get(f.name))}
    return {**rest, **kind.constants, kind.key.cloud: declared.key, **sent}


# --- comparison ---


def _is_empty(value: Any) -> bool:
    """Return whether a value is ``None``, or an empty string, list or mapping.

    The cloud uses its default in place of an empty value.
    """
    return value is None or (isinstance(value, (str, Mapping, list)) and not value)


def _normalise(each: Field, value: Any) -> Any:
    return each.default if _is_empty(value) else each.normalise(value)


def _compare(each: Field, wanted: Any, found: Any, *, just_written: bool) -> tuple[bool, list[str]]:
    """Return whether two values of a field differ, and the paths of the secrets that cannot be compared."""
    left, right = _normalise(each, wanted), _normalise(each, found)
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
    """Return all fields of a resource by name. Secrets are masked, and a field that is not set is ``None``."""
    return {each.name: _show(each, row.get(each.cloud)) for each in kind.fields}


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
    if _is_empty(normalised):
        return None
    return hide_values(normalised) if each.secret else each.show(normalised)


def _show_pair(each: Field, found: Any, wanted: Any) -> tuple[Any, Any]:
    """Return the shown values of a field before and after a change.

    If the shown values are equal, a note such as ``(changed)`` is added to the second value.
    """
    before, after = _show(each, found), _show(each, wanted)
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


def find_secrets(kind: Kind, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the strings that must be masked in all output.

    These strings are secrets, long words in secrets, and all values from which ``Field.show`` removes a secret, such as
    URLs.

    :param values: the fields of a resource, keyed by the names in the cloud.
    """
    for each in kind.fields:
        value = _normalise(each, values.get(each.cloud))
        if _is_empty(value):
            continue
        if each.secret:
            for path, leaf, _same in _pair_leaves(value, value, each.name):
                texts = list(_find_texts(leaf))
                yield from (text for text in texts if len(text) >= _get_min_length(each, path))
                yield from (word for text in texts for word in text.split() if len(word) >= MIN_LITERAL)
        elif each.show(value) != value:
            yield from {value, values[each.cloud]}


def _get_min_length(each: Field, path: str) -> int:
    """Return the length from which the value at ``path`` is masked in all output."""
    suboptions = each.spec.get("options") or {}
    spec = suboptions.get(path.rpartition(".")[2], {}) if suboptions else each.spec
    if not spec.get("no_log"):
        return MIN_LITERAL
    return MIN_PASSWORD if spec["type"] == "str" else MIN_VALUE


def _find_texts(leaf: Any) -> Iterator[str]:
    """Yield the strings in a leaf, which may be a list. Skip variables in braces and masks."""
    if isinstance(leaf, list):
        for item in leaf:
            yield from (text for _unused, inner, _same in _pair_leaves(item, item, "") for text in _find_texts(inner))
    elif isinstance(leaf, str) and not _VARIABLE.fullmatch(leaf) and not _is_mask(leaf):
        yield leaf


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
