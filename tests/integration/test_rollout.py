# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the modules `rollout` and `rollout_info` as users call them, in playbooks against the simulator."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import parse_time
from support.killing import RunningPlay, running_play
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.rollouts import NEW, OLD, write_rollout_fleet
from support.simulator import PRODUCT_SLUG, USERNAME, Simulator, running_simulator

PASSWORD = "cana-ry-pass-7731"
SIZE, FIRST = 20, 4
SOAK = 60
OPTIONS: dict[str, Any] = {
    **{"product": PRODUCT_SLUG, "version": NEW, "soak": SOAK, "wait": False},
    "waves": [{"count": FIRST}, {"percent": 100}],
}
POLL = {"first": 1, "longest": 1}
LIST = "GET /v1/products/:p/devices"
CHECKS = 5
"""The number of checks of a run, at least a second apart, after which a line must have been shown."""
LOCK = "PUT /v1/products/:p/devices/:id"
PROGRESS = re.compile(
    r"wave \d+/\d+ \| [\d,]+ of [\d,]+ updated( \| [\d,]+ (updating|pending|failed|gone|to write))* \| [a-z]+( [a-z]+)?"
)
TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
MAX_RUNS = 12
MAX_LINES = 25


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("cloud")
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps([{"username": USERNAME, "password": PASSWORD}]))
    with running_simulator("--fleet", write_rollout_fleet(folder, SIZE), "--accounts", str(accounts)) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud with devices that run the version OLD, and a product that also has the version NEW."""
    _cloud.reset()
    _cloud.add_firmware(OLD, NEW)
    return _cloud


def environment(cloud: Simulator) -> dict[str, str]:
    return cloud_environment(cloud.url, password=PASSWORD)


def run(cloud: Simulator, *args: str, **options: Any) -> PlaybookRun:
    """Run the module `rollout` once, with options that replace those in `OPTIONS`."""
    return run_task("rollout", {**OPTIONS, **options}, environment(cloud), *args)


def run_successfully(cloud: Simulator, *args: str, **options: Any) -> dict[str, Any]:
    return run(cloud, *args, **options).succeeded().result(TASK)


def read_info(cloud: Simulator, **options: Any) -> dict[str, Any]:
    """Return the result of the module `rollout_info`."""
    done = run_task("rollout_info", {"product": PRODUCT_SLUG, **options}, environment(cloud))
    return done.succeeded().result(TASK)


def list_members(result: dict[str, Any]) -> list[list[str]]:
    return [wave["members"] for wave in result["waves"]]


def count_locks(cloud: Simulator) -> int:
    """Return how many writes to single devices the cloud has received."""
    return int(cloud.stats()["by_route"].get(LOCK, 0))


def advance_to_next(cloud: Simulator, result: dict[str, Any]) -> None:
    """Turn the clock to the time at which the result says to run again."""
    when = parse_time(result["next"]["when"])
    assert when is not None, result["next"]
    cloud.advance(max(1.0, when - cloud.now()))


def fail_first_wave(cloud: Simulator, **options: Any) -> list[str]:
    """Begin the first wave with devices that come back with the old version, and return their ids."""
    cloud.change_device("*", update="came_back_old")
    began = run_successfully(cloud, **options)
    cloud.advance(3600)
    return list_members(began)[0]


# ---------------------------------------------------------------------- without waiting


def test_rollout_that_is_run_again_ends_as_check_mode_has_shown(cloud: Simulator) -> None:
    predicted = run_successfully(cloud, "--check", "--diff")
    assert cloud.stats()["writes"] == 0
    result = run_successfully(cloud, "--diff")
    assert (list_members(predicted), predicted["diff"]) == (list_members(result), result["diff"])
    assert (predicted["changed"], predicted["state"]) == (True, result["state"])
    lines = result["diff"]["prepared"].splitlines()
    assert lines[0].startswith(f"firmware_lock null -> {NEW} on {FIRST} devices: unit-")
    assert lines[1:] == [f"rollout of version {NEW}: phase null -> 'running'"]
    assert list(map(len, list_members(result))) == [FIRST, SIZE - FIRST]
    members, runs = list_members(result), 1
    while result["state"] != "done":
        assert (runs := runs + 1) < MAX_RUNS, result
        advance_to_next(cloud, result)
        result = run_successfully(cloud)
        assert list_members(result) == members
    devices = cloud.state()["devices"]
    assert {(device["firmware_version"], device["desired_firmware_version"]) for device in devices} == {(NEW, None)}
    assert result["counts"]["updated"] == SIZE

    before = cloud.stats()["writes"]
    again = run_successfully(cloud, "--diff")
    assert (again["changed"], again["state"], again["next"], again["cloud"]["writes"]) == (False, "done", None, 0)
    assert again["diff"] == {"prepared": ""}
    assert cloud.stats()["writes"] == before
    info = read_info(cloud)
    assert {key: info[key] for key in ("state", "version", "began", "waves", "devices", "counts", "brake")} == {
        key: again[key] for key in ("state", "version", "began", "waves", "devices", "counts", "brake")
    }


def test_second_run_at_the_same_time_writes_nothing(cloud: Simulator) -> None:
    first = run_successfully(cloud)
    second = run_successfully(cloud)
    assert (first["changed"], second["changed"], second["cloud"]["writes"]) == (True, False, 0)
    assert second["state"] == "running"
    assert count_locks(cloud) == FIRST


def test_product_without_a_rollout_has_an_empty_state(cloud: Simulator) -> None:
    info, paused = read_info(cloud), run_successfully(cloud, state="paused")
    for result in (info, paused):
        found = [result[key] for key in ("changed", "state", "version", "began", "waves", "devices", "brake", "next")]
        assert found == [False, "none", None, None, [], [], None, None]
    assert cloud.stats()["writes"] == 0


# ---------------------------------------------------------------------- the brake


def test_brake_names_devices_evidence_and_remedies_on_one_screen(cloud: Simulator) -> None:
    whole = {"waves": [{"percent": 100}]}
    devices = fail_first_wave(cloud, **whole)
    before = count_locks(cloud)
    done = run(cloud, **whole)
    result = done.result(TASK)
    assert (done.rc != 0, result["error"]["code"], result["state"]) == (True, "braked", "braked")
    assert count_locks(cloud) == before
    message = result["msg"]
    shown = re.findall(r"\(([0-9a-f]{24})\): came_back_old: has begun a session at ", message)
    assert (len(shown), set(shown) <= set(devices)) == (10, True)
    assert f"\n  and {SIZE - 10} more\n" in message
    for remedy in ("accept", "rollback to lock", "supersede"):
        assert remedy in message
    assert len(message.splitlines()) <= MAX_LINES
    assert len(done.output.strip().splitlines()) <= MAX_LINES, done.output
    assert sorted(row["id"] for row in result["devices"]) == sorted(devices)
    assert (result["devices_omitted"], [wave.keys() & {"members"} for wave in result["waves"]]) == (0, [set()])


@pytest.mark.only_full
def test_accepted_devices_let_the_rollout_continue(cloud: Simulator) -> None:
    devices = fail_first_wave(cloud)
    cloud.change_device("*", update="ok")
    result = run_successfully(cloud, accept=devices)
    assert (result["brake"]["tripped"], result["brake"]["failed"], result["state"]) == (False, 0, "soaking")
    advance_to_next(cloud, result)
    result = run_successfully(cloud)
    assert [wave["began"] is not None for wave in result["waves"]] == [True, True]


@pytest.mark.only_full
def test_aborted_rollout_takes_back_the_locks_of_failed_devices(cloud: Simulator) -> None:
    fail_first_wave(cloud)
    predicted = run_successfully(cloud, "--check", state="aborted")
    before = cloud.stats()["writes"]
    result = run_successfully(cloud, state="aborted")
    assert (predicted["state"], result["state"], result["changed"]) == ("aborted", "aborted", True)
    assert cloud.stats()["writes"] > before
    assert {device["desired_firmware_version"] for device in cloud.state()["devices"]} == {None}
    done = run(cloud)
    assert (done.rc != 0, done.result(TASK)["error"]["code"]) == (True, "conflict")
    assert "supersede" in done.result(TASK)["msg"]


# ---------------------------------------------------------------------- waiting


def start(cloud: Simulator, folder: Path, **options: Any) -> Any:
    """Start a play with a rollout that waits, and return a context manager for it."""
    given = {**OPTIONS, **{"waves": [{"percent": 100}], "soak": 0, "wait": True, "poll": POLL}, **options}
    tasks = [{"name": TASK, "meshfleet.particle.rollout": given}]
    return running_play([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], folder, environment(cloud))


def find_progress(play: RunningPlay) -> list[str]:
    return [line for line in play.output.splitlines() if PROGRESS.fullmatch(line)]


def test_waiting_run_shows_its_progress_and_ends_by_itself(cloud: Simulator, tmp_path: Path) -> None:
    with start(cloud, tmp_path) as play:
        play.wait_until(lambda: find_progress(play) != [])
        cloud.advance(600)
        play.wait_until(lambda: play.ended)
        assert "changed=1" in play.output
        assert "failed=0" in play.output, play.output
        lines = find_progress(play)
    assert lines[0] == f"wave 1/1 | 0 of {SIZE} updated | {SIZE} updating | running"
    assert len(lines) == len(set(lines))
    assert {device["firmware_version"] for device in cloud.state()["devices"]} == {NEW}
    assert read_info(cloud)["state"] == "done"


def test_waiting_run_stops_when_the_controlling_process_is_killed(cloud: Simulator, tmp_path: Path) -> None:
    with start(cloud, tmp_path) as play:
        play.wait_until(lambda: count_locks(cloud) == SIZE)
        with play.orphaned():
            cloud.advance(600)
            before = cloud.stats()["requests"]
        assert cloud.stats()["requests"] - before <= 1
    assert count_locks(cloud) == SIZE
    assert run_successfully(cloud, waves=[{"percent": 100}], soak=0)["state"] == "done"


def wait_on_terminal(cloud: Simulator, *args: str, task: dict[str, Any] | None = None, **options: Any) -> PlaybookRun:
    """Run a rollout on a terminal that waits until the clock of the cloud is turned, and turn it after some checks."""
    given = {**OPTIONS, **{"waves": [{"percent": 100}], "soak": 0, "wait": True, "poll": POLL}, **options}
    tasks = [{"name": TASK, "meshfleet.particle.rollout": given, **(task or {})}]
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    with ThreadPoolExecutor() as pool:
        done = pool.submit(run_playbook, plays, env=environment(cloud), args=args, terminal=True)
        while not done.done() and cloud.stats()["by_route"].get(LIST, 0) < CHECKS:
            wait([done], timeout=0.1)
        cloud.advance(600)
        return done.result().succeeded()


@pytest.mark.only_full
def test_terminal_shows_progress_without_names_or_ids(cloud: Simulator) -> None:
    done = wait_on_terminal(cloud)
    shown = "\n".join(part for part in re.split("[\r\n]", done.stdout) if PROGRESS.search(part))
    assert f"wave 1/1 | 0 of {SIZE} updated | {SIZE} updating | running" in shown
    assert not re.search(r"[0-9a-f]{24}|unit-", shown)
    assert done.result(TASK)["state"] == "done"


@pytest.mark.only_full
@pytest.mark.parametrize(
    ("options", "task", "args"),
    [({"progress": False}, {}, ()), ({}, {"no_log": True}, ()), ({}, {}, ("--check",))],
    ids=["progress is false", "no_log", "check mode"],
)
def test_silent_run_shows_no_progress(
    cloud: Simulator, options: dict[str, Any], task: dict[str, Any], args: tuple[str, ...]
) -> None:
    assert not PROGRESS.search(wait_on_terminal(cloud, *args, task=task, **options).stdout)


# ---------------------------------------------------------------------- files, secrets, options, places


def test_state_file_is_private_and_replaces_the_ledger(cloud: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "rollouts.json"
    result = run_successfully(cloud, state_file=str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert cloud.state()["ledgers"] == []
    assert read_info(cloud, state_file=str(file))["began"] == result["began"]
    assert read_info(cloud)["state"] == "none"
    file.chmod(0o644)
    done = run(cloud, state_file=str(file))
    assert (done.rc != 0, done.result(TASK)["error"]["code"]) == (True, "unsafe_file")


def test_failed_and_successful_runs_show_no_secret(cloud: Simulator, tmp_path: Path) -> None:
    file, log = tmp_path / "rollouts.json", tmp_path / "ansible.log"
    cloud.change_device("*", update="came_back_old")
    outputs = []
    for _unused in range(2):
        tasks = [
            {"name": module, f"meshfleet.particle.{module}": options, "ignore_errors": True}
            for module, options in {
                "rollout": {**OPTIONS, "state_file": str(file), "approve": "each", "approved": 2},
                "rollout_info": {"product": PRODUCT_SLUG, "state_file": str(file)},
            }.items()
        ]
        plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
        env = {**environment(cloud), "ANSIBLE_LOG_PATH": str(log)}
        done = run_playbook(plays, env=env, args=["-vvvv", "--diff"])
        outputs += [done.output, json.dumps([task.result for task in done.tasks])]
        cloud.advance(3600)
    assert "braked" in outputs[-1]
    traces = "\n".join([*outputs, log.read_text(), file.read_text(), json.dumps(cloud.state()["ledgers"])])
    assert PASSWORD not in traces
    assert TOKEN.findall(traces) == []


def test_all_wrong_options_are_named_before_the_first_request(cloud: Simulator) -> None:
    before = cloud.stats()["requests"]
    wrong = {
        **{"version": 70_000, "waves": [{"count": 0}, {"percent": 10, "groups": ["beta"]}], "soak": -1},
        **{"brake": {"failed": "200%", "at_least": 0}, "unavailable": {"most": "0"}, "accept": ["barn"]},
        **{"filters": {"groups": ["beta"]}, "poll": {"first": 90, "longest": 60}},
    }
    done = run(cloud, **wrong)
    result = done.result(TASK)
    assert (done.rc != 0, result["error"]["code"]) == (True, "invalid_option")
    for name in (
        *("version must", "count of wave 1", "wave 2 must", "soak must", "brake.failed", "brake.at_least"),
        *("unavailable.most", "accept contains", "release must", "poll.first"),
    ):
        assert name in result["msg"], result["msg"]
    assert cloud.stats()["requests"] == before


@pytest.mark.only_full
def test_background_task_carries_the_rollout_forward(cloud: Simulator, tmp_path: Path) -> None:
    tasks = [{"name": TASK, "meshfleet.particle.rollout": OPTIONS, "async": 60, "poll": 1}]
    env = {**environment(cloud), "ANSIBLE_ASYNC_DIR": str(tmp_path)}
    done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env=env).succeeded()
    assert (done.result(TASK)["state"], count_locks(cloud)) == ("running", FIRST)
