#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Print the test files of an area, for `make proofs AREA=...`.

area.py AREA
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.areas import AREAS


def main(arguments: list[str]) -> int:
    """Print the path of each test file on its own line. Return the exit status 2 if the area does not exist."""
    if len(arguments) != 1 or arguments[0] not in AREAS:
        phrase = " ".join(arguments)
        print(f"{phrase!r} is not an area. Run make proofs AREA=... with one of: {', '.join(AREAS)}.", file=sys.stderr)
        return 2
    print(*AREAS[arguments[0]].files(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
