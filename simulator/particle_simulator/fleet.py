# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The devices at the start of the simulator: either a number of new devices, or the devices of a fleet file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from particle_simulator.model import CELLULAR_PLATFORMS, WIFI_PLATFORMS, Device
from particle_simulator.positions import Position

BORON = 13
PREFIXES = {6: "PH", 8: "P1", 12: "ARG", 13: "B40", 14: "XEN", 23: "B4S", 25: "B5S", 26: "TRK", 32: "P2"}
"""Prefixes of serial numbers, keyed by platform id.

A device of another platform has no serial number. Very old devices have no serial number in the real cloud either
(endpoints.yml: device_owned).
"""
ID_PREFIX = "e00fce68"
"""The first digits of the ids of Gen 3 devices, as in the documented example (endpoints.yml: devices_list)."""

QUARANTINE_DEVICE_OS = "3.0.0"
"""The version of Device OS of quarantined devices, unless the fleet file sets another version."""

TIMES = ("last_heard", "last_handshake_at")
"""The keys of a fleet file that contain times. If one of them is null, the cloud has never heard of the device."""

NOT_ATTRIBUTES = frozenset({"id", "owner", "product_id", "groups", "platform_id", "position", *TIMES})
"""The keys of a fleet file that are not simply copied to the device."""

_SECRET_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def manufacture_devices(count: int, seed: int, now: float) -> Iterator[Device]:
    """Yield new devices of the platform Boron. The devices are unclaimed, in no product and online."""
    random = Random(f"fleet {seed}")
    tails: set[int] = set()
    for number in range(1, count + 1):
        tail = random.getrandbits(64)
        while tail in tails:
            tail = random.getrandbits(64)
        tails.add(tail)
        yield _build_device(f"{ID_PREFIX}{tail:016x}", BORON, number, random, now)


def _build_device(device_id: str, platform_id: int, number: int, random: Random, now: float) -> Device:
    """Build a device with made-up identifiers, such as serial number, IMEI and ICCID."""
    bits = random.getrandbits(96)
    cellular = platform_id in CELLULAR_PLATFORMS
    prefix = PREFIXES.get(platform_id)
    mac = f"{bits & 0xFFFFFF:06X}"
    handshake = now - 60.0 - (bits >> 24 & 0xFFFFF) / 10
    return Device(
        id=device_id,
        platform_id=platform_id,
        serial_number=f"{prefix}HAB{number:09d}" if prefix else None,
        imei=_add_check_digit(f"352753{number:08d}") if cellular else None,
        iccid=f"89014103{number:012d}" if cellular else None,
        mac_wifi=f"94:94:4A:{mac[:2]}:{mac[2:4]}:{mac[4:]}" if platform_id in WIFI_PLATFORMS else None,
        mobile_secret="".join(_SECRET_LETTERS[bits >> shift & 31] for shift in range(0, 75, 5)),
        last_handshake_at=handshake,
        last_heard=now - (bits >> 44 & 0x3F),
        last_ip_address=f"203.0.113.{bits >> 50 & 0xFF}",
    )


def _add_check_digit(digits: str) -> str:
    """Add the check digit by the Luhn algorithm, which an IMEI has at its end."""
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))]
    return f"{digits}{-sum(number // 10 + number % 10 for number in doubled) % 10}"


def build_devices(
    records: tuple[dict[str, Any], ...], seed: int, now: float
) -> Iterator[tuple[Device, dict[str, Any]]]:
    """Yield (device, record) for each record of a fleet file.

    The caller reads the owner, the product and the groups of the device from the record.
    """
    random = Random(f"file {seed}")
    for number, record in enumerate(records, start=1):
        device = _build_device(record["id"].lower(), record.get("platform_id", BORON), number, random, now)
        if record.get("quarantined"):
            device.system_firmware_version = QUARANTINE_DEVICE_OS
        for key, value in record.items():
            if key == "device_protection":
                device.protection = str(value.get("status", "disabled"))
            elif key not in NOT_ATTRIBUTES:
                setattr(device, key, value)
        _apply_times(device, record)
        yield device, record


def was_never_heard(record: dict[str, Any]) -> bool:
    """Return whether a record of a fleet file describes a device that the cloud has never heard of."""
    return any(record.get(key, "") is None for key in TIMES)


def _apply_times(device: Device, record: dict[str, Any]) -> None:
    """Set the times of a device that the fleet file gives.

    A device that was never heard has no times and no address, and is offline.
    """
    if was_never_heard(record):
        device.last_heard = device.last_handshake_at = device.last_ip_address = None
        device.online = False
        return
    for key in TIMES:
        if key in record:
            setattr(device, key, read_time(record[key]))


def read_time(text: str) -> float:
    """Return a time of a fleet file in seconds since the epoch. Raise `ValueError` if it is not an ISO 8601 time."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def read_position(record: dict[str, float] | None) -> Position | None:
    """Return a position of a fleet file, or None if the device has no position."""
    return Position(float(record["longitude"]), float(record["latitude"])) if record is not None else None
