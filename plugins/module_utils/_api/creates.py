# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests that create something. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def send_create(http: Http, request: Request) -> dict[str, Any]:
    """Send a request that creates something, and return the JSON object in the response.

    :raises ParticleError: ``ambiguous_write`` when the result is not known. This includes a response with a success
        status but without a JSON object, because a proxy may have sent the response.
    """
    data = http.send(request).data
    if isinstance(data, dict):
        return data
    message = f"It is not known whether the attempt to {request.action} took effect: the response contains no data."
    raise ParticleError("ambiguous_write", message, status=200, route=request.route)


def may_exist_already(error: ParticleError) -> bool:
    """Return whether the object of a failed request may exist, because this request or another run has created it.

    Particle does not document the response to a duplicate (endpoints.yml: group_create).
    """
    return error.status in (400, 409) or error.code == "ambiguous_write"
