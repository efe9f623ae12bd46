# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The same two writes for each device as whole playbooks: one `fleet` task, and the ways people do it today."""

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
class Way:
    """How a way did: devices per second, and milliseconds of CPU for a device."""

    rate: float
    cpu: float


def by_program(measured: Measurement, devices: int) -> Way:
    """A program that made nothing but the two writes."""
    return Way(devices / measured.seconds, 1000 * measured.cpu / devices)


def by_fleet(size: int, folder: Path) -> Way:
    """One `fleet` task, which also imports the devices and makes groups and ledgers."""
    with running_fleet(size) as fleet:
        file = folder / "fleet.json"
        file.write_text(json.dumps(fleet.manifest))
        options = {"manifest": str(file), "verify": "none", "result": "failed", "budget_requests": 0}
        task = {"meshfleet.particle.fleet": options}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        return _measured(size, [play], env=cloud_environment(fleet.cloud.url))


def by_uri(hosts: int, *, loop: bool) -> Way:
    """`ansible.builtin.uri`, a task for each write: over hosts, or in a loop of one host."""
    with running_fleet(hosts) as fleet:
        fleet.run_engine()  # imports and makes what the writes stand on
        by_name = {device["name"]: device for device in fleet.manifest["devices"]}
        tasks = _uri_tasks(fleet, "item" if loop else "devices[inventory_hostname]")
        if loop:
            tasks = [{**task, "loop": "{{ devices.values() | list }}"} for task in tasks]
        play = {
            "hosts": "localhost" if loop else "all",
            "gather_facts": False,
            "vars": {"ansible_connection": "local"},
            "tasks": tasks,
        }
        inventory = [] if loop else ["-i", ",".join(by_name) + ",", "--forks", str(FORKS)]
        return _measured(hosts, [play], extra_vars={"devices": by_name}, args=inventory)


def _measured(devices: int, plays: list[dict[str, Any]], **arguments: Any) -> Way:
    """A whole run of ansible-playbook, its workers included; the simulator, which goes on, is not."""
    began, cpu = time.monotonic(), _cpu_of_children()
    run_playbook(plays, timeout=TIMEOUT_SECONDS, fresh=True, **arguments).succeeded()
    return Way(devices / (time.monotonic() - began), 1000 * (_cpu_of_children() - cpu) / devices)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _uri_tasks(fleet: Fleet, device: str) -> list[dict[str, Any]]:
    """The two writes, where `device` is the expression that names the device in the templates."""
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
