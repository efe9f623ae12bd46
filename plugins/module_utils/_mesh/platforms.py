# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the platforms that matter to a mesh, and parse Device OS versions. Private to this collection."""

from __future__ import annotations

import re

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import (
    find_platform_ids,
    get_platform_name,
)

NO_UPLINK = find_platform_ids("xsom")
"""Platforms that reach the cloud only through other devices. The Xenon is not listed, because a Xenon with an Ethernet
FeatherWing can be a gateway."""


def describe_platform(platform: int) -> str:
    """Return the name of a platform, or the platform id as a string if the platform has no name."""
    return get_platform_name(platform) or str(platform)


def read_version(device_os: str | None) -> tuple[int, int] | None:
    """Return the major and minor number of a Device OS version, or ``None`` if the version cannot be parsed."""
    found = re.match(r"(\d+)\.(\d+)", device_os or "")
    return (int(found[1]), int(found[2])) if found else None
