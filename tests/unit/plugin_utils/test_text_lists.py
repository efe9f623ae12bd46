# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A text of several lines becomes the list that its option expects."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.plugin_utils._text_lists import split_text_lists

LIST = {"type": "list", "elements": "str"}
SPEC: dict[str, dict[str, Any]] = {
    "products": LIST,
    "devices": {"type": "list", "elements": "raw"},
    "notes": {"type": "str"},
    "filters": {"type": "dict", "options": {"ids": LIST}},
}


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\r\n", " a ,\n\n b"])
def test_each_line_is_an_item(text: str) -> None:
    assert split_text_lists({"products": text}, SPEC) == {"products": ["a", "b"]}
    assert split_text_lists({"filters": {"ids": text}}, SPEC) == {"filters": {"ids": ["a", "b"]}}


@pytest.mark.parametrize(
    "args",
    [
        {"products": "a,b"},
        {"products": ["a\nb"]},
        {"products": ""},
        {"devices": "a\nb"},
        {"notes": "a\nb"},
        {"x": "a\n"},
    ],
)
def test_other_values_are_not_changed(args: dict[str, Any]) -> None:
    assert split_text_lists(args, SPEC) == args
