# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The locations of devices (endpoints.yml: locations_product).

A device with a receiver for satellite navigation has a made-up position, which depends only on the seed and the device.
The fleet file can give any device another position. Devices never move. They report their position at the start of a
session, and whenever they are heard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

from particle_simulator.model import Device, format_time
from particle_simulator.positions import Position
from particle_simulator.world import World

GNSS_PLATFORMS = frozenset({26, 28, 35, 42, 43})
"""Platforms with a receiver for satellite navigation (errors-and-limits.md, section 7)."""

LATITUDES = (-55.0, 70.0)
"""The range of made-up latitudes."""
LONGITUDES = (-180.0, 180.0)
"""The range of made-up longitudes."""


@dataclass(frozen=True, slots=True)
class Track:
    """The position of a device, and the times at which the device has reported it, oldest first."""

    device: Device
    position: Position
    times: tuple[float, ...]


def _make_position(seed: int, device: Device) -> Position:
    """Make up the position of a device."""

    def pick(name: str, bounds: tuple[float, float]) -> float:
        share = crc32(f"{seed} {device.id} {name}".encode()) / 0xFFFFFFFF
        return round(bounds[0] + share * (bounds[1] - bounds[0]), 5)

    return Position(pick("longitude", LONGITUDES), pick("latitude", LATITUDES))


def find_track(world: World, device: Device) -> Track | None:
    """Return the track of a device. Return None if the device has no position, or was never heard."""
    times = sorted({moment for moment in (device.last_handshake_at, device.last_heard) if moment is not None})
    if device.id in world.devices.positions:
        position = world.devices.positions[device.id]
    elif device.platform_id in GNSS_PLATFORMS:
        position = _make_position(world.settings.seed, device)
    else:
        return None
    return Track(device, position, tuple(times)) if position is not None and times else None


def build_location_row(track: Track) -> dict[str, Any]:
    """Build the JSON object for the location of a device.

    The geometry is a GeoJSON point for one report, and a GeoJSON line for several reports.
    """
    device = track.device
    point = [track.position.longitude, track.position.latitude]
    if len(track.times) == 1:
        geometry: dict[str, Any] = {"type": "Point", "coordinates": point}
    else:
        geometry = {"type": "LineString", "coordinates": [point for _unused in track.times]}
    return {
        "device_id": device.id,
        "product_id": device.product.id if device.product is not None else device.platform_id,
        "device_name": device.name,
        "gps_lock": True,
        "last_heard": format_time(device.last_heard),
        "groups": list(device.groups),
        "timestamps": [format_time(moment) for moment in track.times],
        "geometry": geometry,
    }
