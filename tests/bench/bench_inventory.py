# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What an inventory costs: requests, CPU and memory, ungrouped, grouped by four keys, and by three templates.

Usage: python tests/bench/bench_inventory.py [--fleets 1000 10000 100000] [--write]

Templates are measured up to 10,000 hosts, because they take minutes for more. With --write the table goes to
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
MOST_TEMPLATES = 10_000
KEYS = ("platform", "network", "mesh_role", "online")
PATHS = ("particle.platform", "particle.mesh.network", "particle.mesh.role")
WAYS: dict[str, dict[str, Any]] = {
    "ungrouped": {},
    "`group_by`, 4 keys": {"group_by": list(KEYS)},
    "`keyed_groups`, 3 keys": {"keyed_groups": [{"key": path, "prefix": path.rpartition(".")[2]} for path in PATHS]},
}


def rows_of(size: int) -> list[list[object]]:
    """A row for each way to group a fleet of `size`."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_simulator("--fleet", write_fleet_file(folder, size)) as cloud:
            plain = 0.0
            for way, options in WAYS.items():
                if "keyed" in way and size > MOST_TEMPLATES:
                    continue
                before = cloud.stats()["requests"]
                cost = measure_inventory(write_inventory(folder, **options), cloud_environment(cloud.url), home=folder)
                requests = cloud.stats()["requests"] - before
                plain = plain or cost["cpu"]
                cpu, ratio, megabytes = f"{cost['cpu']:.1f}", f"{cost['cpu'] / plain:.2f}", f"{cost['megabytes']:.0f}"
                rows.append([f"{size:,}", way, requests, cpu, ratio, megabytes])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()

    heads = ["hosts", "grouping", "requests", "CPU seconds", "of ungrouped", "peak MB"]
    rows = [row for size in arguments.fleets for row in rows_of(size)]
    lines = [" | ".join(map(str, row)) for row in (heads, ["---" for _unused in heads], *rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    print(table)
    if arguments.write:
        begin, end = "<!-- begin inventory -->", "<!-- end inventory -->"
        head, rest = PAGE.read_text().split(begin)
        PAGE.write_text(f"{head}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
