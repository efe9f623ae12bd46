# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the size of a large report, and the time that its search takes for each typed letter.

Usage: python tests/bench/bench_report.py [--fleets 1000 10000] [--write]

--write writes the table to docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.browser import observe_report
from support.fleet_files import write_fleet_file
from support.paths import ROOT
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, running_simulator

PAGE = ROOT / "docs" / "performance.md"
TIMEOUT_SECONDS = 1800


def measure_row(size: int) -> list[str]:
    """Return the devices, the requests, the megabytes of the page, and median and worst milliseconds per letter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_simulator("--fleet", write_fleet_file(folder, size)) as cloud:
            run_playbook(
                "meshfleet.particle.report",
                env=cloud_environment(cloud.url),
                extra_vars={"report_products": [PRODUCT_SLUG], "report_dest": str(folder / "out")},
                timeout=TIMEOUT_SECONDS,
                fresh=True,
            ).succeeded()
            requests = cloud.stats()["requests"]
        page = folder / "out" / "fleet.html"
        times = sorted(observe_report(page, "unit-000042")["milliseconds"])
        megabytes = page.stat().st_size / 1e6
    return [f"{size:,}", str(requests), f"{megabytes:.1f}", f"{times[len(times) // 2]:.0f}", f"{times[-1]:.0f}"]


def main() -> None:
    """Print the table, and write it to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()

    heads = ["devices", "requests", "MB", "ms per letter, median", "ms per letter, maximum"]
    rows = [heads, ["---" for _unused in heads], *map(measure_row, arguments.fleets)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    print(table)
    if arguments.write:
        begin, end = "<!-- begin report -->", "<!-- end report -->"
        head, rest = PAGE.read_text().split(begin)
        PAGE.write_text(f"{head}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
