# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure values as JSON, and take the rows that fit into a size. Private to this collection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

MAX_PRINTED_SIZE = 20_000
"""The maximum size of the rows in the result of a failed task, in characters, because Ansible prints such a result."""

MAX_SYNCED_BYTES = 16_384
"""The maximum size in bytes of one set of data that the cloud sends to devices (errors-and-limits.md, section 7). It is
not known whether the cloud counts the bytes of JSON or of CBOR.
"""

_Row = TypeVar("_Row", bound=Mapping[str, Any])


def measure_json(value: Any) -> int:
    """Return the size of a value in bytes, as compact JSON in UTF-8, to which the limits of the cloud apply."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))


def measure_size(value: Any) -> int:
    """Return the number of characters of a value as JSON in ASCII, which is about the number that Ansible prints."""
    return len(json.dumps(value))


def take_fitting(rows: Iterable[_Row], room: int = MAX_PRINTED_SIZE) -> list[_Row]:
    """Return the rows that fit into ``room`` characters of JSON, in their order. A row that does not fit is skipped."""
    taken = []
    for row in rows:
        size = measure_size(row) + len(", ")
        if size > room:
            continue
        room -= size
        taken.append(row)
    return taken
