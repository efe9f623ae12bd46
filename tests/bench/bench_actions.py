# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the CPU time of a module that runs on the controller, and of the same module in a separate interpreter.

Plays with one task and plays with many tasks run in turns. The difference, divided by the number of additional tasks,
is the CPU time of a further task. Both results include about 20 ms that Ansible needs for any task. For the separate
interpreter, the task is delegated to this machine by a connection other than `local`.
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
MAX_RATIO = 0.1
"""Maximum CPU time of a module on the controller, as a share of the CPU time in a separate interpreter."""

CONNECTION = """
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = "{name: elsewhere, short_description: x, description: x, author: x, extends_documentation_fragment: []}"

class Connection(Local):
    transport = "elsewhere"
"""


def measure_cpu(cloud: Simulator, folder: Path, tasks: int, **more: Any) -> float:
    """Return the CPU seconds of a playbook with `tasks` tasks, including its child processes."""
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
    """Print both CPU times and their ratio; the exit status is 1 if the ratio is too large."""
    with running_simulator("--fleet", "20") as cloud, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "elsewhere.py").write_text(CONNECTION)
        elsewhere = {"delegate_to": "far", "environment": cloud_environment(cloud.url)}
        plays: list[tuple[int, dict[str, Any]]] = [(1, {}), (1 + TASKS, {}), (1, elsewhere), (1 + TASKS, elsewhere)]
        rounds = [[measure_cpu(cloud, folder, tasks, **more) for tasks, more in plays] for _unused in range(ROUNDS)]
    best = [min(times) for times in zip(*rounds, strict=True)]
    on_controller, in_interpreter = (best[1] - best[0]) / TASKS, (best[3] - best[2]) / TASKS
    print(f"CPU time of a task on the controller: {1000 * on_controller:.0f} ms")
    print(f"CPU time of a task in a separate interpreter: {1000 * in_interpreter:.0f} ms")
    print(f"ratio {on_controller / in_interpreter:.3f}, at most {MAX_RATIO}")
    return int(on_controller / in_interpreter > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
