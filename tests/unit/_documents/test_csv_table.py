# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A table in any common form is parsed into stripped cells, each row with its line."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.csv_table import (
    Table,
    find_delimiter,
    parse_table,
)


def test_rows_have_their_cells_and_their_lines() -> None:
    text = 'a, b ,c\n 1 ,"two\nlines",\n\n3\n'
    assert parse_table(text, "t.csv") == Table(["a", "b", "c"], 1, [["1", "two\nlines", ""], ["3"]], [2, 5], [])


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_form_of_a_table_does_not_change_its_cells(line_end: str, delimiter: str, mark: str) -> None:
    text = mark + line_end.join(["", delimiter.join(["a", '"b, or; c"']), "", delimiter.join(["1", "2"]), ""])
    assert parse_table(text, "t.csv") == Table(["a", "b, or; c"], 2, [["1", "2"]], [4], [])


@pytest.mark.parametrize("second", ["a,b\n", "\ufeffa,b\n", '\ufeff"a","b"\r\n', "\ufeff"])
def test_mark_and_header_of_a_second_file_are_left_out(second: str) -> None:
    table = parse_table(f"\ufeffa,b\n1,2\n{second}3,4\n\x1a", "t.csv")
    assert (table.header, table.rows) == (["a", "b"], [["1", "2"], ["3", "4"]])


def test_separator_line_may_name_the_tab() -> None:
    assert parse_table("sep=\\t\na,1\tb\n", "t.csv").header == ["a,1", "b"]


def test_quote_in_a_quoted_cell_is_reported_with_the_remedy() -> None:
    (mistake,) = parse_table('a,b\n"5" pipe",x\n', "t.csv").mistakes
    assert str(mistake).startswith("t.csv:2 the row: has a quote inside a quoted cell; write each quote inside")


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;,,"])
def test_separator_line_of_excel_sets_the_delimiter(first: str) -> None:
    table = parse_table(f"{first}\r\na,x;b\r\n1;2\r\n", "t.csv")
    assert (table.header, table.header_line, table.rows, table.lines) == (["a,x", "b"], 2, [["1", "2"]], [3])


def test_trailing_empty_columns_are_left_out() -> None:
    assert parse_table("a,b,,\n1,2,,\n,,,\n", "t.csv") == Table(["a", "b"], 1, [["1", "2"]], [2], [])


def test_formula_that_marks_a_text_is_removed() -> None:
    assert parse_table('a,b\n="0012","=""8901"""\n', "t.csv").rows == [["0012", "8901"]]


def test_cells_beyond_the_header_are_a_mistake() -> None:
    (mistake,) = parse_table("a\n1,2\n", "t.csv").mistakes
    assert str(mistake) == "t.csv:2 the row: has 2 cells, but the header has 1"


def test_open_quote_is_reported_at_the_line_of_its_row() -> None:
    (mistake,) = parse_table('a\n1\n"open\n2\n', "t.csv").mistakes
    assert str(mistake) == "t.csv:3 the row: has a quote that is never closed"


def test_first_filled_line_has_the_delimiter() -> None:
    assert find_delimiter("\ufeff\n\n'a';\"b,c,d\"\n1,2,3,4") == ";"
    assert find_delimiter("e00f\n1,2\n") is None
