# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `device_call` against the simulator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.fleet_files import device_id
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment
from support.rollouts import write_rollout_fleet
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

CALL = "POST /v1/products/:p/devices/:id/:functionName"
CANARY = "argument-canary-0f1e2d"
SIZE = 8


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    fleet = write_rollout_fleet(tmp_path_factory.mktemp("fleet"), SIZE, groups=2)
    with running_simulator("--fleet", fleet) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A product of eight devices in two groups; the first device is offline."""
    _cloud.reset()
    _cloud.change_device(device_id(0), online=False)
    return _cloud


def run(cloud: Simulator, *tasks: Mapping[str, Any], args: tuple[str, ...] = ()) -> PlaybookRun:
    """Run a play with one task `device_call` for each of `tasks`. Failed tasks do not end the play."""
    listed = [
        {
            "name": f"{TASK} {number}",
            "meshfleet.particle.device_call": {"product": PRODUCT_SLUG, "function": "led", "argument": "on", **options},
            "register": "called",
            "ignore_errors": True,
        }
        for number, options in enumerate(tasks)
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": listed}
    return run_playbook([play], env=cloud_environment(cloud.url), args=args)


def read_results(done: PlaybookRun, number: int) -> list[dict[str, Any]]:
    return [done.succeeded().result(f"{TASK} {index}") for index in range(number)]


def count_calls(cloud: Simulator) -> int:
    return int(cloud.stats()["by_route"].get(CALL, 0))


def test_selected_devices_are_called_and_the_rest_is_called_later(cloud: Simulator) -> None:
    group = {"filters": {"groups": ["site-0"]}}
    rest = {"filters": {"ids": "{{ called.not_run }}"}}
    done = run(cloud, group, {**rest, "offline": "skip"}, {"filters": {"groups": ["nowhere"]}, "argument": 7})
    first, second, none = read_results(done, 3)
    assert (first["error"]["code"], first["changed"]) == ("device_offline", True)
    assert [record.status for record in done.tasks] == ["failed", "ok", "ok"]
    assert first["msg"].startswith("1 of 4 devices failed. Device ")
    assert [row["status"] for row in first["devices"]] == ["offline"]
    assert first["not_run"] == [device_id(0)]
    assert "managed" not in first
    assert (second["changed"], second["summary"]["offline"], second["msg"]) == (
        *(False, 1),
        "Function led returned on 0 devices, and 1 device is offline.",
    )
    assert (none["changed"], none["devices"]) == (False, [])
    assert "No device is selected in product field-logger" in done.output
    assert count_calls(cloud) == 3
    assert {write["fields"]["arg"] for write in cloud.writes()} == {"on"}


@pytest.mark.only_full
def test_no_function_runs_twice_on_five_hundred_devices(tmp_path: Path) -> None:
    size, offline, lost = 500, 25, 10
    fleet = write_rollout_fleet(tmp_path, size)
    with running_simulator("--fleet", fleet) as cloud:
        for number in range(offline):
            cloud.change_device(device_id(number), online=False)
        # The calls take effect, and the cloud is silent afterwards. The faults are spread over the run.
        cloud.set_faults([{"route": CALL, "effect": "reset_after", "probability": 0.05, "times": lost}])
        result = run(cloud, {"expect": 1}).tasks[-1].result
        runs = Counter(write["path"]["id"] for write in cloud.writes() if write["route"] == CALL)
        assert cloud.faults()[0]["fired"] == lost
        assert set(runs) == {device_id(number) for number in range(offline, size)}
        assert set(runs.values()) == {1}
        assert count_calls(cloud) == size - offline
    summary = result["summary"]
    assert (summary["ok"], summary["unknown"], summary["offline"]) == (size - offline - lost, lost, offline)
    assert summary["total"] == size
    assert len(result["devices"]) == offline + lost
    assert sorted(result["not_run"]) == [device_id(number) for number in range(offline)]


def test_check_mode_says_which_devices_would_be_called(cloud: Simulator) -> None:
    (result,) = read_results(run(cloud, {"offline": "skip"}, args=("--check", "--diff")), 1)
    assert (result["changed"], result["msg"]) == (
        *(True,),
        "Function led would be called on 7 devices, and 1 device is offline.",
    )
    assert result["summary"]["not_called"] == 7
    assert cloud.stats()["writes"] == 0


def test_values_and_failures_are_judged_as_the_task_says(cloud: Simulator) -> None:
    online = {"filters": {"online": True}}
    tasks = [
        {**online, "expect": [0, 1]},
        {**online, "expect": 0, "fail": False},
        {**online, "function": "lamp", "on_error": "stop", "workers": 1, "fail": False},
    ]
    done = run(cloud, *tasks)
    good, tolerated, stopped = read_results(done, 3)
    assert [record.status for record in done.tasks] == ["changed", "changed", "failed"]
    assert (good["msg"], good["summary"]["ok"]) == ("Function led returned on 7 devices.", 7)
    assert {(row["return_value"], row["error"]) for row in good["devices"]} == {(1, None)}
    assert all(row["seconds"] >= 0 for row in good["devices"])
    assert tolerated["summary"]["unexpected"] == 7
    assert tolerated["error"]["code"] == "conflict"
    assert (stopped["ended_early"], stopped["summary"]["not_called"]) == (True, 6)
    assert "Check the name of the function" in stopped["msg"]


def test_argument_is_not_shown_although_the_cloud_quotes_it(cloud: Simulator) -> None:
    body = {"ok": False, "error": f"led({CANARY}) failed"}
    cloud.set_faults([{"route": CALL, "effect": "status", "status": status, "body": body} for status in (400, 500)])
    secret = {"argument": CANARY}
    wrong = {"argument": CANARY, "expect": "x"}
    done = run(cloud, secret, {**secret, "max_failures": -1}, wrong, secret, args=("-vvvv", "--diff"))
    failed, mistake, refused, good = read_results(done, 4)
    assert (failed["summary"]["failed"], failed["summary"]["unknown"]) == (1, 1)
    assert "max_failures must be 0 or more" in mistake["msg"]
    assert "expect" in refused["msg"]
    assert good["summary"]["ok"] == SIZE - 1
    assert sum(1 for write in cloud.writes() if write["fields"]["arg"] == CANARY) == 2 * (SIZE - 1) - 2
    assert CANARY not in done.output + json.dumps([task.result for task in done.tasks])


def test_task_that_would_call_once_for_each_host_is_refused(cloud: Simulator) -> None:
    of_host, of_play = {"ids": ["{{ inventory_hostname }}"]}, {"ids": "{{ ansible_play_hosts }}"}
    tasks = [
        {
            "name": name,
            "meshfleet.particle.device_call": {"product": PRODUCT_SLUG, "function": "led", "filters": filters},
        }
        for name, filters in (("each", of_play), ("own", of_host), ("once", of_play))
    ]
    tasks[0]["ignore_errors"] = tasks[2]["run_once"] = True
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    inventory = ("-i", f"{device_id(1)},{device_id(2)},")
    done = run_playbook([play], env=cloud_environment(cloud.url), args=inventory).succeeded()
    results: dict[str, list[dict[str, Any]]] = {
        name: [record.result for record in done.tasks if record.task == name] for name in ("each", "own", "once")
    }
    assert [result["error"]["code"] for result in results["each"]] == ["invalid_option"] * 2
    assert "would call function led 2 times" in results["each"][0]["msg"]
    assert [result["summary"]["ok"] for result in results["own"]] == [1, 1]
    assert results["once"][0]["summary"]["ok"] == 2
    assert count_calls(cloud) == 4
