# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The versions of Device OS and the platforms that the cloud compiler offers."""

from __future__ import annotations

from typing import Any

DEFAULT_TARGET = "6.3.4"
TARGETS = (DEFAULT_TARGET, "5.8.2", "4.2.0", "2.3.1")
"""The versions for which the compiler builds firmware, newest first."""
VERSIONS = (*TARGETS[:3], "4.0.2", *TARGETS[3:])
"""The versions of Device OS that are known, newest first."""
PLATFORMS = {"Argon": 12, "Boron": 13, "B-SoM": 23, "B5-SoM": 25, "Tracker": 26, "P2": 32, "M-SoM": 35}
MODULE_VERSIONS = {"4.2.0": 4200, "4.0.2": 4006}
"""The version numbers inside the binaries of Device OS, which clients also call internal versions.

A number does not follow from the version text (firmware-and-events.md, section 2). The facts give no other number.
"""


def list_version_rows() -> list[dict[str, Any]]:
    """Return the JSON objects for each version on each platform, newest version first."""
    return [_build_row(version, platform) for version in VERSIONS for platform in sorted(PLATFORMS.values())]


def _build_row(version: str, platform: int) -> dict[str, Any]:
    row: dict[str, Any] = {"version": version, "platform_id": platform}
    if version in MODULE_VERSIONS:
        row["module_version"] = MODULE_VERSIONS[version]
    return row


def get_module_version(version: str) -> int:
    """Return the module version of a version of Device OS.

    Inferred for versions that the facts do not name: 6.3.4 has the module version 6304.
    """
    if version in MODULE_VERSIONS:
        return MODULE_VERSIONS[version]
    numbers = [int(part) for part in version.partition("-")[0].split(".") if part.isdigit()]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major * 1000 + minor * 100 + patch


def get_version(module_version: int) -> str:
    """Return the version of Device OS that has a module version."""
    for version, number in MODULE_VERSIONS.items():
        if number == module_version:
            return version
    return f"{module_version // 1000}.{module_version // 100 % 10}.{module_version % 100}"
