# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extract lists from the responses of the cloud. Private to this collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

if TYPE_CHECKING:  # code that sends no requests imports this file, and must not import the HTTP client
    from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def extract_rows(data: Any, keys: tuple[str, ...], request: Request) -> list[dict[str, Any]]:
    """Return the rows of a response.

    The response is a list of rows, or a mapping that contains a list of rows under one of ``keys``.

    :raises ParticleError: ``bad_response`` when the response contains no list, or when an item of the list is not a
        mapping.
    """
    found: Any = data
    if isinstance(data, dict):
        found = next((data[key] for key in keys if key in data), None)
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return found
    message = f"Could not {request.action}: the response contains no list."
    raise ParticleError("bad_response", message, status=200, route=request.route)


def list_texts(value: Any) -> list[str]:
    """Return the items of a list as strings; return an empty list if ``value`` is not a list."""
    return [str(item) for item in value] if isinstance(value, list) else []
