# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the numbers and names of platforms. Private to this collection."""

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


def get_platform_name(number: Any) -> str | None:
    """Return the platform name for a ``platform_id``. The name for an unknown number is ``unknown (<number>)``.

    :returns: ``None`` if ``number`` is ``None`` or negative. A self-hosted cloud sends -1 for a device that has never
        connected.
    """
    if number is None or (isinstance(number, int) and number < 0):
        return None
    return (PLATFORMS.get(number) if isinstance(number, int) else None) or f"unknown ({number})"


def find_platform_ids(*names: str) -> frozenset[int]:
    """Return the platform ids of the platforms with these names."""
    ids = {name: number for number, name in PLATFORMS.items()}
    return frozenset(ids[name] for name in names)


def parse_platform(value: str) -> str | None:
    """Return the platform name for a name or number that a user wrote, or ``None`` for an unknown name.

    An unknown number may belong to a newer platform. The name for an unknown number is ``unknown (<number>)``.
    """
    text = value.strip().lower()
    if text.isdecimal():
        return PLATFORMS.get(int(text), f"unknown ({int(text)})")
    return text if text in PLATFORMS.values() else None
