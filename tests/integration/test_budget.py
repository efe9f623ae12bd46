# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the request budget that concurrent playbooks on one controller share."""

from __future__ import annotations

import ctypes
import os
import select
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.processes import HANG_SECONDS, wait_until
from support.simulator import Simulator, running_simulator

TIMEOUT = 30
ALLOWED_LOGINS = 95  # the documented limit is 100 logins in five minutes
LOGINS_OF_EACH_PLAYBOOK = 60


def start_next_window(cloud: Simulator, folder: Path) -> None:
    """End the five minutes of the current limit, in the cloud and for the playbooks.

    The clock of the playbooks cannot be set, so the files that record their requests are deleted.
    """
    requests.post(f"{cloud.url}/_simulator/clock", json={"advance": 400}, timeout=TIMEOUT).raise_for_status()
    for file in folder.glob("meshfleet.particle/budget-*.ring"):
        file.unlink()


def find_ring_of_logins(folder: Path) -> Path:
    """Return the file that records the times of logins, which are the requests with the lowest limit."""
    return min(folder.glob("meshfleet.particle/budget-*.ring"), key=lambda file: file.stat().st_size)


def wait_until_opened(file: Path) -> None:
    """Wait until a process opens a file; fail after a timeout."""
    open_event = 0x20  # IN_OPEN of inotify(7)
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init()
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(file), open_event) >= 0, "the file cannot be watched"
        assert select.select([watch], [], [], HANG_SECONDS)[0], f"no process opened {file.name} in time"
    finally:
        os.close(watch)


def test_concurrent_playbooks_stay_within_the_login_limit(tmp_path: Path) -> None:
    # One playbook stays below the limit; both together exceed it.
    login: dict[str, Any] = {
        "meshfleet.particle.access_token": {"purpose": "{{ item }}"},
        "loop": [f"login {number}" for number in range(LOGINS_OF_EACH_PLAYBOOK)],
        "register": "logins",
    }
    # The results of logins are censored, but their costs are not.
    show_costs = {
        "name": TASK,
        "ansible.builtin.debug": {"msg": "{{ logins.results | map(attribute='cloud') | list }}"},
    }
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [login, show_costs]}
    with running_simulator("--limits", "documented") as cloud:
        env = {**cloud_environment(cloud.url), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

        def count_logins() -> int:
            return int(cloud.stats()["grants"])

        def run() -> PlaybookRun:
            return run_playbook([play], env=env)

        with ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(run) for _unused in range(2)]
            wait_until(lambda: count_logins() >= ALLOWED_LOGINS)
            # All allowed logins are taken, so the next process that reads their times has to wait.
            wait_until_opened(find_ring_of_logins(tmp_path))
            logins_in_first_window = count_logins()
            start_next_window(cloud, tmp_path)
            runs = [run.result().succeeded() for run in futures]
        stats = cloud.stats()
    assert logins_in_first_window == ALLOWED_LOGINS
    assert (stats["grants"], stats["throttled"], stats["refusals"]) == (2 * LOGINS_OF_EACH_PLAYBOOK, 0, 0)
    costs = [cost for run in runs for cost in run.result(TASK)["msg"]]
    assert sum(cost["throttled_seconds"] for cost in costs) == sum(cost["retries"] for cost in costs) == 0
    assert sum(cost["budget_wait_seconds"] for cost in costs) > 0


@pytest.mark.parametrize("source", ["options", "environment"])
def test_fleet_limits_itself_to_its_share_of_the_budget(simulator: Simulator, tmp_path: Path, source: str) -> None:
    env = {**cloud_environment(simulator.url), "XDG_RUNTIME_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    options: dict[str, Any] = {"manifest": manifest_for(simulator)}
    if source == "options":
        options |= {"budget_requests": 1000, "budget_share": 0.5}
    else:
        env |= {"PARTICLE_BUDGET_REQUESTS": "1000", "PARTICLE_BUDGET_SHARE": "0.5"}
    cost = run_task("fleet", options, env).succeeded().result(TASK)["cloud"]
    assert (cost["budget_wait_seconds"], cost["throttled_seconds"]) == (0, 0)
    files = {file.stat().st_size for file in tmp_path.glob("meshfleet.particle/budget-*.ring")}
    assert files == {8 * 1002, 8 * 102}  # one file for all routes, one for logins


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget_share": 0}, "budget_share must be a number above 0, and at most 1, got 0.0."),
        ({"budget_requests": -1}, "budget_requests must be a whole number of requests in five minutes"),
    ],
)
def test_invalid_budget_is_refused_before_any_request(
    simulator: Simulator, options: dict[str, Any], words: str
) -> None:
    task = run_task("fleet", {"devices": [], **options}, cloud_environment(simulator.url)).task(TASK)
    assert (task.status, task.result["error"]["code"]) == ("failed", "invalid_option")
    assert words in task.result["msg"]
    assert simulator.stats()["requests"] == 0
