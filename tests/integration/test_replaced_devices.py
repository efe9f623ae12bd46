# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test plays that replace 20 devices, even if they are killed, and their messages about a replacement."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.counts import count
from support.killing import running_play
from support.paths import ROOT
from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.processes import HANG_SECONDS
from support.replaced_fleet import OldDevice, ReplacedFleet, check_replaced, check_writes
from support.simulator import Simulator, running_simulator

NETWORKS = [f"yard-{number}" for number in range(5)]
KILLS = count(quick=1, full=20)
WORKERS = 8


def build_devices() -> list[OldDevice]:
    """Build five networks with a replaced gateway, a replaced node and a node that stays, and ten plain devices."""
    naming = ("name", "id", "serial_number")
    devices = []
    for network in NETWORKS:
        for role, is_replaced in (("gateway", True), ("node", True), ("node", False)):
            number = len(devices)
            record = {"name": f"unit-{number}", "groups": ["north"], "firmware_lock": 7}
            devices.append(
                OldDevice(
                    record,
                    {"network": network, "role": role},
                    is_replaced,
                    named_by=naming[number % 3],
                    declares_new_by="id" if number % 2 else "serial_number",
                    declares_mesh=role == "gateway" or not is_replaced or number % 2 == 0,
                )
            )
    for number in range(10):
        record = {"name": f"plain-{number}", "notes": f"shelf {number}", "groups": ["pumps", "north"]}
        new_name = f"new-{number}" if number in (3, 4) else ""
        devices.append(OldDevice(record, is_replaced=True, named_by=naming[number % 3], new_name=new_name))
    return devices


def build_row(number: int) -> dict[str, Any]:
    serial, iccid = f"P046AB{number:09}", f"89014103{number:012}"
    return {"id": f"e00fce68{number:016x}", "serial_number": serial, "iccid": iccid, "online": False}


DEVICES = build_devices()
ROWS = [build_row(number) for number in range(2 * len(DEVICES))]
FLEET = ReplacedFleet(DEVICES, ROWS[: len(DEVICES)], ROWS[len(DEVICES) :])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    file = tmp_path_factory.mktemp("cloud") / "fleet.json"
    file.write_text(json.dumps(ROWS))
    with running_simulator("--fleet", str(file)) as simulator:
        yield simulator


@pytest.fixture
def cloud(server: Simulator, tmp_path: Path) -> Simulator:
    """The cloud with the fleet before the replacement."""
    server.reset()
    server.add_firmware(7)
    environment = cloud_environment(server.url)
    run_task("fleet", {"manifest": FLEET.declare_before(), "verify": "none"}, environment).succeeded()
    return server


def build_plays(folder: Path) -> list[dict[str, Any]]:
    file = folder / "fleet.json"
    file.write_text(json.dumps(FLEET.declare_after()))
    task = {"name": TASK, "meshfleet.particle.fleet": {"manifest": str(file), "workers": WORKERS}}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def environment(cloud: Simulator, home: Path) -> dict[str, str]:
    return {**cloud_environment(cloud.url), "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}


def wait_until_idle(cloud: Simulator) -> None:
    """Wait until the cloud has read the last requests of the killed processes."""
    end = time.monotonic() + HANG_SECONDS
    before, now = None, cloud.stats()
    while now != before:
        assert time.monotonic() < end, "the cloud still receives requests"
        before, now = now, cloud.stats()


def test_twenty_devices_are_replaced_within_the_budget(
    cloud: Simulator, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    assert len(FLEET.pairs) == 20
    before, observer, seen = cloud.state(), FLEET.observe(cloud), len(cloud.writes())
    requests = cloud.stats()["requests"]
    predicted = run_playbook(build_plays(tmp_path), env=environment(cloud, tmp_path), args=("--check",))
    assert len(cloud.writes()) == seen
    checked = cloud.stats()["requests"]
    done = run_playbook(build_plays(tmp_path), env=environment(cloud, tmp_path)).succeeded().result(TASK)
    sent = cloud.stats()["requests"] - checked
    assert sent <= 12 * len(FLEET.pairs) + len(DEVICES) // 100
    record_property("said", f"20 replacements: {sent} requests, at most {12 * len(FLEET.pairs)} are allowed")
    assert checked - requests <= 12 * len(FLEET.pairs)
    check_writes(observer, cloud.writes()[seen:])
    check_replaced(before, cloud.state(), FLEET)
    assert [row["changes"] for row in predicted.succeeded().result(TASK)["devices"]] == [
        row["changes"] for row in done["devices"]
    ]
    # 20 new devices, 20 old ones, and five nodes that get another gateway.
    assert (done["summary"]["changed"], done["summary"]["failed"], done["summary"]["pending"]) == (45, 0, 0)
    writes = cloud.stats()["writes"]
    again = run_playbook(build_plays(tmp_path), env=environment(cloud, tmp_path)).succeeded().result(TASK)
    assert (again["changed"], cloud.stats()["writes"]) == (False, writes)


@pytest.mark.parametrize("kill", range(KILLS))
def test_killed_replacement_is_completed_by_the_next_run(cloud: Simulator, tmp_path: Path, kill: int) -> None:
    before, observer, seen = cloud.state(), FLEET.observe(cloud), len(cloud.writes())
    requests = cloud.stats()["requests"]
    # A run without a kill sends about 130 requests. The first 30 and the last few read and ping.
    moment = Random(f"kill {kill}").randint(25, 128)
    with running_play(build_plays(tmp_path), tmp_path, environment(cloud, tmp_path)) as play:
        play.wait_until(lambda: cloud.stats()["requests"] - requests >= moment)
        play.kill()
    wait_until_idle(cloud)
    done = run_playbook(build_plays(tmp_path), env=environment(cloud, tmp_path)).succeeded().result(TASK)
    assert (done["summary"]["failed"], done["summary"]["pending"]) == (0, 0)
    check_writes(observer, cloud.writes()[seen:])
    check_replaced(before, cloud.state(), FLEET)
    writes = cloud.stats()["writes"]
    again = run_playbook(build_plays(tmp_path), env=environment(cloud, tmp_path)).succeeded().result(TASK)
    assert (again["changed"], cloud.stats()["writes"]) == (False, writes)


def test_module_device_replaces_a_device_and_names_its_sim(cloud: Simulator) -> None:
    old, new = ROWS[-len(DEVICES) - 1], ROWS[-1]
    cloud.change_device(old["id"], online=True)
    options = {"product": "field-logger", "serial_number": new["serial_number"], "replaces": "plain-9"}
    refused = run_task("device", options, cloud_environment(cloud.url)).tasks[-1].result
    assert refused["error"]["code"] == "conflict"
    assert "plain-9" in refused["msg"]
    assert "replace_online" in refused["msg"]
    confirmed = {**options, "confirm": ["replace_online"]}
    done = run_task("device", confirmed, cloud_environment(cloud.url)).succeeded().result(TASK)
    assert done["device"]["replaces"] == {"id": old["id"], "sim": old["iccid"]}
    assert cloud.device(new["id"])["name"] == "plain-9"
    assert run_task("device", confirmed, cloud_environment(cloud.url)).succeeded().result(TASK)["changed"] is False


@pytest.mark.only_full
def test_play_of_the_guide_retires_a_device_with_its_sim(cloud: Simulator, tmp_path: Path) -> None:
    old = ROWS[-len(DEVICES) - 1]
    guide = (ROOT / "docs" / "guide_life.md").read_text(encoding="utf-8")
    play = guide[guide.index("# retire.yml") :].split("```")[0]
    (tmp_path / "retire.yml").write_text(play)
    (tmp_path / "retired.yml").write_text(f"product: field-logger\ndevices: [{{id: {old['id']}, state: absent}}]\n")
    done = run_playbook(tmp_path / "retire.yml", env=environment(cloud, tmp_path)).succeeded()
    assert [item["item"] for item in done.result("Deactivate these SIMs")["results"]] == [old["iccid"]]
    assert cloud.device(old["id"])["product"] is None
    seen = cloud.stats()["writes"]
    run_playbook(tmp_path / "retire.yml", env=environment(cloud, tmp_path)).succeeded()
    assert cloud.stats()["writes"] == seen
