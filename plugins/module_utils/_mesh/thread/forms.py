# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the valid forms of the values of a Thread network. Private to this collection.

The border router accepts many invalid values and then ignores or shortens them, so each value is checked before it is
sent (otbr-rest.md, section 13, number 9).
"""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import (
    ValueReader,
    advise_quotes,
    describe_type,
    find_control_character,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place

EUI64 = re.compile(r"[0-9a-f]{16}\Z")
PSKD = re.compile(r"[0-9A-HJ-NPR-Y]{6,32}\Z")
"""Form of the key with which a device joins: no letter I, O, Q or Z (otbr-rest.md, section 4.2)."""

MIN_CHANNEL, MAX_CHANNEL = 11, 26
MAX_PAN_ID = 0xFFFE
MAX_NAME_BYTES = 16
MIN_CHANGE_DELAY = 30
"""The minimum time that Thread allows between a change and its effect, in seconds (otbr-rest.md, section 3.3)."""

_PAN_ID = re.compile(r"(?:0x)?([0-9a-f]{1,4})\Z", re.IGNORECASE)
_SEPARATORS = re.compile(r"\A0x|[:\s.-]")


def read_eui64(reader: ValueReader, value: Any, place: Place) -> str | None:
    """Return an EUI-64 as 16 lower-case digits, or add a mistake and return ``None``."""
    if not isinstance(value, str):
        phrase = f"must be an EUI-64 (16 hexadecimal digits), got {describe_type(value)}{advise_quotes(value)}"
        reader.add_mistake(place, phrase)
        return None
    text = _SEPARATORS.sub("", value.strip().lower())
    if not EUI64.match(text):
        reader.add_mistake(place, f"{value!r} is not an EUI-64 (16 hexadecimal digits)")
        return None
    return text


def read_joiner(reader: ValueReader, value: Any, place: Place) -> str | None:
    """Return the PSKd of a device, or add a mistake and return ``None``. A mistake does not show the value."""
    if not isinstance(value, str):
        reader.add_mistake(place, f"must be a string, got {describe_type(value)}{advise_quotes(value)}")
        return None
    if not PSKD.match(value):
        phrase = "is not a valid joiner key (PSKd): use 6 to 32 digits and upper-case letters except I, O, Q and Z"
        reader.add_mistake(place, phrase)
        return None
    return value


def read_hex(reader: ValueReader, value: Any, place: Place, digits: int) -> str | None:
    """Return a text of ``digits`` hexadecimal digits in lower case, or add a mistake and return ``None``.

    A mistake does not show the value, because it can be a key.
    """
    if not isinstance(value, str):
        reader.add_mistake(place, f"must be a string, got {describe_type(value)}{advise_quotes(value)}")
        return None
    text = value.strip().lower().removeprefix("0x")
    if len(text) != digits or not re.fullmatch(r"[0-9a-f]+", text):
        reader.add_mistake(place, f"must have {digits} hexadecimal digits")
        return None
    return text


def read_channel(reader: ValueReader, value: Any, place: Place) -> int | None:
    """Return a channel, or add a mistake and return ``None``."""
    return read_number(reader, value, place, (MIN_CHANNEL, MAX_CHANNEL), "a channel of the 2.4 GHz band")


def read_number(
    reader: ValueReader, value: Any, place: Place, bounds: tuple[int, int], what: str = "a whole number"
) -> int | None:
    """Return a whole number within ``bounds``, or add a mistake and return ``None``."""
    least, most = bounds
    if isinstance(value, bool) or not isinstance(value, int):
        reader.add_mistake(place, f"must be {what} from {least} to {most}, got {describe_type(value)}")
        return None
    if not least <= value <= most:
        reader.add_mistake(place, f"must be {what} from {least} to {most}, got {value}")
        return None
    return value


def read_pan_id(reader: ValueReader, value: Any, place: Place) -> int | None:
    """Return the number that a PAN id in hexadecimal digits stands for, or add a mistake and return ``None``."""
    found = _PAN_ID.match(value.strip()) if isinstance(value, str) else None
    number = int(found[1], 16) if found else MAX_PAN_ID + 1
    if number > MAX_PAN_ID:
        given = repr(value) if isinstance(value, str) else describe_type(value)
        phrase = f"must be 1 to 4 hexadecimal digits in quotes, from '0000' to 'FFFE', got {given}"
        reader.add_mistake(place, phrase)
        return None
    return number


def read_network_name(reader: ValueReader, value: Any, place: Place) -> str | None:
    """Return the name of a Thread network, or add a mistake and return ``None``."""
    text = reader.read_text(value, place)
    if isinstance(value, str) and not 1 <= len(text.encode(errors="replace")) <= MAX_NAME_BYTES:
        reader.add_mistake(place, f"must have 1 to {MAX_NAME_BYTES} bytes in UTF-8")
        return None
    if find_control_character(text):
        reader.add_mistake(place, "contains a control character; remove it")
        return None
    return text or None


def read_url(reader: ValueReader, value: Any, place: Place) -> str | None:
    """Return the URL of a border router without a slash at its end, or add a mistake and return ``None``."""
    text = reader.read_text(value, place).strip().rstrip("/")
    if not text:
        return None
    try:
        parts = urllib.parse.urlsplit(text)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment:
        reader.add_mistake(place, "must be the URL of a border router, such as http://127.0.0.1:8081")
        return None
    if parts.username is not None or parts.password is not None:
        reader.add_mistake(place, "contains a login; declare username and password beside url instead")
        return None
    return text
