# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out why the first line of a table does not name an identifier. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.csv_table import Table, parse_table
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import SERIAL_NUMBER
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.lines import split_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.columns import (
    describe_missing_header,
    find_key,
    is_identifier,
    list_known_headers,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS

_MAX_TITLE_LINES = 20
"""The number of lines at the beginning of a file in which the header is searched."""

_PAIR = re.compile(r"([^=:]+)[=:]\s*\S")
_OTHER_DELIMITER = re.compile(r"[|^~\s]+")
_MIN_DIGITS = 4
"""The least number of digits in a serial number. The names of columns have fewer digits."""


def describe_first_line(text: str, table: Table) -> str | None:
    """Describe the fault of the first line of a table that names no identifier, as the end of a sentence.

    :param text: the table.
    :param table: the same table, parsed.
    :returns: ``None`` if the line seems to be a header without a known identifier.
    """
    known = list_known_headers()
    if later := _find_later_header(text, table.header_line, known):
        return f"seems to be in line {later}, and not in this line; remove the lines before line {later}"
    if pair := next((cell for cell in table.header if _is_pair(cell, known)), None):
        return f"has the name of a column beside a value, as in {pair!r}; write the names in a first line instead"
    if len(table.header) == 1 and any(_is_joined(cells[0]) for cells in table.rows[:3]):
        phrase = "has no commas, semicolons or tabs between its columns"
        return f"{phrase}; save the table with one of them, or insert a first line such as sep=|"
    values = [cell for cell in table.header if _is_serial_number(cell)]
    return describe_missing_header(values) if values else None


def _find_later_header(text: str, header_line: int, known: Mapping[str, str]) -> int | None:
    """Return the number of a line that names an identifier, after the line that was taken for the header."""
    for number, line in enumerate(split_lines(text)[:_MAX_TITLE_LINES], 1):
        if number > header_line and _names_identifier(parse_table(line, "").header, known):
            return number
    return None


def _names_identifier(header: Sequence[str], known: Mapping[str, str]) -> bool:
    return any(find_key(cell, known) in IDENTIFIERS for cell in header)


def _is_pair(cell: str, known: Mapping[str, str]) -> bool:
    """Return whether a cell is the name of a column and a value, such as ``serial_number=P046AB1``."""
    pair = _PAIR.match(cell)
    return pair is not None and find_key(pair[1], known) is not None


def _is_joined(cell: str) -> bool:
    """Return whether a cell has an identifier and other parts."""
    parts = [part for part in _OTHER_DELIMITER.split(cell) if part]
    return len(parts) > 1 and any(is_identifier(part) for part in parts)


def _is_serial_number(cell: str) -> bool:
    return SERIAL_NUMBER.match(cell.upper()) is not None and sum(map(str.isdigit, cell)) >= _MIN_DIGITS
