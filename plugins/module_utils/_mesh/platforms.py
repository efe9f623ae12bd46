# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the platforms that matter to a mesh, and parse Device OS versions. Private to this collection."""

from __future__ import annotations

import re

# errors-and-limits.md, section 7: the table of platform ids.
CORE, PHOTON, P1, ELECTRON = 0, 6, 8, 10
ARGON, BORON, XENON, ASOM, BSOM, XSOM, B5SOM = 12, 13, 14, 22, 23, 24, 25
RASPBERRY_PI, OAK, DUO, BLUZ = 31, 82, 88, 103
_NAMES = {
    CORE: "Core",
    PHOTON: "Photon",
    P1: "P1",
    ELECTRON: "Electron",
    ARGON: "Argon",
    BORON: "Boron",
    XENON: "Xenon",
    ASOM: "A-SoM",
    BSOM: "B-SoM",
    XSOM: "X-SoM",
    B5SOM: "B5-SoM",
    RASPBERRY_PI: "Raspberry Pi",
    OAK: "Oak",
    DUO: "Duo",
    BLUZ: "Bluz",
}
NO_UPLINK = frozenset({XSOM})
"""Platforms that reach the cloud only through other devices. The Xenon is not listed, because a Xenon with an Ethernet
FeatherWing can be a gateway."""


def describe_platform(platform: int) -> str:
    """Return the name of a platform, or the platform id as a string if the platform is unknown."""
    return _NAMES.get(platform, str(platform))


def read_version(device_os: str | None) -> tuple[int, int] | None:
    """Return the major and minor number of a Device OS version, or ``None`` if the version cannot be parsed."""
    found = re.match(r"(\d+)\.(\d+)", device_os or "")
    return (int(found[1]), int(found[2])) if found else None
