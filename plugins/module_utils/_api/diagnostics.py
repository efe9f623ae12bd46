# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the health reports of devices (endpoints.yml: diagnostics_and_fleet_health). Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http


def get_last_vitals(http: Http, product: str | None, device: str) -> dict[str, Any]:
    """Return the last vitals record of a device: ``updated_at`` and ``payload`` (endpoints.yml: vitals_last).

    :param product: id or slug; ``None`` for the route of the account.
    :raises ParticleError: ``not_found`` when the cloud has no record.
    """
    doing = f"read the vitals of device {device}"
    route, at = "GET /v1/diagnostics/:deviceId/last", {"deviceId": device}
    if product is not None:
        route, at = "GET /v1/products/:p/diagnostics/:deviceId/last", {**at, "p": product}
    data = http.call(route, doing=doing, at=at).data
    found = data.get("diagnostics") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
