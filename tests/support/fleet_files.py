# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write files for the simulator's option `--fleet`. The devices in these files are already provisioned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from support.simulator import PRODUCT_ID

NETWORK_SIZE = 100


def write_fleet_file(folder: Path, size: int, others: Iterable[Mapping[str, Any]] = ()) -> str:
    """Write a fleet file with `size` Borons and the devices in `others`, and return the path of the file.

    Every 100 Borons form a network whose first device is the gateway. Names, notes and other fields depend on the
    number of the device.
    """
    devices = [_build_device(number) for number in range(size)]
    path = folder / "fleet.json"
    path.write_text(json.dumps([*devices, *others]))
    return str(path)


def device_id(number: int) -> str:
    """Return the device id that belongs to a number; the first device has the number 0."""
    return f"e00fce68{number:016x}"


def _build_device(number: int) -> dict[str, Any]:
    role = "node" if number % NETWORK_SIZE else "gateway"
    return {
        "id": device_id(number),
        "name": f"unit-{number:06}",
        "notes": f"shelf {number // 20}",
        "product_id": PRODUCT_ID,
        "groups": [f"site-{number % 7}", f"mesh-net-{number // NETWORK_SIZE:04}", f"mesh-{role}"],
        "firmware_version": 40 + number % 3,
        "online": number % 10 != 0,
    }
