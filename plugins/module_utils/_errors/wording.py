# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build parts of sentences for messages. Private to this collection."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


def list_names(names: Sequence[str], at_most: int) -> str:
    """Return names as a part of a sentence: at most ``at_most`` of them, and the number of the others."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def suggest_similar(word: Any, known: Iterable[str]) -> str:
    """Return a question that suggests the most similar word of ``known``, or an empty text if none is similar.

    It is appended to a message that refuses ``word``.
    """
    near = difflib.get_close_matches(str(word).lower(), list(map(str, known)), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
