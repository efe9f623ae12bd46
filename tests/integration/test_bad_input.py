# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that wrong input and unusable clouds fail with a documented error and without needless requests."""

from __future__ import annotations

import itertools
import json
import os
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


def get_failure(run: PlaybookRun) -> dict[str, Any]:
    """Check that the task has failed with a documented error and no traceback; return its result."""
    assert run.task(TASK).status == "failed", run.output
    result = run.result(TASK)
    assert sorted(result["error"]) == ["code", "hint", "message", "route", "status"]
    assert result["error"]["hint"]
    assert "Traceback" not in run.output
    return result


def test_wrong_password_is_sent_only_once(simulator: Simulator) -> None:
    run = run_task("access_token", {"username": USERNAME, "password": "wrong"}, cloud_environment(simulator.url))
    result = get_failure(run)
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
def test_malformed_credentials_are_never_sent(
    simulator: Simulator, module: str, username: str, password: str, code: str
) -> None:
    run = run_task(module, {"username": username, "password": password}, {"PARTICLE_API_URL": simulator.url})
    assert get_failure(run)["error"]["code"] == code
    assert simulator.stats()["requests"] == 0


def test_all_mistakes_in_a_manifest_are_listed_with_their_lines(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text(FIVE_MISTAKES)
    run = run_task("fleet", {"manifest": "fleet.yml"}, cloud_environment(simulator.url), cwd=tmp_path)
    result = get_failure(run)
    assert result["error"]["code"] == "invalid_manifest"
    places = [line.strip().split(":")[1] for line in result["msg"].splitlines()[1:-1]]
    assert [place.split(" ")[0] for place in places] == ["8", "10", "14", "16", "12"]
    assert "5 mistakes" in result["msg"]
    assert simulator.stats()["requests"] == 0


def test_missing_manifest_is_named_before_any_request(simulator: Simulator) -> None:
    run = run_task("fleet", {"manifest": "no-such-fleet.yml"}, cloud_environment(simulator.url))
    assert "no-such-fleet.yml" in get_failure(run)["error"]["message"]
    assert simulator.stats()["requests"] == 0
    assert "cannot be read: it was not found in " in run.result(TASK)["msg"]
    assert "remote_src" not in run.output


def test_manifest_that_has_no_end_is_refused_before_any_request(simulator: Simulator, tmp_path: Path) -> None:
    widths = "abcdefghij"
    bomb = ['a: &a ["x"' + ',"x"' * 8 + "]"]
    bomb += [f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in itertools.pairwise(widths)]
    (tmp_path / "bomb.yml").write_text("\n".join(["product: field-logger", *bomb, "devices: *j"]))
    for suffix in ("yml", "csv"):
        os.mkfifo(tmp_path / f"pipe.{suffix}")
        (tmp_path / f"zero.{suffix}").symlink_to("/dev/zero")
        with (tmp_path / f"large.{suffix}").open("wb") as file:
            file.truncate(64_000_001)
        (tmp_path / f"many.{suffix}").write_text("-,\n" * 1_500_000)
    (tmp_path / "folder.yml").mkdir()
    reasons = {
        "bomb.yml": "more than 100000 values when its aliases are replaced",
        "folder.yml": "folder.yml is not a regular file",
    }
    for suffix in ("yml", "csv"):
        reasons |= {f"{name}.{suffix}": "is not a regular file" for name in ("pipe", "zero")}
        reasons[f"large.{suffix}"] = "has 64.000001 MB, and at most 64 MB are read"
        reasons[f"many.{suffix}"] = "more than 3000000 values"
    tasks = [{"name": name, "meshfleet.particle.fleet": {"manifest": str(tmp_path / name)}} for name in reasons]
    pipe = str(tmp_path / "pipe.yml")
    tasks.append({"name": "ca_path", "meshfleet.particle.device_info": {"ca_path": pipe, "account_devices": True}})
    tasks.append({"name": "token_file", "meshfleet.particle.access_token": {"token_file": pipe}})
    play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": tasks}
    run = run_playbook([play], env={**cloud_environment(simulator.url), "PARTICLE_API_URL": "https://127.0.0.1:1"})
    for name, reason in reasons.items():
        error = run.result(name)["error"]
        assert (error["code"], reason in error["message"]) == ("invalid_manifest", True), error
    for name, code in (("ca_path", "tls_untrusted"), ("token_file", "unsafe_file")):
        error = run.result(name)["error"]
        assert (error["code"], "is not a regular file" in error["message"]) == (code, True), error
    assert simulator.stats()["requests"] == 0


def test_manifest_in_another_encoding_is_refused_before_any_request(simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_bytes("devices: [] # Ställe".encode("latin-1"))
    run = run_task("fleet", {"manifest": "fleet.yml"}, cloud_environment(simulator.url), cwd=tmp_path)
    assert "UTF-8" in get_failure(run)["error"]["message"]
    assert simulator.stats()["requests"] == 0


def test_device_of_another_owner_is_the_only_one_that_fails(tmp_path: Path) -> None:
    foreign = "e00fce68000000000000ffff"
    ours = [f"e00fce6800000000000000{number:02}" for number in range(3)]
    fleet: list[dict[str, Any]] = [{"id": device, "online": True} for device in ours]
    fleet.append({"id": foreign, "online": True, "owner": "other@example.com"})
    (tmp_path / "fleet.json").write_text(json.dumps(fleet))
    accounts = [{"username": USERNAME, "password": PASSWORD}, {"username": "other@example.com", "password": "x"}]
    (tmp_path / "accounts.json").write_text(json.dumps(accounts))
    product_manifest = {
        "product": "field-logger",
        "devices": [{"id": device, "name": device[-4:]} for device in [*ours, foreign]],
    }
    with running_simulator(
        "--fleet", str(tmp_path / "fleet.json"), "--accounts", str(tmp_path / "accounts.json")
    ) as cloud:
        env = cloud_environment(cloud.url)
        imported = get_failure(run_task("fleet", {"manifest": product_manifest, "result": "all"}, env))
        claimed = get_failure(run_task("fleet", {"devices": [{"id": foreign, "claimed": True}]}, env))
    statuses = {device["id"]: device["status"] for device in imported["devices"]}
    assert statuses == {**dict.fromkeys(ours, "changed"), foreign: "failed"}
    assert foreign in imported["error"]["message"]
    assert imported["error"]["code"] == claimed["error"]["code"] == "device_not_yours"


def test_unknown_product_is_reported_as_not_found(simulator: Simulator) -> None:
    manifest = {**manifest_for(simulator), "product": "no-such-product"}
    result = get_failure(run_task("fleet", {"manifest": manifest}, cloud_environment(simulator.url)))
    assert result["error"]["code"] == "not_found"
    assert "no-such-product" in result["error"]["message"]
    assert result["cloud"]["writes"] == 0


@pytest.mark.parametrize("module", ["access_token", "device_info"])
def test_closed_port_is_reported_as_unreachable(module: str) -> None:
    with socket.socket() as bound:  # bound but not listening: the port is reserved, and connections are refused
        bound.bind(("127.0.0.1", 0))
        env = cloud_environment(f"http://127.0.0.1:{bound.getsockname()[1]}")
        result = get_failure(run_task(module, {}, env))
    assert result["error"]["code"] == "unreachable"


@pytest.mark.parametrize("module", ["access_token", "device_info"])
@pytest.mark.parametrize("bypassed", [False, True])
def test_proxy_variables_of_a_play_apply_to_actions_and_modules(
    simulator: Simulator, module: str, bypassed: bool
) -> None:
    environment = {"http_proxy": "http://127.0.0.1:1", **({"no_proxy": "127.0.0.1"} if bypassed else {})}
    task = {"name": TASK, f"meshfleet.particle.{module}": {}, "environment": environment}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
    run = run_playbook([play], env=cloud_environment(simulator.url))
    if bypassed:
        run.succeeded()
        return
    error = get_failure(run)["error"]
    assert error["code"] == "unreachable"
    assert "the proxy that http_proxy sets cannot be reached" in error["message"]
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("workers", [-1, 0, 257])
def test_invalid_number_of_workers_is_refused_before_any_request(simulator: Simulator, workers: int) -> None:
    options = {"manifest": manifest_for(simulator), "workers": workers}
    result = get_failure(run_task("fleet", options, cloud_environment(simulator.url)))
    assert result["error"]["message"].endswith(f"got {workers}.")
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("limit", ["max_removals", "max_failures"])
def test_negative_limit_is_refused_before_any_request(simulator: Simulator, limit: str) -> None:
    options = {"manifest": manifest_for(simulator), limit: -1}
    result = get_failure(run_task("fleet", options, cloud_environment(simulator.url)))
    assert result["error"]["message"] == f"{limit} must be 0 or more, got -1."
    assert simulator.stats()["requests"] == 0


@pytest.mark.parametrize("module", ["access_token", "device_info"])
def test_web_page_is_reported_as_not_a_cloud_after_one_request(scripted_cloud: ScriptedCloud, module: str) -> None:
    scripted_cloud.answer("POST", "/oauth/token", body="<html><body>Welcome to the hotel</body></html>", repeat=True)
    result = get_failure(run_task(module, {}, cloud_environment(scripted_cloud.url)))
    assert result["error"]["code"] == "not_a_cloud"
    assert len(scripted_cloud.requests) == 1


def test_missing_credentials_are_reported_before_any_request(simulator: Simulator) -> None:
    result = get_failure(run_task("device_info", {}, {"PARTICLE_API_URL": simulator.url}))
    assert "PARTICLE_" in result["error"]["hint"]
    assert simulator.stats()["requests"] == 0


def test_unknown_option_is_named(simulator: Simulator) -> None:
    run = run_task("fleet", {"manifst": {}}, cloud_environment(simulator.url))
    assert run.task(TASK).status == "failed"
    assert "manifst" in run.result(TASK)["msg"]
