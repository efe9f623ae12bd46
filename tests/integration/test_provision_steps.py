# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Role `provision` step by step: its tags, and the outcomes that it leaves whatever happens."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment, manifest_for
from support.simulator import Simulator

PLAN, APPLY = "Show the planned changes", "Bring the fleet to its declared state"
LOOK, WRITE, REVOKE = "Fail if the fleet is not as declared", "Write the outcomes file", "Revoke the access token"


def provision(cloud: Simulator, manifest: dict[str, Any], *args: str, **variables: Any) -> PlaybookRun:
    return run_playbook(
        "meshfleet.particle.provision",
        env=cloud_environment(cloud.url),
        extra_vars={"provision_manifest": manifest, **variables},
        args=args,
    )


def tokens(cloud: Simulator) -> tuple[int, int]:
    """How many tokens were granted and revoked."""
    return cloud.stats()["grants"], cloud.stats()["revocations"]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def ran(run: PlaybookRun) -> set[str]:
    return {record.task for record in run.tasks if record.status != "skipped"}


def test_the_token_alone_is_obtained_and_revoked(simulator: Simulator) -> None:
    provision(simulator, manifest_for(simulator), "--tags", "token").succeeded()
    assert (tokens(simulator), simulator.stats()["requests"]) == ((1, 1), 2)


def test_the_plan_is_shown_and_nothing_is_written(simulator: Simulator) -> None:
    run = provision(simulator, manifest_for(simulator), "--tags", "plan").succeeded()
    assert len(run.result(PLAN)["diff"]["after"]) == 20 + 2  # the devices, and groups and ledgers beside them
    assert ran(run) & {APPLY, LOOK, WRITE} == set()
    assert (tokens(simulator), simulator.stats()["writes"]) == ((1, 1), 0)


def test_to_verify_is_to_look_and_to_say_what_differs(simulator: Simulator, tmp_path: Path) -> None:
    manifest, file = manifest_for(simulator), tmp_path / "outcomes.jsonl"
    before = provision(simulator, manifest, "--tags", "verify")
    assert before.rc != 0
    assert "20 of 20 devices differ from" in before.result(LOOK)["msg"]
    assert (tokens(simulator), simulator.stats()["writes"]) == ((1, 1), 0)

    asleep = manifest["devices"][-1]["id"]
    simulator.change_device(asleep, online=False)
    provision(simulator, manifest, "--tags", "apply").succeeded()
    writes = simulator.stats()["writes"]
    after = provision(simulator, manifest, "--tags", "verify,report", provision_outcomes_file=str(file)).succeeded()
    assert {APPLY} & ran(after) == set()
    assert (tokens(simulator), simulator.stats()["writes"]) == ((3, 3), writes)
    assert {line["id"] for line in lines(file) if line["mesh"] != "joined"} == {asleep}

    strict = provision(simulator, manifest, "--tags", "verify", provision_verify_strict=True)
    assert (strict.rc != 0, tokens(simulator)) == (True, (4, 4))


def test_all_steps_can_be_asked_for_at_once_with_one_token(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    manifest = manifest_for(simulator)
    run = provision(
        simulator, manifest, "--tags", "token,plan,apply,verify,report", provision_outcomes_file=str(file)
    ).succeeded()
    assert {PLAN, APPLY, LOOK, WRITE, REVOKE} <= ran(run)
    assert tokens(simulator) == (1, 1)
    # What was written stands in the outcomes, and not that all was fine afterwards.
    assert {line["status"] for line in lines(file)} == {"changed"}


def test_the_proof_can_be_skipped_and_the_rest_be_done(simulator: Simulator) -> None:
    run = provision(simulator, manifest_for(simulator), "--skip-tags", "verify,plan", provision_verify="online")
    result = run.succeeded().result(APPLY)
    assert (result["changed"], {device["mesh"] for device in result["devices"]}) == (True, {None})
    assert tokens(simulator) == (1, 1)


def test_the_outcomes_are_a_line_for_each_device_and_replaced_as_a_whole(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    manifest = manifest_for(simulator)
    first = provision(simulator, manifest, provision_outcomes_file=str(file)).succeeded()
    assert lines(file) == first.result(APPLY)["devices"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open() as reader:  # who reads while it is written has the whole of the old one
        provision(simulator, manifest, provision_outcomes_file=str(file)).succeeded()
        assert {json.loads(line)["status"] for line in reader} == {"changed"}
    assert {line["status"] for line in lines(file)} == {"ok"}

    nothing = provision(simulator, manifest, "--tags", "report", provision_outcomes_file=str(file)).succeeded()
    assert (WRITE in ran(nothing), tokens(simulator), len(lines(file))) == (False, (2, 2), 20)


@pytest.mark.parametrize(
    ("route", "failing"), [("PUT /v1/products/:p/devices/:id", 3), ("DELETE /v1/access_tokens/current", 0)]
)
def test_a_run_that_fails_leaves_its_outcomes_and_no_token(
    simulator: Simulator, tmp_path: Path, route: str, failing: int
) -> None:
    file = tmp_path / "outcomes.jsonl"
    simulator.set_faults([{"route": route, "effect": "status", "status": 403, "times": failing or 1}])
    run = provision(simulator, manifest_for(simulator), provision_outcomes_file=str(file))
    assert run.rc != 0
    found = [line["status"] for line in lines(file)]
    assert (len(found), found.count("failed")) == (20, failing)
    assert {line["error"]["code"] for line in lines(file) if line["status"] == "failed"} <= {"forbidden"}
    assert run.task(REVOKE).status == ("changed" if failing else "failed")


def test_a_run_that_fails_before_it_knows_a_device_leaves_no_outcomes_of_another(
    simulator: Simulator, tmp_path: Path
) -> None:
    file = tmp_path / "outcomes.jsonl"
    file.write_text('{"id": "of an earlier run"}\n')
    manifest = {**manifest_for(simulator), "product": "no-such-product"}
    run = provision(simulator, manifest, provision_outcomes_file=str(file))
    assert (run.rc != 0, file.read_text(), tokens(simulator)) == (True, "", (1, 1))


def test_outcomes_that_cannot_be_written_leave_no_token(simulator: Simulator, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "outcomes.jsonl"
    run = provision(simulator, manifest_for(simulator), provision_outcomes_file=str(nowhere))
    assert run.task(WRITE).status == "failed"
    assert tokens(simulator) == (1, 1)
