# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read lists in the answers of a cloud, whatever stands in them. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


def rows_of(data: Any, keys: tuple[str, ...], *, route: str, doing: str) -> list[dict[str, Any]]:
    """The rows of one answer, which are the answer itself or stand under one of ``keys``."""
    found: Any = data
    if isinstance(data, dict):
        found = next((data[key] for key in keys if key in data), None)
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return found
    message = f"Could not {doing}: the answer holds no list."
    raise ParticleError("bad_response", message, status=200, route=route)


def texts_of(value: Any) -> list[str]:
    """What a list says, in texts; a value that is no list says nothing."""
    return [str(item) for item in value] if isinstance(value, list) else []
