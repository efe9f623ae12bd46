# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test a fleet that is declared in an inventory: one run for all hosts, and an outcome for each host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.killing import running_play
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, read_counts, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

STRANGER = "e00fce68000000000000dead"

# A redirect, for example to the login page of a network, ends the run, because no write takes effect. A web page with
# another status does not: it leaves unknown whether the write took effect.
REDIRECT_OF_EACH_WRITE = {"route": "PUT /v1/products/:p/devices/:id", "effect": "html", "status": 302, "times": 50}


def write_inventory(cloud: Simulator, folder: Path, count: int = 10, **extra: dict[str, Any]) -> Path:
    """Write an inventory of hosts with one device each, and of the hosts in `extra`."""
    ids = sorted(device["id"] for device in cloud.state()["devices"])[:count]
    hosts: dict[str, Any] = {
        f"line-{number}": {"particle_device": {"id": device, "name": f"line-{number}"}}
        for number, device in enumerate(ids)
    }
    file = folder / "hosts.yml"
    file.write_text(yaml.safe_dump({"all": {"hosts": {**hosts, **extra}}}))
    return file


def play_over_hosts(
    cloud: Simulator, hosts: Path, *args: str, play: dict[str, Any] | None = None, **options: Any
) -> PlaybookRun:
    fleet = {"product": PRODUCT_SLUG, "from_inventory": True, "fail": False, **options}
    tasks = [
        {"name": "Fleet", "meshfleet.particle.fleet": fleet, "run_once": True, "register": "fleet"},
        {"name": "Outcome", "meshfleet.particle.fleet_outcome": {"fleet": "{{ fleet }}"}},
        {"name": "After", "ansible.builtin.debug": {"msg": "still in the play"}},
    ]
    return run_playbook(
        [{"hosts": "all", "gather_facts": False, **(play or {}), "tasks": tasks}],
        env=cloud_environment(cloud.url),
        args=["-i", str(hosts), *args],
    )


def provision_two_of_four(cloud: Simulator, folder: Path) -> Path:
    """Write an inventory of four hosts, and provision the devices of the first two."""
    hosts = write_inventory(cloud, folder, 4)
    play_over_hosts(cloud, hosts, "--limit", "line-0,line-1").succeeded()
    return hosts


def provision_hosts(cloud: Simulator, hosts: Path, **variables: Any) -> PlaybookRun:
    """Run the role on hosts, and one more task after it."""
    role_variables = {"provision_from_inventory": True, "provision_product": PRODUCT_SLUG, **variables}
    after = [{"name": "After", "ansible.builtin.debug": {"msg": "still in the play"}}]
    roles = [{"role": "meshfleet.particle.provision", "vars": role_variables}]
    return run_playbook(
        [{"hosts": "all", "gather_facts": False, "roles": roles, "post_tasks": after}],
        env=cloud_environment(cloud.url),
        args=["-i", str(hosts)],
    )


def list_hosts(run: PlaybookRun, task: str, status: str) -> list[str]:
    return sorted(record.host for record in run.tasks if record.task == task and record.status == status)


def test_hosts_can_identify_devices_by_serial_number(simulator: Simulator, tmp_path: Path) -> None:
    devices = simulator.state()["devices"][:3]
    hosts = tmp_path / "hosts.yml"
    declared = {
        f"line-{index}": {"particle_device": {"serial_number": device["serial_number"], "name": f"n-{index}"}}
        for index, device in enumerate(devices)
    }
    hosts.write_text(yaml.safe_dump({"all": {"hosts": declared}}))
    run = play_over_hosts(simulator, hosts).succeeded()
    outcomes = run.result("Fleet")["hosts"]
    assert {host: outcome["id"] for host, outcome in outcomes.items()} == {
        f"line-{index}": device["id"] for index, device in enumerate(devices)
    }


def test_batch_without_devices_succeeds_if_other_batches_have_devices(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path, 1, first={}, printer={})
    run = play_over_hosts(simulator, hosts, play={"serial": 1}).succeeded()
    outcomes = {record.host: list(record.result["hosts"]) for record in run.tasks if record.task == "Fleet"}
    assert outcomes == {"first": [], "line-0": ["line-0"], "printer": []}
    assert list_hosts(run, "Outcome", "ok") == ["first", "printer"]
    assert "1 of 1 host has no variable particle_device, and is left out: first." in " ".join(run.output.split())


def test_one_run_covers_all_hosts_and_each_gets_its_own_outcome(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path)
    run = play_over_hosts(simulator, hosts).succeeded()
    assert len([record for record in run.tasks if record.task == "Fleet"]) == 1
    assert len(list_hosts(run, "Outcome", "changed")) == 10
    for record in run.tasks:
        if record.task == "Outcome":
            assert record.result["outcome"]["name"] == record.host
    assert simulator.stats()["by_route"]["POST /v1/products/:p/devices"] == 1


def test_free_strategy_is_refused_before_any_request(simulator: Simulator, tmp_path: Path) -> None:
    run = play_over_hosts(simulator, write_inventory(simulator, tmp_path), play={"strategy": "free"})
    assert run.rc != 0
    assert "free strategy" in run.output
    assert simulator.stats()["requests"] == 0


def test_only_the_host_of_the_failed_device_fails(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path, stranger={"particle_device": {"id": STRANGER, "name": "stranger"}})
    run = play_over_hosts(simulator, hosts)
    assert run.rc != 0
    assert list_hosts(run, "Outcome", "failed") == ["stranger"]
    assert len(list_hosts(run, "After", "ok")) == 10
    failed = run.result("Outcome", "stranger")
    assert failed["error"]["code"] == "device_not_yours"
    assert STRANGER in failed["msg"]


def test_hosts_with_pending_devices_fail_with_the_error_of_the_run(simulator: Simulator, tmp_path: Path) -> None:
    hosts = provision_two_of_four(simulator, tmp_path)
    simulator.set_faults([REDIRECT_OF_EACH_WRITE])
    run = play_over_hosts(simulator, hosts)
    assert run.rc != 0
    assert list_hosts(run, "Outcome", "failed") == ["line-2", "line-3"]
    assert list_hosts(run, "After", "ok") == ["line-0", "line-1"]
    failed = run.result("Outcome", "line-2")
    assert failed["error"]["code"] == "not_a_cloud"
    assert failed["msg"].startswith("The run ended early, and 2 devices are pending. ")
    assert failed["outcome"]["status"] == "pending"


def test_role_fails_hosts_with_pending_devices_and_revokes_its_token(simulator: Simulator, tmp_path: Path) -> None:
    hosts = provision_two_of_four(simulator, tmp_path)
    simulator.set_faults([REDIRECT_OF_EACH_WRITE])
    outcomes = tmp_path / "outcomes.jsonl"
    run = provision_hosts(simulator, hosts, provision_outcomes_file=str(outcomes))
    assert run.rc != 0
    assert list_hosts(run, "Assign each host the outcome of its device", "failed") == ["line-2", "line-3"]
    assert list_hosts(run, "After", "ok") == ["line-0", "line-1"]
    statuses = [json.loads(line)["status"] for line in outcomes.read_text().splitlines()]
    assert statuses == ["ok", "ok", "pending", "pending"]
    assert simulator.stats()["revocations"] == 1


def test_failed_verification_fails_every_host_with_a_device(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path, 4, printer={"owner": "workshop"})
    route = "GET /v1/products/:p/devices"  # read at the beginning and for the verification
    simulator.set_faults([{"route": route, "effect": "delay", "delay": 0}, {**REDIRECT_OF_EACH_WRITE, "route": route}])
    run = play_over_hosts(simulator, hosts)
    assert run.rc != 0
    assert read_counts(run.result("Fleet"))["changed"] == 4
    assert list_hosts(run, "Outcome", "failed") == [f"line-{number}" for number in range(4)]
    assert list_hosts(run, "After", "ok") == ["printer"]


def test_failed_network_removal_fails_every_host(simulator: Simulator, tmp_path: Path) -> None:
    hosts, manifest = write_inventory(simulator, tmp_path, 4), manifest_for(simulator)
    member = {**manifest["devices"][-1], "mesh": {"network": "barn", "role": "gateway"}}
    env = cloud_environment(simulator.url)
    run_task("fleet", {"manifest": {**manifest, "devices": [member]}}, env).succeeded()
    route = "PUT /v1/ledgers/:name/instances/:scopeValue"
    simulator.set_faults([{"route": route, "effect": "status", "status": 400}])
    run = play_over_hosts(simulator, hosts, networks={"barn": {"state": "absent"}})
    assert run.rc != 0
    assert [outcome["status"] for outcome in run.result("Fleet")["hosts"].values()] == ["changed"] * 4
    assert len(list_hosts(run, "Outcome", "failed")) == 4


def test_run_without_hosts_that_ends_early_fails_the_task(simulator: Simulator) -> None:
    simulator.set_faults([REDIRECT_OF_EACH_WRITE])
    run = run_task("fleet", {"manifest": manifest_for(simulator), "fail": False}, cloud_environment(simulator.url))
    assert run.task(TASK).status == "failed"
    assert run.result(TASK)["ended_early"] is True


def test_host_without_a_device_is_ignored(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path, printer={"owner": "workshop"})
    run = play_over_hosts(simulator, hosts).succeeded()
    assert run.result("Outcome", "printer")["outcome"] is None
    assert run.result("Fleet")["summary"]["total"] == 10


def test_limit_restricts_the_run_to_the_selected_hosts(simulator: Simulator, tmp_path: Path) -> None:
    run = play_over_hosts(simulator, write_inventory(simulator, tmp_path), "--limit", "line-3,line-4").succeeded()
    assert sorted(run.result("Fleet")["hosts"]) == ["line-3", "line-4"]
    assert simulator.stats()["by_route"]["PUT /v1/products/:p/devices/:id"] == 2


def test_serial_makes_one_run_per_batch(simulator: Simulator, tmp_path: Path) -> None:
    run = play_over_hosts(simulator, write_inventory(simulator, tmp_path), play={"serial": 4}).succeeded()
    totals = [record.result["summary"]["total"] for record in run.tasks if record.task == "Fleet"]
    assert totals == [4, 4, 2]
    assert len(list_hosts(run, "Outcome", "changed")) == 10


def test_outcome_ignores_the_connection_options_of_module_defaults(simulator: Simulator, tmp_path: Path) -> None:
    defaults = {"group/meshfleet.particle.particle": {"api_url": simulator.url, "timeout": 30, "profile": "none"}}
    hosts = write_inventory(simulator, tmp_path, 2)
    run = play_over_hosts(simulator, hosts, play={"module_defaults": defaults}).succeeded()
    assert list_hosts(run, "Outcome", "changed") == ["line-0", "line-1"]


def test_hosts_find_their_outcomes_in_the_file_if_hosts_are_left_out(simulator: Simulator, tmp_path: Path) -> None:
    """The result of thousands of hosts has no key hosts."""
    hosts = write_inventory(
        simulator, tmp_path, 2, stranger={"particle_device": {"id": "e00fce68" + 16 * "0"}}, none={}
    )
    fleet = {"product": PRODUCT_SLUG, "from_inventory": True, "fail": False}
    tasks = [
        {"name": "Fleet", "meshfleet.particle.fleet": fleet, "run_once": True, "register": "fleet"},
        {
            "name": "Outcome",
            "meshfleet.particle.fleet_outcome": {"fleet": {"outcomes_path": "{{ fleet.outcomes_path }}"}},
            "ignore_errors": True,
        },
    ]
    run = run_playbook(
        [{"hosts": "all", "gather_facts": False, "tasks": tasks}],
        env=cloud_environment(simulator.url),
        args=["-i", str(hosts)],
    ).succeeded()
    expected = run.result("Fleet", "line-0")["hosts"]
    assert sorted(expected) == ["line-0", "line-1", "stranger"]
    assert {host: run.result("Outcome", host)["outcome"] for host in expected} == expected
    assert run.result("Outcome", "none")["outcome"] is None
    assert [record.host for record in run.tasks if record.task == "Outcome" and "error" in record.result] == [
        "stranger"
    ]


def test_invalid_device_is_reported_with_its_host(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path, typo={"particle_device": {"id": "e00fce68", "nmae": "x"}})
    run = play_over_hosts(simulator, hosts)
    message = run.result("Fleet", "line-0")["msg"]
    assert "host typo: particle_device.id" in message
    assert "host typo: particle_device.nmae" in message
    assert list_hosts(run, "Outcome", "ok") == []


def test_task_without_run_once_is_refused_before_any_request(simulator: Simulator, tmp_path: Path) -> None:
    task = {"name": "Fleet", "meshfleet.particle.fleet": {"manifest": "{{ inventory_hostname }}.yml"}}
    run = run_playbook(
        [{"hosts": "all", "gather_facts": False, "tasks": [task]}],
        env=cloud_environment(simulator.url),
        args=["-i", str(write_inventory(simulator, tmp_path))],
    )
    assert run.rc != 0
    assert "run_once" in run.output
    assert simulator.stats()["requests"] == 0


# --- the end of a run ---


def build_manifest_with_strangers(cloud: Simulator, count: int) -> dict[str, Any]:
    """Build a manifest with `count` devices that the cloud refuses to import, before any device is written."""
    manifest = manifest_for(cloud)
    strangers = [{"id": f"e00fce68000000000000de{number:02x}", "name": f"stranger-{number}"} for number in range(count)]
    return {**manifest, "devices": [*manifest["devices"], *strangers]}


def test_on_error_stop_ends_the_run_at_the_first_error(simulator: Simulator) -> None:
    env = cloud_environment(simulator.url)
    run = run_task("fleet", {"manifest": build_manifest_with_strangers(simulator, 1), "on_error": "stop"}, env)
    assert run.task(TASK).status == "failed"
    assert read_counts(run.result(TASK)) == {"total": 21, "ok": 0, "changed": 0, "failed": 1, "pending": 20}
    again = run_task("fleet", {"manifest": manifest_for(simulator)}, env).succeeded().result(TASK)
    assert again["summary"]["changed"] == 20


@pytest.mark.parametrize(("max_failures", "pending"), [(1, 20), (2, 0)])
def test_max_failures_ends_the_run_only_when_exceeded(simulator: Simulator, max_failures: int, pending: int) -> None:
    options = {"manifest": build_manifest_with_strangers(simulator, 2), "max_failures": max_failures}
    result = run_task("fleet", options, cloud_environment(simulator.url)).result(TASK)
    assert (result["summary"]["failed"], result["summary"]["pending"]) == (2, pending)


def test_fail_false_returns_failures_and_the_task_succeeds(simulator: Simulator) -> None:
    options = {"manifest": build_manifest_with_strangers(simulator, 1), "fail": False, "result": "failed"}
    run = run_task("fleet", options, cloud_environment(simulator.url)).succeeded()
    result = run.result(TASK)
    assert [device["name"] for device in result["devices"]] == ["stranger-0"]
    assert result["summary"]["total"] == 21


def test_second_run_on_the_product_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with running_simulator("--fleet", "200", "--latency", "80") as cloud:
        manifest = manifest_for(cloud)
        tasks = [{"name": TASK, "meshfleet.particle.fleet": {"manifest": manifest, "workers": 2}}]
        env = {**cloud_environment(cloud.url), "XDG_CACHE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
        with running_play([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], tmp_path, env) as play:
            play.wait_until(lambda: cloud.stats()["writes"] >= 20)
            by_id = {**manifest, "product": "31337"}  # the same product by its id in place of its slug
            by_cron = {**env, "XDG_RUNTIME_DIR": ""}
            error = run_task("fleet", {"manifest": by_id}, by_cron).result(TASK)["error"]
            assert error["code"] == "run_in_progress"
            assert "process " in error["message"]
            unlocked = run_task("fleet", {"manifest": manifest, "lock": "none"}, env, "--check").succeeded()
            assert unlocked.result(TASK)["cloud"]["writes"] == 0


def test_unusable_lock_folder_is_reported_with_a_remedy(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("a file where a folder should be")
    env = {**cloud_environment(simulator.url), "XDG_CACHE_HOME": str(file), "XDG_RUNTIME_DIR": str(tmp_path)}
    error = run_task("fleet", {"manifest": manifest_for(simulator)}, env).result(TASK)["error"]
    assert error["message"].startswith("Locks of runs are shared through ")
    assert error["hint"] == "Set XDG_CACHE_HOME to a folder of your own, or set lock to none."


def test_role_provisions_an_inventory_and_fails_only_the_failed_host(simulator: Simulator, tmp_path: Path) -> None:
    hosts = write_inventory(simulator, tmp_path, stranger={"particle_device": {"id": STRANGER, "name": "stranger"}})
    run = provision_hosts(simulator, hosts)
    assert run.rc != 0
    assert list_hosts(run, "Assign each host the outcome of its device", "failed") == ["stranger"]
    assert len(list_hosts(run, "After", "ok")) == 10
    stats = simulator.stats()
    assert (stats["grants"], stats["revocations"]) == (1, 1)


def test_manifest_that_is_not_a_mapping_is_refused_with_hosts_too(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text("- product: field-logger\n")
    run = play_over_hosts(
        simulator, write_inventory(simulator, tmp_path), product=None, manifest=str(tmp_path / "fleet.yml")
    )
    assert "must be a mapping, got a list" in run.result("Fleet")["msg"]
    assert simulator.stats()["requests"] == 0
