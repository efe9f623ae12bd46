# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the secrets in resources: those to mask in all output, and those to name in an export.

Private to this collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import SECRET_NAME
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import (
    Declared,
    Placeholder,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.comparison import (
    is_empty,
    is_mask,
    normalize,
    pair_leaves,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.display import (
    VARIABLE,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import (
    Field,
    Kind,
    keep_value,
)

MIN_PASSWORD = 4
"""A password of at least this length is masked in all output. Masking shorter passwords would make the output
unreadable."""
MIN_VALUE = 8
"""A value in a secret mapping, such as ``headers``, is masked in all output if the value has at least this length.
Shorter values are often ordinary words."""
MIN_LITERAL = 12
"""A word in a string that may contain a secret is masked in all output if the word has at least this length. Tokens are
longer than ordinary words."""

_ANY_VARIABLE = re.compile(r"\{\{\{[^{}]+\}\}\}|\{\{[^{}]+\}\}")


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


def find_secrets(kind: Kind, values: Mapping[str, Any], shown: Collection[str] = ()) -> Iterator[str]:
    """Yield the strings that must be masked in all output.

    These strings are secrets, long words in secrets, and all values from which ``Field.show`` removes a secret, such as
    URLs.

    :param values: the fields of a resource, keyed by the names in the cloud.
    :param shown: texts that the output must show as they are. A template that contains one of them is no reason to mask
        it. The texts of the resource itself are always included.
    """
    known = {*shown, *list_shown_texts(kind, values)}
    for each in kind.compared:
        value = normalize(each, values.get(each.cloud))
        if is_empty(value):
            continue
        if each.secret:
            for path, leaf, _same in pair_leaves(value, value, each.name):
                # Only templates contain ordinary words: a password remains secret, wherever it is repeated.
                is_template = _get_min_length(each, path) == MIN_LITERAL
                found = _find_in_leaf(each, path, leaf)
                yield from (word for word in found if not is_template or not any(word in text for text in known))
        elif each.show(value) != value:
            yield from {value, values[each.cloud]}


def list_shown_texts(kind: Kind, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts in a resource that are not secret: its key, and its settings without those that hold secrets.

    :param values: the fields of the resource, keyed by the names in the cloud.
    """
    if (key := kind.get_key(values)) is not None:
        yield key
    for each in kind.compared:
        value = normalize(each, values.get(each.cloud))
        if is_empty(value) or each.secret or each.show(value) != value:
            continue
        for _path, leaf, _same in pair_leaves(value, value, each.name):
            yield from (str(item) for item in (leaf if isinstance(leaf, list) else [leaf]))


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
    normalized = normalize(each, value)
    if each.secret:
        return _hide_leaves(each, normalized, each.name, name)
    return normalized if each.show is keep_value or each.show(normalized) == normalized else name(each.name)


def _hide_leaves(each: Field, value: Any, path: str, name: Callable[[str], Any]) -> Any:
    if isinstance(value, Mapping):
        return {part: _hide_leaves(each, item, f"{path}.{part}", name) for part, item in value.items()}
    is_secret = is_mask(value) or any(_find_in_leaf(each, path, value)) or _is_named_secret(each, path, value)
    return name(path) if is_secret else value


def _is_named_secret(each: Field, path: str, leaf: Any) -> bool:
    """Return whether a text is secret although it is short, because of the name of its part or of its option."""
    part = path.rpartition(".")[2]
    if part in each.open_parts or not isinstance(leaf, str) or not leaf or VARIABLE.fullmatch(leaf):
        return False
    return _get_min_length(each, path) == MIN_PASSWORD or SECRET_NAME.search(part) is not None


def _get_min_length(each: Field, path: str) -> int:
    """Return the length from which the value at ``path`` is masked in all output."""
    suboptions = each.spec.get("options") or {}
    name = path.rpartition(".")[2]
    spec = suboptions.get(name, {}) if suboptions else each.spec
    if SECRET_NAME.search(name):
        return MIN_PASSWORD
    if not spec.get("no_log"):
        return MIN_LITERAL
    return MIN_VALUE if spec["type"] == "dict" else MIN_PASSWORD


def _find_texts(leaf: Any) -> Iterator[str]:
    """Yield the strings in a leaf, which may be a list. Skip variables in braces and masks."""
    if isinstance(leaf, list):
        for item in leaf:
            yield from (text for _unused, inner, _same in pair_leaves(item, item, "") for text in _find_texts(inner))
    elif isinstance(leaf, str) and not VARIABLE.fullmatch(leaf) and not is_mask(leaf):
        yield leaf
