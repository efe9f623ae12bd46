# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Counts of this test run: small by default, full with MESHFLEET_FULL=1 (`make proofs`)."""

from __future__ import annotations

import os

FULL = os.environ.get("MESHFLEET_FULL") == "1"

QUICK_EXAMPLES = 50
FULL_EXAMPLES = 1000


def count(*, quick: int, full: int) -> int:
    """Return the count for this run, for example `count(quick=3, full=100)` repetitions of a test."""
    return full if FULL else quick
