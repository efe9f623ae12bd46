# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the CPU time of the role provision over the hosts of an inventory, compared with the least that a role needs.

Usage: python tests/bench/bench_role.py [--hosts 500] [--rounds 3] [--write]

The role for comparison has the same argument specification, and one action per host that does nothing. Both roles run
in turns, after the role provision has brought the fleet to its declared state. --write writes the table to
docs/performance.md. The benchmark fails if the median of the ratios exceeds its maximum.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.fleets import NETWORKS, TIMEOUT_SECONDS
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment, manifest_for
from support.simulator import Simulator, running_simulator

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- begin role -->", "<!-- end role -->"

MAX_RATIO = 1.5
"""Maximum CPU time of a second run of the role, relative to the role for comparison."""

COMPARISON = "comparison"
OUTCOME = "Assign each host the outcome of its device"

NO_OPERATION = """
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {**super().run(tmp, task_vars), "changed": False}
"""


def write_comparison(folder: Path) -> Path:
    """Write a role with the argument specification of the role provision and one action that does nothing.

    :returns: the folder that contains the role.
    """
    role = folder / "roles" / COMPARISON
    for name in ("meta", "tasks", "action_plugins"):
        (role / name).mkdir(parents=True)
    shutil.copy(ROOT / "roles" / "provision" / "meta" / "argument_specs.yml", role / "meta")
    (role / "action_plugins" / "no_operation.py").write_text(NO_OPERATION)
    (role / "tasks" / "main.yml").write_text(json.dumps([{"name": "Do nothing", "no_operation": {}}]))
    return role.parent


def write_inventory(folder: Path, devices: list[dict[str, Any]]) -> Path:
    """Write an inventory with one host for each device."""
    hosts = {device["name"]: {"particle_device": device} for device in devices}
    path = folder / "hosts.json"
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    return path


class Runs:
    """Runs of both roles over the same hosts, with the same variables."""

    def __init__(self, cloud: Simulator, folder: Path) -> None:
        """Write the inventory and the role for comparison."""
        manifest = manifest_for(cloud, NETWORKS)
        self._hosts = len(manifest["devices"])
        self._inventory = write_inventory(folder, manifest["devices"])
        self._variables = {
            "provision_from_inventory": True,
            "provision_product": manifest["product"],
            "provision_networks": manifest["networks"],
        }
        self._env = {**cloud_environment(cloud.url), "ANSIBLE_ROLES_PATH": str(write_comparison(folder))}

    def measure_provision(self, *, changed: int) -> float:
        """Return the CPU seconds of the role provision, which must change the devices of this number of hosts."""
        cpu, run = self._measure("meshfleet.particle.provision")
        assert [task.status for task in run.tasks if task.task == OUTCOME].count("changed") == changed
        return cpu

    def measure_comparison(self) -> float:
        """Return the CPU seconds of the role for comparison."""
        cpu, run = self._measure(COMPARISON)
        assert len([task for task in run.tasks if task.action == "no_operation"]) == self._hosts
        return cpu

    def _measure(self, role: str) -> tuple[float, PlaybookRun]:
        """Return the CPU seconds of a playbook and its workers. The simulator does not count: it is still running."""
        play = {"hosts": "all", "gather_facts": False, "roles": [{"role": role, "vars": self._variables}]}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        arguments = ["-i", str(self._inventory)]
        run = run_playbook([play], env=self._env, args=arguments, timeout=TIMEOUT_SECONDS, fresh=True).succeeded()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run


def measure_rounds(hosts: int, rounds: int) -> tuple[float, list[tuple[float, float]]]:
    """Return the CPU seconds of the first run of the role, and of both roles in each round."""
    with running_simulator("--fleet", str(hosts)) as cloud, tempfile.TemporaryDirectory(prefix="role_") as name:
        runs = Runs(cloud, Path(name))
        first = runs.measure_provision(changed=hosts)
        print(f"first run: {first:.1f} CPU s", flush=True)
        measured = []
        for _unused in range(rounds):
            measured.append((runs.measure_provision(changed=0), runs.measure_comparison()))
            again, least = measured[-1]
            print(f"second run {again:.1f}, comparison {least:.1f} CPU s, ratio {again / least:.2f}", flush=True)
    return first, measured


def format_table(hosts: int, first: float, measured: list[tuple[float, float]]) -> str:
    """Format the medians as a table."""
    least = statistics.median(comparison for _again, comparison in measured)
    rows = [
        ("first run of `provision`", first, first / least),
        (
            "second run of `provision`",
            statistics.median(again for again, _comparison in measured),
            find_median_ratio(measured),
        ),
        ("role for comparison", least, 1.0),
    ]
    heads = ["| hosts | run | CPU seconds | relative to the comparison |", "| --- | --- | --- | --- |"]
    return "\n".join(heads + [f"| {hosts:,} | {title} | {cpu:.1f} | {ratio:.2f} |" for title, cpu, ratio in rows])


def find_median_ratio(measured: list[tuple[float, float]]) -> float:
    """Return the median of the ratios of all rounds."""
    return statistics.median(again / least for again, least in measured)


def main() -> None:
    """Print the CPU times and the median ratio, and write them to the page if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()

    first, measured = measure_rounds(arguments.hosts, arguments.rounds)
    table = format_table(arguments.hosts, first, measured)
    print(f"\n{table}", flush=True)
    if arguments.write:
        head, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}")
    ratio = find_median_ratio(measured)
    print(f"ratio {ratio:.2f}, at most {MAX_RATIO}")
    if ratio > MAX_RATIO:
        sys.exit(f"A second run of the role takes {ratio:.2f} times the CPU time of the role for comparison.")


if __name__ == "__main__":
    main()
