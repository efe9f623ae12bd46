# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A table is read into rows of stripped cells, each with its line."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.csv_table import Table, parse_table
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


def test_rows_have_their_cells_by_column_and_their_lines() -> None:
    text = 'a, b ,c\n 1 ,"two\nlines",\n\n3\n'
    assert parse_table(text, "t.csv") == Table([{"a": "1", "b": "two\nlines"}, {"a": "3"}], [2, 5])


def test_column_mistakes_of_the_caller_are_reported() -> None:
    with pytest.raises(ParticleError) as caught:
        parse_table("a,b,b\n1,2,3,4\n", "t.csv", lambda column: "is not a letter of mine" if column == "a" else None)
    assert caught.value.code == "invalid_manifest"
    assert caught.value.message.split("\n  ") == [
        "The manifest is not a valid table:",
        "t.csv:1 column a is not a letter of mine",
        "t.csv:1 duplicate column b",
        "t.csv:2 has 4 cells, but the first line has 3",
    ]
