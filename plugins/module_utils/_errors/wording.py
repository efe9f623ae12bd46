# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build parts of sentences for messages. Private to this collection."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

MAX_SHOWN = 10
"""The maximum number of names in a sentence, unless the sentence is the only place that lists them."""

MAX_LINES = 20
"""The maximum number of lines in a message that is the only place that lists them."""

MAX_TEXT_LENGTH = 60
"""The maximum number of characters of a value or a text from the cloud that a sentence quotes."""


def list_names(names: Sequence[str], at_most: int = MAX_SHOWN, *, total: int | None = None) -> str:
    """Return the first ``at_most`` names, separated by commas. If there are more names, append ``and <n> more``.

    :param total: the number of all names, if ``names`` lacks some of them.
    """
    shown = names[:at_most]
    more = (len(names) if total is None else total) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def list_lines(lines: Sequence[str], at_most: int = MAX_SHOWN, *, others_in: str = "") -> list[str]:
    """Return the first ``at_most`` lines. If there are more lines, append the line ``and <n> more``.

    :param others_in: the name of the return value that lists all of them.
    """
    more = len(lines) - at_most
    where = f"; see {others_in}" if others_in else ""
    return [*lines[:at_most], *([f"and {more:,} more{where}"] if more > 0 else [])]


def show_text(text: str) -> str:
    """Return a text from the cloud in one line that can be printed. Control characters are escaped.

    A long text is shortened. A device can report any text, and a name can contain any character.
    """
    shown = text if text.isprintable() else repr(text)
    return shorten(shown)


def shorten(text: str, at_most: int = MAX_TEXT_LENGTH) -> str:
    """Return the first ``at_most`` characters of a text. If there are more characters, append ``...``."""
    return text if len(text) <= at_most else f"{text[:at_most]}..."


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with the words that it counts, such as ``1 device`` or ``2,000 devices``.

    :param singular: the words for one item, such as ``device is``.
    :param plural: the words for other numbers, such as ``devices are``. By default, the singular with ``s``.
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def join_words(words: Sequence[str]) -> str:
    """Return words as a phrase such as ``a, b or c``."""
    return " or ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def suggest_similar(word: Any, known: Iterable[str]) -> str:
    """Return a question that suggests the most similar word in ``known``, or an empty string if no word is similar.

    The caller appends the question to an error message about ``word``.
    """
    spellings = {str(each).lower(): str(each) for each in known}
    near = difflib.get_close_matches(str(word).lower(), spellings, n=1)
    return f" (did you mean {spellings[near[0]]}?)" if near else ""


def join_names(names: Sequence[str]) -> str:
    """Return names as a phrase such as ``a, b and c``. At least one name is required."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
