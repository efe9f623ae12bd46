# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platforms of devices, by number and by name: pure data. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# errors-and-limits.md, section 7: the table of platform ids.
PLATFORMS: Mapping[int, str] = {
    0: "core",
    3: "gcc",
    6: "photon",
    8: "p1",
    10: "electron",
    11: "esp32",
    12: "argon",
    13: "boron",
    14: "xenon",
    15: "esomx",
    22: "asom",
    23: "bsom",
    24: "xsom",
    25: "b5som",
    26: "tracker",
    28: "trackerm",
    31: "raspi",
    32: "p2",
    35: "msom",
    37: "electron2",
    38: "sulu",
    42: "tachyon",
    43: "linux",
    82: "oak",
    88: "duo",
    103: "bluz",
    60000: "newhal",
}


def platform_of(number: Any) -> str | None:
    """The name that facts have for ``platform_id``; ``None`` where the cloud tells none.

    A self-hosted cloud says -1 of a device that it has never met.
    """
    if number is None or (isinstance(number, int) and number < 0):
        return None
    return (PLATFORMS.get(number) if isinstance(number, int) else None) or f"unknown ({number})"


def platform_named(value: str) -> str | None:
    """The name that facts have for a platform, from its name or its number as a user writes it.

    ``None`` when there is no such name; a number that nobody knows yet may be one tomorrow.
    """
    text = value.strip().lower()
    if text.isdecimal():
        return PLATFORMS.get(int(text), f"unknown ({int(text)})")
    return text if text in PLATFORMS.values() else None
