# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the plays that tests need most: one task of the collection on localhost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from support.playbooks import PlaybookRun, run_playbook
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator

TASK = "Task"


def cloud_environment(url: str, username: str = USERNAME, password: str = PASSWORD) -> dict[str, str]:
    """Return the environment variables that set the cloud and the account of the collection."""
    return {"PARTICLE_API_URL": url, "PARTICLE_USERNAME": username, "PARTICLE_PASSWORD": password}


def run_task(module: str, options: Mapping[str, Any], env: Mapping[str, str], *args: str, **more: Any) -> PlaybookRun:
    """Run a task named `TASK` with a module of the collection; the test must check whether it succeeds."""
    task = {"name": TASK, f"meshfleet.particle.{module}": dict(options)}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    return run_playbook([play], env=env, args=args, **more)


def manifest_for(cloud: Simulator, networks: Sequence[str] = ("barn",), **of_each: Any) -> dict[str, Any]:
    """Build a manifest for all devices of `cloud`, spread over `networks` with one gateway each.

    `of_each` is declared for every device, for example `groups=["north"]`.
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
    """Return the counts in the summary of `fleet`, without the states of the networks."""
    return {status: number for status, number in result["summary"].items() if status != "networks"}
