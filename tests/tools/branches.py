#!/usr/bin/env python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Judges the branches that the tests take, by a report of `coverage json`: fails below 90 %, names the lowest files.

    branches.py .cache/coverage/report.json plugins

coverage's own fail_under mixes lines and branches, and there are so many more lines that they hide the branches. Nor
does it count a file that no test has run at all, as the folders of a collection are no packages; such a file fails.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

ENOUGH = 90
LOWEST = 5


def main() -> int:
    report_file, folder = map(Path, sys.argv[1:])
    report = json.loads(report_file.read_text(encoding="utf-8"))
    total = share(report["totals"])
    print(f"{total:.1f} % of all branches are covered, {ENOUGH} % are asked for. The lowest files:")
    shares = {name: share(file["summary"]) for name, file in report["files"].items() if file["summary"]["num_branches"]}
    for name in sorted(shares, key=lambda name: shares[name])[:LOWEST]:
        print(f"{shares[name]:6.1f} %  {name}")
    files = {str(path) for path in folder.rglob("*.py")}
    never_run = sorted(files - set(report["files"]))
    for name in never_run:
        print(f"No test has run {name}.")
    if not files:
        print(f"There is nothing to measure in {folder}.")
    return 0 if total >= ENOUGH and files and not never_run else 1


def share(summary: Mapping[str, int]) -> float:
    """The branches that are covered, in percent; where there are none, nothing was measured."""
    return 100 * summary["covered_branches"] / summary["num_branches"] if summary["num_branches"] else 0.0


if __name__ == "__main__":
    sys.exit(main())
