# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a value with its documented shape. Private to this collection.

docs/facts/README.md explains the notation of shapes. What this file yields contains no value and no name that users
have chosen: it names only documented fields, except in :attr:`Difference.field`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

ANY_KEY = "*"
"""The key of a documented object whose keys are chosen by users."""

ABSENT = "absent"
"""The alternative of a field that a response may leave out."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)\Z")

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "null": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "iso": lambda value: isinstance(value, str) and _TIME.match(value) is not None,
    "str": lambda value: isinstance(value, str),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
"""The documented types, each with a function that tells whether a value has the type."""


@dataclass(frozen=True)
class Difference:
    """A difference between a value and its documented shape.

    :param place: the path to the value. It consists of documented names, of ``[]`` for the elements of a list, and of
        ``*`` for the values of an object whose keys are chosen by users: ``devices[].owner``.
    :param documented: what the facts say.
    :param found: what the response contains.
    :param field: the name of a field that is not documented. :class:`names.SeenTexts` decides whether it may be shown.
    """

    place: str
    documented: str
    found: str
    field: str | None = None


def name_type(value: Any) -> str:
    """Return the name of the type of a value."""
    return next(name for name, has_type in _TYPES.items() if name not in ("any", "iso") and has_type(value))


class Shapes:
    """The documented shapes, with which values are compared.

    :param shapes: the shapes that other shapes name.
    :param note_free: a function that receives each object whose keys are not documented, because users choose them, and
        the value of each field that is not documented.
    """

    def __init__(self, shapes: Mapping[str, Any], note_free: Callable[[Any], None]) -> None:
        self._shapes = shapes
        self._note_free = note_free

    def compare(self, value: Any, shape: Any, place: str = "") -> Iterator[Difference]:
        """Yield the differences between a value and a shape.

        :param shape: the name of a type or of a shape, several of them separated by ``|``, an object, or a list with
            the shape of its elements.
        :param place: the path to the value.
        """
        if isinstance(shape, Mapping):
            yield from self._compare_object(value, shape, place)
        elif isinstance(shape, list):
            yield from self._compare_list(value, shape[0], place)
        else:
            yield from self._compare_alternatives(value, shape, place)

    def _compare_alternatives(self, value: Any, shape: str, place: str) -> Iterator[Difference]:
        """Yield the differences from the alternative that the value resembles most."""
        results = [list(self._compare_one(value, alternative, place)) for alternative in _list_alternatives(shape)]
        same_type = [result for result in results if not any(_is_other_type(each, place) for each in result)]
        if same_type:
            yield from min(same_type, key=len)
        else:
            # Nothing is known about such a value, so users may have chosen its keys.
            self._note_free(value)
            # The report names all types that the value may have.
            yield replace(results[0][0], documented=self._describe(shape))

    def _compare_one(self, value: Any, shape: str, place: str) -> Iterator[Difference]:
        if shape in self._shapes:
            yield from self.compare(value, self._shapes[shape], place)
        elif shape.startswith("["):
            yield from self._compare_list(value, shape[1:-1], place)
        elif _TYPES[shape](value):
            self._note_free(value)
        else:
            is_text = shape == "iso" and isinstance(value, str)
            yield Difference(place, shape, "str that is not a time" if is_text else name_type(value))

    def _compare_list(self, value: Any, shape: Any, place: str) -> Iterator[Difference]:
        if not isinstance(value, list):
            yield Difference(place, "list", name_type(value))
            return
        for item in value:
            yield from self.compare(item, shape, f"{place}[]")

    def _compare_object(self, value: Any, shape: Mapping[str, Any], place: str) -> Iterator[Difference]:
        if not isinstance(value, dict):
            yield Difference(place, "object", name_type(value))
            return
        if ANY_KEY in shape:
            self._note_free(value)
            for item in value.values():
                yield from self.compare(item, shape[ANY_KEY], join_place(place, ANY_KEY))
            return
        for name, below in shape.items():
            if name in value:
                yield from self.compare(value[name], below, join_place(place, name))
            elif not _is_optional(below):
                yield Difference(join_place(place, name), self._describe(below), "no field")
        for name in value.keys() - shape.keys():
            self._note_free(value[name])
            yield Difference(place, "no field", name_type(value[name]), field=name)

    def _describe(self, shape: Any) -> str:
        """Return the names of the types that a shape allows."""
        if not isinstance(shape, str):
            return "list" if isinstance(shape, list) else "object"
        names = []
        for alternative in _list_alternatives(shape):
            name = "list" if alternative.startswith("[") else alternative
            names.append(self._describe(self._shapes[name]) if name in self._shapes else name)
        return " or ".join(dict.fromkeys(names))


def join_place(place: str, name: str) -> str:
    """Return the path to a field of the object at ``place``."""
    return f"{place}.{name}" if place else name


def _is_other_type(difference: Difference, place: str) -> bool:
    return difference.place == place and difference.field is None


def _list_alternatives(shape: str) -> list[str]:
    return [each for each in shape.split("|") if each != ABSENT]


def _is_optional(shape: Any) -> bool:
    return isinstance(shape, str) and ABSENT in shape.split("|")
