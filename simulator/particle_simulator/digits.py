# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Read whole numbers in requests. JSON writes them as numbers, and forms, queries and paths write them as text."""

from __future__ import annotations

MAX_DIGITS = 15
"""The maximum number of digits. Python refuses texts with thousands of digits, and JSON numbers beyond 64 bits."""


def parse_number(value: object) -> int | None:
    """Return the number that a value of a request stands for, or None if it is not a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
