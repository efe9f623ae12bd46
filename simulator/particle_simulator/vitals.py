# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Vitals of devices (endpoints.yml: vitals_shape).

The values look like measured values, but depend only on the seed, the device and the time.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from particle_simulator.device_sessions import publish_device_event
from particle_simulator.model import CELLULAR_PLATFORMS, Device, format_time
from particle_simulator.world import World

RETENTION_SECONDS = 30 * 86_400.0
"""Seconds for which vitals records are stored: 30 days."""
MAX_REFRESHES = 1000
"""The maximum number of vitals records that are stored for each device. Older records are dropped."""
VITALS_EVENT = "spark/device/diagnostics/update"


def build_record(seed: int, device: Device, moment: float) -> dict[str, Any]:
    """Build the vitals record of a device. `moment` is the time of the record."""
    return {"updated_at": format_time(moment), "deviceID": device.id, "payload": _build_payload(seed, device, moment)}


def list_records(world: World, device: Device) -> list[tuple[float, dict[str, Any]]]:
    """Return (time, vitals record) for each record of a device, oldest first.

    There is one record for the start of the latest session, and one record for each report that a client requested.
    """
    oldest = world.now() - RETENTION_SECONDS
    moments = [moment for moment in world.devices.vitals.get(device.id, []) if moment >= oldest]
    session = device.last_handshake_at
    if session is not None and session >= oldest:
        moments.append(session)
    return [(moment, build_record(world.settings.seed, device, moment)) for moment in sorted(set(moments))]


def report_vitals(world: World, device: Device) -> None:
    """Let a device report its vitals. Do nothing if the device is not reachable."""
    if not device.reachable:
        return
    device.last_heard = world.now()
    now = world.now()
    reported = world.devices.vitals.setdefault(device.id, [])
    reported.append(now)
    del reported[:-MAX_REFRESHES]
    publish_device_event(
        world, device, VITALS_EVENT, orjson.dumps(_build_payload(world.settings.seed, device, now)).decode()
    )


def _build_network(device: Device, chance: int) -> dict[str, Any]:
    """Build the object `network` of a vitals record, with made-up values."""
    strength = 40 + chance % 55
    network: dict[str, Any] = {
        "signal": {
            "at": "LTE Cat-M1" if device.platform_id in CELLULAR_PLATFORMS else "Wi-Fi",
            "strength": strength,
            "strength_units": "%",
            "strengthv": strength - 130,
            "strengthv_units": "dBm",
            "strengthv_type": "RSRP" if device.platform_id in CELLULAR_PLATFORMS else "RSSI",
            "quality": 30 + (chance >> 8) % 60,
            "quality_units": "%",
            "qualityv": -20 + (chance >> 16) % 17,
            "qualityv_units": "dB",
        },
        "connection": {
            "status": "connected",
            "error": 0,
            "disconnects": 0,
            "attempts": 1,
            "disconnect_reason": "none",
        },
    }
    if device.platform_id in CELLULAR_PLATFORMS:
        network["cellular"] = {
            "radio_access_technology": "LTE CAT-M1",
            "operator": "Example Mobile",
            "cell_global_identity": {
                "mobile_country_code": 901,
                "mobile_network_code": "88",
                "location_area_code": 1 + chance % 65_000,
                "cell_id": 1 + (chance >> 4) % 200_000_000,
            },
        }
    return network


def _build_payload(seed: int, device: Device, moment: float) -> dict[str, Any]:
    """Build the payload of a vitals record, with made-up values.

    The values are always the same for the same seed, device and time.
    """
    chance = crc32(f"{seed} {device.id} {int(moment)}".encode())
    used = 60_000 + chance % 40_000
    return {
        "device": {
            "network": _build_network(device, chance),
            "cloud": {
                "connection": {
                    "status": "connected",
                    "error": 0,
                    "attempts": 1,
                    "disconnects": 0,
                    "disconnect_reason": "none",
                },
                "coap": {"transmit": 20 + chance % 30, "retransmit": chance % 3, "unack": 0, "round_trip": 300},
                "publish": {"rate_limited": 0},
            },
            "power": {"battery": {"charge": 50 + chance % 50, "state": "charged"}, "source": "USB host"},
            "system": {"uptime": 60 + chance % 1_000_000, "memory": {"used": used, "total": 163_840}},
        },
        "service": {
            "device": {"status": "ok"},
            "cloud": {"uptime": 60 + chance % 100_000, "publish": {"sent": chance % 50}},
            "coap": {"round_trip": 250 + chance % 400},
        },
    }
