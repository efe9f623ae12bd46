# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What a module costs that runs on the controller, and the same module started in an interpreter, in turns.

A play with many such tasks and one with a single task are run in turns; the difference, by task, is what another task
costs once the play has begun. The task is delegated to the machine itself by a connection that is not `local`, where it
is to be started. What Ansible itself takes for any task, about 20 ms, is in both.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

TASKS = 20
ROUNDS = 3
MOST = 0.1
"""The largest share of a started module's CPU that one on the controller may take."""

CONNECTION = """
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = "{name: elsewhere, short_description: x, description: x, author: x, extends_documentation_fragment: []}"

class Connection(Local):
    transport = "elsewhere"
"""


def cpu_of(cloud: Simulator, folder: Path, tasks: int, **more: Any) -> float:
    """Return the CPU seconds of a playbook with so many tasks, its children included."""
    hosts = folder / "hosts"
    hosts.write_text(f"far ansible_connection=elsewhere ansible_python_interpreter={sys.executable}\nlocalhost\n")
    task = {"meshfleet.particle.device_info": {"product": PRODUCT_SLUG}, **more}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task] * tasks}
    env = {**cloud_environment(cloud.url), "ANSIBLE_CONNECTION_PLUGINS": str(folder)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_playbook([play], env=env, args=["-i", str(hosts), "--limit", "localhost"], fresh=True).succeeded()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print both costs and their ratio; the exit status is 1 when that is too large."""
    with running_simulator("--fleet", "20") as cloud, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "elsewhere.py").write_text(CONNECTION)
        elsewhere = {"delegate_to": "far", "environment": cloud_environment(cloud.url)}
        ways: list[tuple[int, dict[str, Any]]] = [(1, {}), (1 + TASKS, {}), (1, elsewhere), (1 + TASKS, elsewhere)]
        rounds = [[cpu_of(cloud, folder, tasks, **more) for tasks, more in ways] for _unused in range(ROUNDS)]
    best = [min(costs) for costs in zip(*rounds, strict=True)]
    here, started = (best[1] - best[0]) / TASKS, (best[3] - best[2]) / TASKS
    print(f"CPU of a task on the controller {1000 * here:.0f} ms, started in an interpreter {1000 * started:.0f} ms")
    print(f"ratio {here / started:.3f}, at most {MOST}")
    return int(here / started > MOST)


if __name__ == "__main__":
    sys.exit(main())
