# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which names of undocumented fields a report may show. Private to this collection.

The key of an object may be data of a user, such as the name of a device group. A name is shown only if it looks like a
name that the authors of a cloud choose, and if no response of the account contains it as a value, or as a key that
users choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.documented import ROWS, SHAPES

MAX_NAMES = 20
"""The number of undocumented fields of one object up to which their names are shown.

A new version of a cloud adds a few fields to an object. Many of them are the keys of a mapping.
"""

_MAX_LENGTH = 32
_SCHEMA_NAME = re.compile(r"_?[a-z]+(?:_[a-z]+)*\Z|[a-z]+(?:[A-Z][a-z]+)+(?:ID)?\Z")


class SeenTexts:
    """The texts of an account that could be the name of a field."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def add_values(self, data: Any) -> None:
        """Remember the texts in the values of a response, at every depth. The keys of objects are ignored."""
        self._add(data, with_keys=False)

    def add_free(self, data: Any) -> None:
        """Remember the keys of objects, at every depth, because users may have chosen them."""
        if isinstance(data, (dict, list)):
            self._add(data, with_keys=True)

    def _add(self, data: Any, *, with_keys: bool) -> None:
        waiting = [data]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting.extend(value.values())
                if with_keys:
                    waiting.extend(value)
            elif isinstance(value, list):
                waiting.extend(value)
            elif isinstance(value, str) and len(value) <= _MAX_LENGTH:
                self._texts.add(value.lower())

    def choose_names(self, fields: Iterable[str]) -> list[str]:
        """Return the names of undocumented fields of an object that may be shown, sorted."""
        names = set(fields)
        if len(names) > MAX_NAMES:
            return []
        return sorted(name for name in names if name in DOCUMENTED_NAMES or self._is_name_of_cloud(name))

    def _is_name_of_cloud(self, name: str) -> bool:
        return is_schema_name(name) and name.lower() not in self._texts


def is_schema_name(name: str) -> bool:
    """Return whether a text looks like the name of a field that the authors of a cloud have chosen.

    Digits are not allowed, because identifiers and tokens contain digits.
    """
    return len(name) <= _MAX_LENGTH and _SCHEMA_NAME.match(name) is not None


def _list_names(shape: Any) -> Iterator[str]:
    """Yield the names of the fields of a shape, at every depth."""
    if isinstance(shape, dict):
        for name, below in shape.items():
            yield name
            yield from _list_names(below)
    elif isinstance(shape, list):
        yield from _list_names(shape[0])


DOCUMENTED_NAMES = frozenset(
    name for shape in (*SHAPES.values(), *(row.get("body") for row in ROWS)) for name in _list_names(shape)
)
"""The names of all fields of all documented responses."""
