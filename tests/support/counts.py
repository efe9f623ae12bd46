# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Numbers of repetitions and examples in tests: small by default, large with MESHFLEET_FULL=1 (`make proofs`)."""

from __future__ import annotations

import os

FULL = os.environ.get("MESHFLEET_FULL") == "1"

QUICK_EXAMPLES = 30
FULL_EXAMPLES = 1000


def count(*, quick: int, full: int) -> int:
    """Return `full` if the environment variable MESHFLEET_FULL is 1, else `quick`."""
    return full if FULL else quick
