# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build device names from a template such as ``{network}-{role}-{index:3}``. Private to this collection.

A number after a colon is a width. ``index`` is padded with zeros to the width. Any other value is shortened to its last
characters: ``{id:6}`` gives the last six characters of the id. ``{{`` and ``}}`` are literal braces.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar

IDENTIFIERS = ("id", "serial_number", "iccid", "imei")
PLACEHOLDERS = ("index", *IDENTIFIERS, "network", "role")

_DIGITS = 2
"""The maximum number of digits in a width."""

Part: TypeAlias = "tuple[str, str, int | None]"
"""A literal string, the name of the placeholder after the string (empty if no placeholder follows), and the width of
the placeholder."""


def read_template(text: str) -> tuple[Part, ...]:
    """Parse a template, and return its parts.

    :raises ValueError: when the template is not valid; the error message is a phrase that describes the mistake.
    """
    try:
        found = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"is not a valid template: {error}") from None
    parts: list[Part] = []
    for literal, name, width, conversion in found:
        if name is None:
            parts.append((literal, "", None))
            continue
        if conversion:
            raise ValueError(f"{{{name}!{conversion}}} is not valid: remove !{conversion}")
        if name not in PLACEHOLDERS:
            raise ValueError(
                f"{{{name}}} is not a valid placeholder{suggest_similar(name, PLACEHOLDERS)}; "
                f"use {', '.join(PLACEHOLDERS)}"
            )
        if width and not (width.isascii() and width.isdigit() and len(width) <= _DIGITS and int(width)):
            most = 10**_DIGITS - 1
            raise ValueError(f"{{{name}:{width}}} is not valid: the width must be a number from 1 to {most}")
        parts.append((literal, name, int(width) if width else None))
    if not any(part[1] in ("index", *IDENTIFIERS) for part in parts):
        raise ValueError(f"gives all devices the same name; use one of {', '.join(('index', *IDENTIFIERS))}")
    return tuple(parts)


def build_name(template: tuple[Part, ...], values: Mapping[str, str | int]) -> str:
    """Return the name that ``template`` gives to a device.

    :param values: the values of the device, keyed by placeholder.
    :raises KeyError: when the device has no value for a placeholder. The argument of the error is the placeholder.
    """
    return "".join(literal + (_format_value(values[name], width) if name else "") for literal, name, width in template)


def _format_value(value: str | int, width: int | None) -> str:
    if isinstance(value, int):
        return f"{value:0{width or 1}}"
    return value[-width:] if width else value
