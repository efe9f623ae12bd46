# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the tags of the role `provision`, and its outcomes file."""

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
VERIFY, WRITE, REVOKE = "Fail if the fleet is not as declared", "Write the outcomes file", "Revoke the access token"


def provision(cloud: Simulator, manifest: dict[str, Any], *args: str, **variables: Any) -> PlaybookRun:
    return run_playbook(
        "meshfleet.particle.provision",
        env=cloud_environment(cloud.url),
        extra_vars={"provision_manifest": manifest, **variables},
        args=args,
    )


# Plays that run the role, each with the tag `fleet` in another place. The last one passes it on with `apply`.
ROLE = {"name": "meshfleet.particle.provision"}
TAGGED_PLAYS: list[dict[str, Any]] = [
    {"name": "role", "roles": [{"role": ROLE["name"], "tags": ["fleet"]}]},
    {"name": "play", "roles": [ROLE["name"]], "tags": ["fleet"]},
    {"name": "block", "tasks": [{"block": [{"ansible.builtin.import_role": ROLE}], "tags": ["fleet"]}]},
    {"name": "import_role", "tasks": [{"ansible.builtin.import_role": ROLE, "tags": ["fleet"]}]},
    {
        "name": "include_role",
        "tasks": [{"ansible.builtin.include_role": {**ROLE, "apply": {"tags": ["fleet"]}}, "tags": ["always"]}],
    },
]


def provision_with_tagged_plays(
    cloud: Simulator, tagged: list[dict[str, Any]], folder: Path, *args: str, **variables: Any
) -> PlaybookRun:
    """Run plays with the tag `fleet`, and the playbook of the collection as an import with this tag."""
    plays = [{"hosts": "localhost", "gather_facts": False, **play} for play in tagged]
    imported = {"ansible.builtin.import_playbook": "meshfleet.particle.provision", "tags": ["fleet"]}
    (folder / "site.yml").write_text(json.dumps([*plays, imported]))
    return run_playbook(
        folder / "site.yml",
        env=cloud_environment(cloud.url),
        extra_vars={"provision_manifest": manifest_for(cloud), **variables},
        args=args,
    )


def list_steps_of_plays(run: PlaybookRun) -> dict[str, set[str]]:
    """Return the steps that wrote, planned or verified, keyed by the name of the play."""
    steps: dict[str, set[str]] = {}
    for record in run.tasks:
        if record.status != "skipped":
            steps.setdefault(record.play, set()).update({record.task} & {PLAN, APPLY, VERIFY, WRITE})
    return steps


def count_tokens(cloud: Simulator) -> tuple[int, int]:
    """Count the tokens that were granted and revoked."""
    return cloud.stats()["grants"], cloud.stats()["revocations"]


def read_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def list_executed_tasks(run: PlaybookRun) -> set[str]:
    return {record.task for record in run.tasks if record.status != "skipped"}


def test_token_tag_only_obtains_and_revokes_a_token(simulator: Simulator) -> None:
    provision(simulator, manifest_for(simulator), "--tags", "token").succeeded()
    assert (count_tokens(simulator), simulator.stats()["requests"]) == ((1, 1), 2)


def test_plan_tag_shows_the_plan_and_writes_nothing(simulator: Simulator) -> None:
    run = provision(simulator, manifest_for(simulator), "--tags", "plan").succeeded()
    shown = {line.partition(":")[0] for line in run.result(PLAN)["diff"]["prepared"].splitlines()}
    assert {"create groups", "create ledgers"} <= shown
    assert run.result(PLAN)["summary"]["changed"] == 20
    assert list_executed_tasks(run) & {APPLY, VERIFY, WRITE} == set()
    assert (count_tokens(simulator), simulator.stats()["writes"]) == ((1, 1), 0)


def test_verify_tag_reports_differences_and_writes_nothing(simulator: Simulator, tmp_path: Path) -> None:
    manifest, file = manifest_for(simulator), tmp_path / "outcomes.jsonl"
    before = provision(simulator, manifest, "--tags", "verify")
    assert before.rc != 0
    assert "The fleet is not as declared. 20 devices: 20 would change." in before.result(VERIFY)["msg"]
    assert (count_tokens(simulator), simulator.stats()["writes"]) == ((1, 1), 0)

    offline = manifest["devices"][-1]["id"]
    simulator.change_device(offline, online=False)
    provision(simulator, manifest, "--tags", "apply").succeeded()
    writes = simulator.stats()["writes"]
    after = provision(simulator, manifest, "--tags", "verify,report", provision_outcomes_file=str(file)).succeeded()
    assert {APPLY} & list_executed_tasks(after) == set()
    assert (count_tokens(simulator), simulator.stats()["writes"]) == ((3, 3), writes)
    assert {line["id"] for line in read_lines(file) if line["mesh"] != "joined"} == {offline}

    strict = provision(simulator, manifest, "--tags", "verify", provision_verify_strict=True)
    assert (strict.rc != 0, count_tokens(simulator)) == (True, (4, 4))


def test_all_tags_together_use_one_token(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    manifest = manifest_for(simulator)
    run = provision(
        simulator, manifest, "--tags", "token,plan,apply,verify,report", provision_outcomes_file=str(file)
    ).succeeded()
    assert {PLAN, APPLY, VERIFY, WRITE, REVOKE} <= list_executed_tasks(run)
    assert count_tokens(simulator) == (1, 1)
    # The outcomes are those of the writes, not of the later verification.
    assert {line["status"] for line in read_lines(file)} == {"changed"}


def test_inherited_tag_runs_the_steps_of_a_run_without_tags(simulator: Simulator, tmp_path: Path) -> None:
    outcomes = {"provision_outcomes_file": str(tmp_path / "outcomes.jsonl")}
    arguments = (tmp_path, "--tags", "fleet")
    dry = provision_with_tagged_plays(simulator, TAGGED_PLAYS, *arguments, "--check", **outcomes).succeeded()
    steps = list_steps_of_plays(dry)
    assert len(steps) == len(TAGGED_PLAYS) + 1
    assert {name: found for name, found in steps.items() if found != {APPLY, WRITE}} == {}
    assert (count_tokens(simulator), simulator.stats()["writes"]) == ((6, 6), 0)

    provision_with_tagged_plays(simulator, TAGGED_PLAYS[:1], *arguments, **outcomes).succeeded()
    assert {line["status"] for line in read_lines(tmp_path / "outcomes.jsonl")} == {"ok"}


@pytest.mark.parametrize(
    ("tags", "steps"),
    [
        ("plan", {PLAN}),
        ("fleet,plan", {PLAN}),
        ("fleet,report", {APPLY}),
        ("all,plan", {PLAN, APPLY}),
    ],
)
def test_step_tags_select_steps_of_a_tagged_role(simulator: Simulator, tags: str, steps: set[str]) -> None:
    play = {"hosts": "localhost", "gather_facts": False, **TAGGED_PLAYS[0]}
    variables = {"provision_manifest": manifest_for(simulator)}
    run = run_playbook(
        [play], env=cloud_environment(simulator.url), extra_vars=variables, args=["--tags", tags, "--check"]
    ).succeeded()
    assert list_executed_tasks(run) & {PLAN, APPLY, VERIFY} == steps
    assert count_tokens(simulator) == (1, 1)


def test_fleet_is_applied_without_verification_if_verify_is_skipped(simulator: Simulator) -> None:
    run = provision(simulator, manifest_for(simulator), "--skip-tags", "verify,plan", provision_verify="online")
    result = run.succeeded().result(APPLY)
    assert (result["changed"], {device["mesh"] for device in result["devices"]}) == (True, {None})
    assert count_tokens(simulator) == (1, 1)


def test_outcomes_file_has_a_line_per_device_and_is_replaced_atomically(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    manifest = manifest_for(simulator)
    first = provision(simulator, manifest, provision_outcomes_file=str(file)).succeeded()
    assert read_lines(file) == first.result(APPLY)["devices"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open() as reader:  # a reader still sees the whole old file during the write
        provision(simulator, manifest, provision_outcomes_file=str(file)).succeeded()
        assert {json.loads(line)["status"] for line in reader} == {"changed"}
    assert {line["status"] for line in read_lines(file)} == {"ok"}

    report = provision(simulator, manifest, "--tags", "report", provision_outcomes_file=str(file)).succeeded()
    assert (WRITE in list_executed_tasks(report), count_tokens(simulator), len(read_lines(file))) == (False, (2, 2), 20)


@pytest.mark.parametrize(
    ("route", "failing"), [("PUT /v1/products/:p/devices/:id", 3), ("DELETE /v1/access_tokens/current", 0)]
)
def test_failed_run_writes_outcomes_and_tries_to_revoke_its_token(
    simulator: Simulator, tmp_path: Path, route: str, failing: int
) -> None:
    file = tmp_path / "outcomes.jsonl"
    simulator.set_faults([{"route": route, "effect": "status", "status": 403, "times": failing or 1}])
    run = provision(simulator, manifest_for(simulator), provision_outcomes_file=str(file))
    assert run.rc != 0
    found = [line["status"] for line in read_lines(file)]
    assert (len(found), found.count("failed")) == (20, failing)
    assert {line["error"]["code"] for line in read_lines(file) if line["status"] == "failed"} <= {"forbidden"}
    assert run.task(REVOKE).status == ("ok" if failing else "failed")


def test_run_that_fails_early_empties_the_outcomes_file(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    file.write_text('{"id": "of an earlier run"}\n')
    manifest = {**manifest_for(simulator), "product": "no-such-product"}
    run = provision(simulator, manifest, provision_outcomes_file=str(file))
    assert (run.rc != 0, file.read_text(), count_tokens(simulator)) == (True, "", (1, 1))


def test_token_is_revoked_when_outcomes_cannot_be_written(simulator: Simulator, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "outcomes.jsonl"
    run = provision(simulator, manifest_for(simulator), provision_outcomes_file=str(nowhere))
    assert run.task(WRITE).status == "failed"
    assert count_tokens(simulator) == (1, 1)
