# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the data that an automation controller stores about a run: the events of ansible-runner, and the counted
devices.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jq
import pytest
import yaml

from support.counts import count
from support.machines import find_runner
from support.paths import ROOT
from support.playbooks import ansible_environment
from support.plays import cloud_environment, manifest_for
from support.rollouts import NEW, running_product
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

SIZE = count(quick=2_000, full=10_000)
STORED_SIZE = 700_000
MORE_THAN_ONE_TASK_NAMES = 15_000
TIMEOUT_SECONDS = 600
ROLLED_OUT = 5_000
NAMED = count(quick=100, full=SIZE)
QUERIES = yaml.safe_load((ROOT / "extensions" / "audit" / "event_query.yml").read_text())

pytestmark = [pytest.mark.full, pytest.mark.timeout(TIMEOUT_SECONDS)]


@dataclass(frozen=True)
class Event:
    """The event of a task, as a controller stores it."""

    action: str
    res: dict[str, Any]
    size: int

    def list_counted_devices(self) -> list[str]:
        """Return the ids of the devices that the controller counts."""
        query = QUERIES.get(self.action, {}).get("query", "empty")
        return [record["canonical_facts"]["id"] for record in jq.compile(query).input_value(self.res).all()]


def run_job(folder: Path, cloud: Simulator, *plays: dict[str, Any]) -> dict[str, Event]:
    """Run plays with ansible-runner, and return the events of its tasks by the name of the task."""
    environment = {**cloud_environment(cloud.url), "PARTICLE_BUDGET_REQUESTS": "0"}
    contents = {"project/play.yml": plays, "env/envvars": environment}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    argv = [find_runner(), "run", str(folder), "-p", "play.yml", "-i", "job", "-q"]
    subprocess.run(argv, env=ansible_environment(folder), timeout=TIMEOUT_SECONDS, check=False, capture_output=True)
    events = {}
    for path in (folder / "artifacts" / "job" / "job_events").glob("*.json"):
        event = json.loads(path.read_text())
        data = event.get("event_data", {})
        if event["event"] in ("runner_on_ok", "runner_on_failed"):
            events[data["task"]] = Event(data["resolved_action"], data["res"], len(json.dumps(data)))
    return events


def read_output(folder: Path) -> str:
    """Return the output of the job in one line."""
    return " ".join((folder / "artifacts" / "job" / "stdout").read_text().split())


def build_task(name: str, manifest: dict[str, Any], folder: Path, **options: Any) -> dict[str, Any]:
    """Build a task that brings the fleet to the state of a manifest file."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(manifest))
    options = {"manifest": str(path), "verify": "none", **options}
    return {"name": name, "meshfleet.particle.fleet": options, "ignore_errors": True}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(SIZE)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def ids(cloud: Simulator) -> list[str]:
    return sorted(device["id"] for device in cloud.state()["devices"])


@pytest.fixture(scope="module")
def events(cloud: Simulator, ids: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event]:
    """The events of runs over a large fleet, in this order."""
    folder = tmp_path_factory.mktemp("controller")
    fleet = {"product": PRODUCT_SLUG, "devices": [{"id": device, "groups": ["north"]} for device in ids]}
    strangers = [{"id": f"{number:024x}", "name": f"stranger-{number}"} for number in range(SIZE)]
    unknown = {"product": PRODUCT_SLUG, "devices": strangers}
    named = manifest_for(cloud)
    named["devices"] = named["devices"][:NAMED]
    tasks = [
        {**build_task("predicted", fleet, folder), "check_mode": True, "diff": True},
        build_task("new", fleet, folder),
        build_task("unchanged", fleet, folder),
        build_task("only failed rows", fleet, folder, result="failed"),
        build_task("failed", unknown, folder),
        build_task("named", named, folder),
    ]
    return run_job(folder, cloud, {"hosts": "localhost", "gather_facts": False, "tasks": tasks})


@pytest.mark.parametrize("task", ["predicted", "new", "unchanged", "only failed rows", "failed", "named"])
def test_event_of_a_large_fleet_is_whole(events: dict[str, Event], task: str) -> None:
    event = events[task]
    assert event.res["summary"]["total"] == (NAMED if task == "named" else SIZE)
    assert event.size < STORED_SIZE


def test_all_managed_devices_are_counted(events: dict[str, Event], ids: list[str]) -> None:
    for task in ("new", "unchanged", "only failed rows"):
        assert events[task].list_counted_devices() == ids
    assert len(events["named"].list_counted_devices()) == NAMED


def test_failed_and_predicted_devices_are_not_counted(events: dict[str, Event]) -> None:
    assert (events["failed"].res["summary"]["failed"], events["predicted"].res["summary"]["changed"]) == (SIZE, SIZE)
    for task in ("failed", "predicted"):
        assert events[task].list_counted_devices() == []


def test_result_says_how_many_devices_it_leaves_out(events: dict[str, Event]) -> None:
    for task, status in (("new", "changed"), ("failed", "failed")):
        shown = events[task].res["devices"]
        assert {row["status"] for row in shown} == {status}
        assert len(shown) + events[task].res["devices_omitted"] == SIZE
    assert (events["unchanged"].res["devices"], events["unchanged"].res["devices_omitted"]) == ([], 0)


def test_result_that_a_controller_would_drop_causes_a_warning(cloud: Simulator, tmp_path: Path) -> None:
    strangers = [{"id": f"{number:024x}", "name": f"stranger-{number}"} for number in range(SIZE)]
    manifest = {"product": PRODUCT_SLUG, "devices": strangers}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [build_task("all", manifest, tmp_path, result="all")]}
    events = run_job(tmp_path, cloud, play)
    assert events["all"].res == {}
    assert "Leave out result." in read_output(tmp_path)


def test_large_list_of_devices_causes_a_warning_and_stays_whole(
    events: dict[str, Event], cloud: Simulator, tmp_path: Path
) -> None:
    tasks = [
        {"name": "all", "meshfleet.particle.device_info": {"product": PRODUCT_SLUG}, "register": "found"},
        {"name": "count", "ansible.builtin.assert": {"that": f"found.count == {SIZE}"}},
    ]
    found = run_job(tmp_path, cloud, {"hosts": "localhost", "gather_facts": False, "tasks": tasks})
    assert found["all"].res == {}
    assert found["count"].res["msg"] == "All assertions passed"
    assert "Select fewer devices with filters" in read_output(tmp_path)


def test_filtered_list_of_devices_is_stored_and_counted(
    events: dict[str, Event], cloud: Simulator, ids: list[str], tmp_path: Path
) -> None:
    listed = {"product": PRODUCT_SLUG, "filters": {"ids": ids[:300]}}
    tasks = [{"name": "some", "meshfleet.particle.device_info": listed}]
    found = run_job(tmp_path, cloud, {"hosts": "localhost", "gather_facts": False, "tasks": tasks})
    assert found["some"].list_counted_devices() == ids[:300]
    assert "automation controller" not in read_output(tmp_path)


def test_devices_that_managed_leaves_out_cause_a_warning(tmp_path: Path) -> None:
    with running_simulator("--fleet", str(MORE_THAN_ONE_TASK_NAMES)) as cloud:
        devices = [{"id": device["id"]} for device in cloud.state()["devices"]]
        manifest = {"product": PRODUCT_SLUG, "devices": devices}
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [build_task("import", manifest, tmp_path)]}
        events = run_job(tmp_path, cloud, play)
    named = len(events["import"].list_counted_devices())
    assert 14_000 < named < MORE_THAN_ONE_TASK_NAMES
    assert f"managed contains only {named:,} of {MORE_THAN_ONE_TASK_NAMES:,} devices" in read_output(tmp_path)


def test_facts_of_implicit_gathering_are_counted(cloud: Simulator, ids: list[str], tmp_path: Path) -> None:
    manifest = {"product": PRODUCT_SLUG, "devices": [{"id": ids[0]}]}
    imports = {"hosts": "localhost", "gather_facts": False, "tasks": [build_task("import", manifest, tmp_path)]}
    gathers = {
        "hosts": "localhost",
        "module_defaults": {"meshfleet.particle.device_facts": {"id": ids[0], "product": PRODUCT_SLUG}},
        "vars": {"ansible_facts_modules": ["meshfleet.particle.device_facts"]},
    }
    events = run_job(tmp_path, cloud, imports, gathers)
    assert events["Gathering Facts"].list_counted_devices() == ids[:1]


@pytest.mark.only_full
def test_rollout_warns_about_its_large_result_and_shows_why_it_stops(tmp_path: Path) -> None:
    options = {"product": PRODUCT_SLUG, "version": NEW, "waves": [{"percent": 100}], "wait": False}
    tasks = [
        {"name": "roll out", "meshfleet.particle.rollout": options, "register": "rollout"},
        {"name": "count", "ansible.builtin.assert": {"that": f"rollout.counts.updating == {ROLLED_OUT}"}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    with running_product(tmp_path, ROLLED_OUT) as cloud:
        cloud.change_device("*", update="came_back_old")
        begun = run_job(tmp_path / "begun", cloud, play)
        cloud.advance(3600)
        stopped = run_job(tmp_path / "stopped", cloud, play)["roll out"]
    assert begun["roll out"].res == {}
    assert begun["count"].res["msg"] == "All assertions passed"
    assert "Register the result" in read_output(tmp_path / "begun")
    assert stopped.size < STORED_SIZE
    assert (stopped.res["error"]["code"], stopped.res["counts"]["came_back_old"]) == ("braked", ROLLED_OUT)
    assert len(stopped.res["devices"]) + stopped.res["devices_omitted"] == ROLLED_OUT
