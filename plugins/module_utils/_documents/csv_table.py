# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse tables (CSV and its variants), and record the line of every row. Private to this collection."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.lines import split_lines
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.mistakes import Mistake

DELIMITERS = ",;\t"

# The first line with which Excel declares the delimiter of a file. Excel may add cells to the line, or quote it.
_SEPARATOR_LINE = re.compile(r'\A"?sep=(\\t|[^"\r\n])"?[,;\t]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# A program that joins files leaves the byte order mark of each file at the beginning of a line.
_MARK = re.compile(r"(?:\A|(?<=[\r\n]))\ufeff+")
_END_OF_FILE = "\x1a"
"""The character with which old programs end a file."""

_QUOTED = re.compile(r'"(?:[^"]|"")*"')

# The form in which spreadsheets export a cell whose text must not be read as a number: ="0012".
_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"\Z')


@dataclass(frozen=True)
class Table:
    """The cells of a table, without surrounding spaces.

    :param header: the cells of the first line. Empty cells at its end are left out.
    :param header_line: the number of this line.
    :param rows: for each other line that is not empty, its cells. A row has at most as many cells as the header.
    :param lines: for each row, the number of the line at which the row begins.
    :param mistakes: the faults in the form of the table.
    """

    header: Sequence[str]
    header_line: int
    rows: Sequence[Sequence[str]] = ()
    lines: Sequence[int] = ()
    mistakes: Sequence[Mistake] = field(default=(), repr=False)


def parse_table(text: str, name: str) -> Table:
    """Parse a table.

    The delimiter is a comma, a semicolon or a tab: the character that occurs most often in the first line, outside of
    quotes. A line such as ``sep=;`` before the table sets the delimiter. Lines may end with CR, LF or both. If
    the header is repeated, for example because files were joined, the other copies are left out.

    :param text: the content of the file.
    :param name: the name of the file, for messages.
    """
    text = _MARK.sub("", text).rstrip(_END_OF_FILE)
    declared = _SEPARATOR_LINE.match(text)
    text, skipped = (text[declared.end() :], 1) if declared else (text, 0)
    delimiter = declared[1].replace("\\t", "\t") if declared else find_delimiter(text) or DELIMITERS[0]
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[tuple[int, list[str]]] = []
    mistakes: list[Mistake] = []
    begins = 1 + skipped
    try:
        for cells in reader:
            stripped = [_strip_cell(cell) for cell in cells]
            if any(stripped) and not (records and stripped == records[0][1]):
                records.append((begins, stripped))
            begins = reader.line_num + 1 + skipped
    except csv.Error as error:
        problem = f"is not valid: {error}"
        if "end of data" in str(error):
            problem = "has a quote that is never closed"
        elif "expected after" in str(error):
            problem = 'has a quote inside a quoted cell; write each quote inside a quoted cell twice, as in "a ""b"" c"'
        mistakes.append(Mistake(f"{name}:{begins} the row", problem))
    if not records:
        return Table((), begins, mistakes=mistakes)
    header_line, header = records[0]
    while not header[-1]:
        header.pop()
    for line, cells in records[1:]:
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if len(cells) > len(header):
            problem = f"has {len(cells)} cells, but the header has {len(header)}"
            mistakes.append(Mistake(f"{name}:{line} the row", problem, group="devices"))
    rows = records[1:]
    return Table(header, header_line, [cells for _unused, cells in rows], [line for line, _unused in rows], mistakes)


def find_delimiter(text: str) -> str | None:
    """Return the delimiter in the first line of ``text`` that is not empty, or ``None`` if it has no delimiter."""
    head = next((line for line in split_lines(text.removeprefix("\ufeff")) if line.strip()), "")
    bare = _QUOTED.sub("", head)
    delimiter = max(DELIMITERS, key=bare.count)
    return delimiter if delimiter in bare else None


def _strip_cell(cell: str) -> str:
    """Return a cell without surrounding spaces, and without the formula that marks a text."""
    stripped = cell.strip()
    formula = _TEXT_FORMULA.match(stripped)
    return formula[1].replace('""', '"').strip() if formula else stripped
