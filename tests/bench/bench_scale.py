# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure what users do with a very large fleet: inventory, facts, correction of drift, a rollout plan, and a report.

Usage: python tests/bench/bench_scale.py [--devices 10000 100000] [--stages inventory facts ...] [--write]

Each stage is a program of Ansible in a new process, and the simulator has a process of its own. The CPU time is that of
all processes of a stage, and the memory is the peak of its largest process. The benchmark fails if a stage needs more
memory, more requests or more writes than is promised, or if its CPU time per device grows with the fleet. --write
writes the table to docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.fleet_files import device_id, write_fleet_file
from support.paths import ROOT
from support.playbooks import ansible_environment
from support.plays import cloud_environment
from support.programs import program_path
from support.simulator import PRODUCT_SLUG, running_simulator

PAGE = ROOT / "docs" / "performance.md"
STAGES = ("inventory", "facts", "fleet", "rollout", "report")
BEGIN, END = "<!-- begin scale -->", "<!-- end scale -->"

MAX_MEGABYTES = 1_000
MAX_GROWTH = 1.5
"""Maximum CPU time per device in the largest fleet, relative to the smallest."""
DRIFT = 10
"""Every tenth device differs from the manifest."""
VERSIONS = (40, 41, 42, 43)
"""The firmware versions of the product. The devices run the first three."""
OTHER_READS = 20
"""Maximum number of reads of a stage that do not depend on the number of devices."""

# Ansible asks a thousand times a second whether a task is finished. On a busy machine, this would be measured, too.
CONFIGURATION = "[defaults]\ninternal_poll_interval = 0.05\n"


@dataclass(frozen=True)
class Stage:
    """A program that is run on the whole fleet.

    :ivar argv: the program and its arguments.
    :ivar lists: the maximum number of times that the program reads all device lists.
    :ivar writes: the exact number of writes.
    """

    title: str
    argv: Sequence[str]
    lists: int = 1
    writes: int = 0


@dataclass(frozen=True)
class Cost:
    """The measurements of a stage. `cpu` is in seconds."""

    devices: int
    requests: int
    writes: int
    cpu: float
    megabytes: float

    @property
    def cpu_of_device(self) -> float:
        """The CPU time per device, in milliseconds."""
        return 1000 * self.cpu / self.devices


def list_stages(folder: Path, size: int) -> Iterator[Stage]:
    """Write the files of each stage, and return the stages in their order."""
    inventory = _write(
        folder / "fleet.particle.yml",
        {
            "plugin": "meshfleet.particle.devices",
            "products": [PRODUCT_SLUG],
            "group_by": ["platform", "network", "mesh_role", "online"],
        },
    )
    yield Stage("inventory", [program_path("ansible-inventory"), "-i", inventory, "--graph"])
    yield Stage("facts", _build_play(folder, "device_info", {"product": PRODUCT_SLUG}))
    manifest = _write(folder / "manifest.json", {"product": PRODUCT_SLUG, "devices": _declare_devices(size)})
    # The list is read once to find the drift, and once to verify the writes.
    drifted = len(range(0, size, DRIFT))
    yield Stage(f"fleet, {100 // DRIFT} % drift", _build_play(folder, "fleet", {"manifest": manifest}), 2, drifted)
    waves = {"version": VERSIONS[-1], "waves": [{"percent": 10}, {"percent": 100}]}
    rollout = _build_play(folder, "rollout", {"product": PRODUCT_SLUG, **waves})
    yield Stage("rollout, plan", [*rollout, "--check"])
    variables = json.dumps({"report_products": [PRODUCT_SLUG], "report_dest": str(folder / "report")})
    yield Stage("report", [program_path("ansible-playbook"), "meshfleet.particle.report", "-e", variables])


def _declare_devices(size: int) -> list[dict[str, Any]]:
    """Return the declared devices. The notes of every tenth device differ from the fleet file."""
    return [
        {
            "id": device_id(number),
            "name": f"unit-{number:06}",
            "notes": f"shelf {number // 20}" if number % DRIFT else "checked",
            "groups": [f"site-{number % 7}"],
        }
        for number in range(size)
    ]


def _build_play(folder: Path, module: str, options: Mapping[str, Any]) -> list[str]:
    """Write a playbook with one task, and return the command that runs it."""
    task = {f"meshfleet.particle.{module}": dict(options), "register": "found"}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    return [program_path("ansible-playbook"), _write(folder / f"{module}.yml", [play])]


def _write(path: Path, content: object) -> str:
    with path.open("w") as file:
        json.dump(content, file)  # JSON is YAML
    return str(path)


def measure_stages(size: int, names: Collection[str] = STAGES) -> dict[str, Cost]:
    """Run some stages on a new fleet, and return their costs, keyed by title.

    :param names: the first words of the titles of these stages.
    """
    costs = {}
    with tempfile.TemporaryDirectory(prefix="scale_") as name:
        folder = Path(name)
        (folder / "ansible.cfg").write_text(CONFIGURATION)
        with running_simulator("--fleet", write_fleet_file(folder, size)) as cloud:
            cloud.add_firmware(*VERSIONS)
            more = {
                **cloud_environment(cloud.url),
                "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
                "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.default",  # without the one that records all results
                "PARTICLE_BUDGET_REQUESTS": "0",  # waits for the rate limit would be measured, too
            }
            for stage in list_stages(folder, size):
                if stage.title.partition(",")[0] not in names:
                    continue
                before = cloud.stats()
                cpu, megabytes = _run(stage.argv, ansible_environment(folder, more), folder)
                after = cloud.stats()
                counts = {name: after[name] - before[name] for name in ("requests", "writes")}
                costs[stage.title] = cost = Cost(size, **counts, cpu=cpu, megabytes=megabytes)
                print(format_row(stage.title, cost), flush=True)
                check_cost(stage, cost)
    return costs


def _run(argv: Sequence[str], env: Mapping[str, str], folder: Path) -> tuple[float, float]:
    """Run a program, and return its CPU seconds and the megabytes of its largest process.

    The kernel also counts the memory of this process until the program starts. It is smaller than that of each stage.
    """
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(argv, env=dict(env), cwd=folder, stdout=file, stderr=subprocess.STDOUT)
        _unused, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with {process.returncode}:\n{output.read_text()[-5000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def check_cost(stage: Stage, cost: Cost) -> None:
    """Exit with a message if the cost of a stage exceeds a maximum."""
    name = f"{stage.title}, {cost.devices:,} devices"
    check_maximum(f"{name}: megabytes", cost.megabytes, MAX_MEGABYTES)
    check_maximum(f"{name}: reads", cost.requests - cost.writes, stage.lists * cost.devices / 100 + OTHER_READS)
    if cost.writes != stage.writes:
        sys.exit(f"{name}: {cost.writes} writes, but there must be {stage.writes}.")


def check_maximum(name: str, value: float, maximum: float) -> None:
    """Exit with a message if a value exceeds its maximum."""
    if value > maximum:
        sys.exit(f"{name}: {value:g}, but must be at most {maximum:g}.")


HEADS = ("devices", "stage", "requests", "writes", "requests per device", "CPU ms per device", "peak MB")


def format_row(title: str, cost: Cost) -> str:
    """Format a row of the table."""
    per_device = (f"{cost.requests / cost.devices:.3f}", f"{cost.cpu_of_device:.2f}")
    return _format_cells(
        (f"{cost.devices:,}", title, f"{cost.requests:,}", f"{cost.writes:,}", *per_device, f"{cost.megabytes:.0f}")
    )


def _format_cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, and write it to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, nargs=2, default=[10_000, 100_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()

    heads = [_format_cells(HEADS), _format_cells(["---"] * len(HEADS))]
    print("\n".join(heads))
    small, large = (measure_stages(size, arguments.stages) for size in arguments.devices)
    rows = [format_row(title, cost) for costs in (small, large) for title, cost in costs.items()]
    ratios = {title: large[title].cpu_of_device / small[title].cpu_of_device for title in large}
    told = ", ".join(f"{title.partition(',')[0]} {ratio:.2f}" for title, ratio in ratios.items())
    lines = f"CPU time per device, {arguments.devices[1]:,} devices relative to {arguments.devices[0]:,}: {told}."
    print(f"\n{lines}")
    for title, ratio in ratios.items():
        check_maximum(f"{title}: CPU time per device relative to the small fleet", ratio, MAX_GROWTH)
    if arguments.write:
        table = "\n".join([*heads, *rows])
        head, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{table}\n\n{lines}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
