# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that roles pass their options to the modules and ignore empty strings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment, manifest_for, read_counts, run_task
from support.simulator import PASSWORD, PRODUCT_SLUG, USERNAME, Simulator

APPLY = "Bring the fleet to its declared state"
OBTAIN = "Obtain an access token"
OUTCOME = "Assign each host the outcome of its device"


def run_role(
    cloud: Simulator, role: str, variables: dict[str, Any], *args: str, env: dict[str, str] | None = None, **more: Any
) -> PlaybookRun:
    """Run a role on localhost, or with an inventory among `args` on all of its hosts."""
    task = {"name": "Role", "ansible.builtin.include_role": {"name": f"meshfleet.particle.{role}", **more}}
    play = {"hosts": "all" if "-i" in args else "localhost", "gather_facts": False, "tasks": [task]}
    environment = {"PARTICLE_API_URL": cloud.url, **(cloud_environment(cloud.url) if env is None else env)}
    return run_playbook([play], env=environment, extra_vars=variables, args=args)


def build_empty_options(role: str, entry_point: str = "main") -> dict[str, str]:
    """Return an empty string for each option of a role."""
    text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return dict.fromkeys(yaml.safe_load(text)["argument_specs"][entry_point]["options"], "")


def count_grants_and_revocations(cloud: Simulator) -> tuple[int, int]:
    return cloud.stats()["grants"], cloud.stats()["revocations"]


def test_empty_options_of_provision_are_ignored(simulator: Simulator) -> None:
    options = {"provision_manifest": manifest_for(simulator), "provision_verify": "online"}
    run = run_role(simulator, "provision", {**build_empty_options("provision"), **options}).succeeded()
    assert run.result(APPLY)["summary"]["changed"] == 20
    assert run.task("Write the outcomes file").status == "skipped"
    assert count_grants_and_revocations(simulator) == (1, 1)


def test_options_of_spaces_are_ignored(simulator: Simulator) -> None:
    blank = dict.fromkeys(("username", "password", "otp", "access_token", "product", "workers", "outcomes_file"), " ")
    options = {f"provision_{name}": value for name, value in blank.items()}
    run = run_role(simulator, "provision", {**options, "provision_manifest": manifest_for(simulator)}).succeeded()
    assert run.task("Write the outcomes file").status == "skipped"
    assert run.result(APPLY)["summary"]["changed"] == 20
    assert "a********" not in run.output


def test_empty_options_of_the_audit_are_ignored(simulator: Simulator) -> None:
    empty = build_empty_options("provision", "mesh_audit")
    run = run_role(simulator, "provision", empty, tasks_from="mesh_audit").succeeded()
    assert "Write the manifests for the migration" not in {task.task for task in run.tasks if task.status != "skipped"}
    assert count_grants_and_revocations(simulator) == (1, 1)


@pytest.mark.only_full
def test_empty_options_of_the_report_are_ignored(simulator: Simulator, tmp_path: Path) -> None:
    playbook = tmp_path / "report.yml"
    role = {"role": "meshfleet.particle.report"}
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": [role]}]))
    variables = {**build_empty_options("report"), "report_products": [PRODUCT_SLUG]}
    run_playbook(playbook, env=cloud_environment(simulator.url), extra_vars=variables).succeeded()
    assert "<title>Fleet</title>" in (tmp_path / "report" / "fleet.html").read_text(encoding="utf-8")


def test_devices_can_be_given_as_an_option_of_the_role(simulator: Simulator) -> None:
    manifest = manifest_for(simulator)
    options = {f"provision_{name}": value for name, value in manifest.items()}
    run = run_role(simulator, "provision", options).succeeded()
    assert run.result(APPLY)["summary"]["changed"] == 20
    empty_run = run_role(
        simulator, "provision", {"provision_product": PRODUCT_SLUG, "provision_devices": []}
    ).succeeded()
    assert empty_run.result(APPLY)["summary"]["total"] == 0


def test_role_with_only_a_username_uses_its_stored_token(simulator: Simulator, tmp_path: Path) -> None:
    token_file = tmp_path / "tokens.json"
    run_task("access_token", {"token_file": str(token_file)}, cloud_environment(simulator.url)).succeeded()
    login = {"provision_token_file": str(token_file), "provision_username": USERNAME}
    manifest = {"provision_manifest": manifest_for(simulator)}
    run = run_role(simulator, "provision", {**login, **manifest}, env={}).succeeded()
    assert run.result(APPLY)["credentials_source"] == str(token_file)
    run_role(simulator, "provision", login, env={}, tasks_from="mesh_audit").succeeded()
    assert count_grants_and_revocations(simulator) == (1, 0)


@pytest.mark.parametrize("with_token_file", [True, False], ids=["with a token file", "without one"])
def test_role_with_a_password_obtains_its_own_token(
    simulator: Simulator, tmp_path: Path, with_token_file: bool
) -> None:
    login = {"provision_username": USERNAME, "provision_password": PASSWORD}
    if with_token_file:
        login["provision_token_file"] = str(tmp_path / "tokens.json")
    run_role(simulator, "provision", {**login, "provision_manifest": manifest_for(simulator)}, env={}).succeeded()
    assert count_grants_and_revocations(simulator) == (1, 1)
    assert not (tmp_path / "tokens.json").exists()


def test_username_option_without_password_fails_before_any_request(simulator: Simulator) -> None:
    variables = {"provision_username": USERNAME, "provision_manifest": manifest_for(simulator)}
    run = run_role(simulator, "provision", variables)
    assert run.result(OBTAIN)["error"]["code"] == "malformed_password"
    assert simulator.stats()["requests"] == 0


def test_role_uses_the_login_of_a_named_profile(simulator: Simulator, tmp_path: Path) -> None:
    token = simulator.access_token()
    (tmp_path / ".particle").mkdir()
    profile = {"access_token": token, "username": USERNAME, "apiUrl": simulator.url}
    (tmp_path / ".particle" / "barn.config.json").write_text(json.dumps(profile))
    before = count_grants_and_revocations(simulator)
    variables = {"provision_profile": "barn", "provision_manifest": manifest_for(simulator)}
    run = run_role(simulator, "provision", variables, env={"HOME": str(tmp_path)}).succeeded()
    assert run.result(APPLY)["credentials_source"] == "the login of the official command line tool"
    report = {"report_profile": "barn", "report_products": [PRODUCT_SLUG], "report_dest": str(tmp_path / "report")}
    run_role(simulator, "report", report, env={"HOME": str(tmp_path)}).succeeded()
    assert count_grants_and_revocations(simulator) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0),
        ("max_wait", -1),
        ("budget_store", "http://example.com"),
        ("budget_share", 2),
        ("max_failures", -1),
    ],
)
def test_role_passes_numbers_and_addresses_to_the_module(simulator: Simulator, option: str, value: object) -> None:
    variables = {"provision_manifest": manifest_for(simulator), f"provision_{option}": value}
    run = run_role(simulator, "provision", variables, env={"PARTICLE_ACCESS_TOKEN": simulator.access_token()})
    # An option of the connection fails the first task, which looks for a token.
    error = run.result(OBTAIN if option in ("timeout", "max_wait") else APPLY)["error"]
    assert (error["code"], error["message"].startswith(option)) == ("invalid_option", True)


def test_invalid_option_is_reported_with_the_variable_of_the_role(simulator: Simulator) -> None:
    variables = {"provision_manifest": manifest_for(simulator), "provision_workers": "many"}
    message = run_role(simulator, "provision", variables).result(APPLY)["msg"]
    assert "argument 'workers' is of type str" in message
    assert message.endswith("(set by provision_workers). Correct the option and run again.")
    assert count_grants_and_revocations(simulator) == (1, 1)


def test_role_on_hosts_stops_at_the_first_error(simulator: Simulator, tmp_path: Path) -> None:
    devices = [device["id"] for device in simulator.state()["devices"][:6]]
    hosts = {
        f"line-{number}": {"particle_device": {"id": device, "name": "the same"}}
        for number, device in enumerate(devices)
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    route = "PUT /v1/products/:p/devices/:id"
    simulator.set_faults([{"route": route, "effect": "status", "status": 403, "times": 20}])
    variables = {
        "provision_from_inventory": True,
        "provision_product": PRODUCT_SLUG,
        "provision_unique_names": False,
        "provision_on_error": "stop",
        "provision_workers": 1,
        "provision_devices": "",
    }
    run = run_role(simulator, "provision", variables, "-i", str(tmp_path / "hosts.yml"))
    result = run.result(APPLY)
    assert (result["ended_early"], read_counts(result)["failed"]) == (True, 1)
    failed = {task.host for task in run.tasks if task.task == OUTCOME and task.status == "failed"}
    assert failed == set(hosts)
    assert simulator.stats()["by_route"][route] == 1
    assert count_grants_and_revocations(simulator) == (1, 1)
