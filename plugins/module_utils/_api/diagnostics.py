# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the health reports of devices (endpoints.yml: diagnostics_and_fleet_health). Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request


def get_last_vitals(http: Http, product: str | None, device: str) -> dict[str, Any]:
    """Return the last vitals record of a device: ``updated_at`` and ``payload`` (endpoints.yml: vitals_last).

    :param product: the id or slug of the device's product; ``None`` to use the route of the account.
    :raises ParticleError: ``not_found`` when the cloud has no vitals of the device.
    """
    action = f"read the vitals of device {device}"
    route, path_params = "GET /v1/diagnostics/:deviceId/last", {"deviceId": device}
    if product is not None:
        route, path_params = "GET /v1/products/:p/diagnostics/:deviceId/last", {**path_params, "p": product}
    data = http.send(Request(route, action, path_params)).data
    found = data.get("diagnostics") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
