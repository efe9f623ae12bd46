# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse text files with one device id or label per line. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID, ICCID, IMEI
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.lines import split_lines

_SEPARATOR = re.compile(r"[\s,;]+")


@dataclass(frozen=True)
class IdList:
    """The entries of a text file.

    :param entries: the entries, without surrounding spaces and quotes.
    :param lines: the number of the line of each entry.
    """

    entries: Sequence[str]
    lines: Sequence[int]


def parse_id_list(text: str) -> IdList:
    """Parse the content of a text file with one entry per line. Lines may end with CR, LF or both.

    What follows a ``#`` is a comment. A line with several ids or labels of the same kind has several entries.
    """
    lines = (line.partition("#")[0] for line in split_lines(text))
    found = [(number, entry) for number, line in enumerate(lines, 1) for entry in _split_line(line)]
    return IdList([entry for _unused, entry in found], [line for line, _unused in found])


def _split_line(line: str) -> list[str]:
    """Return the entries of a line. Identifiers of different kinds may belong to one device, so they are not split."""
    parts = [bare for part in _SEPARATOR.split(line) if (bare := _strip_quotes(part))]
    is_split = any(all(form.match(part.lower()) for part in parts) for form in (DEVICE_ID, ICCID, IMEI))
    whole = _strip_quotes(line)
    return parts if is_split else [whole] if whole else []


def _strip_quotes(text: str) -> str:
    return text.strip().strip("\"'\ufeff\x1a").strip()
