# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run plays that consist of one task on localhost. Build environment variables and manifests for these plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from support.playbooks import PlaybookRun, run_playbook
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator

TASK = "Task"


def cloud_environment(url: str, username: str = USERNAME, password: str = PASSWORD) -> dict[str, str]:
    """Return the environment variables that tell the collection the URL of the cloud and the account."""
    return {"PARTICLE_API_URL": url, "PARTICLE_USERNAME": username, "PARTICLE_PASSWORD": password}


def run_task(module: str, options: Mapping[str, Any], env: Mapping[str, str], *args: str, **more: Any) -> PlaybookRun:
    """Run a play with one task, which calls a module of the collection. A failed task raises no error.

    The name of the task is `TASK`.

    :param args: more command line arguments of `ansible-playbook`.
    :param more: more arguments of `run_playbook`.
    """
    task = {"name": TASK, f"meshfleet.particle.{module}": dict(options)}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    return run_playbook([play], env=env, args=args, **more)


def manifest_for(cloud: Simulator, networks: Sequence[str] = ("barn",), **of_each: Any) -> dict[str, Any]:
    """Build a manifest for all devices of `cloud`, distributed over `networks`. Each network has one gateway.

    :param of_each: fields that the manifest declares for every device, for example `groups=["north"]`.
    """
    ids = sorted(device["id"] for device in cloud.state()["devices"])
    devices = [
        {
            "id": device,
            "name": f"{networks[index % len(networks)]}-{index:04}",
            "mesh": {
                "network": networks[index % len(networks)],
                "role": "gateway" if index < len(networks) else "node",
            },
            **of_each,
        }
        for index, device in enumerate(ids)
    ]
    return {"product": PRODUCT_SLUG, "networks": {name: {} for name in networks}, "devices": devices}


def read_counts(result: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of devices with each status, keyed by status.

    :param result: a result of the module `fleet`.
    """
    return {status: number for status, number in result["summary"].items() if status != "networks"}
