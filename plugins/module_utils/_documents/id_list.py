# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse text files with one device id or label per line. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class IdList:
    """The entries of a text file.

    :param entries: the text of each line that is not empty, without surrounding spaces and quotes.
    :param lines: the number of the line of each entry.
    """

    entries: Sequence[str]
    lines: Sequence[int]


def parse_id_list(text: str) -> IdList:
    """Parse the content of a text file with one entry per line. Lines may end with CR, LF or both."""
    stripped = (line.strip().strip("\"'").strip() for line in _LINE_END.split(text.removeprefix("\ufeff")))
    found = [(line, entry) for line, entry in enumerate(stripped, 1) if entry]
    return IdList([entry for _unused, entry in found], [line for line, _unused in found])
