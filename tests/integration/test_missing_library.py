# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the message about a missing Python library `requests`, which names the command that installs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.inventories import read_inventory, write_inventory
from support.playbooks import run_playbook

SENTENCE = f"The Python library requests is missing. Install it with: {sys.executable} -m pip install requests"


@pytest.fixture
def without_requests(tmp_path: Path) -> dict[str, str]:
    """Environment variables with which neither Ansible nor its modules can import `requests`."""
    package = tmp_path / "without" / "requests"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('No module named requests')\n")
    return {"PYTHONPATH": str(package.parent)}


def test_module_action_and_lookup_name_the_install_command(without_requests: dict[str, str]) -> None:
    tasks = [
        {"name": "Module", "meshfleet.particle.device_info": {}},
        {"name": "Action", "meshfleet.particle.access_token": {}},
        {"name": "Lookup", "ansible.builtin.debug": {"msg": "{{ lookup('meshfleet.particle.access_token') }}"}},
    ]
    plays = [{"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": tasks}]
    run = run_playbook(plays, env=without_requests)

    assert [task.status for task in run.tasks] == ["failed"] * 3
    for name in ("Module", "Action"):
        result = run.result(name)
        assert result["msg"] == f"{result['error']['message']} {result['error']['hint']}" == SENTENCE
        assert result["error"]["code"] == "unsupported"
    assert SENTENCE in run.result("Lookup")["msg"]


def test_inventory_names_the_install_command(without_requests: dict[str, str], tmp_path: Path) -> None:
    inventory = read_inventory(write_inventory(tmp_path), without_requests, home=tmp_path)
    assert SENTENCE in " ".join(inventory.stderr.split())
