# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the request budget that machines behind one address share through Redis.

A machine in these tests is a process with separate folders, so it shares no files with the other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.counts import count
from support.inventories import read_inventory, write_inventory
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.processes import HANG_SECONDS, wait_until
from support.redis_server import RedisServer, running_redis
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

CANARY = "c4nary-0f-the-store"
LOGINS = 95  # the documented limit is 100 logins in five minutes, of which a run uses at most 95 %
TIMEOUT_SECONDS = HANG_SECONDS


@pytest.fixture
def store() -> Iterator[RedisServer]:
    with running_redis(CANARY) as server:
        yield server


def create_machine(folder: Path, cloud: Simulator, store: RedisServer) -> dict[str, str]:
    """Create the folder of a machine, and return the environment of its processes."""
    folder.mkdir()
    return {
        **cloud_environment(cloud.url),
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "PARTICLE_BUDGET_STORE": store.url,
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
    }


def run_in_two_windows(
    cloud: Simulator, store: RedisServer, runs: list[Callable[[], PlaybookRun]], counter: str, limit: int
) -> tuple[int, list[PlaybookRun]]:
    """Start all `runs` at once, and begin the next window of five minutes when they have used up the first one.

    Return how many requests of the kind `counter` the first window had, and the runs. The clock of Redis cannot be
    set, so its records are deleted instead.
    """
    with ThreadPoolExecutor(len(runs)) as pool:
        futures = [pool.submit(run) for run in runs]
        wait_until(lambda: cloud.stats()[counter] >= limit or all(run.done() for run in futures))
        used = int(cloud.stats()[counter])
        cloud.advance(400)
        store.empty()
        return used, [run.result().succeeded() for run in futures]


@pytest.mark.only_full
def test_two_machines_share_the_login_limit_of_one_window(
    tmp_path: Path, store: RedisServer, record_property: Callable[[str, object], None]
) -> None:
    logins_of_each = 60  # one machine stays below the limit; both together exceed it
    login = {
        "name": "Logins",
        "meshfleet.particle.access_token": {"purpose": "{{ item }}"},
        "loop": [f"login {number}" for number in range(logins_of_each)],
    }
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [login]}
    with running_simulator("--limits", "documented") as cloud:
        machines = [create_machine(tmp_path / name, cloud, store) for name in ("one", "two")]
        used, runs = run_in_two_windows(
            cloud,
            store,
            [lambda env=env: run_playbook([play], env=env, args=["-vvvv"]) for env in machines],  # type: ignore[misc]
            "grants",
            LOGINS,
        )
        stats = cloud.stats()
    assert used == LOGINS
    assert (stats["grants"], stats["throttled"], stats["refusals"]) == (2 * logins_of_each, 0, 0)
    assert list(tmp_path.rglob("*.ring")) == []
    shown = [run.output for run in runs] + [path.read_text() for path in tmp_path.rglob("ansible.log")]
    assert len(shown) == 4
    assert [text for text in shown if CANARY in text] == []
    figures = f"two machines, one Redis: {used} of 100 logins in one window, 429s = {stats['throttled']}"
    record_property("said", figures)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_provisioning_machines_use_exactly_the_limit_of_one_window(
    tmp_path: Path, store: RedisServer, record_property: Callable[[str, object], None]
) -> None:
    # The short run has a smaller budget, so that it also needs more than one window.
    size, allowed = count(quick=40, full=6_000), count(quick=100, full=10_000)
    limit = allowed * 95 // 100  # a run uses at most 95 % of the budget
    with running_simulator("--fleet", str(size), "--limits", "documented") as cloud:
        whole = manifest_for(cloud)
        gateway = whole["devices"][0]["id"]
        runs = []
        for number, name in enumerate(("one", "two")):
            manifest = {**whole, "networks": {"barn": {"gateways": [gateway]}}, "devices": whole["devices"][number::2]}
            if number == 0:
                manifest["networks"] = {"barn": {}}
            options = {"manifest": manifest, "lock": "none", "verify": "none", "result": "failed"}
            options["budget_requests"] = allowed
            env = create_machine(tmp_path / name, cloud, store)
            runs.append(lambda env=env, options=options: run_task("fleet", options, env, timeout=2 * TIMEOUT_SECONDS))
        used, finished = run_in_two_windows(cloud, store, runs, "requests", limit)
        stats, state = cloud.stats(), cloud.state()
    assert used == limit < stats["requests"]
    assert stats["throttled"] == 0
    costs = [run.result(TASK)["cloud"] for run in finished]
    assert sum(cost["retries"] for cost in costs) == sum(cost["throttled_seconds"] for cost in costs) == 0
    names = {device["id"]: device["name"] for device in state["devices"]}
    assert names == {device["id"]: device["name"] for device in whole["devices"]}
    numbers = " and ".join(str(cost["requests"]) for cost in costs)
    figures = (
        f"two machines, one Redis: {size} devices, {numbers} requests, {used} of {allowed} in the first window, "
        f"429s = {stats['throttled']}"
    )
    record_property("said", figures)


def test_unusable_store_fails_before_any_request_and_is_not_shown(
    simulator: Simulator, tmp_path: Path, store: RedisServer
) -> None:
    wrong_url = store.url.replace(CANARY, f"{CANARY}-not")
    env = {
        **cloud_environment(simulator.url),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "PARTICLE_BUDGET_STORE": wrong_url,
    }
    lookup = "{{ lookup('meshfleet.particle.access_token', username='a@example.com', password='x') }}"
    tasks: list[dict[str, Any]] = [
        {"name": "fleet", "meshfleet.particle.fleet": {"devices": []}},
        {"name": "device_info", "meshfleet.particle.device_info": {"product": PRODUCT_SLUG}},
        {"name": "option", "meshfleet.particle.device_info": {"budget_store": f"http://:{CANARY}@host"}},
        {"name": "access_token", "meshfleet.particle.access_token": {}},
        {"name": "lookup", "ansible.builtin.debug": {"msg": lookup}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": tasks}
    run = run_playbook([play], env={**env, "PARTICLE_TIMEOUT": "5"}, args=["-vvvv"])
    statuses = {task.task: task.status for task in run.tasks}
    assert set(statuses.values()) == {"failed"}, run.output
    codes = {run.result(name)["error"]["code"] for name in ("fleet", "device_info", "access_token")}
    assert codes == {"invalid_option"}
    assert "budget_store is not a valid Redis URL" in run.result("option")["msg"]
    listed = read_inventory(write_inventory(tmp_path), env, "--list", "-vvvv", home=tmp_path)
    assert ": it refuses the login, or a command that the budget requires." in listed.stderr
    shown = run.output.replace(f"http://:{CANARY}@host", "") + listed.stdout + listed.stderr
    assert CANARY not in shown
    assert simulator.stats()["requests"] == 0
