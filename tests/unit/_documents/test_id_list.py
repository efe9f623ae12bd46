# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A text file with one id or label per line is parsed into entries with their lines."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_list import IdList, parse_id_list


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_each_filled_line_is_an_entry(line_end: str) -> None:
    assert parse_id_list("\ufeff" + line_end.join([" a ", "", '"b"', ""])) == IdList(["a", "b"], [1, 3])
