# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that every form of a declaration is understood or refused in words, as users write it in playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator


def run_tasks(cloud: Simulator, tasks: Mapping[str, Mapping[str, Any]], **more: Any) -> PlaybookRun:
    """Run each task on localhost, also if an earlier task has failed.

    :param tasks: the module with its options, and other keywords of the task, keyed by the name of the task.
    """
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "ignore_errors": True,
        "tasks": [{"name": name, **task} for name, task in tasks.items()],
    }
    return run_playbook([play], env=cloud_environment(cloud.url), **more)


def fleet(**options: Any) -> dict[str, Any]:
    """Return a task with module `fleet` for the product of the simulator."""
    return {"meshfleet.particle.fleet": {"product": PRODUCT_SLUG, **options}}


def test_numbers_from_templates_are_read_alike_or_refused(simulator: Simulator) -> None:
    device = simulator.state()["devices"][0]["id"]
    values = {"num": 7, "ver": "42", "id1": device}
    templates = {"id": "{{ id1 }}", "name": "{{ num }}", "firmware_lock": "{{ ver }}"}
    of_product = {"product": PRODUCT_SLUG}
    run = run_tasks(
        simulator,
        {
            "Number as a name": fleet(devices=[templates]) | {"vars": values},
            "Version beyond 16 bits": fleet(devices=[{"id": device, "firmware_lock": 65536}]),
            "Control characters": fleet(devices=[{"id": device, "name": "a\nb\u0007"}]),
            "Control characters of one device": {"meshfleet.particle.device": {"id": device, "name": "a\nb"}},
            "No device id": {"meshfleet.particle.device_facts": {"id": "barn", **of_product}},
            "No device id in a filter": {
                "meshfleet.particle.device_info": {"filters": {"ids": ["barn"]}, **of_product}
            },
        },
    )
    assert simulator.stats()["requests"] == 0
    number = run.result("Number as a name")
    assert "devices[0].name: must be a string, got the number 7" in number["msg"]
    assert "| string" in number["msg"]
    assert "firmware_lock" not in number["msg"]
    version = "firmware_lock: must be a version number from 0 to 65535 or unlocked, got 65536"
    assert version in run.result("Version beyond 16 bits")["msg"]
    character = "name: contains the control character U+000A; remove it"
    assert character in run.result("Control characters")["msg"]
    assert character in run.result("Control characters of one device")["msg"]
    assert "'barn' is not a device id" in run.result("No device id")["msg"]
    assert "barn: not a valid device id" in run.result("No device id in a filter")["msg"]


def test_numbers_and_booleans_as_names_are_named_as_such(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "number.yml").write_text(
        "networks: {12: {}}\ndevices: [{id: e00fce680f62a53ce73f52d6, mesh: {network: 12, role: gateway}}]\n"
    )
    (tmp_path / "boolean.yml").write_text(
        "networks: {on: {}}\ndevices: [{id: e00fce680f62a53ce73f52d6, groups: [off]}]\n"
    )
    run = run_tasks(
        simulator,
        {"Number": fleet(manifest="number.yml"), "Boolean": fleet(manifest="boolean.yml")},
        cwd=tmp_path,
    )
    assert "networks.12: must be a string, got the number 12; put it in quotes" in run.result("Number")["msg"]
    assert "devices[0].mesh.network: must be a string, got the number 12" in run.result("Number")["msg"]
    assert "is not declared" not in run.result("Number")["msg"]
    assert "networks.True: must be a string, got true (YAML reads words such as yes" in run.result("Boolean")["msg"]
    assert "devices[0].groups[0]: must be a string, got false" in run.result("Boolean")["msg"]
    assert simulator.stats()["requests"] == 0
