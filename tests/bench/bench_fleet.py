# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What a fleet costs: requests for each device, and the same writes done the ways people do them today.

Usage: python tests/bench/bench_fleet.py [--fleets 1000 10000 100000] [--hosts 60] [--write]

With --write the tables go to docs/performance.md. Wall times depend on the machine; counts and ratios do not, and it
fails when a ratio is more than is promised. Let the machine do nothing else meanwhile: that bends ratios too.
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

from ways import FORKS, by_fleet, by_program, by_uri

from support.fleets import NEW_GROUPS, WORKERS, Fleet, Measurement, measure_in_turns, running_fleet
from support.paced import LIMIT, run_paced
from support.paths import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin measured -->", "<!-- end measured -->"

BARE = "a bare pool of `requests`"
PROMISES = "particle-api-js in a pool of promises"

IN_A_GROUP = 5_000
BESIDE_PEERS = 2_000
AS_A_PLAYBOOK = (1_000, 10_000)
LATENCY = 0.150
PACED = 20_000

GROWTH = 1.3
"""CPU per device of a fleet ten times as large."""
BESIDE_BARE = 1.2
"""CPU of a request beside one that nobody plans, watches or proves."""


def counts_and_growth(sizes: Iterable[int]) -> str:
    """Fresh, nothing changed, one name and one group, for fleets of each size."""
    counts: list[list[object]] = []
    runs: dict[int, tuple[Measurement, Measurement]] = {}
    for size in sizes:
        with running_fleet(size) as fleet:
            fresh, again = fleet.run_engine(), fleet.run_engine()
            runs[size] = fresh, again
            name, group = _with_another_name(fleet), _with_another_group(fleet)
        limits = (
            f"{2.05 * size + 2 * NEW_GROUPS + 20:,.0f}",
            f"{0.05 * size + 10:,.0f}; 0 writes",
            "1 write",
            "10 writes",
        )
        what = ("fresh", "nothing changed", "one name changed", f"one group of {min(size, IN_A_GROUP):,} changed")
        for title, run, most in zip(what, (fresh, again, name, group), limits, strict=True):
            each = f"{run.requests / size:.3f}"
            counts.append([f"{size:,}", title, f"{run.requests:,}", f"{run.writes:,}", each, most])
    heads = ("devices", "run", "requests", "writes", "requests per device", "at most")
    requests = section("Requests", heads, counts)

    def of_device(size: int, run: Measurement) -> float:
        return 1000 * run.whole_cpu / size

    rows: list[list[object]] = [
        [
            f"{size:,}",
            f"{of_device(size, fresh):.2f}",
            f"{of_device(size, again):.2f}",
            f"{fresh.megabytes:.0f}",
            f"{again.megabytes:.0f}",
            f"{1000 * fresh.megabytes / size:.1f}",
        ]
        for size, (fresh, again) in runs.items()
    ]
    heads = ("devices", "fresh, CPU ms per device", "again, CPU ms per device", "fresh, peak MB", "again, peak MB")
    text = section("Growth of the engine's process", (*heads, "MB per 1,000 devices"), rows)
    for small, large in pairwise(runs):
        ratio = of_device(large, runs[large][0]) / of_device(small, runs[small][0])
        text += f"\n\nCPU per device, {large:,} beside {small:,}: {ratio:.2f}."
        hold(f"CPU per device, {large:,} beside {small:,}", ratio, GROWTH)
    return f"{requests}\n\n{text}"


def hold(what: str, ratio: float, at_most: float) -> None:
    """End the run with a word when a ratio is more than is promised."""
    if ratio > at_most:
        sys.exit(f"{what} is {ratio:.2f}, and {at_most} is promised.")


def _with_another_name(fleet: Fleet) -> Measurement:
    fleet.manifest["devices"][-1]["name"] = "another"
    return fleet.run_engine()


def _with_another_group(fleet: Fleet) -> Measurement:
    for device in fleet.manifest["devices"][:IN_A_GROUP]:
        device["groups"] = ["pilot"]
    return fleet.run_engine()


def beside_peers() -> str:
    """CPU of the engine beside programs that do nothing but its writes, in turns, the best of three rounds."""
    engine, bare, promises = measure_in_turns(
        BESIDE_PEERS, Fleet.run_engine, Fleet.run_bare_pool, Fleet.run_promise_pool
    )
    hold("CPU of a request, beside the bare pool", engine.cpu_of_request / bare.cpu_of_request, BESIDE_BARE)
    rows = [
        [name, f"{run.cpu_of_request:.2f}", f"{run.cpu_of_request / bare.cpu_of_request:.2f}", f"{run.rate:.0f}"]
        for name, run in (("`fleet`'s engine", engine), (BARE, bare), (PROMISES, promises))
    ]
    heads = ("program", "CPU ms per request", "beside the bare pool", "requests per second")
    return section(f"CPU of a request, {BESIDE_PEERS:,} devices, {WORKERS} under way", heads, rows)


def by_latency() -> str:
    """How much of what the latency allows is reached, the best of three."""
    rates = []
    for _unused in range(3):
        with running_fleet(BESIDE_PEERS, "--latency", f"{1000 * LATENCY:.0f}") as fleet:
            rates.append(fleet.run_engine().rate)
    possible = WORKERS / LATENCY
    heads = ("latency", "workers", "workers / latency", "requests per second", "reached")
    row = (f"{1000 * LATENCY:.0f} ms", WORKERS, f"{possible:.1f}", f"{max(rates):.1f}", f"{max(rates) / possible:.2f}")
    return section("With latency", heads, [row])


def under_limits() -> str:
    """How much of what the cloud allows is used while work remains."""
    rows = []
    for share in (0.95, 1.0):
        with tempfile.TemporaryDirectory() as folder:
            run = run_paced(PACED, share, Path(folder))
        used = run.count_requests_by_window()
        least = min(used) / (share * LIMIT.requests)
        rows.append([share, len(used), f"{run.seconds / 60:.0f}", f"{least:.3f}", run.stats["throttled"]])
    heads = ("budget_share", "whole windows", "minutes", "of the budget, at least", "answers of 429")
    return section(f"Under the documented limits, {PACED:,} devices, on a clock that is turned", heads, rows)


def by_every_way(hosts: int) -> str:
    """Devices per second and CPU of whole playbooks and programs."""
    small, large = AS_A_PLAYBOOK
    with running_fleet(small) as fleet, tempfile.TemporaryDirectory() as folder:
        fleet.run_engine()  # imports and makes what the writes of the others stand on
        ours = by_fleet(small, Path(folder))
        ways = {
            f"one `fleet` task, {small:,} devices": ours,
            f"one `fleet` task, {large:,} devices": by_fleet(large, Path(folder)),
            f"{BARE}, {WORKERS} threads, without a playbook": by_program(fleet.run_bare_pool(), small),
            f"{PROMISES}, {WORKERS} under way, without a playbook": by_program(fleet.run_promise_pool(), small),
            f"`uri` for each host, {FORKS} forks": by_uri(hosts, loop=False),
            "`uri` in a loop": by_uri(hosts, loop=True),
        }
    rows = [
        [name, f"{way.rate:.1f}", f"{ours.rate / way.rate:.1f}", f"{way.cpu:.1f}", f"{way.cpu / ours.cpu:.1f}"]
        for name, way in ways.items()
    ]
    heads = ("way", "devices per second", "times slower", "CPU ms per device", "times the CPU")
    title = f"Two writes for each device, by every way, beside `fleet` with {small:,}"
    return section(title, heads, rows)


def section(title: str, heads: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A heading and a table."""
    lines = [" | ".join(map(str, row)) for row in (heads, ["---"] * len(heads), *rows)]
    return f"## {title}\n\n" + "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleets", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--hosts", type=int, default=60, help="how many devices the ways of today are tried with")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md")
    arguments = parser.parse_args()
    sections = []
    for measure in (
        lambda: counts_and_growth(arguments.fleets),
        beside_peers,
        by_latency,
        under_limits,
        lambda: by_every_way(arguments.hosts),
    ):
        sections.append(measure())
        print(f"\n{sections[-1]}", flush=True)
    if arguments.write:
        head, rest = PAGE.read_text().split(BEGIN)
        text = "\n\n".join(sections)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
