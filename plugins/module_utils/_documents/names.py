# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare names that people write, and find characters that people cannot see. Private to this collection.

A cloud can trim a name and compose its characters (Unicode form NFC). Names that differ only in this way look alike.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_LENGTH = 255
"""The maximum length of a name, in characters. A cloud can cut a longer name, which would then be written in every run.
The limit of the Particle cloud is not documented."""

_JOINERS = ("\u200c", "\u200d")
"""Invisible characters that are part of some scripts and of emoji, where they stand between two other characters."""
_JOINED = re.compile("(?<=[^\\x00-\\x7f])[" + "".join(_JOINERS) + "](?=[^\\x00-\\x7f])")


_REPLACED = re.compile(r" \(replaced by ([0-9a-f]{24})\)\Z")


def mark_as_replaced(name: str, device: str) -> str:
    """Return the name of a device that is being replaced, which gives up ``name`` to the device that replaces it.

    :param device: the id of the device that replaces it.
    """
    return f"{name} (replaced by {device})"


MAX_REPLACED_NAME_LENGTH = MAX_NAME_LENGTH - len(mark_as_replaced("", "0" * 24))
"""The maximum length of a name that leaves room for the mark of :func:`mark_as_replaced`, in characters."""


def split_replaced_name(name: str) -> tuple[str, str | None]:
    """Return the original name of a device, and the id of the device that replaces it.

    :returns: ``name`` and ``None`` if the name has no mark of :func:`mark_as_replaced`.
    """
    match = _REPLACED.search(name)
    return (name[: match.start()], match.group(1)) if match else (name, None)


def normalize_text(text: str) -> str:
    """Return ``text`` in Unicode form NFC and without blank space at its ends, to compare it with another text."""
    return unicodedata.normalize("NFC", text).strip()


def find_name_fault(name: str) -> str | None:
    """Return the fault of a name, as the end of a message; ``None`` if all of its characters are visible."""
    if name.strip() and name != name.strip():
        return "begins or ends with blank space; remove it"
    for character in _JOINED.sub("", name):
        if unicodedata.category(character) == "Cf":
            return f"contains the invisible character U+{ord(character):04X}; remove it"
    if len(name) > MAX_NAME_LENGTH:
        return f"has {len(name)} characters; use at most {MAX_NAME_LENGTH}"
    return None
