# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert between ISO 8601 times, as the cloud writes them, and seconds since 1970. Private to this collection."""

from __future__ import annotations

import datetime
from typing import Any

DAY = 86_400
"""The number of seconds in a day."""


def parse_time(moment: Any) -> float | None:
    """Return an ISO 8601 time in seconds since 1970, or ``None`` if the value is not such a time.

    A time without a time zone is in UTC.
    """
    try:
        parsed = datetime.datetime.fromisoformat(moment)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def format_time(moment: float) -> str:
    """Return a time in seconds since 1970 as ISO 8601, in whole seconds, such as ``2026-03-02T08:00:01Z``."""
    text = datetime.datetime.fromtimestamp(int(moment), datetime.UTC).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")
