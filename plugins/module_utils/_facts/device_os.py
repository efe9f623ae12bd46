# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare versions of Device OS, and parse version ranges such as ``>=2.0.0, <3.1.0``. Private to this collection."""

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
# The lengths are limited, because a device can report any string as its version.
_VERSION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:-([0-9A-Za-z.-]{1,64}))?\Z")

VersionKey = tuple[Any, ...]
"""A sort key for versions: a newer version has a larger key."""


def parse_version(version: str) -> VersionKey | None:
    """Return the sort key of a version, or ``None`` if the string is not a version.

    Versions are sorted as in Semantic Versioning: ``3.0.0-rc.2`` before ``3.0.0-rc.10`` before ``3.0.0``.
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
class VersionRange:
    """A range of versions. The range contains a version if the version meets all bounds.

    :param bounds: pairs of a comparison operator and a sort key, such as ``>=`` and the sort key of version 2.0.0.
    """

    bounds: tuple[tuple[str, VersionKey], ...]

    def contains(self, order: VersionKey) -> bool:
        """Return whether the range contains the version with the sort key ``order``."""
        return all(_OPERATORS[sign](order, bound) for sign, bound in self.bounds)


def parse_range(text: str) -> VersionRange:
    """Parse a version range. The bounds of the range are separated by commas.

    :raises ValueError: when a bound is not valid; the error message quotes the bound.
    """
    bounds = []
    for part in text.split(","):
        sign = next((sign for sign in _OPERATORS if part.strip().startswith(sign)), None)
        order = None if sign is None else parse_version(part.strip().removeprefix(sign))
        if sign is None or order is None:
            known = ", ".join(_OPERATORS)
            raise ValueError(
                f"{part.strip()!r} is not a valid bound: write one of {known}, then a version such as 3.1.0"
            )
        bounds.append((sign, order))
    return VersionRange(tuple(bounds))
