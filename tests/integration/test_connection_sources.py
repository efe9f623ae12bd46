# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that connection options hold wherever they are set, and that no other cloud receives a request or a password.

Each test has two simulators. The environment names the second one, and an account that exists only there. A content of
the collection that does not see an option therefore sends a request to the second simulator, which counts it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshfleet.particle.plugins.modules.access_token import SPEC as LOGIN_SPEC
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator, running_simulator

GROUP = "group/meshfleet.particle.particle"
ROLES = ("provision", "report", "audit")
ACCOUNT = {"username": USERNAME, "password": PASSWORD}
OTHER_USER = "other@example.com"
DEVICE = "e00fce68aabbccddeeff0022"
# A block passes its keywords to its tasks in the same way as a play, so only a full run tries both.
BLOCK = pytest.param("block", marks=pytest.mark.only_full)

MODULES: dict[str, dict[str, Any]] = {
    "access_token": {"expires_in": 600},
    "access_token_info": {},
    "api_probe": {"max_requests": 3},
    "api_request": {"path": f"/v1/products/{PRODUCT_SLUG}"},
    "api_user": {"product": PRODUCT_SLUG, "name": "nightly-report", "state": "absent"},
    "auth_doctor": {},
    "device": {"product": PRODUCT_SLUG, "id": DEVICE, "state": "absent"},
    "device_call": {"product": PRODUCT_SLUG, "function": "led"},
    "device_facts": {"product": PRODUCT_SLUG, "id": DEVICE},
    "device_info": {"product": PRODUCT_SLUG},
    "firmware": {"product": PRODUCT_SLUG, "version": 8, "state": "absent"},
    "firmware_info": {"product": PRODUCT_SLUG},
    "fleet": {"product": PRODUCT_SLUG, "devices": []},
    "product": {"product": PRODUCT_SLUG, "definition": {"groups": {"canary": {"state": "absent"}}}},
    "product_info": {"product": PRODUCT_SLUG, "kinds": ["groups"]},
    "device_group": {"product": PRODUCT_SLUG, "name": "canary", "state": "absent"},
    "sim": {"product": PRODUCT_SLUG, "iccid": "8934076500002589174", "state": "released"},
    "integration": {"product": PRODUCT_SLUG, "name": "sink", "state": "absent"},
    "ledger": {"product": PRODUCT_SLUG, "name": "settings", "state": "absent"},
    "network": {"name": "barn", "state": "absent"},
    "network_info": {},
    "product_environment": {"product": PRODUCT_SLUG, "variables": {}},
    "publish_event": {"product": PRODUCT_SLUG, "name": "report-now"},
    "rollout": {"product": PRODUCT_SLUG, "version": 8, "state": "paused"},
    "rollout_info": {"product": PRODUCT_SLUG},
    "secret": {"product": PRODUCT_SLUG, "name": "API_KEY", "state": "absent"},
}
"""Options with which each module sends a request to the cloud, keyed by the name of the module."""

WITHOUT_CLOUD = {"fleet_outcome", "thread_network", "thread_network_info"}
"""Modules that send no request to the cloud, and have no connection options."""


def build_login_defaults(other: Simulator) -> dict[str, Any]:
    """Return a value for each option of module access_token, which would make the login of a role fail, or log in to
    the wrong cloud.
    """
    return {
        **dict.fromkeys(LOGIN_SPEC, "nonsense"),
        **{"api_url": other.url, "access_token": "of-the-other-cloud", "username": OTHER_USER, "password": PASSWORD},
        **{"state": "absent", "grant": "client_credentials", "which": "all", "token_file": "{{ playbook_dir }}"},
        **{"never_expires": True, "confirm": True, "private": False, "expires_at": "2099-01-01T00:00:00Z"},
    }


EXPECTED_FAILURES = {
    **{"device_facts": "not_found", "rollout": "not_found"},
    **{"network": "unsupported", "network_info": "unsupported"},
}
"""The errors of modules in a cloud that lacks the device, the firmware version and the registry of Particle Mesh."""


@pytest.fixture(scope="module")
def _other_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    accounts = tmp_path_factory.mktemp("other") / "accounts.json"
    accounts.write_text(json.dumps([{"username": OTHER_USER, "password": PASSWORD}]))
    with running_simulator("--accounts", str(accounts)) as cloud:
        yield cloud


@pytest.fixture
def other(_other_process: Simulator) -> Simulator:
    """A second cloud, with another account. No test may send it a request."""
    _other_process.reset()
    return _other_process


def other_environment(other: Simulator) -> dict[str, str]:
    """Return the environment variables that name the second cloud and its account."""
    return cloud_environment(other.url, OTHER_USER)


def role_task(role: str, folder: Path, **variables: Any) -> dict[str, Any]:
    """Return a task that runs one of the roles, or the audit, on an empty declaration.

    The report runs in check mode, in which it sends the same requests. The tests do not need its files, which take most
    of its time.
    """
    prefix = "report" if role == "report" else "provision"
    own: dict[str, Any] = {
        "provision": {"provision_manifest": {"product": PRODUCT_SLUG, "devices": []}},
        "report": {"report_products": [PRODUCT_SLUG], "report_dest": str(folder / "report")},
        "audit": {"provision_product": PRODUCT_SLUG},
    }[role]
    keywords: dict[str, dict[str, Any]] = {
        "audit": {"tasks_from": "mesh_audit"},
        "report": {"apply": {"check_mode": True}},
    }
    include = {"name": f"meshfleet.particle.{prefix}", **keywords.get(role, {})}
    given = {f"{prefix}_{name}": value for name, value in variables.items()}
    return {"name": f"Role {role}", "ansible.builtin.include_role": include, "vars": {**own, **given}}


def module_task(module: str, **options: Any) -> dict[str, Any]:
    """Return a task that calls a module with its options in `MODULES`."""
    return {
        "name": f"Module {module}",
        f"meshfleet.particle.{module}": {**MODULES[module], **options},
        "ignore_errors": True,
    }


def play(tasks: list[dict[str, Any]], **keywords: Any) -> dict[str, Any]:
    """Return a play on localhost."""
    return {"hosts": "localhost", "gather_facts": False, "tasks": tasks, **keywords}


def count_grants_and_revocations(cloud: Simulator) -> tuple[int, int]:
    return cloud.stats()["grants"], cloud.stats()["revocations"]


def find_failures(run: PlaybookRun) -> dict[str, str]:
    """Return the error code of each failed task, keyed by the name of the task."""
    failed = (task for task in run.tasks if task.status == "failed")
    return {task.task.removeprefix("Module "): str((task.result.get("error") or {}).get("code")) for task in failed}


def test_module_defaults_of_the_play_reach_all_modules_and_roles(
    simulator: Simulator, other: Simulator, tmp_path: Path
) -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert {*MODULES, *WITHOUT_CLOUD} == set(runtime["action_groups"]["particle"])
    lookup = {
        "name": "Lookup",
        "ansible.builtin.set_fact": {
            "token": "{{ lookup('meshfleet.particle.access_token', api_url=url, username=user, password=secret) }}"
        },
    }
    tasks = [*map(module_task, MODULES), *(role_task(role, tmp_path) for role in ROLES), lookup]
    run = run_playbook(
        [play(tasks, module_defaults={GROUP: {"api_url": simulator.url, **ACCOUNT}})],
        env=other_environment(other),
        extra_vars={"url": simulator.url, "user": USERNAME, "secret": PASSWORD},
    ).succeeded()
    assert find_failures(run).items() >= EXPECTED_FAILURES.items()
    # The lookup shares its login with the modules and the report. The module access_token, the doctor and each entry
    # point of the role provision obtain a token of their own; the role and the doctor revoke theirs.
    assert count_grants_and_revocations(simulator) == (5, 3)
    assert other.stats()["requests"] == 0


@pytest.mark.parametrize("level", ["play", BLOCK, pytest.param("single modules", marks=pytest.mark.only_full)])
def test_roles_ask_the_cloud_of_the_module_defaults(
    simulator: Simulator, other: Simulator, tmp_path: Path, level: str
) -> None:
    connection = {"api_url": simulator.url, **ACCOUNT}
    modules = ("fleet", "device_info", "network_info", "access_token_info")
    single = {f"meshfleet.particle.{name}": connection for name in modules}
    defaults = single if level == "single modules" else {GROUP: connection}
    tasks = [role_task(role, tmp_path) for role in ROLES]
    if level == "block":
        plays = [play([{"block": tasks, "module_defaults": defaults}])]
    else:
        plays = [play(tasks, module_defaults=defaults)]
    run_playbook(plays, env=other_environment(other)).succeeded()
    # The roles provision and audit revoke their tokens; the report shares its login.
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == ((3, 2), 0)


def test_token_of_a_role_is_sent_only_to_its_own_cloud(simulator: Simulator, other: Simulator, tmp_path: Path) -> None:
    defaults = {GROUP: {"api_url": simulator.url, **ACCOUNT}, "meshfleet.particle.network_info": {"api_url": other.url}}
    run_playbook([play([role_task("audit", tmp_path)], module_defaults=defaults)]).succeeded()
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == ((1, 1), 0)


def test_defaults_of_access_token_do_not_reach_the_login_of_a_role(
    simulator: Simulator, other: Simulator, tmp_path: Path
) -> None:
    defaults = {
        GROUP: {"api_url": "{{ url }}", **ACCOUNT},
        "meshfleet.particle.access_token": build_login_defaults(other),
    }
    tasks = [role_task(role, tmp_path) for role in ROLES]
    run_playbook([play(tasks, module_defaults=defaults)], extra_vars={"url": simulator.url}).succeeded()
    # The roles provision and audit revoke their tokens; the report shares its login.
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == ((3, 2), 0)


def test_secrets_that_a_role_passes_to_modules_are_not_shown(simulator: Simulator, tmp_path: Path) -> None:
    # The last value is not valid, so that a task fails with all of its options.
    variables = {
        "api_url": simulator.url,
        **ACCOUNT,
        "budget_store": "redis://:canary@127.0.0.1:1/0",
        "workers": "many",
    }
    run = run_playbook(
        [play([role_task("provision", tmp_path, **variables)])],
        args=["-vvvv"],
        env={"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "1"},
        extra_vars={"provision_otp_secret": "GEZDGNBVGY3TQOJQ"},
    )
    assert run.rc != 0
    assert [secret for secret in (PASSWORD, "canary", "GEZDGNBVGY3TQOJQ") if secret in run.output] == []


@pytest.mark.only_full
def test_static_roles_inherit_the_module_defaults(simulator: Simulator, other: Simulator, tmp_path: Path) -> None:
    defaults = {GROUP: {"api_url": simulator.url, **ACCOUNT}}
    provision, report = role_task("provision", tmp_path), role_task("report", tmp_path)
    imported = {
        "ansible.builtin.import_role": provision["ansible.builtin.include_role"],
        "vars": provision["vars"],
    }
    listed = [{"role": "meshfleet.particle.report", "vars": report["vars"], "check_mode": True}]
    plays = [play([imported], module_defaults=defaults, roles=listed)]
    run_playbook(plays, env=other_environment(other)).succeeded()
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == ((2, 1), 0)


def test_variables_of_a_role_take_precedence_over_module_defaults(
    simulator: Simulator, other: Simulator, tmp_path: Path
) -> None:
    defaults = {"api_url": other.url, "access_token": "of-the-other-cloud", "timeout": 0}
    own = {"api_url": simulator.url, "timeout": 5, **ACCOUNT}
    tasks = [role_task(role, tmp_path, **own) for role in ROLES]
    levels = {GROUP: defaults, "meshfleet.particle.fleet": defaults, "meshfleet.particle.device_info": defaults}
    run_playbook([play(tasks, module_defaults=levels)]).succeeded()
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == ((3, 2), 0)


@pytest.mark.parametrize("level", ["play", BLOCK])
def test_roles_and_lookups_see_the_environment_keyword(
    simulator: Simulator, other: Simulator, tmp_path: Path, level: str
) -> None:
    lookup = {"ansible.builtin.set_fact": {"token": "{{ lookup('meshfleet.particle.access_token') }}"}}
    tasks = [module_task("device_info"), lookup, *(role_task(role, tmp_path) for role in ROLES)]
    keyword = {"environment": cloud_environment(simulator.url)}
    plays = [play(tasks, **keyword)] if level == "play" else [play([{"block": tasks, **keyword}])]
    run_playbook(plays, env=other_environment(other)).succeeded()
    # The task, the lookup and the report share a login; the roles provision and audit revoke theirs.
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == ((3, 2), 0)


def test_access_token_in_the_environment_keyword_is_not_revoked(
    simulator: Simulator, other: Simulator, tmp_path: Path
) -> None:
    environment = {"PARTICLE_API_URL": simulator.url, "PARTICLE_ACCESS_TOKEN": simulator.access_token()}
    before = count_grants_and_revocations(simulator)
    tasks = [role_task(role, tmp_path) for role in ROLES]
    run_playbook([play(tasks, environment=environment)], env=other_environment(other)).succeeded()
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == (before, 0)


def test_lookup_in_the_environment_keyword_sees_only_the_process(simulator: Simulator) -> None:
    token = "{{ lookup('meshfleet.particle.access_token') }}"
    plays = [play([module_task("device_info")], environment={"PARTICLE_ACCESS_TOKEN": token})]
    run = run_playbook(plays, env=cloud_environment(simulator.url)).succeeded()
    assert run.result("Module device_info")["credentials_source"] == "the environment"
    assert count_grants_and_revocations(simulator) == (1, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--skip-tags", "token"],
        ["--start-at-task", "meshfleet.particle.provision : Bring the fleet to its declared state"],
    ],
    ids=["skipped tag", "start at a task"],
)
def test_role_without_its_token_step_leaves_the_shared_login_alive(simulator: Simulator, arguments: list[str]) -> None:
    run_playbook(
        "meshfleet.particle.provision",
        env=cloud_environment(simulator.url),
        extra_vars={"provision_manifest": {"product": PRODUCT_SLUG, "devices": []}},
        args=arguments,
    ).succeeded()
    assert count_grants_and_revocations(simulator) == (1, 0)


def test_active_profile_of_the_official_tool_is_used(simulator: Simulator, other: Simulator, tmp_path: Path) -> None:
    folder = tmp_path / ".particle"
    folder.mkdir()
    for name, cloud in (("particle", other), ("staging", simulator)):
        user = USERNAME if cloud is simulator else OTHER_USER
        login = {"access_token": cloud.access_token(user), "apiUrl": cloud.url}
        (folder / f"{name}.config.json").write_text(json.dumps(login))
    (folder / "profile.json").write_text('{"name": "staging"}')
    before, asked = count_grants_and_revocations(simulator), other.stats()["requests"]
    tasks = [module_task("device_info"), *(role_task(role, tmp_path) for role in ROLES)]
    run_playbook([play(tasks)], env={"HOME": str(tmp_path)}).succeeded()
    assert (count_grants_and_revocations(simulator), other.stats()["requests"]) == (before, asked)
