# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Device OS and ranges of them: ``>=2.0.0, <3.1.0``. Private to this collection."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}
# Bounded, for a device says of itself what it likes.
_VERSION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:-([0-9A-Za-z.-]{1,64}))?\Z")

Order = tuple[Any, ...]
"""Sorts as the versions do."""


def order_of(version: str) -> Order | None:
    """Where a version stands among others; ``None`` for what is no version.

    As Semantic Versioning has it: ``3.0.0-rc.2`` comes before ``3.0.0-rc.10``, and that before ``3.0.0``.
    """
    found = _VERSION.match(version.strip())
    if found is None:
        return None
    numbers = tuple(int(number or 0) for number in found.groups()[:3])
    if found[4] is None:
        return (*numbers, 1, ())
    parts = (part[:9] if part.isdecimal() else part for part in found[4].split("."))
    return (*numbers, 0, tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts))


@dataclass(frozen=True)
class Range:
    """The versions that all bounds allow."""

    bounds: tuple[tuple[str, Order], ...]

    def holds(self, order: Order) -> bool:
        """Whether the version that sorts as ``order`` is among them."""
        return all(_OPERATORS[sign](order, bound) for sign, bound in self.bounds)


def range_from(text: str) -> Range:
    """Read bounds with commas between them. :raises ValueError: with a sentence about the one that is wrong."""
    bounds = []
    for part in text.split(","):
        sign = next((sign for sign in _OPERATORS if part.strip().startswith(sign)), None)
        order = None if sign is None else order_of(part.strip().removeprefix(sign))
        if sign is None or order is None:
            known = ", ".join(_OPERATORS)
            raise ValueError(f"{part.strip()!r} is no bound: one of {known}, and a version such as 3.1.0")
        bounds.append((sign, order))
    return Range(tuple(bounds))
