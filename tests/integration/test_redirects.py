# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the alternative names of modules, which keep the module defaults and the censored results."""

from __future__ import annotations

from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import Simulator


def test_alternative_module_names_keep_defaults_and_secrecy(simulator: Simulator) -> None:
    tasks = [
        {"name": "Token", "meshfleet.particle.token": {"expires_in": 600}, "register": "token"},
        {"name": "Devices", "meshfleet.particle.devices_info": {"access_token": "{{ token.access_token }}"}},
    ]
    defaults = {"group/meshfleet.particle.particle": {"api_url": simulator.url}}
    play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    account = cloud_environment(simulator.url)
    del account["PARTICLE_API_URL"]
    run = run_playbook([play], env=account).succeeded()

    assert run.result("Devices")["count"] == 0
    assert "access_token" not in run.result("Token")
