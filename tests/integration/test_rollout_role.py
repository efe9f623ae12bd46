# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the role `rollout` and its playbook, from a firmware file to the release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.firmware import make_binary
from support.fleet_files import device_id
from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.rollouts import NEW, OLD, write_rollout_fleet
from support.simulator import PRODUCT_SLUG, USERNAME, Simulator, running_simulator

PLAYBOOK = "meshfleet.particle.rollout"
UPLOAD, ROLL_OUT, SHOW = "Upload the firmware file", "Roll out the version", "Show the state of the rollout"
SIZE, FIRST = 12, 4
BENCH = device_id(7)
"""The device in the first wave of the guide."""
SOAK = 60
OPTIONS: dict[str, Any] = {
    "rollout_product": PRODUCT_SLUG,
    "rollout_waves": [{"count": FIRST}, {"percent": 100}],
    "rollout_soak": SOAK,
    "rollout_wait": False,
}
LOCK = "PUT /v1/products/:p/devices/:id"
MAX_RUNS = 12


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("fleet")
    fleet = write_rollout_fleet(folder, SIZE, others={BENCH: {"groups": ["bench"]}})
    with running_simulator("--fleet", fleet) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud with devices that run the version OLD."""
    _cloud.reset()
    _cloud.add_firmware(OLD)
    return _cloud


@pytest.fixture
def binary(tmp_path: Path) -> str:
    """The path of a firmware file with the version NEW."""
    path = tmp_path / "app.bin"
    path.write_bytes(make_binary(NEW))
    return str(path)


def run(cloud: Simulator, *args: str, env: dict[str, str] | None = None, **options: Any) -> PlaybookRun:
    """Run the playbook of the collection with options of the role, which replace those in `OPTIONS`."""
    given = {**OPTIONS, **{f"rollout_{name}": value for name, value in options.items()}}
    environment = {**cloud_environment(cloud.url), **(env or {})}
    return run_playbook(PLAYBOOK, env=environment, extra_vars=given, args=args)


def read_guide() -> str:
    return (ROOT / "docs" / "guide_rollout.md").read_text(encoding="utf-8")


def count_tokens(cloud: Simulator) -> int:
    """Return how many access tokens are valid, because they were obtained and not revoked."""
    stats = cloud.stats()
    return int(stats["grants"] - stats["revocations"])


def read_recap(run: PlaybookRun) -> dict[str, int]:
    """Return the numbers in the last line of the output, keyed by their names."""
    (line,) = re.findall(r"^localhost +: (.*)$", run.stdout, re.MULTILINE)
    return {name: int(number) for name, number in (pair.split("=") for pair in line.split())}


def locked(cloud: Simulator) -> set[str]:
    """Return the ids of the devices that are locked to a version."""
    return {each["id"] for each in cloud.state()["devices"] if each["desired_firmware_version"] is not None}


def test_role_brings_a_file_to_the_fleet_and_then_changes_nothing(cloud: Simulator, binary: str) -> None:
    states, summaries = [], []
    for _unused in range(MAX_RUNS):
        done = run(cloud, file=binary, title="Faster reconnect").succeeded()
        states.append(done.result(ROLL_OUT)["state"])
        summaries.append("\n".join(done.result(SHOW)["msg"]))
        assert count_tokens(cloud) == 0
        if states[-1] == "done":
            break
        cloud.advance(SOAK + 60)
    assert states[0] == "running"
    assert states[-1] == "done"
    assert summaries[0].startswith(f"The rollout of version {NEW} is running: 1 of 2 waves begun.\nDevices: {FIRST} ")
    assert "Run again at " in summaries[0]
    assert summaries[-1] == f"The rollout of version {NEW} is done: 2 of 2 waves begun.\nDevices: {SIZE} updated"
    devices = cloud.state()["devices"]
    assert {(each["firmware_version"], each["desired_firmware_version"]) for each in devices} == {(NEW, None)}
    writes = cloud.stats()["writes"]
    again = run(cloud, file=binary, title="Faster reconnect").succeeded()
    assert (read_recap(again)["changed"], cloud.stats()["writes"] - writes) == (0, 0)


def test_check_mode_of_the_role_shows_what_the_run_does(cloud: Simulator, binary: str) -> None:
    writes = cloud.stats()["writes"]
    checked = run(cloud, "--check", file=binary).succeeded()
    assert cloud.stats()["writes"] == writes
    assert "does not have firmware version 2" in checked.output
    waves = checked.result(ROLL_OUT)["waves"]
    assert [len(wave["members"]) for wave in waves] == [FIRST, SIZE - FIRST]
    shown = checked.result(SHOW)["msg"]
    assert shown[0] == "In check mode, nothing is written. A run would leave the rollout in this state:"
    assert shown[2] == f"Devices of the waves: {FIRST} updating, {SIZE - FIRST} waiting"
    done = run(cloud, file=binary).succeeded()
    assert [wave["members"] for wave in done.result(ROLL_OUT)["waves"]] == [wave["members"] for wave in waves]
    assert locked(cloud) == set(waves[0]["members"])


def test_braked_run_fails_and_revokes_its_token(cloud: Simulator) -> None:
    cloud.add_firmware(OLD, NEW)
    cloud.change_device("*", update="came_back_old")
    run(cloud, version=NEW).succeeded()
    cloud.advance(1200)
    stopped = run(cloud, version=NEW)
    result = stopped.result(ROLL_OUT)
    assert (stopped.rc, result["error"]["code"], result["state"]) == (2, "braked", "braked")
    assert SHOW not in {task.task for task in stopped.tasks}
    assert count_tokens(cloud) == 0
    assert len(locked(cloud)) == FIRST


@pytest.mark.only_full
def test_playbook_of_the_guide_stops_if_the_first_device_fails(cloud: Simulator) -> None:
    (playbook,) = re.findall(r"```yaml\n# rollout.yml\n(.*?)```", read_guide(), re.DOTALL)
    cloud.add_firmware(OLD, 42)
    cloud.change_device("*", update="refused")
    given: dict[str, Any] = {"env": cloud_environment(cloud.url), "extra_vars": {"rollout_wait": False}}
    run_playbook(playbook, **given).succeeded()
    cloud.advance(1200)
    for _unused in range(2):
        assert run_playbook(playbook, **given).result(ROLL_OUT)["error"]["code"] == "braked"
        cloud.advance(7200)
    assert locked(cloud) == {BENCH}


@pytest.mark.only_full
def test_cron_mails_exactly_the_runs_that_fail(cloud: Simulator) -> None:
    cloud.add_firmware(OLD, NEW)
    cloud.change_device("*", update="refused")
    (crontab,) = re.findall(r"```text\n# crontab\n(.*?)```", read_guide(), re.DOTALL)
    variables = dict(re.findall(r"^(\w+)=(\w+)$", crontab, re.MULTILINE))
    options = {"version": NEW, **dict(re.findall(r"\brollout_(\w+)=(\w+)", crontab))}
    assert run(cloud, env=variables, **options).succeeded().stderr == ""
    cloud.advance(1200)
    assert "The brake has stopped the rollout of version 2" in run(cloud, env=variables, **options).stderr


@pytest.mark.only_full
def test_api_user_with_the_documented_scopes_can_roll_out(cloud: Simulator) -> None:
    cloud.add_firmware(OLD, NEW)
    (table,) = re.findall(r"## Scopes of an API user\n(.*)", read_guide(), re.DOTALL)
    scopes = re.findall(r"`([\w.]+:\w+)`", table)
    answer = requests.post(
        f"{cloud.url}/v1/products/{PRODUCT_SLUG}/team",
        json={"friendly_name": "schedule", "scopes": scopes},
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=30,
    )
    token = answer.json()["created"]["tokens"][0]["token"]
    for _unused in range(MAX_RUNS):
        once = {"version": NEW, "waves": [{"percent": 100}], "soak": 0, "access_token": token}
        done = run(cloud, env={"PARTICLE_USERNAME": "", "PARTICLE_PASSWORD": ""}, **once).succeeded()
        if done.result(ROLL_OUT)["state"] == "done":
            break
        cloud.advance(60)
    assert {each["firmware_version"] for each in cloud.state()["devices"]} == {NEW}


@pytest.mark.only_full
def test_survey_approves_a_wave_and_leaves_other_questions_empty(cloud: Simulator) -> None:
    cloud.add_firmware(OLD, NEW)
    text = (ROOT / "roles" / "rollout" / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    names = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    empty = {name.removeprefix("rollout_"): "" for name in names if name not in OPTIONS}
    waiting = run(cloud, **{**empty, "version": str(NEW), "approve": "each"}).succeeded()
    assert waiting.result(ROLL_OUT)["state"] == "awaiting_approval"
    assert "Wave 1 with 4 devices waits for approval." in waiting.result(SHOW)["msg"][-1]
    accepted = sorted(each["id"] for each in cloud.state()["devices"])[:2]
    answers = {"version": str(NEW), "approve": "each", "approved": "1", "accept": "\n".join(accepted)}
    approved = run(cloud, **{**empty, **answers}).succeeded()
    assert [wave["approved_by"] for wave in approved.result(ROLL_OUT)["waves"]] == [USERNAME, None]
    assert cloud.stats()["by_route"][LOCK] == FIRST
    (ledger,) = cloud.state()["ledgers"]
    (record,) = ledger["instances"]
    assert record["data"]["accepted"] == accepted


def test_wrong_file_is_refused_before_any_write(cloud: Simulator, binary: str) -> None:
    writes = cloud.stats()["writes"]
    refused = run(cloud, file=binary, version=NEW + 1)
    assert refused.result(UPLOAD)["error"]["code"] == "wrong_binary"
    assert (cloud.stats()["writes"] - writes, count_tokens(cloud)) == (0, 0)


def test_version_that_is_not_uploaded_is_refused_without_a_write(cloud: Simulator) -> None:
    writes = cloud.stats()["writes"]
    error = run(cloud, version=NEW).result(ROLL_OUT)["error"]
    assert (error["code"], error["message"]) == (
        "not_found",
        f"Product {PRODUCT_SLUG} does not have firmware version {NEW}. It has {OLD}.",
    )
    assert error["hint"] == "Upload this version with the module firmware, or correct the option version."
    assert cloud.stats()["writes"] == writes


def test_invalid_option_is_reported_with_its_variable(cloud: Simulator) -> None:
    cloud.add_firmware(OLD, NEW)
    message = run(cloud, version=NEW, soak="long").result(ROLL_OUT)["msg"]
    assert message.endswith("(set by rollout_soak). Correct the option and run again.")
    message = run(cloud).result(ROLL_OUT)["msg"]
    assert "missing required arguments: version" in message


@pytest.mark.parametrize(("wait", "lifetime"), [(False, 3600), (True, 2 * 3600 + 3600)])
def test_token_lives_longer_than_the_longest_wait(cloud: Simulator, *, wait: bool, lifetime: int) -> None:
    cloud.add_firmware(OLD, NEW)
    show = {"name": "Show", "ansible.builtin.debug": {"var": "rollout_token.expires_in"}}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "roles": ["meshfleet.particle.rollout"],
        "post_tasks": [show],
    }
    options = {**OPTIONS, "rollout_version": NEW, "rollout_wait": wait, "rollout_wait_timeout": 7200}
    given = {**options, "rollout_state": "paused"}  # there is no rollout yet, so the role does not wait
    done = run_playbook([play], env=cloud_environment(cloud.url), extra_vars=given).succeeded()
    assert done.result("Show")["rollout_token.expires_in"] == lifetime
