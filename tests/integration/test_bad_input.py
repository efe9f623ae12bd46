# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What goes wrong is said in a sentence, with its place and what to do, and costs as little as it can."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.scripted import ScriptedCloud
from support.simulator import PASSWORD, USERNAME, Simulator, running_simulator

FIVE_MISTAKES = """\
product: field-logger
networks:
  barn: {}
devices:
  - id: e00fce68aabbccddeeff0001
    name: one
    mesh: {network: barn, role: gateway}
  - id: not-an-id
  - id: e00fce68aabbccddeeff0003
    nmae: three
  - id: e00fce68aabbccddeeff0004
    name: one
  - id: e00fce68aabbccddeeff0005
    mesh: {network: bran}
  - id: e00fce68aabbccddeeff0006
    groups: [North Field]
"""


def failure(run: PlaybookRun) -> dict[str, Any]:
    """The result of the task, which has failed as documented and without a traceback."""
    assert run.task(TASK).status == "failed", run.output
    result = run.result(TASK)
    assert sorted(result["error"]) == ["code", "hint", "message", "route", "status"]
    assert result["error"]["hint"]
    assert "Traceback" not in run.output
    return result


def test_a_wrong_password_costs_one_request_and_no_second_try(simulator: Simulator) -> None:
    run = run_task("access_token", {"username": USERNAME, "password": "wrong"}, cloud_environment(simulator.url))
    result = failure(run)
    assert result["error"]["code"] == "invalid_credentials"
    assert "10 refused logins" in result["error"]["hint"]
    assert result["cloud"]["requests"] == 1
    stats = simulator.stats()
    assert (stats["requests"], stats["refusals"], stats["grants"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        (USERNAME, PASSWORD + "\n", "malformed_password"),
        (f" {USERNAME}", PASSWORD, "malformed_username"),
        ("demo @example.com", PASSWORD, "malformed_username"),
        (USERNAME, "", "malformed_password"),
    ],
    ids=["line break after the password", "space before the e-mail", "space in the e-mail", "no password"],
)
@pytest.mark.parametrize("module", ["access_token", "device_info"])
def test_credentials_that_cannot_be_right_are_never_sent(
    simulator: Simulator, module: str, username: str, password: str, code: str
) -> None:
    run = run_task(module, {"username": username, "password": password}, {"PARTICLE_API_URL": simulator.url})
    assert failure(run)["error"]["code"] == code
    assert simulator.stats()["requests"] == 0


def test_five_mistakes_in_a_manifest_are_all_named_with_their_lines(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text(FIVE_MISTAKES)
    run = run_task("fleet", {"manifest": "fleet.yml"}, cloud_environment(simulator.url), cwd=tmp_path)
    result = failure(run)
    assert result["error"]["code"] == "invalid_manifest"
    places = [line.strip().split(":")[1] for line in result["error"]["message"].splitlines()[1:]]
    assert [place.split(" ")[0] for place in places] == ["8", "10", "14", "16", "12"]
    assert "5 mistakes" in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_a_manifest_that_is_not_there_is_named(simulator: Simulator) -> None:
    run = run_task("fleet", {"manifest": "no-such-fleet.yml"}, cloud_environment(simulator.url))
    assert "no-such-fleet.yml" in failure(run)["error"]["message"]
    assert simulator.stats()["requests"] == 0


def test_a_manifest_in_another_encoding_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_bytes("devices: [] # Ställe".encode("latin-1"))
    run = run_task("fleet", {"manifest": "fleet.yml"}, cloud_environment(simulator.url), cwd=tmp_path)
    assert "UTF-8" in failure(run)["error"]["message"]
    assert simulator.stats()["requests"] == 0


def test_a_device_of_another_owner_fails_alone(tmp_path: Path) -> None:
    foreign = "e00fce68000000000000ffff"
    ours = [f"e00fce6800000000000000{number:02}" for number in range(3)]
    fleet: list[dict[str, Any]] = [{"id": device, "online": True} for device in ours]
    fleet.append({"id": foreign, "online": True, "owner": "other@example.com"})
    (tmp_path / "fleet.json").write_text(json.dumps(fleet))
    accounts = [{"username": USERNAME, "password": PASSWORD}, {"username": "other@example.com", "password": "x"}]
    (tmp_path / "accounts.json").write_text(json.dumps(accounts))
    into_product = {
        "product": "field-logger",
        "devices": [{"id": device, "name": device[-4:]} for device in [*ours, foreign]],
    }
    with running_simulator(
        "--fleet", str(tmp_path / "fleet.json"), "--accounts", str(tmp_path / "accounts.json")
    ) as cloud:
        env = cloud_environment(cloud.url)
        imported = failure(run_task("fleet", {"manifest": into_product}, env))
        claimed = failure(run_task("fleet", {"devices": [{"id": foreign, "claimed": True}]}, env))
    statuses = {device["id"]: device["status"] for device in imported["devices"]}
    assert statuses == {**dict.fromkeys(ours, "changed"), foreign: "failed"}
    assert foreign in imported["error"]["message"]
    assert imported["error"]["code"] == claimed["error"]["code"] == "device_not_yours"


def test_an_unknown_product_is_not_found(simulator: Simulator) -> None:
    manifest = {**manifest_for(simulator), "product": "no-such-product"}
    result = failure(run_task("fleet", {"manifest": manifest}, cloud_environment(simulator.url)))
    assert result["error"]["code"] == "not_found"
    assert "no-such-product" in result["error"]["message"]
    assert result["cloud"]["writes"] == 0


@pytest.mark.parametrize("module", ["access_token", "device_info"])
def test_a_cloud_that_is_not_there_is_unreachable(module: str) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port, and nobody answers
        taken.bind(("127.0.0.1", 0))
        env = cloud_environment(f"http://127.0.0.1:{taken.getsockname()[1]}")
        result = failure(run_task(module, {}, env))
    assert result["error"]["code"] == "unreachable"


@pytest.mark.parametrize("module", ["access_token", "device_info"])
@pytest.mark.parametrize("excepted", [False, True])
def test_the_proxy_of_a_plays_environment_is_used_by_actions_and_modules(
    simulator: Simulator, module: str, excepted: bool
) -> None:
    environment = {"http_proxy": "http://127.0.0.1:1", **({"no_proxy": "127.0.0.1"} if excepted else {})}
    task = {"name": TASK, f"meshfleet.particle.{module}": {}, "environment": environment}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    run = run_playbook([play], env=cloud_environment(simulator.url))
    if excepted:
        run.succeeded()
        return
    error = failure(run)["error"]
    assert error["code"] == "unreachable"
    assert "the proxy cannot be reached" in error["message"]
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("workers", [-1, 0, 257])
def test_a_number_of_workers_that_cannot_be_meant_is_said_before_any_request(
    simulator: Simulator, workers: int
) -> None:
    options = {"manifest": manifest_for(simulator), "workers": workers}
    result = failure(run_task("fleet", options, cloud_environment(simulator.url)))
    assert result["error"]["message"].endswith(f"got {workers}.")
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("bound", ["max_removals", "max_failures"])
def test_a_bound_below_nothing_is_said_before_any_request(simulator: Simulator, bound: str) -> None:
    options = {"manifest": manifest_for(simulator), bound: -1}
    result = failure(run_task("fleet", options, cloud_environment(simulator.url)))
    assert result["error"]["message"] == f"{bound} must be 0 or more, got -1."
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("module", ["access_token", "device_info"])
def test_a_web_page_is_not_a_cloud(scripted_cloud: ScriptedCloud, module: str) -> None:
    scripted_cloud.answer("POST", "/oauth/token", body="<html><body>Welcome to the hotel</body></html>", repeat=True)
    result = failure(run_task(module, {}, cloud_environment(scripted_cloud.url)))
    assert result["error"]["code"] == "not_a_cloud"
    assert len(scripted_cloud.requests) == 1


def test_no_credentials_at_all_is_said_before_any_request(simulator: Simulator) -> None:
    result = failure(run_task("device_info", {}, {"PARTICLE_API_URL": simulator.url}))
    assert "PARTICLE_" in result["error"]["hint"]
    assert simulator.stats()["requests"] == 0


def test_an_option_that_does_not_exist_is_named(simulator: Simulator) -> None:
    run = run_task("fleet", {"manifst": {}}, cloud_environment(simulator.url))
    assert run.task(TASK).status == "failed"
    assert "manifst" in run.result(TASK)["msg"]
