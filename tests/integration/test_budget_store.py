# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Machines behind one address stay together within what the cloud allows it, by a Redis that all of them reach.

A machine here is a process with folders of its own, so that it can share nothing by files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.counts import count
from support.inventories import read_inventory, write_inventory
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.redis_server import RedisServer, running_redis
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

CANARY = "c4nary-0f-the-store"
LOGINS = 95  # those of the hundred in five minutes that a run may use
TIMEOUT_SECONDS = 280.0


@pytest.fixture
def store() -> Iterator[RedisServer]:
    with running_redis(CANARY) as server:
        yield server


def machine(folder: Path, cloud: Simulator, store: RedisServer) -> dict[str, str]:
    """The environment of a machine of its own."""
    folder.mkdir()
    return {
        **cloud_environment(cloud.url),
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "PARTICLE_BUDGET_STORE": store.url,
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
    }


def until(come_true: Callable[[], bool]) -> None:
    """Wait, within bounds, for something that other processes do."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not come_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def two_windows(
    cloud: Simulator, store: RedisServer, runs: list[Callable[[], PlaybookRun]], counter: str, most: int
) -> tuple[int, list[PlaybookRun]]:
    """Let `runs` go at once. When they have used up a window, look at how many it was, and let it pass for all.

    The Redis goes by its own clock, which cannot be turned: for it a window has passed when it has forgotten it.
    """
    with ThreadPoolExecutor(len(runs)) as pool:
        going = [pool.submit(run) for run in runs]
        until(lambda: cloud.stats()[counter] >= most or all(run.done() for run in going))
        used = int(cloud.stats()[counter])
        cloud.advance(400)
        store.empty()
        return used, [run.result().succeeded() for run in going]


def test_two_machines_that_log_in_keep_together_within_one_window(
    tmp_path: Path, store: RedisServer, record_property: Callable[[str, object], None]
) -> None:
    each = 60  # alone it may log in so often; both together may not
    login = {
        "name": "Logins",
        "meshfleet.particle.access_token": {"purpose": "{{ item }}"},
        "loop": [f"login {number}" for number in range(each)],
    }
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [login]}
    with running_simulator("--limits", "documented") as cloud:
        machines = [machine(tmp_path / name, cloud, store) for name in ("one", "two")]
        used, runs = two_windows(
            cloud,
            store,
            [lambda env=env: run_playbook([play], env=env, args=["-vvvv"]) for env in machines],  # type: ignore[misc]
            "grants",
            LOGINS,
        )
        stats = cloud.stats()
    assert used == LOGINS
    assert (stats["grants"], stats["throttled"], stats["refusals"]) == (2 * each, 0, 0)
    assert list(tmp_path.rglob("*.ring")) == []
    shown = [run.output for run in runs] + [path.read_text() for path in tmp_path.rglob("ansible.log")]
    assert len(shown) == 4
    assert [text for text in shown if CANARY in text] == []
    said = f"two machines, one Redis: {used} of 100 logins in one window, 429s = {stats['throttled']}"
    record_property("said", said)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_machines_that_provision_use_all_of_one_window_and_no_more(
    tmp_path: Path, store: RedisServer, record_property: Callable[[str, object], None]
) -> None:
    # The short run is allowed less, so that it too wants more than one window holds.
    size, allowed = count(quick=40, full=6_000), count(quick=100, full=10_000)
    most = allowed * 95 // 100  # those that a run may use
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
            env = machine(tmp_path / name, cloud, store)
            runs.append(lambda env=env, options=options: run_task("fleet", options, env, timeout=2 * TIMEOUT_SECONDS))
        used, done = two_windows(cloud, store, runs, "requests", most)
        stats, state = cloud.stats(), cloud.state()
    assert used == most < stats["requests"]
    assert stats["throttled"] == 0
    costs = [run.result(TASK)["cloud"] for run in done]
    assert sum(cost["retries"] for cost in costs) == sum(cost["throttled_seconds"] for cost in costs) == 0
    names = {device["id"]: device["name"] for device in state["devices"]}
    assert names == {device["id"]: device["name"] for device in whole["devices"]}
    each = " and ".join(str(cost["requests"]) for cost in costs)
    said = (
        f"two machines, one Redis: {size} devices, {each} requests, {used} of {allowed} in the first window, "
        f"429s = {stats['throttled']}"
    )
    record_property("said", said)


def test_a_store_that_cannot_be_used_fails_everything_before_its_first_request_and_is_not_shown(
    simulator: Simulator, tmp_path: Path, store: RedisServer
) -> None:
    wrong = store.url.replace(CANARY, f"{CANARY}-not")
    env = {
        **cloud_environment(simulator.url),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "PARTICLE_BUDGET_STORE": wrong,
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
