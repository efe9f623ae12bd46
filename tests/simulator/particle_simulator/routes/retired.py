# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Routes that the cloud once had. They answer like routes that never were, but count as known ones."""

from __future__ import annotations

from particle_simulator.messages import Call, Reply, not_found_text
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.world import World

GROUP = "mesh_networks_legacy"


def gone(world: World, call: Call) -> Reply:
    """The mesh registry after its retirement: what a real user meets today."""
    return not_found_text()


ROUTES = [
    Route(GROUP, "mesh_list", "GET", "/v1/networks", gone, Auth.NONE),
    Route(GROUP, "mesh_create", "POST", "/v1/networks", gone, Auth.NONE, Kind.WRITE),
    Route(GROUP, "mesh_get", "GET", "/v1/networks/:idOrName", gone, Auth.NONE),
    Route(GROUP, "mesh_update", "PUT", "/v1/networks/:idOrName", gone, Auth.NONE, Kind.WRITE),
    Route(GROUP, "mesh_delete", "DELETE", "/v1/networks/:idOrName", gone, Auth.NONE, Kind.WRITE),
    Route(GROUP, "mesh_devices", "GET", "/v1/networks/:idOrName/devices", gone, Auth.NONE),
    Route(GROUP, "mesh_device_leave_any", "DELETE", "/v1/devices/:id/network", gone, Auth.NONE, Kind.WRITE),
]
