# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the mistakes in a document, and write mistakes of the same kind once. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import (
    MAX_LINES,
    list_lines,
    list_names,
    shorten,
)

# The parts of a sentence that differ between mistakes of the same kind: quoted values, and numbers.
_VARIABLE_PART = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+(?:\.\d+)?")
_QUOTES = ("'", '"')
_LINE_NUMBER = re.compile(r":(\d+) ")


@dataclass(frozen=True)
class Mistake:
    """A mistake in a document.

    :param where: the place for the user, such as ``fleet.yml:12 devices[3].id``.
    :param text: what is wrong at this place.
    :param group: the place without positions in lists, such as ``devices[].id``. Mistakes of the same kind in the same
        group are written once. ``None`` if the mistake is always written.
    """

    where: str
    text: str
    group: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def fold_mistakes(mistakes: Iterable[Mistake], items: str) -> list[str]:
    """Return a sentence for each mistake.

    Mistakes of the same kind have one sentence, which counts their places and names some of their values.

    :param items: the word for the items of the key ``devices`` in this document, such as ``rows``.
    """
    kinds: dict[object, list[Mistake]] = {}
    for index, mistake in enumerate(mistakes):
        kind = _VARIABLE_PART.sub("", mistake.text)
        kinds.setdefault(index if mistake.group is None else (mistake.group, kind), []).append(mistake)
    return [_describe_kind(alike, items) for alike in kinds.values()]


def _describe_kind(alike: Sequence[Mistake], items: str) -> str:
    first = alike[0]
    phrase = f"{first.where}: {_VARIABLE_PART.sub(_shorten_value, first.text)}"
    if len(alike) == 1:
        return phrase
    word = items if (first.group or "").startswith("devices") else "places"
    line = _LINE_NUMBER.search(first.where)
    others = _list_other_values(alike)
    also = f"; also {list_names(others)}" if others else ""
    return f"{phrase} (on {len(alike)} {word}{f', first at line {line[1]}' if line else ''}{also})"


def _list_other_values(alike: Sequence[Mistake]) -> list[str]:
    """Return each value that mistakes of the same kind name, except the value of the first mistake, with its place."""
    in_first = _VARIABLE_PART.findall(alike[0].text)
    places: dict[str, str] = {}
    for mistake in alike[1:]:
        parts = list(_VARIABLE_PART.finditer(mistake.text))
        other = [_shorten_value(part) for part, value in zip(parts, in_first, strict=False) if part[0] != value]
        # Beside a quoted value, a number is the line of another place or a limit.
        value = " and ".join([text for text in other if text[0] in _QUOTES] or other)
        line = _LINE_NUMBER.search(mistake.where)
        if value:
            places.setdefault(value, f"line {line[1]}" if line else mistake.where)
    return [f"{value} at {place}" for value, place in places.items()]


def _shorten_value(found: re.Match[str]) -> str:
    """Return a quoted value or a number. A long value is shortened, and keeps its last quote."""
    value = found[0]
    shown = shorten(value)
    return shown if shown == value or value[0] not in _QUOTES else shown + value[0]


def describe_mistakes(sentences: tuple[str, str], mistakes: Sequence[Mistake], items: str = "devices") -> str:
    """Return a message about mistakes: a sentence with their number, and at most :data:`MAX_LINES` lines.

    :param sentences: the sentence for one mistake, and that for several mistakes, in which ``{}`` is their number.
    :param items: the word for the items of the key ``devices`` in this document, such as ``rows``.
    """
    lines = fold_mistakes(mistakes, items)
    kinds = f", of {len(lines)} kinds" if 1 < len(lines) < len(mistakes) else ""
    head = sentences[0] if len(mistakes) == 1 else sentences[1].format(len(mistakes)) + kinds
    return f"{head}:\n  " + "\n  ".join(list_lines(lines, MAX_LINES))
