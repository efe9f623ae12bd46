# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse CSV tables, and record the line of every row. Private to this collection."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Table:
    """The rows of a CSV table.

    :param rows: for each row, the cells, keyed by column name, without surrounding spaces. Empty cells have no key.
    :param lines: for each row, the number of the line at which the row begins.
    """

    rows: Sequence[Mapping[str, str]]
    lines: Sequence[int]


def parse_table(text: str, name: str, find_mistake: Callable[[str], str | None] = lambda column: None) -> Table:
    """Parse a CSV table.

    The delimiter is a comma, a semicolon or a tab: the character that occurs most often in the first line.

    :param text: the content of the file.
    :param name: the name of the file, for messages.
    :param find_mistake: a function that takes the name of a column, and returns a description of the mistake in the
        name. The function returns ``None`` if the name is valid.
    :raises ParticleError: ``invalid_manifest`` when the table is not valid. The message lists every mistake.
    """
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count), strict=True)
    rows: list[Mapping[str, str]] = []
    lines: list[int] = []
    mistakes: list[str] = []
    try:
        columns = [column.strip() for column in next(reader, [])]
        mistakes += _check_columns(columns, name, find_mistake)
        begins = reader.line_num + 1
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                if len(cells) > len(columns):
                    mistakes.append(f"{name}:{begins} has {len(cells)} cells, but the first line has {len(columns)}")
                rows.append({column: cell for column, cell in zip(columns, stripped, strict=False) if cell})
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        mistakes.append(f"{name}:{reader.line_num} {error}")
    if mistakes:
        raise ParticleError("invalid_manifest", "The manifest is not a valid table:\n  " + "\n  ".join(mistakes))
    return Table(rows, lines)


def _check_columns(columns: Sequence[str], name: str, find_mistake: Callable[[str], str | None]) -> list[str]:
    """Return a sentence for each mistake in the column names."""
    mistakes = [f"{name}:1 column {index} has no name" for index, column in enumerate(columns, 1) if not column]
    mistakes += [f"{name}:1 column {column} {wrong}" for column in columns if (wrong := find_mistake(column))]
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    return mistakes + [f"{name}:1 duplicate column {column}" for column in twice]
