# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark the notes of a device with the groups that it keeps while it is moved to another product. Private to this
collection.

A device loses its groups when it leaves its product, but keeps its notes. A run that was interrupted in between
therefore finds the groups in the notes. The mark is removed when the device is in its groups again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MARK = re.compile(r"\n?\(moving to product (\S+) with groups ([a-z0-9_, -]+)\)\Z")


@dataclass(frozen=True)
class MarkedNotes:
    """The notes of a device.

    :param text: the notes without a mark.
    :param groups: the groups that the device keeps; empty if the notes have no mark.
    """

    text: str
    groups: frozenset[str] = frozenset()


def add_mark(notes: str, product: str, groups: Iterable[str]) -> str:
    """Return the notes with a mark that names the groups which the device keeps.

    :param product: the id of the product to which the device is moved.
    """
    mark = f"(moving to product {product} with groups {', '.join(sorted(groups))})"
    return f"{notes}\n{mark}" if notes else mark


def read_mark(notes: object, product: str) -> MarkedNotes:
    """Return the notes without their mark, and the groups in the mark. A mark for a move to another product is ignored.

    :param notes: the notes as the cloud shows them.
    :param product: the id of the product to which the device is moved.
    """
    text = str(notes or "")
    match = _MARK.search(text)
    if match is None or match.group(1) != product:
        return MarkedNotes(text)
    return MarkedNotes(text[: match.start()], frozenset(match.group(2).split(", ")))
