# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the requests, CPU time and memory of a rollout to a large fleet, from the first wave to the end.

Usage: python tests/bench/bench_rollout.py [--fleets 1000 10000] [--decisions 10000 100000] [--write]

--write writes the tables to docs/performance.md. The benchmark fails if a count, a ratio or the use of memory exceeds
its maximum. CPU times only appear in the tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from support.paths import ROOT
from support.rollout_costs import SHARE, RolloutCost, RolloutCosts, measure_decision, measure_rollout

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin rollout -->", "<!-- end rollout -->"

MAX_RECORD_WRITES = 3
MAX_MEGABYTES = {10_000: 200.0, 100_000: 1_000.0}
"""The maximum memory of the process of the engine, keyed by the largest number of devices to which it applies."""
MAX_GROWTH = 3.0
"""Maximum CPU time per device of a decision about ten times as many devices, relative to the smaller number. It is
more than 1 because more devices fit less well into the caches of the processor. It would be 10 if the decision took
quadratic time."""


@dataclass(frozen=True)
class Row:
    """A run, with the maximum numbers that are promised.

    :ivar requests: the number of requests that count for the maximum.
    :ivar writes: the exact number of writes to devices.
    """

    title: str
    cost: RolloutCost
    requests: float
    max_requests: int
    writes: int

    def check(self) -> None:
        """Exit with a message if a number exceeds its maximum."""
        check_maximum(f"requests, {self.title}", self.requests, self.max_requests)
        check_maximum(f"writes of the record, {self.title}", self.cost.record_writes, MAX_RECORD_WRITES)
        if self.cost.locks != self.writes:
            sys.exit(f"{self.title}: {self.cost.locks} writes to devices, but there must be {self.writes}.")

    def show(self, size: int) -> list[object]:
        """Return the cells of the row."""
        numbers = (self.requests, self.max_requests, self.cost.locks, self.cost.record_writes)
        return [f"{size:,}", self.title, *(f"{number:,.0f}" for number in numbers)]


def list_rows(size: int, costs: RolloutCosts) -> list[Row]:
    """Return the runs of a rollout with the promised maxima. Of a run that writes, only the reads have a maximum."""
    pages, first = size // 100, size * SHARE // 100
    planning, widening, ending = costs.planning, costs.widening, costs.ending
    return [
        Row(f"begins a wave of {SHARE} %: reads", planning, planning.reads, pages + 5, first),
        Row("sees that the devices have updated: reads", costs.noticing, costs.noticing.reads, pages + 5, 0),
        Row("has nothing to do during the soak time", costs.soaking, costs.soaking.requests, pages + 10, 0),
        Row("waits: each further read", costs.waiting, costs.waiting.poll, pages + 2, 0),
        Row("begins a wave of all other devices: reads", widening, widening.reads, pages + 5, size - first),
        Row("releases, and removes the locks: reads", ending, ending.reads, pages + 5, size),
        Row("has nothing to do after the end", costs.repeated, costs.repeated.requests, pages + 10, 0),
    ]


def tabulate_rollouts(sizes: Iterable[int]) -> str:
    """Return tables of the requests, and of the CPU time and memory, of a rollout to fleets of each size."""
    counts: list[list[object]] = []
    measured: list[list[object]] = []
    for size in sizes:
        costs = measure_rollout(size)
        for row in list_rows(size, costs):
            row.check()
            counts.append(row.show(size))
        megabytes = max(cost.megabytes for cost in costs.all)
        limit = next((most for largest, most in MAX_MEGABYTES.items() if size <= largest), None)
        if limit is not None:
            check_maximum(f"megabytes, {size:,} devices", megabytes, limit)
        of_request = 1000 * costs.widening.cpu / costs.widening.requests
        of_look = 1000 * costs.soaking.cpu / size
        measured.append([f"{size:,}", f"{of_request:.2f}", f"{of_look:.3f}", f"{megabytes:.0f}"])
    heads = ("devices", "run", "requests", "maximum", "writes to devices", "writes of the record")
    costs_heads = ("devices", "CPU ms per request", "CPU ms per device of a run without writes", "peak MB")
    return f"{format_table(heads, counts)}\n\n{format_table(costs_heads, measured)}"


def tabulate_decisions(sizes: Iterable[int]) -> str:
    """Return a table of the CPU time of a decision, without requests, about all devices of a fleet."""
    seconds = {size: measure_decision(size) for size in sizes}
    rows = [[f"{size:,}", f"{cpu:.2f}", f"{1e6 * cpu / size:.1f}"] for size, cpu in seconds.items()]
    for small, large in pairwise(seconds):
        ratio = seconds[large] / large / (seconds[small] / small)
        check_maximum(f"CPU time per device, {large:,} devices relative to {small:,}", ratio, MAX_GROWTH)
    return format_table(("devices", "CPU seconds of a decision", "CPU µs per device"), rows)


def check_maximum(name: str, value: float, maximum: float) -> None:
    """Exit with a message if a value exceeds its maximum."""
    if value > maximum:
        sys.exit(f"{name}: {value:g}, but must be at most {maximum:g}.")


def format_table(heads: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Format a table."""
    lines = [" | ".join(map(str, row)) for row in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Print the tables, and write them to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--decisions", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md")
    arguments = parser.parse_args()

    sections = []
    for tabulate, sizes in ((tabulate_rollouts, arguments.fleets), (tabulate_decisions, arguments.decisions)):
        sections.append(tabulate(sizes))
        print(f"\n{sections[-1]}", flush=True)
    if arguments.write:
        text = "\n\n".join(sections)
        head, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
