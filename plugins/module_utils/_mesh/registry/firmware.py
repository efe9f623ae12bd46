# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the firmware versions that run on a Device OS without Particle Mesh. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import DEVICE_OS, FIRMWARE_VERSION
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    is_too_new_for_mesh,
)


def find_versions_without_mesh(
    versions: Iterable[int], rows: Iterable[Mapping[str, Any]]
) -> tuple[dict[int, str], set[int]]:
    """Find the firmware versions that run only on versions of Device OS without Particle Mesh.

    Each row shows the firmware version of a device and the Device OS version of the same device.

    :param versions: the firmware versions to check.
    :param rows: the rows of devices in the device lists of the cloud.
    :returns: two values. The first value maps each firmware version found to a string that lists its Device OS
        versions. The second value contains the firmware versions whose Device OS versions are unknown.
    """
    seen: dict[int, set[str]] = {version: set() for version in versions}
    for row in rows:
        if row.get(FIRMWARE_VERSION) in seen and isinstance(row.get(DEVICE_OS), str):
            seen[row[FIRMWARE_VERSION]].add(row[DEVICE_OS])
    ending = {
        version: "Device OS " + ", ".join(sorted(found))
        for version, found in seen.items()
        if found and all(map(is_too_new_for_mesh, found))
    }
    return ending, {version for version, found in seen.items() if not found}
