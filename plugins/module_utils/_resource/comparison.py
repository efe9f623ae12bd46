# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare declared values with the values that the cloud shows. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import (
    Field,
)

_MASKED = re.compile(r"(\w+ )?([\w-]{0,4}[*•]{3,}\w{0,4}|-{4,}|\[\[SENSITIVE\]\])")
"""The pattern of the mask that a cloud shows in place of a secret. The mask may include a scheme such as Bearer, or the
first and last characters of the secret."""


def is_empty(value: Any) -> bool:
    """Return whether a value is ``None``, or an empty string, list or mapping.

    The cloud uses its default in place of an empty value.
    """
    return value is None or (isinstance(value, (str, Mapping, list)) and not value)


def normalize(each: Field, value: Any) -> Any:
    """Return the form of a value of a field in which values are compared. An empty value becomes the default."""
    return each.default if is_empty(value) else each.normalize(value)


def compare_values(each: Field, wanted: Any, found: Any, *, just_written: bool) -> tuple[bool, list[str]]:
    """Return whether two values of a field differ, and the paths of the secrets that cannot be compared."""
    left, right = normalize(each, complete_value(each, wanted, found)), normalize(each, found)
    if each.write_only:
        return False, [] if left is None else [each.name]
    if not each.secret:
        return left != right, []
    differs, unknown = False, list[str]()
    for path, one, other in pair_leaves(left, right, each.name):
        if one == other:
            continue
        if one is not None and (is_mask(other) or (just_written and other is None)):
            unknown.append(path)
        else:
            differs = True
    return differs, unknown


def complete_value(each: Field, wanted: Any, found: Any) -> Any:
    """Return the declared value of a field, with the observed parts of a mapping that the declaration leaves out."""
    is_part = each.merges and isinstance(wanted, Mapping) and isinstance(found, Mapping)
    return {**found, **wanted} if is_part else wanted


def pair_leaves(left: Any, right: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each leaf of two nested structures: its path, its value in ``left`` and its value in ``right``.

    A missing value is ``None``.
    """
    if isinstance(left, Mapping) and (isinstance(right, Mapping) or right is None):
        for name in [*left, *(name for name in right or () if name not in left)]:
            yield from pair_leaves(left.get(name), (right or {}).get(name), f"{path}.{name}")
    else:
        yield path, left, right


def is_mask(value: Any) -> bool:
    """Return whether ``value`` is a mask that the cloud shows in place of a secret."""
    return isinstance(value, str) and _MASKED.fullmatch(value) is not None


def find_masked_paths(value: Any, path: str) -> list[str]:
    """Return the paths of the masks in a value.

    :param path: the path of the value itself.
    """
    return [place for place, _unused, leaf in pair_leaves(value, value, path) if is_mask(leaf)]
