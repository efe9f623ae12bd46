# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run all capabilities of the collection for 60 simulated days, and print what happened.

Usage: python tests/bench/bench_soak.py [--days 60] [--write]

--write writes the table to docs/performance.md. The benchmark fails if a run did what it must not do: leave a token
behind, send a write that was not needed, use more and more memory. It takes a few minutes of CPU time.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from support.paths import ROOT
from support.soak.run import WARM_DAYS, find_mistakes, measure_growth, run_soak

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin soak -->", "<!-- end soak -->"

DAYS = 60
SHOWN_DAYS = (10, 30)
"""The days that the table shows, besides the last one."""
COLUMNS = {
    "runs": "runs",
    "plays": "playbooks",
    "requests": "requests",
    "faults": "faults",
    "kills": "kills",
    "failures": "failed runs",
    "recovered": "recovered",
    "writes": "writes",
    "events": "events",
    "gaps": "gaps",
    "leaked": "lost tokens",
}
"""The heads of the columns, keyed by the numbers of each day that they add up."""


def tabulate_soak(days: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the sums until some of the days."""
    heads = ("days", *COLUMNS.values(), "MB")
    shown = sorted({*(day for day in SHOWN_DAYS if day < len(days)), len(days)})
    rows = [heads, ("---",) * len(heads), *(list_cells(days[:last]) for last in shown)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def list_cells(days: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Return the sums of some days, and the memory on the last of them."""
    sums = [f"{sum(day[name] for day in days):,}" for name in COLUMNS]
    return (str(len(days)), *sums, f"{days[-1]['bytes'] / 1e6:.1f}")


def main() -> None:
    """Run the soak, print the table, and write it to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()
    if arguments.days < 2:
        parser.error("--days must be at least 2, because the two rollouts begin on different days")

    report = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        for day in run_soak(Path(folder), arguments.days):
            report.append(day)
            print(", ".join(list_cells(report)), *day["codes"], day["rollout"], *day["mistakes"], sep="; ", flush=True)
    *days, _end = report
    table = tabulate_soak(days)
    print(f"\n\n{table}\n")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"rollouts: {'; '.join(day['rollout'] for day in days if day['rollout'])}")
    print(f"memory relative to day {min(WARM_DAYS, len(days))}: {measure_growth(days, 'bytes'):.3f}")
    print(f"writes with an uncertain outcome: {sum(day['uncertain'] for day in days)}")
    print(f"CPU seconds: {usage.ru_utime + usage.ru_stime:.0f}")
    if mistakes := find_mistakes(report):
        sys.exit("\n".join(mistakes))
    if arguments.write:
        head, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
