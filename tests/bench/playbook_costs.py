# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure playbooks that make two writes for each device: one `fleet` task, or `uri` tasks."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.fleets import NETWORKS, TIMEOUT_SECONDS, Fleet, Measurement, running_fleet
from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG

FORKS = 25


@dataclass(frozen=True)
class Cost:
    """The devices per second, and the CPU time per device in milliseconds."""

    rate: float
    cpu: float


def cost_of_program(measurement: Measurement, devices: int) -> Cost:
    """Return the cost of a program that only makes the two writes."""
    return Cost(devices / measurement.seconds, 1000 * measurement.cpu / devices)


def measure_fleet_task(size: int, folder: Path) -> Cost:
    """Measure one `fleet` task, which also imports the devices and creates groups and ledgers."""
    with running_fleet(size) as fleet:
        file = folder / "fleet.json"
        file.write_text(json.dumps(fleet.manifest))
        options = {"manifest": str(file), "verify": "none", "result": "failed", "budget_requests": 0}
        task = {"meshfleet.particle.fleet": options}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        return _measure_playbook(size, [play], env=cloud_environment(fleet.cloud.url))


def measure_uri_tasks(hosts: int, *, loop: bool) -> Cost:
    """Measure a task with `ansible.builtin.uri` for each write: for each host, or in a loop on one host."""
    with running_fleet(hosts) as fleet:
        fleet.run_engine()  # imports the devices and creates the ledger, which the writes require
        by_name = {device["name"]: device for device in fleet.manifest["devices"]}
        tasks = _build_uri_tasks(fleet, "item" if loop else "devices[inventory_hostname]")
        if loop:
            tasks = [{**task, "loop": "{{ devices.values() | list }}"} for task in tasks]
        play = {
            "hosts": "localhost" if loop else "all",
            "gather_facts": False,
            "vars": {"ansible_connection": "local"},
            "tasks": tasks,
        }
        inventory = [] if loop else ["-i", ",".join(by_name) + ",", "--forks", str(FORKS)]
        return _measure_playbook(hosts, [play], extra_vars={"devices": by_name}, args=inventory)


def _measure_playbook(devices: int, plays: list[dict[str, Any]], **arguments: Any) -> Cost:
    """Measure a run of ansible-playbook and its workers.

    The simulator does not count, because it is still running.
    """
    start, start_cpu = time.monotonic(), _read_cpu_of_children()
    run_playbook(plays, timeout=TIMEOUT_SECONDS, fresh=True, **arguments).succeeded()
    return Cost(devices / (time.monotonic() - start), 1000 * (_read_cpu_of_children() - start_cpu) / devices)


def _read_cpu_of_children() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _build_uri_tasks(fleet: Fleet, device: str) -> list[dict[str, Any]]:
    """Return the tasks of the two writes; `device` is the expression of the device in the templates."""
    api = f"{fleet.cloud.url}/v1"
    common = {
        "method": "PUT",
        "headers": {"Authorization": f"Bearer {fleet.token}"},
        "body_format": "json",
        "status_code": [200, 201],
    }
    writes = {
        f"{api}/products/{PRODUCT_SLUG}/devices/{{{{ {device}.id }}}}": {"name": f"{{{{ {device}.name }}}}"},
        f"{api}/ledgers/mesh/instances/{{{{ {device}.id }}}}": {"instance": {"data": {"network": NETWORKS[0]}}},
    }
    return [{"ansible.builtin.uri": {**common, "url": url, "body": body}} for url, body in writes.items()]
