# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The safe mode: a device whose application needs a newer Device OS connects without its application.

(firmware-and-events.md, section 4.2)
"""

from __future__ import annotations

from typing import Any

import orjson

from particle_simulator.device_os import get_module_version
from particle_simulator.model import CELLULAR_PLATFORMS, Device

CHECKS = 30
"""The checks that the device makes of each module: integrity, dependencies, range and platform."""
DEPENDENCY_CHECK = 4
MODULE_SIZE = 262_144


def describe_modules(device: Device) -> str:
    """Return the data of the event `spark/status/safe-mode`: the modules of a device and their checks."""
    system = get_module_version(device.system_firmware_version)
    needed = device.needed_device_os or system
    described: dict[str, Any] = {"p": device.platform_id}
    if device.platform_id in CELLULAR_PLATFORMS:
        described |= {"imei": device.imei, "iccid": device.iccid, "cellfw": "R510"}
    application = _describe_module("u", "1", 1, [{"f": "s", "n": "1", "v": needed}], valid=needed <= system)
    application["u"] = device.app_hash or ""
    described["m"] = [
        _describe_module("b", "0", device.bootloader_version or system, [], valid=True),
        _describe_module("s", "1", system, [], valid=True),
        application,
    ]
    return orjson.dumps(described).decode()


def _describe_module(
    function: str, index: str, version: int, dependencies: list[dict[str, Any]], *, valid: bool
) -> dict[str, Any]:
    return {
        "s": MODULE_SIZE,
        "l": "m",
        "vc": CHECKS,
        "vv": CHECKS if valid else CHECKS - DEPENDENCY_CHECK,
        "f": function,
        "n": index,
        "v": version,
        "d": dependencies,
    }
