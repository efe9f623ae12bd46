# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Whatever runs at the same time on one controller stays together within what the cloud allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.simulator import Simulator, running_simulator

TIMEOUT = 30
ALLOWED_LOGINS = 95  # of the hundred in five minutes that are documented
EACH = 60


def until(come_true: Callable[[], bool]) -> None:
    """Wait, within bounds, for something that other processes do."""
    deadline = time.monotonic() + 2 * TIMEOUT
    while not come_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def let_the_window_pass(cloud: Simulator, folder: Path) -> None:
    """In the cloud, and after that for the playbooks: they go by the files, and cannot be told another time."""
    requests.post(f"{cloud.url}/_simulator/clock", json={"advance": 400}, timeout=TIMEOUT).raise_for_status()
    for file in folder.glob("meshfleet.particle/budget-*.ring"):
        file.unlink()


def test_two_playbooks_at_once_are_never_refused_for_being_too_fast(tmp_path: Path) -> None:
    # Each alone may log in so often; both together may not.
    login: dict[str, Any] = {
        "meshfleet.particle.access_token": {"purpose": "{{ item }}"},
        "loop": [f"login {number}" for number in range(EACH)],
        "register": "logins",
    }
    # The results of logins are censored, what they cost is not.
    look = {"name": TASK, "ansible.builtin.debug": {"msg": "{{ logins.results | map(attribute='cloud') | list }}"}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [login, look]}
    with running_simulator("--limits", "documented") as cloud:
        env = {**cloud_environment(cloud.url), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

        def logins() -> int:
            return int(cloud.stats()["grants"])

        def run() -> PlaybookRun:
            return run_playbook([play], env=env)

        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(run) for _unused in range(2)]
            until(lambda: logins() >= ALLOWED_LOGINS)
            in_the_first_window = logins()
            let_the_window_pass(cloud, tmp_path)
            runs = [run.result().succeeded() for run in both]
        stats = cloud.stats()
    assert in_the_first_window == ALLOWED_LOGINS
    assert (stats["grants"], stats["throttled"], stats["refusals"]) == (2 * EACH, 0, 0)
    costs = [cost for run in runs for cost in run.result(TASK)["msg"]]
    assert sum(cost["throttled_seconds"] for cost in costs) == sum(cost["retries"] for cost in costs) == 0
    assert sum(cost["budget_wait_seconds"] for cost in costs) > 0


@pytest.mark.parametrize("way", ["options", "environment"])
def test_a_fleet_leaves_the_others_what_it_is_told_to(simulator: Simulator, tmp_path: Path, way: str) -> None:
    env = {**cloud_environment(simulator.url), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    options: dict[str, Any] = {"manifest": manifest_for(simulator)}
    if way == "options":
        options |= {"budget_requests": 1000, "budget_share": 0.5}
    else:
        env |= {"PARTICLE_BUDGET_REQUESTS": "1000", "PARTICLE_BUDGET_SHARE": "0.5"}
    cost = run_task("fleet", options, env).succeeded().result(TASK)["cloud"]
    assert (cost["budget_wait_seconds"], cost["throttled_seconds"]) == (0, 0)
    files = {file.stat().st_size for file in tmp_path.glob("meshfleet.particle/budget-*.ring")}
    assert files == {8 * 1002, 8 * 102}  # all routes, and logins


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget_share": 0}, "budget_share must be a number above 0, and at most 1, got 0.0."),
        ({"budget_requests": -1}, "budget_requests must be a whole number of requests in five minutes"),
    ],
)
def test_a_budget_that_cannot_be_meant_is_said_in_words_and_costs_no_request(
    simulator: Simulator, options: dict[str, Any], words: str
) -> None:
    task = run_task("fleet", {"devices": [], **options}, cloud_environment(simulator.url)).task(TASK)
    assert (task.status, task.result["error"]["code"]) == ("failed", "invalid_option")
    assert words in task.result["msg"]
    assert simulator.stats()["requests"] == 0
