# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split texts into lines, which may end with CR, LF or both. Private to this collection."""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their ends. A text that ends with a line end has an empty last line.

    ``str.splitlines`` would also split at characters that can be part of a cell, such as U+2028.
    """
    return _LINE_END.split(text)
