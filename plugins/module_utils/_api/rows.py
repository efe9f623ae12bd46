# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extract lists from the answers of a cloud. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError


def extract_rows(data: Any, keys: tuple[str, ...], *, route: str, doing: str) -> list[dict[str, Any]]:
    """Return the rows of an answer, which is either the list itself or has the list under one of ``keys``.

    :raises ParticleError: ``bad_response`` when there is no list, or an item of it is not a mapping.
    """
    found: Any = data
    if isinstance(data, dict):
        found = next((data[key] for key in keys if key in data), None)
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return found
    message = f"Could not {doing}: the answer contains no list."
    raise ParticleError("bad_response", message, status=200, route=route)


def list_texts(value: Any) -> list[str]:
    """Return the items of a list as texts, or an empty list if ``value`` is not a list."""
    return [str(item) for item in value] if isinstance(value, list) else []
