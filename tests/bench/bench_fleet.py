# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the requests and CPU time of a fleet, and compare them with other ways to make the same writes.

Usage: python tests/bench/bench_fleet.py [--fleets 1000 10000 100000] [--hosts 60] [--write]

--write writes the tables to docs/performance.md. Counts and ratios do not depend on the machine, but wall times do. The
benchmark fails if a ratio exceeds its maximum. Run nothing else on the machine meanwhile, because other work
distorts the ratios.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from playbook_costs import FORKS, cost_of_program, measure_fleet_task, measure_uri_tasks

from support.fleets import NEW_GROUPS, WORKERS, Fleet, Measurement, measure_in_turns, running_fleet
from support.paced import LIMIT, run_paced
from support.paths import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin measured -->", "<!-- end measured -->"

BARE = "a bare pool of `requests`"
PROMISES = "particle-api-js in a pool of promises"

GROUP_SIZE = 5_000
COMPARED_DEVICES = 2_000
PLAYBOOK_SIZES = (1_000, 10_000)
LATENCY_SECONDS = 0.150
LIMITED_DEVICES = 20_000

MAX_GROWTH = 1.3
"""Maximum CPU time per device of a fleet that is ten times as large, relative to the smaller fleet."""
MAX_RATIO_TO_BARE = 1.2
"""Maximum CPU time per request of the engine, relative to a bare pool of `requests`."""


def tabulate_counts_and_growth(sizes: Iterable[int]) -> str:
    """Return tables of requests and CPU time of four runs for fleets of each size.

    The runs start with new devices, then change nothing, one name and one group.
    """
    counts: list[list[object]] = []
    runs: dict[int, tuple[Measurement, Measurement]] = {}
    for size in sizes:
        with running_fleet(size) as fleet:
            fresh, again = fleet.run_engine(), fleet.run_engine()
            runs[size] = fresh, again
            name, group = _run_with_another_name(fleet), _run_with_another_group(fleet)
        maxima = (
            f"{2.05 * size + 2 * NEW_GROUPS + 20:,.0f}",
            f"{0.05 * size + 10:,.0f}; 0 writes",
            "1 write",
            "10 writes",
        )
        titles = ("first run", "nothing changed", "one name changed", f"one group of {min(size, GROUP_SIZE):,} changed")
        for title, run, maximum in zip(titles, (fresh, again, name, group), maxima, strict=True):
            per_device = f"{run.requests / size:.3f}"
            counts.append([f"{size:,}", title, f"{run.requests:,}", f"{run.writes:,}", per_device, maximum])
    heads = ("devices", "run", "requests", "writes", "requests per device", "maximum")
    requests = format_section("Requests", heads, counts)

    def cpu_per_device(size: int, run: Measurement) -> float:
        return 1000 * run.whole_cpu / size

    rows: list[list[object]] = [
        [
            f"{size:,}",
            f"{cpu_per_device(size, fresh):.2f}",
            f"{cpu_per_device(size, again):.2f}",
            f"{fresh.megabytes:.0f}",
            f"{again.megabytes:.0f}",
            f"{1000 * fresh.megabytes / size:.1f}",
        ]
        for size, (fresh, again) in runs.items()
    ]
    cpu_heads = ("first run, CPU ms per device", "second run, CPU ms per device")
    memory_heads = ("first run, peak MB", "second run, peak MB", "MB per 1,000 devices")
    text = format_section("CPU time and memory of the engine", ("devices", *cpu_heads, *memory_heads), rows)
    for small, large in pairwise(runs):
        ratio = cpu_per_device(large, runs[large][0]) / cpu_per_device(small, runs[small][0])
        name = f"CPU time per device, {large:,} devices relative to {small:,}"
        text += f"\n\n{name}: {ratio:.2f}."
        check_ratio(name, ratio, MAX_GROWTH)
    return f"{requests}\n\n{text}"


def check_ratio(name: str, ratio: float, maximum: float) -> None:
    """Exit with a message if a ratio exceeds its maximum."""
    if ratio > maximum:
        sys.exit(f"{name} is {ratio:.2f}, but must be at most {maximum}.")


def _run_with_another_name(fleet: Fleet) -> Measurement:
    fleet.manifest["devices"][-1]["name"] = "another"
    return fleet.run_engine()


def _run_with_another_group(fleet: Fleet) -> Measurement:
    for device in fleet.manifest["devices"][:GROUP_SIZE]:
        device["groups"] = ["pilot"]
    return fleet.run_engine()


def compare_programs() -> str:
    """Return a table that compares the CPU time of the engine with programs that only make its writes.

    The programs run in turns, and the best of three rounds counts.
    """
    engine, bare, promises = measure_in_turns(
        COMPARED_DEVICES, Fleet.run_engine, Fleet.run_bare_pool, Fleet.run_promise_pool
    )
    ratio = engine.cpu_of_request / bare.cpu_of_request
    check_ratio("CPU time per request, relative to the bare pool", ratio, MAX_RATIO_TO_BARE)
    rows = [
        [name, f"{run.cpu_of_request:.2f}", f"{run.cpu_of_request / bare.cpu_of_request:.2f}", f"{run.rate:.0f}"]
        for name, run in (("`fleet`'s engine", engine), (BARE, bare), (PROMISES, promises))
    ]
    heads = ("program", "CPU ms per request", "relative to the bare pool", "requests per second")
    return format_section(
        f"CPU time per request, {COMPARED_DEVICES:,} devices, {WORKERS} requests in flight", heads, rows
    )


def measure_with_latency() -> str:
    """Return a table of the request rate, relative to the highest rate that the latency allows; the best of three."""
    rates = []
    for _unused in range(3):
        with running_fleet(COMPARED_DEVICES, "--latency", f"{1000 * LATENCY_SECONDS:.0f}") as fleet:
            rates.append(fleet.run_engine().rate)
    highest_rate = WORKERS / LATENCY_SECONDS
    heads = ("latency", "workers", "maximum rate (workers / latency)", "requests per second", "share of the maximum")
    rate, latency = max(rates), f"{1000 * LATENCY_SECONDS:.0f} ms"
    row = (latency, WORKERS, f"{highest_rate:.1f}", f"{rate:.1f}", f"{rate / highest_rate:.2f}")
    return format_section("Request rate with latency", heads, [row])


def measure_under_limits() -> str:
    """Return a table of the share of the rate limit that is used while work remains."""
    rows = []
    for share in (0.95, 1.0):
        with tempfile.TemporaryDirectory() as folder:
            run = run_paced(LIMITED_DEVICES, share, Path(folder))
        used = run.count_requests_by_window()
        least = min(used) / (share * LIMIT.requests)
        rows.append([share, len(used), f"{run.seconds / 60:.0f}", f"{least:.3f}", run.stats["throttled"]])
    heads = ("budget_share", "complete windows", "minutes", "smallest share of the budget used", "429 responses")
    title = f"Use of the documented rate limit, {LIMITED_DEVICES:,} devices, simulated time"
    return format_section(title, heads, rows)


def compare_ways(hosts: int) -> str:
    """Return a table of the devices per second and the CPU time of whole playbooks and programs."""
    small, large = PLAYBOOK_SIZES
    with running_fleet(small) as fleet, tempfile.TemporaryDirectory() as folder:
        fleet.run_engine()  # imports the devices and creates the ledger, which the other writes require
        fleet_task = measure_fleet_task(small, Path(folder))
        costs = {
            f"one `fleet` task, {small:,} devices": fleet_task,
            f"one `fleet` task, {large:,} devices": measure_fleet_task(large, Path(folder)),
            f"{BARE}, {WORKERS} threads, without a playbook": cost_of_program(fleet.run_bare_pool(), small),
            f"{PROMISES}, {WORKERS} in flight, without a playbook": cost_of_program(fleet.run_promise_pool(), small),
            f"`uri` for each host, {FORKS} forks": measure_uri_tasks(hosts, loop=False),
            "`uri` in a loop": measure_uri_tasks(hosts, loop=True),
        }
    rows = [
        [
            name,
            f"{cost.rate:.1f}",
            f"{fleet_task.rate / cost.rate:.1f}",
            f"{cost.cpu:.1f}",
            f"{cost.cpu / fleet_task.cpu:.1f}",
        ]
        for name, cost in costs.items()
    ]
    heads = ("method", "devices per second", "relative duration", "CPU ms per device", "relative CPU time")
    title = f"Two writes per device, compared with one `fleet` task for {small:,} devices"
    return format_section(title, heads, rows)


def format_section(title: str, heads: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Format a heading and a table."""
    lines = [" | ".join(map(str, row)) for row in (heads, ["---"] * len(heads), *rows)]
    return f"## {title}\n\n" + "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Print all tables, and write them to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--hosts", type=int, default=60, help="number of devices for the playbooks with `uri`")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md")
    arguments = parser.parse_args()
    sections = []
    for measure in (
        lambda: tabulate_counts_and_growth(arguments.fleets),
        compare_programs,
        measure_with_latency,
        measure_under_limits,
        lambda: compare_ways(arguments.hosts),
    ):
        sections.append(measure())
        print(f"\n{sections[-1]}", flush=True)
    if arguments.write:
        head, rest = PAGE.read_text().split(BEGIN)
        text = "\n\n".join(sections)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
