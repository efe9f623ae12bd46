# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `device_facts`: each host gets its own device, and all hosts share the requests."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.counts import count
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.processes import HANG_SECONDS
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

FACTS = {"product": PRODUCT_SLUG, "id": "{{ device_id }}"}
GATHER = "Gathering Facts"
LONG_AGE = 3600
"""A `max_age` in seconds that no run exceeds, also on a busy machine."""
LIST = "GET /v1/products/:p/devices"


def write_hosts(cloud: Simulator, folder: Path) -> Path:
    """Write an inventory in which each host has the id of a device."""
    hosts = {f"unit-{n}": {"device_id": device["id"]} for n, device in enumerate(cloud.state()["devices"])}
    file = folder / "hosts.yml"
    file.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    return file


def provision(cloud: Simulator) -> None:
    run_task("fleet", {"manifest": manifest_for(cloud), "verify": "none"}, cloud_environment(cloud.url)).succeeded()


def play_over_hosts(
    cloud: Simulator, hosts: Path, play: dict[str, Any], *args: str, timeout: float = HANG_SECONDS
) -> PlaybookRun:
    return run_playbook(
        [{"hosts": "all", "gather_facts": False, **play}],
        env=cloud_environment(cloud.url),
        args=["-i", str(hosts), *args],
        timeout=timeout,
    )


def make_gathering_play() -> dict[str, Any]:
    """Return a play that gathers the facts of the devices in place of those of the hosts."""
    return {
        "gather_facts": True,
        "vars": {"ansible_facts_modules": ["meshfleet.particle.device_facts"]},
        "module_defaults": {"meshfleet.particle.device_facts": {**FACTS, "max_age": LONG_AGE}},
        "tasks": [
            {"name": "Own", "ansible.builtin.assert": {"that": "ansible_facts.particle.id == device_id"}},
            {"name": "Show", "ansible.builtin.debug": {"var": "ansible_facts.particle.mesh"}},
        ],
    }


def count_requests(cloud: Simulator, before: dict[str, Any]) -> int:
    return int(cloud.stats()["requests"] - before["requests"])


def test_each_host_gets_the_facts_of_its_own_device(simulator: Simulator, tmp_path: Path) -> None:
    provision(simulator)
    tasks = [
        {"name": TASK, "meshfleet.particle.device_facts": FACTS},
        {"name": "Own", "ansible.builtin.assert": {"that": "ansible_facts.particle.id == device_id"}},
    ]
    run = play_over_hosts(simulator, write_hosts(simulator, tmp_path), {"tasks": tasks}).succeeded()
    facts = run.result(TASK, "unit-0")["ansible_facts"]["particle"]
    assert {"platform": "boron", "online": True, "product": PRODUCT_SLUG}.items() <= facts.items()
    assert facts["presence"] in ("confirmed", "probable")
    assert "mobile_secret" not in json.dumps(run.result(TASK, "unit-0"))


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_hosts_share_one_login_and_one_device_list(tmp_path: Path) -> None:
    size = count(quick=20, full=500)
    with running_simulator("--fleet", str(size)) as cloud:
        provision(cloud)
        hosts = write_hosts(cloud, tmp_path)
        before = cloud.stats()
        tasks = [{"name": TASK, "meshfleet.particle.device_facts": {**FACTS, "max_age": LONG_AGE}}]
        run = play_over_hosts(cloud, hosts, {"tasks": tasks}, "--forks", "25").succeeded()
        assert len([task for task in run.tasks if task.task == TASK and task.status == "ok"]) == size
        assert count_requests(cloud, before) <= size / 100 + 12
        assert cloud.stats()["grants"] - before["grants"] <= 1


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_fact_gathering_on_many_hosts_shares_one_device_list(tmp_path: Path) -> None:
    size = count(quick=8, full=500)
    with running_simulator("--fleet", str(size)) as cloud:
        provision(cloud)
        hosts = write_hosts(cloud, tmp_path)
        before = cloud.stats()
        play = make_gathering_play()
        run = play_over_hosts(cloud, hosts, play, "--forks", "25", timeout=1200).succeeded()
        assert len([task for task in run.tasks if task.task == "Own" and task.status == "ok"]) == size
        assert count_requests(cloud, before) <= size / 100 + 12
        shown = run.result("Show", "unit-0")["ansible_facts.particle.mesh"]
        assert shown["network"] == "barn"


def test_unknown_device_fails_only_its_host(simulator: Simulator, tmp_path: Path) -> None:
    provision(simulator)
    hosts = write_hosts(simulator, tmp_path)
    tasks = [{"name": TASK, "meshfleet.particle.device_facts": {**FACTS, "id": "{{ given | default(device_id) }}"}}]
    given = yaml.safe_load(hosts.read_text())
    given["all"]["hosts"]["unit-3"]["given"] = "e00fce68000000000000dead"
    hosts.write_text(yaml.safe_dump(given))
    run = play_over_hosts(simulator, hosts, {"tasks": tasks})
    failed = [task for task in run.tasks if task.status == "failed"]
    assert [task.host for task in failed] == ["unit-3"]
    assert failed[0].result["error"]["code"] == "not_found"
    assert "e00fce68000000000000dead is not among the devices of product field-logger" in failed[0].result["msg"]
    assert re.search(r"The list is \d+ seconds old; set max_age to 0 to read it again", failed[0].result["msg"])


def test_device_missing_in_a_changing_list_is_found_by_a_retry(simulator: Simulator, tmp_path: Path) -> None:
    provision(simulator)
    device = simulator.state()["devices"][0]["id"]
    pages = ({"a": 1, "b": 1}, {"c": 1, "d": 1}, {"d": 1})
    bodies = [{"devices": [{"id": name * 24} for name in names], "meta": {"total_pages": 2}} for names in pages]
    simulator.set_faults([{"route": LIST, "effect": "status", "status": 200, "body": body} for body in bodies])
    facts = {"meshfleet.particle.device_facts": {**FACTS, "id": device}}
    tasks = [
        {"name": "First", **facts, "ignore_errors": True},
        {"name": "Then", **facts, "register": "found", "until": "found is success", "retries": 3, "delay": 3},
    ]
    run = play_over_hosts(simulator, tmp_path / "hosts.yml", {"hosts": "localhost", "tasks": tasks}).succeeded()
    assert "so this device may be missing in it" in run.result("First")["msg"]
    assert run.result("Then")["ansible_facts"]["particle"]["id"] == device


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_device_id_is_refused_before_any_request(simulator: Simulator, empty: str) -> None:
    env = cloud_environment(simulator.url)
    result = run_task("device_facts", {"id": empty, "product": PRODUCT_SLUG}, env).result(TASK)
    assert (result["error"]["code"], simulator.stats()["requests"]) == ("invalid_option", 0)
    assert "id is empty." in result["msg"]


def test_template_in_a_device_name_is_never_evaluated(simulator: Simulator, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    evil = f"{{{{ lookup('pipe', 'touch {trap}') }}}}{{% set x = lookup('pipe', 'touch {trap}') %}}"
    manifest = manifest_for(simulator)
    manifest["devices"][0] |= {"name": evil, "notes": evil}
    (tmp_path / "fleet.json").write_text(json.dumps(manifest))
    fleet = {"manifest": str(tmp_path / "fleet.json"), "verify": "none"}
    run_task("fleet", fleet, cloud_environment(simulator.url)).succeeded()
    (tmp_path / "facts.j2").write_text("{{ ansible_facts.particle.name }}|{{ ansible_facts.particle }}|{{ notes }}\n")
    out = tmp_path / "out"
    template = {"src": str(tmp_path / "facts.j2"), "dest": str(out), "mode": "0600"}
    play = make_gathering_play()
    play["vars"]["notes"] = "{{ ansible_facts.particle.notes }}"
    play["tasks"] = [{"name": "Write", "ansible.builtin.template": template}]
    hosts = tmp_path / "hosts.yml"
    host = {"device_id": manifest["devices"][0]["id"], "ansible_connection": "local"}
    hosts.write_text(yaml.safe_dump({"all": {"hosts": {"evil": host}}}))
    play_over_hosts(simulator, hosts, play).succeeded()
    written = out.read_text().strip()
    assert written.startswith(f"{evil}|")
    assert written.endswith(f"|{evil}")
    assert not trap.exists()


def test_unknown_product_is_requested_once_for_all_hosts(simulator: Simulator, tmp_path: Path) -> None:
    tasks = [{"name": TASK, "meshfleet.particle.device_facts": {**FACTS, "product": "no-such"}}]
    before = simulator.stats()
    run = play_over_hosts(simulator, write_hosts(simulator, tmp_path), {"tasks": tasks})
    errors = {task.result["error"]["code"] for task in run.tasks}
    assert errors == {"not_found"}
    assert count_requests(simulator, before) == 3  # one login, one product, one list of products for the hint


def test_device_of_the_account_is_found_without_a_product(simulator: Simulator) -> None:
    device = simulator.state()["devices"][0]["id"]
    env = cloud_environment(simulator.url)
    run_task("fleet", {"devices": [{"id": device, "claimed": True}]}, env).succeeded()
    result = run_task("device_facts", {"id": device.upper()}, env).succeeded().result(TASK)
    assert result["ansible_facts"]["particle"]["id"] == device
    assert result["ansible_facts"]["particle"]["product"] is None


def test_facts_are_gathered_in_check_mode_without_any_write(simulator: Simulator, tmp_path: Path) -> None:
    provision(simulator)
    before = simulator.stats()["writes"]
    tasks = [{"name": TASK, "meshfleet.particle.device_facts": FACTS}]
    play_over_hosts(simulator, write_hosts(simulator, tmp_path), {"tasks": tasks}, "--check").succeeded()
    assert simulator.stats()["writes"] == before


def test_shared_facts_file_is_private_and_contains_no_secret(simulator: Simulator, tmp_path: Path) -> None:
    provision(simulator)
    device = simulator.state()["devices"][0]["id"]
    env = {**cloud_environment(simulator.url), "XDG_RUNTIME_DIR": str(tmp_path)}
    run_task("device_facts", {"id": device, "product": PRODUCT_SLUG}, env).succeeded()
    folder = tmp_path / "meshfleet.particle"
    (file,) = folder.glob("facts-*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (session,) = (login["token"] for login in json.loads((folder / "sessions.json").read_text())["logins"].values())
    text = file.read_text()
    assert device in text
    assert session not in text
    assert "mobile_secret" not in text
