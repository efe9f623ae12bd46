# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The program that every virtual device runs: a few functions and variables, the same for the same seed."""

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
"""What a call returns. Nothing of it is remembered, so that the order of calls plays no role."""

VARIABLES = {"soil_pct": "int32", "temperature": "double", "site": "string", "armed": "bool"}
"""Names and types, as the single read of a device lists them."""


def read_variable(seed: int, device: Device, name: str) -> Value:
    """The value of a variable: it looks measured and never changes."""
    number = crc32(f"{seed} {device.id} {name}".encode())
    kind = VARIABLES[name]
    if kind == "int32":
        return number % 101
    if kind == "double":
        return number % 4000 / 100
    if kind == "bool":
        return number % 2 == 1
    return f"site-{number % 100}"
