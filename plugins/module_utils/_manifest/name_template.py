# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names made from a template: ``{network}-{role}-{index:3}``. Private to this collection.

A number after a colon is a width for ``index``, which is filled with zeros, and for all others how many of their
last characters to take. ``{{`` and ``}}`` stand for braces.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import perhaps

IDENTIFIERS = ("id", "serial_number", "iccid", "imei")
PLACEHOLDERS = ("index", *IDENTIFIERS, "network", "role")

_DIGITS = 2
"""Of a width: no name is a hundred characters long."""

Part: TypeAlias = "tuple[str, str, int | None]"
"""Text, then what is put after it, empty at the end, and its width."""


def read_template(text: str) -> tuple[Part, ...]:
    """The parts of a template. :raises ValueError: with a sentence about what is wrong with it."""
    try:
        found = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"is no template: {error}") from None
    parts: list[Part] = []
    for literal, name, width, conversion in found:
        if name is None:
            parts.append((literal, "", None))
            continue
        if name not in PLACEHOLDERS or conversion:
            raise ValueError(
                f"{{{name}}} is not known; known are {', '.join(PLACEHOLDERS)}{perhaps(name, PLACEHOLDERS)}"
            )
        if width and not (width.isascii() and width.isdigit() and len(width) <= _DIGITS and int(width)):
            most = 10**_DIGITS - 1
            raise ValueError(f"{{{name}:{width}}} has no width: it must be a number above 0, and at most {most}")
        parts.append((literal, name, int(width) if width else None))
    if not any(part[1] in ("index", *IDENTIFIERS) for part in parts):
        raise ValueError(f"gives all devices the same name; use one of {', '.join(('index', *IDENTIFIERS))}")
    return tuple(parts)


def name_from(template: tuple[Part, ...], values: Mapping[str, str | int]) -> str:
    """The name of the device with ``values``. :raises KeyError: with the placeholder that it has nothing for."""
    return "".join(literal + (_filled(values[name], width) if name else "") for literal, name, width in template)


def _filled(value: str | int, width: int | None) -> str:
    if isinstance(value, int):
        return f"{value:0{width or 1}}"
    return value[-width:] if width else value
