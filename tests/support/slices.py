# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run the slices of a job as an automation controller runs them, each on its own execution node.

A controller sorts the hosts of an inventory by name and deals them to the slices in turn: `hosts[slice - 1::count]`. It
packs each slice with the project and the credentials by `ansible-runner transmit`, and sends it to an execution node.
There `ansible-runner worker` runs the job and returns its events, which the controller reads by `ansible-runner
process`. All slices have the same variables, and a slice does not know its number. The nodes are network namespaces
with one address each (`support.machines`), and files replace the network between the nodes and the controller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.machines import CLOUD, Machine, find_runner, run
from support.playbooks import ansible_environment
from support.plays import cloud_environment


def select_slice(hosts: Mapping[str, Any], number: int, of: int) -> dict[str, Any]:
    """Return the hosts of a slice; the first slice has the number 1."""
    return {name: hosts[name] for name in sorted(hosts)[number - 1 :: of]}


def write_job(
    folder: Path,
    plays: Sequence[Mapping[str, Any]],
    hosts: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Write the files of a job: the project, the inventory of the slice, the variables and the credentials.

    :param env: more environment variables of the job.
    """
    contents = {
        "project/provision.yml": plays,
        "inventory/hosts.json": {"all": {"hosts": hosts}},
        "env/extravars": variables or {},
        "env/envvars": {**cloud_environment(CLOUD), **(env or {})},
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


@dataclass(frozen=True)
class Slice:
    """The result of a slice, as the controller receives it."""

    rc: int
    status: str
    events: list[dict[str, Any]]
    received: str

    def results(self, task: str) -> list[dict[str, Any]]:
        """Return the successful results of a task, one per host. The runner omits very large results."""
        return [
            event["event_data"]["res"]
            for event in self.events
            if event["event"] == "runner_on_ok" and event["event_data"]["task"] == task
        ]


def run_slice(folder: Path, machine: Machine) -> Slice:
    """Transmit the job in `folder`, run it on the machine, and process the answer."""
    env = ansible_environment(machine.home, {})
    answer, processed = folder.with_suffix(".answer"), folder.with_suffix(".processed")
    send_slice(folder, machine)
    back = folder.with_suffix(".back")
    back.mkdir()
    run([find_runner(), "process", str(back), "-i", "slice"], answer, processed, env)
    artifacts = back / "artifacts" / "slice"
    status = artifacts / "status"
    assert status.exists(), answer.read_text()[-5000:] + processed.read_text()[-5000:]
    events = [json.loads(path.read_text()) for path in sorted((artifacts / "job_events").glob("*.json"))]
    return Slice(int((artifacts / "rc").read_text()), status.read_text(), events, answer.read_text())


def send_slice(folder: Path, machine: Machine) -> int:
    """Transmit the job in `folder`, run it on the machine, and return the exit status of the worker.

    The answer of the worker is in the file beside `folder` whose name ends with `.answer`.
    """
    env = ansible_environment(machine.home, {})
    job = folder.with_suffix(".job")
    assert run([find_runner(), "transmit", str(folder), "-p", "provision.yml"], None, job, env) == 0, job.read_text()
    return machine.work(job, folder.with_suffix(".answer"))
