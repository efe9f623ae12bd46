#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Check a report of `coverage json`: fail if the tests cover less than 92 % of all branches, and name the lowest files.

    branches.py .cache/coverage/report.json plugins

The setting `fail_under` of coverage.py is not enough. It counts lines and branches together. There are many more lines
than branches, so that a low coverage of branches would not be noticed. coverage.py also ignores files that no test has
run, because the folders of a collection are not Python packages. This program fails if a file was not run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

ENOUGH = 92
LOWEST = 5


def main() -> int:
    """Print the coverage. Return 1 if the coverage is too low, if no test has run a file, or if there are no files."""
    report_file, folder = map(Path, sys.argv[1:])
    report = json.loads(report_file.read_text(encoding="utf-8"))
    total = compute_covered_share(report["totals"])
    print(f"{total:.1f} % of all branches are covered, and {ENOUGH} % are required. The lowest files are:")
    shares = {
        name: compute_covered_share(file["summary"])
        for name, file in report["files"].items()
        if file["summary"]["num_branches"]
    }
    for name in sorted(shares, key=lambda name: shares[name])[:LOWEST]:
        print(f"{shares[name]:6.1f} %  {name}")
    files = {str(path) for path in folder.rglob("*.py")}
    never_run = sorted(files - set(report["files"]))
    for name in never_run:
        print(f"No test has run {name}.")
    if not files:
        print(f"There are no Python files in {folder}.")
    return 0 if total >= ENOUGH and files and not never_run else 1


def compute_covered_share(summary: Mapping[str, int]) -> float:
    """Return the covered branches in percent. Return 0 if there are no branches, because nothing was measured."""
    return 100 * summary["covered_branches"] / summary["num_branches"] if summary["num_branches"] else 0.0


if __name__ == "__main__":
    sys.exit(main())
