# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a device that one PUT sets: how a manifest says them, and how the cloud does.

Private to this collection (endpoints.yml: device_update; errors-and-limits.md, section 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = "str | bool | int"
"""A field as a manifest says it."""

UNLOCKED = "unlocked"
"""What a manifest says for ``firmware_version`` when a device is to follow its product."""

CLOUD_NAMES: Mapping[str, str] = {
    "name": "name",
    "notes": "notes",
    "development": "development",
    "firmware_version": "desired_firmware_version",
}

FOR_PRODUCTS_ONLY = ("development", "firmware_version")


def observed_fields(row: Mapping[str, object]) -> dict[str, Value | None]:
    """Of a device as the cloud shows it the fields that it tells, in the words of a manifest."""
    return {name: _observed(name, row[key]) for name, key in CLOUD_NAMES.items() if key in row}


def _observed(name: str, value: object) -> Value | None:
    if name == "firmware_version":
        return value if isinstance(value, int) and not isinstance(value, bool) else UNLOCKED
    if name == "development":
        return value is True
    return None if value is None else str(value)


def for_cloud(fields: Mapping[str, Value]) -> dict[str, Value | None]:
    """The body of the PUT that sets ``fields``."""
    return {
        CLOUD_NAMES[name]: None if value == UNLOCKED and name == "firmware_version" else value
        for name, value in fields.items()
    }


def differs(declared: Value, observed: Value | None) -> bool:
    """Whether a field is to be written. Empty notes and no notes are the same to the cloud."""
    return declared != ("" if observed is None else observed)
