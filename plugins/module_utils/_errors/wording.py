# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that several messages need. Private to this collection."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


def some_of(names: Sequence[str], at_most: int) -> str:
    """The first of many names as words of a sentence, and how many more there are."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")


def perhaps(word: Any, known: Iterable[str]) -> str:
    """What to put behind a refusal of ``word``: the one of ``known`` that it looks like, or nothing."""
    near = difflib.get_close_matches(str(word).lower(), list(map(str, known)), n=1)
    return f"; perhaps {near[0]} is meant" if near else ""
