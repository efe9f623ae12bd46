# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Files that the cloud produces on request. A client later downloads a file by the id of the file."""

from __future__ import annotations

from typing import Any


class Downloads:
    """All compiled firmware binaries and all usage reports."""

    __slots__ = ("binaries", "usage_reports")

    def __init__(self) -> None:
        self.binaries: dict[str, bytes] = {}
        """Compiled firmware binaries, keyed by id."""
        self.usage_reports: dict[tuple[str, str], dict[str, Any]] = {}
        """Usage reports, keyed by (id of the account or organization, id of the report)."""
