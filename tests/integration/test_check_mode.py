# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that check mode changes nothing and predicts the real run, for everything that can change something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.check_mode_cases import CASES, DEVICES, PRODUCT_CASES, Case, Task, Tenant
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator

NO_CASE = {
    "access_token_info": "reads tokens",
    "api_probe": "sends only GET requests",
    "auth_doctor": "checks the connection and the login",
    "device_facts": "reads a device",
    "device_info": "reads devices",
    "firmware_info": "reads firmware",
    "product_info": "reads resources",
    "network_info": "reads networks",
    "rollout_info": "reads a rollout",
    "thread_network_info": "reads a Thread network",
}
"""Modules that cannot change anything, each with its purpose."""

WITHOUT_CLOUD = {"thread_network": "has its own test with border routers in test_thread.py"}
"""Modules that change something outside the cloud, each with the place of its test."""

BORON = 13
TIMEOUT = 30
OURS = "meshfleet.particle."
CLIENT = {"id": "line-4711", "secret": "c1ient-5ecret"}
CLIENT_OPTIONS = {f"client_{key}": value for key, value in CLIENT.items()}
LABELS = ("id", "serial_number", "iccid", "imei")


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    accounts.write_text(json.dumps([{"username": USERNAME, "password": PASSWORD, "clients": [CLIENT]}]))
    flags = ("--fleet", str(DEVICES), "--accounts", str(accounts), "--mesh", "enabled")
    with running_simulator(*flags) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud with one account and a few new devices, reset to its initial state."""
    _cloud.reset()
    return _cloud


@pytest.fixture
def tenant(cloud: Simulator, tmp_path: Path) -> Tenant:
    """The account of the cloud, with a new product."""
    answer = requests.post(
        f"{cloud.url}/v1/user/products",
        json={"product": {"name": "case", "platform_id": BORON}},
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=TIMEOUT,
    )
    slug = answer.json()["product"]["slug"]
    cloud.add_firmware(7, product=slug)
    return Tenant(USERNAME, CLIENT_OPTIONS, slug, tuple(cloud.state()["devices"]), tmp_path)


def play(cloud: Simulator, tenant: Tenant, case: Case, tasks: Sequence[Task], *args: str) -> PlaybookRun:
    """Run tasks on the hosts of a case, with the login of the tenant as the default of every module."""
    inventory = tenant.folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": list_hosts(case, tenant)}}))
    plays = [
        {
            "name": case.name,
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "module_defaults": {"group/meshfleet.particle.particle": tenant.account},
            "tasks": tasks,
        }
    ]
    return run_playbook(plays, env={"PARTICLE_API_URL": cloud.url}, args=["-i", str(inventory), *args])


def list_hosts(case: Case, tenant: Tenant) -> dict[str, Any]:
    return case.hosts(tenant) if case.hosts else {tenant.product: {}}


def read_state(cloud: Simulator, tenant: Tenant) -> dict[str, Any]:
    """Read the state that check mode must not change: the cloud, the token file, and the validity of its token.

    The accounts of the cloud are left out, because they contain the tokens, and each login changes those.
    """
    return {
        "cloud": {kind: found for kind, found in cloud.state().items() if kind != "accounts"},
        "writes": cloud.stats()["writes"],
        "token file": tenant.tokens.read_bytes() if tenant.tokens.exists() else None,
        "token is valid": is_token_valid(cloud, tenant),
    }


def is_token_valid(cloud: Simulator, tenant: Tenant) -> bool | None:
    """Return whether the cloud accepts the token in the token file, or None if there is no file."""
    if not tenant.tokens.exists():
        return None
    token = json.loads(tenant.tokens.read_bytes())["tokens"][0]["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{cloud.url}/v1/access_tokens/current", headers=headers, timeout=TIMEOUT).ok


def list_predictable_results(run: PlaybookRun) -> list[dict[str, Any]]:
    """List the parts of each result that check mode predicts, by task and host."""
    tasks = [
        {
            "task": record.task,
            "host": record.host,
            "status": record.status,
            "changed": record.result.get("changed"),
            "diff": drop_uncertain(record.result.get("diff")),
        }
        for record in run.tasks
    ]
    return sorted(tasks, key=lambda task: str(task["host"]))  # workers finish in any order


def drop_uncertain(diff: Any) -> Any:
    """Return a difference without the line in which check mode names the devices that are uncertain."""
    if not isinstance(diff, dict) or "prepared" not in diff:
        return diff
    return [line for line in diff["prepared"].splitlines() if not line.startswith("uncertain for ")]


def mark_cases() -> Iterator[Any]:
    """Yield each case as a parameter. All resources are managed in the same way, so only a full run tries each case."""
    for case in CASES:
        is_long = case in PRODUCT_CASES[1::2]
        yield pytest.param(case, id=case.name, marks=[pytest.mark.only_full] if is_long else [])


def find_modules(tasks: Sequence[Task]) -> set[str]:
    """Return the modules of this collection that tasks use."""
    return {key.removeprefix(OURS) for task in tasks for key in task if key.startswith(OURS)}


@pytest.mark.parametrize("case", list(mark_cases()))
def test_check_mode_changes_nothing_and_predicts_the_real_run(case: Case, cloud: Simulator, tenant: Tenant) -> None:
    if before := case.before(tenant):
        play(cloud, tenant, case, before).succeeded()
    tasks = case.tasks(tenant)
    before_run = read_state(cloud, tenant)

    predicted = play(cloud, tenant, case, tasks, "--check", "--diff")
    assert read_state(cloud, tenant) == before_run
    assert before_run["token is valid"] is not False

    done = play(cloud, tenant, case, tasks, "--diff")
    assert list_predictable_results(predicted) == list_predictable_results(done)
    assert "failed" not in {task.status for task in done.tasks}, done.output
    assert any(task.result.get("changed") for task in done.tasks) is case.changes
    changed = {task.action.removeprefix(OURS) for task in done.tasks if task.status == "changed"}
    assert changed & NO_CASE.keys() == set(), "these modules have changed something, although NO_CASE lists them"
    assert not case.changes or find_modules(tasks) <= changed


def list_tasks_by_case(folder: Path) -> list[tuple[Case, list[Task]]]:
    """List all cases with their tasks, for devices that do not exist."""
    devices = tuple({label: f"{label}-{number}" for label in LABELS} for number in range(DEVICES))
    tenant = Tenant(USERNAME, CLIENT_OPTIONS, "case", devices, folder)
    return [(case, case.tasks(tenant)) for case in CASES]


def test_every_module_that_can_change_something_has_a_case(tmp_path: Path) -> None:
    covered = {name for case, tasks in list_tasks_by_case(tmp_path) if case.changes for name in find_modules(tasks)}
    modules = set(yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["particle"])
    without_case = NO_CASE.keys() | WITHOUT_CLOUD.keys()
    assert modules - covered == without_case, "add a case for each new module, or add the module to NO_CASE"


def test_every_role_has_a_case(tmp_path: Path) -> None:
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    included = {
        task["ansible.builtin.include_role"]["name"]
        for _unused, tasks in list_tasks_by_case(tmp_path)
        for task in tasks
        if "ansible.builtin.include_role" in task
    }
    assert {f"{OURS}{role}" for role in roles} == included
