# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What the cloud makes on request, to be fetched later by its id."""

from __future__ import annotations

from typing import Any


class Downloads:
    """Compiled binaries and usage reports."""

    __slots__ = ("binaries", "usage_reports")

    def __init__(self) -> None:
        self.binaries: dict[str, bytes] = {}
        """Firmware that the cloud has compiled, by id."""
        self.usage_reports: dict[str, dict[str, Any]] = {}
        """Usage reports by id."""
