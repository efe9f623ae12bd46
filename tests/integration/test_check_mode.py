# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A dry run changes nothing and says exactly what the real one then does, for everything that can change something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.check_mode_cases import CASES, DEVICES, Case, Ground, Tasks
from support.paths import ROOT
from support.playbooks import PlaybookRun, TaskRecord, run_playbook
from support.simulator import PASSWORD, Simulator, running_simulator

NO_CASE = {
    "access_token_info": "looks at tokens",
    "auth_doctor": "looks at everything between here and the cloud",
    "device_facts": "looks at a device",
    "device_info": "looks at devices",
    "network_info": "looks at networks",
}
"""Modules that can change nothing, with what they do instead."""

BORON = 13
TIMEOUT = 30
OURS = "meshfleet.particle."
ALL = {case.name: case for case in CASES}


@dataclass(frozen=True)
class Story:
    """All cases dry, and then for real; the pairs are of before the first and between the two."""

    grounds: Mapping[str, Ground]
    dry: PlaybookRun
    real: PlaybookRun
    held: tuple[Any, Any]
    kept: tuple[dict[str, bytes], dict[str, bytes]]
    alive: tuple[dict[str, bool], dict[str, bool]]
    writes: tuple[int, int]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A cloud with an account for each case, and with all that any case needs."""
    accounts = tmp_path_factory.mktemp("accounts") / "accounts.json"
    accounts.write_text(
        json.dumps(
            [
                {"username": username(number), "password": PASSWORD, "clients": [client(number)]}
                for number in range(len(CASES))
            ]
        )
    )
    flags = ("--fleet", str(DEVICES * len(CASES)), "--accounts", str(accounts), "--mesh", "enabled")
    with running_simulator(*flags) as simulator:
        yield simulator


def username(number: int) -> str:
    return f"case-{number}@example.com"


def client(number: int) -> dict[str, str]:
    return {"id": f"line-{number}-4711", "secret": f"{number:040}"}


@pytest.fixture(scope="module")
def story(cloud: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Story:
    devices = cloud.state()["devices"]
    grounds = {
        case.name: lay(cloud, number, devices[DEVICES * number :], tmp_path_factory.mktemp("case"))
        for number, case in enumerate(CASES)
    }
    play(cloud, grounds, {case.name: case.before for case in CASES}).succeeded()
    tasks = {case.name: case.tasks for case in CASES}
    before = held(cloud), kept(grounds), alive(cloud, grounds), writes(cloud)
    dry = play(cloud, grounds, tasks, "--check", "--diff")
    between = held(cloud), kept(grounds), alive(cloud, grounds), writes(cloud)
    real = play(cloud, grounds, tasks, "--diff")
    return Story(grounds, dry, real, *zip(before, between, strict=True))


def lay(cloud: Simulator, number: int, devices: Sequence[Mapping[str, Any]], folder: Path) -> Ground:
    """The ground of a case: its account, with a product in it."""
    product = requests.post(
        f"{cloud.url}/v1/user/products",
        json={"product": {"name": f"product-{number}", "platform_id": BORON}},
        headers={"Authorization": f"Bearer {cloud.access_token(username(number))}"},
        timeout=TIMEOUT,
    )
    slug = product.json()["product"]["slug"]
    client_options = {f"client_{key}": value for key, value in client(number).items()}
    return Ground(username(number), client_options, slug, tuple(devices[:DEVICES]), folder)


def play(cloud: Simulator, grounds: Mapping[str, Ground], tasks: Mapping[str, Tasks], *args: str) -> PlaybookRun:
    """One playbook with a play for each case, over hosts of its own: what fails in one stops no other."""
    inventory = grounds[CASES[0].name].folder / "hosts.yml"
    inventory.write_text(
        yaml.safe_dump({group_of(case): {"hosts": hosts_of(case, grounds[case.name])} for case in CASES})
    )
    plays = [
        {
            "name": case.name,
            "hosts": group_of(case),
            "connection": "local",
            "gather_facts": False,
            "module_defaults": {"group/meshfleet.particle.particle": grounds[case.name].account},
            "tasks": tasks[case.name](grounds[case.name]),
        }
        for case in CASES
    ]
    return run_playbook(plays, env={"PARTICLE_API_URL": cloud.url}, args=["-i", str(inventory), *args])


def group_of(case: Case) -> str:
    return f"case_{CASES.index(case)}"


def hosts_of(case: Case, ground: Ground) -> dict[str, Any]:
    return case.hosts(ground) if case.hosts else {ground.product: {}}


def held(cloud: Simulator) -> dict[str, Any]:
    """All that the cloud holds but tokens, which come and go with every login."""
    return {kind: found for kind, found in cloud.state().items() if kind != "accounts"}


def kept(grounds: Mapping[str, Ground]) -> dict[str, bytes]:
    """The files of tokens that there are."""
    return {name: ground.tokens.read_bytes() for name, ground in grounds.items() if ground.tokens.exists()}


def alive(cloud: Simulator, grounds: Mapping[str, Ground]) -> dict[str, bool]:
    """Whether the cloud still takes the tokens that are kept."""
    found = {}
    for name, content in kept(grounds).items():
        headers = {"Authorization": f"Bearer {json.loads(content)['tokens'][0]['access_token']}"}
        found[name] = requests.get(f"{cloud.url}/v1/access_tokens/current", headers=headers, timeout=TIMEOUT).ok
    return found


def writes(cloud: Simulator) -> int:
    return int(cloud.stats()["writes"])


def told(run: PlaybookRun, case: Case, ground: Ground) -> list[dict[str, Any]]:
    """What became of each task of a case, as far as check mode promises it, host by host."""
    hosts = hosts_of(case, ground)
    tasks = [
        {
            "task": record.task,
            "host": record.host,
            "status": record.status,
            "changed": record.result.get("changed"),
            "diff": record.result.get("diff"),
        }
        for record in run.tasks
        if record.host in hosts
    ]
    return sorted(tasks, key=lambda task: str(task["host"]))  # workers end in any order


def test_a_dry_run_writes_nothing(story: Story) -> None:
    assert story.writes[0] == story.writes[1]
    assert story.held[0] == story.held[1]


def test_a_dry_run_keeps_and_revokes_no_token(story: Story) -> None:
    assert story.kept[0] == story.kept[1]
    assert set(story.alive[0].values()) == {True}
    assert story.alive[0] == story.alive[1]


@pytest.mark.parametrize("name", ALL)
def test_a_dry_run_says_what_the_real_one_does(story: Story, name: str) -> None:
    case, ground = ALL[name], story.grounds[name]
    predicted, done = told(story.dry, case, ground), told(story.real, case, ground)
    assert predicted == done
    assert "failed" not in {task["status"] for task in done}, story.real.output
    assert any(task["changed"] for task in done) is case.changes


def test_every_module_that_can_change_something_has_a_case(story: Story) -> None:
    def changing(run: PlaybookRun) -> set[str]:
        return {name(record) for record in run.tasks if record.status == "changed"}

    def name(record: TaskRecord) -> str:
        return record.action.removeprefix(OURS)

    modules = set(yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["particle"])
    covered = changing(story.real)
    assert changing(story.dry) == covered
    assert covered & NO_CASE.keys() == set(), "these change something after all"
    assert modules - covered == NO_CASE.keys(), "give each new module a case, or say here what it does instead"


def test_every_role_has_a_case(story: Story) -> None:
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    plays = [task for case in CASES for task in case.tasks(story.grounds[case.name])]
    included = {
        task["ansible.builtin.include_role"]["name"] for task in plays if "ansible.builtin.include_role" in task
    }
    assert {f"{OURS}{role}" for role in roles} == included
