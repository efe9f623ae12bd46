# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Files that the cloud produces on request, and that a client downloads later by their ids."""

from __future__ import annotations

from typing import Any


class Downloads:
    """All compiled binaries and usage reports."""

    __slots__ = ("binaries", "usage_reports")

    def __init__(self) -> None:
        self.binaries: dict[str, bytes] = {}
        """Compiled firmware by id."""
        self.usage_reports: dict[str, dict[str, Any]] = {}
        """Usage reports by id."""
