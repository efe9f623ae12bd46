# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure requests, CPU time and memory of an inventory: ungrouped, and grouped by four keys or three templates.

Usage: python tests/bench/bench_inventory.py [--fleets 1000 10000 100000] [--write]

Templates are measured for at most 10,000 hosts, because larger fleets take minutes. --write writes the table to
docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.fleet_files import write_fleet_file
from support.inventories import measure_inventory, write_inventory
from support.paths import ROOT
from support.plays import cloud_environment
from support.simulator import running_simulator

PAGE = ROOT / "docs" / "performance.md"
MAX_TEMPLATE_HOSTS = 10_000
KEYS = ("platform", "network", "mesh_role", "online")
PATHS = ("particle.platform", "particle.mesh.network", "particle.mesh.role")
GROUPINGS: dict[str, dict[str, Any]] = {
    "ungrouped": {},
    "`group_by`, 4 keys": {"group_by": list(KEYS)},
    "`keyed_groups`, 3 keys": {"keyed_groups": [{"key": path, "prefix": path.rpartition(".")[2]} for path in PATHS]},
}


def measure_rows(size: int) -> list[list[object]]:
    """Return a row for each grouping of a fleet of `size`."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_simulator("--fleet", write_fleet_file(folder, size)) as cloud:
            ungrouped_cpu = 0.0
            for grouping, options in GROUPINGS.items():
                if "keyed" in grouping and size > MAX_TEMPLATE_HOSTS:
                    continue
                before = cloud.stats()["requests"]
                cost = measure_inventory(write_inventory(folder, **options), cloud_environment(cloud.url), home=folder)
                requests = cloud.stats()["requests"] - before
                ungrouped_cpu = ungrouped_cpu or cost["cpu"]
                cpu, ratio = f"{cost['cpu']:.1f}", f"{cost['cpu'] / ungrouped_cpu:.2f}"
                rows.append([f"{size:,}", grouping, requests, cpu, ratio, f"{cost['megabytes']:.0f}"])
    return rows


def main() -> None:
    """Print the table, and write it to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()

    heads = ["hosts", "grouping", "requests", "CPU seconds", "relative to ungrouped", "peak MB"]
    rows = [row for size in arguments.fleets for row in measure_rows(size)]
    lines = [" | ".join(map(str, row)) for row in (heads, ["---" for _unused in heads], *rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    print(table)
    if arguments.write:
        begin, end = "<!-- begin inventory -->", "<!-- end inventory -->"
        head, rest = PAGE.read_text().split(begin)
        PAGE.write_text(f"{head}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
