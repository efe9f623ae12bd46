# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the valid forms of ids, names, labels and firmware versions. Private to this collection.

Labels are serial numbers, ICCIDs and IMEIs.
"""

from __future__ import annotations

import re
import unicodedata

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

DEVICE_ID = re.compile(r"[0-9a-f]{24}\Z")
"""Form of a device id in lower case (endpoints.yml: device_id)."""

GROUP_NAME = re.compile(r"[a-z0-9_-]+\Z")
"""Form of the name of a device group (endpoints.yml: group_create)."""

MIN_FIRMWARE_VERSION, MAX_FIRMWARE_VERSION = 1, 65_534
"""The smallest and the largest version of product firmware (firmware-and-events.md, section 1). A binary stores the
version in 16 bits, and 65535 stands for firmware without a product."""

# Check digits are not verified, because some manufacturers do not fill in the check digits on labels.
SERIAL_NUMBER = re.compile(r"[A-Z0-9-]{4,40}\Z")
ICCID = re.compile(r"[0-9]{18,22}\Z")
IMEI = re.compile(r"[0-9]{14,16}\Z")

_SHORTENED = re.compile(r"[0-9]+(?:[.,][0-9]*)?[eE]\+?[0-9]+\Z", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+[.,]0+\Z", re.ASCII)
_PADDED_ICCID = re.compile(r"[0-9]{18,21}[fF]\Z", re.ASCII)

# Marks, spaces and punctuation that programs and people add to an id or label.
_EXTRA_CHARACTERS = re.compile(r"\A0x|[\W_]+")

_LENGTHS_WITHOUT_CHECK_DIGIT = {"imei": 14, "iccid": 19}
"""The number of digits before the check digit at the end, keyed by kind of label. Some sources leave it out."""


def strip_check_digit(kind: str, label: str) -> str:
    """Return an IMEI or ICCID without its check digit, and any other label unchanged.

    :param kind: the manifest key of the label, such as ``imei``.
    """
    length = _LENGTHS_WITHOUT_CHECK_DIGIT.get(kind)
    return label[:length] if length is not None and len(label) == length + 1 else label


def is_same_label(kind: str, one: str, other: str) -> bool:
    """Return whether two labels of a kind are the same, even if only one of them has its check digit."""
    return one == other or (len(one) != len(other) and strip_check_digit(kind, one) == strip_check_digit(kind, other))


def simplify_identifier(text: str) -> str:
    """Return an id or label in lower case, without spaces, punctuation, invisible characters and a prefix ``0x``."""
    return _EXTRA_CHARACTERS.sub("", unicodedata.normalize("NFKC", text).strip().lower())


def describe_damage(text: str, form: re.Pattern[str]) -> str | None:
    """Describe the damage to an id or label, and the remedy, as the end of a sentence; ``None`` for any other text.

    :param form: the valid form of the id or label.
    """
    bare = text.strip()
    if _SHORTENED.match(bare):
        cause = "is a number that a spreadsheet such as Excel has shortened, so its last digits are lost"
        return f"{text!r} {cause}; export the file again from its source, and open it with this column as text"
    if _DECIMAL.match(bare):
        return (
            f"{text!r} was read as a decimal number by another program; export the file again with this column as text"
        )
    if form is ICCID and _PADDED_ICCID.match(bare):
        return f"{text!r} ends with the filler F, which is not a digit of an ICCID; remove the F"
    if form is not SERIAL_NUMBER and form.match(
        simplify_identifier(text)
    ):  # a serial number has few rules, so any text would match
        return (
            f"{text!r} has other characters than letters and digits; remove spaces, punctuation and a prefix such as 0x"
        )
    return None


def check_device_id(text: str, option: str) -> str:
    """Return a device id in lower case and without surrounding spaces.

    :param text: the value of a module option.
    :param option: the name of the option, for messages.
    :raises ParticleError: ``invalid_option`` when ``text`` is not a device id.
    """
    device = text.strip().lower()
    if DEVICE_ID.match(device):
        return device
    message = f"{option}: {text!r} is not a device id (24 hexadecimal digits)." if device else f"{option} is empty."
    hint = f"Set {option} to a device id in quotes."
    raise ParticleError("invalid_option", message, hint=hint)
