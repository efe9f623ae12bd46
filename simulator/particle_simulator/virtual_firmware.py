# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The firmware of all virtual devices: a few functions and variables.

The value of a variable depends only on the seed, the device and the name of the variable.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from particle_simulator.model import Device

Value = int | float | str | bool

_LED = {"on": 1, "off": 0}

FUNCTIONS: dict[str, Callable[[str], int]] = {
    "led": lambda argument: _LED.get(argument, -1),
    "length": len,
    "number": lambda argument: int(argument) if argument.lstrip("-").isdigit() and len(argument) < 10 else -1,
}
"""The functions, keyed by name. The result of a function depends only on its argument."""

VARIABLES = {"soil_pct": "int32", "temperature": "double", "site": "string", "armed": "bool"}
"""The types of the variables, keyed by name. Type names are spelled as in responses of the cloud."""


def get_functions(device: Device) -> dict[str, Callable[[str], int]]:
    """Return the functions that a device offers. In safe mode, the application with the functions does not run."""
    return {} if device.safe_mode else FUNCTIONS


def get_variables(device: Device) -> dict[str, str]:
    """Return the variables that a device offers. In safe mode, the application with the variables does not run."""
    return {} if device.safe_mode else VARIABLES


def read_variable(seed: int, device: Device, name: str) -> Value:
    """Return the value of a variable of a device. The value looks like a measured value, but never changes."""
    number = crc32(f"{seed} {device.id} {name}".encode())
    kind = VARIABLES[name]
    if kind == "int32":
        return number % 101
    if kind == "double":
        return number % 4000 / 100
    if kind == "bool":
        return number % 2 == 1
    return f"site-{number % 100}"
