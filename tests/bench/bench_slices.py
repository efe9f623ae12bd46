# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the slices of a job on execution nodes with one address each, and let a node fail in the middle of its slice.

Usage: python tests/bench/bench_slices.py [--hosts 20000] [--slices 4] [--write]

The nodes are network namespaces, so this requires root. A node behind the same address runs the slice of the failed
node again. The two share the request budget of this address in a Redis server, as docs/guide_scaling.md describes. The
benchmark fails if a device was not written exactly once, if a node has written a device of another slice, or if a
request was refused. --write writes the table to docs/performance.md.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".collections"))

from support.fleet_files import device_id, write_fleet_file
from support.machines import machines
from support.paths import ROOT
from support.redis_server import running_redis
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator
from support.slices import Slice, run_slice, select_slice, send_slice, write_job

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin slices -->", "<!-- end slices -->"

TASK = "Bring the devices of this slice to their declared state"
OPTIONS = {"from_inventory": True, "product": PRODUCT_SLUG, "lock": "none"}
PLAYS = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": TASK, "meshfleet.particle.fleet": OPTIONS, "run_once": True}],
    }
]
WRITE = "PUT /v1/products/:p/devices/:id"
LIMIT = 10_000
"""The documented limit of requests of an address. The clock of the simulator stands still, so it never begins anew."""
OTHER_READS = 20
"""Maximum number of reads of a run that do not depend on the number of devices."""
MAX_MEGABYTES = 1_000


@dataclass(frozen=True)
class Nodes:
    """The nodes of the slices, and what they have done.

    :ivar slices: the results of the slices, in their order. The last one is that of the replaced node.
    :ivar written: how many devices the failed node had written.
    """

    slices: Sequence[Slice]
    written: int
    stats: Mapping[str, Any]
    writes: Sequence[Mapping[str, Any]]
    notes: Mapping[str, str]
    cpu: float
    megabytes: float


def list_addresses(of: int) -> list[str]:
    """Return the addresses of the nodes, in the order of the slices."""
    return [f"127.0.0.{number + 1}" for number in range(1, of + 1)]


def declare_hosts(size: int, of: int) -> dict[str, dict[str, Any]]:
    """Return the variables of all hosts. The declared notes of each device name its slice."""
    return {
        f"unit-{number:06}": {"particle_device": {"id": device_id(number), "notes": f"slice {number % of + 1}"}}
        for number in range(size)
    }


def run_nodes(size: int, of: int) -> Nodes:
    """Run all slices at the same time, let the last node fail, and run its slice again on another node."""
    addresses = list_addresses(of)
    hosts = declare_hosts(size, of)
    with tempfile.TemporaryDirectory(prefix="slices_") as name, running_redis() as store:
        folder = Path(name)
        fleet = write_fleet_file(folder, size)
        with running_simulator("--fleet", fleet, "--limits", "documented") as cloud:
            jobs = [folder / f"slice-{number}" for number in range(1, of + 1)]
            for number, job in enumerate(jobs, start=1):
                # Each address has a budget of its own, in a database of its own.
                env = {"PARTICLE_BUDGET_STORE": f"{store.url}?db={number}"}
                write_job(job, PLAYS, select_slice(hosts, number, of), env=env)
            with machines(cloud.url, addresses, folder) as nodes, ThreadPoolExecutor(of) as pool:
                finished = [pool.submit(run_slice, job, node) for job, node in zip(jobs[:-1], nodes[:-1], strict=True)]
                failing = pool.submit(send_slice, jobs[-1], nodes[-1])
                _wait_for_requests(cloud, addresses[-1], (len(hosts) // of + size // 100) // 2, failing)
                nodes[-1].lose_power()
                if failing.result() == 0:
                    sys.exit("The node that failed has finished its slice.")
                slices = [future.result() for future in finished]
            written = _count_writes(cloud.writes())[f"slice {of}"]
            again = folder / "again"
            again.mkdir()
            with machines(cloud.url, addresses[-1:], again) as (node,):
                slices.append(run_slice(jobs[-1], node))
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            notes = {device["id"]: str(device["notes"]) for device in cloud.state()["devices"]}
            cpu = usage.ru_utime + usage.ru_stime
            return Nodes(slices, written, cloud.stats(), cloud.writes(), notes, cpu, usage.ru_maxrss / 1024)


def _wait_for_requests(cloud: Simulator, address: str, number: int, run: Future[int]) -> None:
    """Wait until an address has sent a number of requests."""
    while cloud.stats()["by_address"].get(address, 0) < number:
        if run.done():
            sys.exit("The node that was to fail has ended before.")
        time.sleep(0.1)


def _count_writes(writes: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Return the number of writes, by the notes that they wrote."""
    return Counter(str(write["fields"]["notes"]) for write in writes)


def check_nodes(size: int, of: int, nodes: Nodes) -> None:
    """Exit with a message if a promise is not kept."""
    for part in nodes.slices:
        if (part.rc, part.status) != (0, "successful"):
            sys.exit(f"A slice has failed:\n{part.received[-5000:]}")
    hosts = declare_hosts(size, of)
    declared = {host["particle_device"]["id"]: host["particle_device"]["notes"] for host in hosts.values()}
    sent = Counter((str(write["path"]["id"]), str(write["fields"]["notes"])) for write in nodes.writes)
    expect("route of the writes", {write["route"] for write in nodes.writes}, {WRITE})
    expect("each device is written exactly once, by its slice", sent == Counter(declared.items()), True)
    expect("state of the devices", nodes.notes == declared, True)
    summaries = [part.results(TASK)[0]["summary"] for part in nodes.slices]
    changed = [summary["changed"] for summary in summaries]
    expect("devices of each slice", {summary["total"] for summary in summaries}, {size // of})
    expect("devices that the slices changed", changed, [size // of] * (of - 1) + [size // of - nodes.written])
    requests = nodes.stats["by_address"]
    expect("addresses", set(requests), set(list_addresses(of)))
    expect("refused requests", nodes.stats["throttled"], 0)
    # Each run reads the list once to find what to write, and once to verify it.
    maxima = [size // of + runs * (2 * size // 100 + OTHER_READS) for runs in [1] * (of - 1) + [2]]
    for address, maximum in zip(list_addresses(of), maxima, strict=True):
        expect(f"at most {maximum} requests of {address}", requests[address] <= min(maximum, LIMIT), True)
    expect(f"at most {MAX_MEGABYTES} MB", nodes.megabytes <= MAX_MEGABYTES, True)


def expect(name: str, found: object, expected: object) -> None:
    """Exit with a message if a value is not the expected one."""
    if found != expected:
        sys.exit(f"{name}: {found}, but must be {expected}.")


def format_table(size: int, of: int, nodes: Nodes) -> str:
    """Format a table with a row for each slice."""
    rows = [["slice", "address", "hosts", "devices changed", "requests of the address"], ["---"] * 5]
    summaries = [part.results(TASK)[0]["summary"] for part in nodes.slices]
    for number, address in enumerate(list_addresses(of), start=1):
        changed = f"{summaries[number - 1]['changed']:,}"
        if number == of:
            changed = f"{nodes.written:,} by the failed node, {changed} by the second run"
        rows.append([str(number), address, f"{size // of:,}", changed, f"{nodes.stats['by_address'][address]:,}"])
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    cost = f"CPU time of the slices, without that of the failed node: {1000 * nodes.cpu / size:.1f} ms per host."
    return f"{lines}\n\n{cost} Largest process: {nodes.megabytes:.0f} MB."


def main() -> None:
    """Print the table, and write it to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=20_000, help="at most 20,000, a multiple of the slices")
    parser.add_argument("--slices", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()

    nodes = run_nodes(arguments.hosts, arguments.slices)
    text = format_table(arguments.hosts, arguments.slices, nodes)
    print(text, flush=True)
    check_nodes(arguments.hosts, arguments.slices, nodes)
    if arguments.write:
        head, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
