# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A text file with one id or label per line is parsed into entries with their lines."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_list import IdList, parse_id_list

ONE, TWO = "e00fce680000000000000001", "e00fce680000000000000002"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_each_filled_line_is_an_entry(line_end: str) -> None:
    assert parse_id_list("\ufeff" + line_end.join([" a ", "", '"b"', ""])) == IdList(["a", "b"], [1, 3])


def test_comments_are_not_entries() -> None:
    assert parse_id_list("# batch 1, of 2\na # broken\n #\n") == IdList(["a"], [2])


@pytest.mark.parametrize("separator", [" ", ", ", "\t", ";"])
def test_ids_in_one_line_are_entries(separator: str) -> None:
    line = separator.join([ONE, TWO, ""])
    assert parse_id_list(f"{line}\n{ONE}\n") == IdList([ONE, TWO, ONE], [1, 1, 2])


@pytest.mark.parametrize("line", [f"{ONE} 89014103000000000001", f"{ONE} barn"])
def test_values_of_several_kinds_are_one_entry(line: str) -> None:
    assert parse_id_list(line) == IdList([line], [1])
