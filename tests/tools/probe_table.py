#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Write the table of documented GET requests that the probe sends, for `make probe` and `make lint`.

probe_table.py [--check] FILE

The program builds the table from docs/facts/reads.yml and docs/facts/endpoints.yml, and writes it into FILE. With
--check, the program writes no file, and the exit status is 1 if the file differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.probe_table import build_table


def main(arguments: list[str]) -> int:
    """Write the table. With `--check`, only report a file that differs.

    :returns: the exit status: 1 if the file differs with `--check`, else 0.
    """
    parser = argparse.ArgumentParser(description="Write the table of documented GET requests that the probe sends.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if the file differs")
    parser.add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    text = build_table()
    is_same = given.file.exists() and given.file.read_text("utf-8") == text
    if not is_same and not given.check:
        given.file.write_text(text, encoding="utf-8")
    if is_same:
        print(f"{given.file}: the table agrees with docs/facts.")
    else:
        print(f"{given.file}: the table differs from docs/facts; run make probe." if given.check else "written.")
    return 1 if given.check and not is_same else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
