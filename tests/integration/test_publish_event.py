# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `publish_event` against the simulator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator

MINE, PRODUCT = "POST /v1/devices/events", "POST /v1/products/:p/events"
DATA = "c4nary-data of-event"


def play(cloud: Simulator, *tasks: Mapping[str, Any], args: Sequence[str] = (), **env: str) -> PlaybookRun:
    """Run one task for each mapping of options, even after a failure."""
    named = [
        {"name": f"Task {number}", "meshfleet.particle.publish_event": task, "ignore_errors": True}
        for number, task in enumerate(tasks)
    ]
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": named}]
    return run_playbook(plays, env={**cloud_environment(cloud.url), **env}, args=args)


def test_text_and_json_are_published_in_every_run(simulator: Simulator) -> None:
    for_product = {"product": PRODUCT_SLUG, "name": "settings", "data": {"seconds": 60, "site": "Süd"}, "ttl": 30}
    done = play(simulator, {"name": "report-now"}, for_product, {**for_product, "data": "[1]", "private": True})
    assert [task.status for task in done.tasks] == ["changed"] * 3, done.output
    assert [task.result["cloud"]["writes"] for task in done.tasks] == [1, 1, 1]
    first, second, third = simulator.writes()
    assert (first["route"], first["fields"]) == (MINE, {"name": "report-now"})
    assert second["route"] == third["route"] == PRODUCT
    assert second["fields"] == {"name": "settings", "data": '{"seconds": 60, "site": "Süd"}', "ttl": 30}
    assert third["fields"] == {"name": "settings", "data": "[1]", "ttl": 30, "private": True}


def test_check_mode_checks_the_options_and_publishes_nothing(simulator: Simulator) -> None:
    done = play(
        simulator,
        {"name": "report-now", "data": [1]},
        {"name": "n" * 65},
        {"name": "n", "data": [math.nan]},
        args=["--check"],
    )
    assert [task.status for task in done.tasks] == ["changed", "failed", "failed"], done.output
    assert [task.result["error"]["code"] for task in done.tasks[1:]] == ["invalid_option"] * 2
    assert simulator.stats()["requests"] == 0


def test_lost_response_fails_and_the_event_is_published_once(simulator: Simulator) -> None:
    simulator.set_faults([{"route": PRODUCT, "effect": "reset_after"}])
    done = play(simulator, {"product": PRODUCT_SLUG, "name": "alarm", "data": "on"})
    error = done.result("Task 0")["error"]
    assert (error["code"], error["route"]) == ("ambiguous_write", PRODUCT)
    assert "whether the attempt to publish event alarm took effect" in error["message"]
    assert "publishes the event a second time" in error["hint"]
    assert len(simulator.writes()) == 1


def test_data_is_never_shown(simulator: Simulator, tmp_path: Path) -> None:
    log = tmp_path / "ansible.log"
    body = {"ok": False, "error": f"{DATA} is refused"}
    simulator.set_faults([{"route": MINE, "effect": "status", "status": 400, "body": body}])
    options = {"name": "alarm", "data": DATA}
    done = play(simulator, options, options, args=["-vvvv", "--diff"], ANSIBLE_LOG_PATH=str(log))
    assert [task.status for task in done.tasks] == ["failed", "changed"], done.output
    assert "******** is refused" in done.result("Task 0")["msg"]
    assert DATA not in done.output + log.read_text()
