# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that modules run on the controller, or on the host to which a task is delegated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator

MODULES: dict[str, dict[str, Any]] = {
    "access_token_info": {"access_token": "0" * 40},
    "auth_doctor": {},
    "device_facts": {"id": "{{ device }}", "product": PRODUCT_SLUG},
    "device_info": {"product": PRODUCT_SLUG},
    "firmware": {"product": PRODUCT_SLUG, "version": 7, "state": "absent"},
    "firmware_info": {"product": PRODUCT_SLUG},
    "integration": {
        "product": PRODUCT_SLUG,
        "name": "readings",
        "event": "reading",
        "url": "https://hooks.example.net",
    },
    "network": {"name": "barn", "gateways": ["{{ device }}"]},
    "network_info": {},
    "rollout": {"product": PRODUCT_SLUG, "version": 7, "state": "paused"},
    "rollout_info": {"product": PRODUCT_SLUG},
}
"""Modules that can run in both places, with options that are valid; the cloud may refuse the request."""

DELEGATED = [
    module if module in ("device_info", "network", "rollout") else pytest.param(module, marks=pytest.mark.only_full)
    for module in MODULES
]
"""Ansible packs each module that is delegated, which takes long. A short run tries one module of each kind."""

NO_PYTHON = {"ansible_python_interpreter": "/nowhere/python"}

# A connection to the local machine that records each command.
CONNECTION = """
import os
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = "{name: elsewhere, short_description: x, description: x, author: x, extends_documentation_fragment: []}"

class Connection(Local):
    transport = "elsewhere"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        with open(os.environ["COMMANDS"], "a") as commands:
            commands.write(cmd + "\\n")
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
"""


def run(cloud: Simulator, module: str, *args: str, env: dict[str, str] | None = None, **task: Any) -> PlaybookRun:
    device = sorted(device["id"] for device in cloud.state()["devices"])[0]
    tasks = [{"name": TASK, f"meshfleet.particle.{module}": MODULES[module], **task}]
    play = {"hosts": "all", "gather_facts": False, "vars": {"device": device}, "tasks": tasks}
    return run_playbook([play], env={**cloud_environment(cloud.url), **(env or {})}, args=args)


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """The file that records the commands of the connection `elsewhere`."""
    (tmp_path / "elsewhere.py").write_text(CONNECTION)
    return tmp_path / "commands"


def environment(commands: Path) -> dict[str, str]:
    return {"ANSIBLE_CONNECTION_PLUGINS": str(commands.parent), "COMMANDS": str(commands)}


def get_result(run: PlaybookRun) -> dict[str, Any]:
    """Return the result of the task, which must contain the number of requests."""
    result = run.result(TASK)
    assert "cloud" in result, run.output
    return result


@pytest.mark.parametrize("module", MODULES)
def test_module_on_the_controller_needs_no_interpreter(simulator: Simulator, module: str) -> None:
    done = run(simulator, module, "-i", "localhost,", vars=NO_PYTHON)
    assert get_result(done)["cloud"]["requests"] > 0


@pytest.mark.parametrize("module", MODULES)
def test_module_over_remote_hosts_runs_on_the_controller(simulator: Simulator, commands: Path, module: str) -> None:
    done = run(simulator, module, "-i", "far,", "-c", "elsewhere", env=environment(commands), vars=NO_PYTHON)
    assert get_result(done)["cloud"]["requests"] > 0
    assert not commands.exists()


@pytest.mark.parametrize("module", DELEGATED)
def test_delegated_module_runs_on_the_other_host(simulator: Simulator, commands: Path, module: str) -> None:
    inventory = "far ansible_connection=elsewhere ansible_python_interpreter=" + sys.executable + "\nlocalhost\n"
    hosts = commands.with_name("hosts")
    hosts.write_text(inventory)
    # Environment variables of this process do not reach another host, so the task sets them.
    keywords = {"environment": cloud_environment(simulator.url), "delegate_to": "far"}
    done = run(simulator, module, "-i", str(hosts), "--limit", "localhost", env=environment(commands), **keywords)
    assert get_result(done)["cloud"]["requests"] > 0
    assert "AnsiballZ" in commands.read_text()


def test_module_delegated_to_the_controller_needs_no_interpreter(simulator: Simulator, commands: Path) -> None:
    keywords = {"delegate_to": "localhost", "vars": NO_PYTHON}
    done = run(simulator, "device_info", "-i", "far,", "-c", "elsewhere", env=environment(commands), **keywords)
    assert get_result(done)["cloud"]["requests"] > 0
    assert not commands.exists()


@pytest.mark.only_full
def test_background_task_runs_to_its_end(simulator: Simulator, tmp_path: Path) -> None:
    background = {"async": 60, "poll": 1}
    env = {"ANSIBLE_ASYNC_DIR": str(tmp_path)}
    done = run(simulator, "device_info", "-i", "localhost,", "-c", "local", env=env, **background)
    assert done.succeeded().result(TASK)["count"] == 0


def test_broken_python_on_the_path_is_not_used(simulator: Simulator, tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text("#!/bin/sh\necho 'python3: no version is chosen' >&2\nexit 127\n")
    shim.chmod(0o755)
    env = {"PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]]), "ANSIBLE_PYTHON_INTERPRETER": "auto"}
    done = run(simulator, "device_info", "-i", "localhost,", env=env)
    assert get_result(done)["cloud"]["requests"] > 0
