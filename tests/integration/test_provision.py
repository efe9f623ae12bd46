# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the provisioning of many new devices into ten networks with the playbook `provision`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from support.counts import count
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, read_counts, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

N = count(quick=400, full=1_000)
NETWORKS = [f"site-{number:02}" for number in range(10)]
NEW_GROUPS = len(NETWORKS) + len(("mesh-gateway", "mesh-node")) + len(("north",))

RECONCILE = "Bring the fleet to its declared state"


@dataclass(frozen=True)
class Runs:
    """Successive runs, each with the counts of the cloud."""

    check: PlaybookRun
    check_stats: dict[str, Any]
    first: PlaybookRun
    first_stats: dict[str, Any]
    second: PlaybookRun
    second_stats: dict[str, Any]
    info: PlaybookRun
    state: dict[str, Any]


def subtract_counts(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {key: after[key] - before[key] for key in after if isinstance(after[key], int)}


def list_changed_tasks(run: PlaybookRun) -> list[str]:
    return [task.task for task in run.tasks if task.status == "changed"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs with a manifest file and credentials in the environment: check mode, first run, second run, device_info."""
    with running_simulator("--fleet", str(N)) as cloud:
        file = tmp_path_factory.mktemp("fleet") / "fleet.yml"
        file.write_text(yaml.safe_dump(manifest_for(cloud, NETWORKS, groups=["north"])))
        env = cloud_environment(cloud.url)

        def provision(*args: str) -> tuple[PlaybookRun, dict[str, Any]]:
            before = cloud.stats()
            run = run_playbook(
                "meshfleet.particle.provision",
                env=env,
                extra_vars={
                    "provision_manifest": str(file),
                    "provision_verify": "online",
                    "provision_outcomes_file": str(file.with_name("outcomes.jsonl")),
                },
                args=args,
            ).succeeded()
            return run, subtract_counts(before, cloud.stats())

        yield Runs(
            *provision("--check", "--diff"),
            *provision("--diff"),
            *provision(),
            run_task("device_info", {"product": PRODUCT_SLUG}, env).succeeded(),
            cloud.state(),
        )


def test_first_run_names_groups_and_networks_every_device(runs: Runs) -> None:
    result = runs.first.result(RECONCILE)
    assert read_counts(result) == {"total": N, "ok": 0, "changed": N, "failed": 0, "pending": 0}
    devices = [device for device in runs.state["devices"] if "north" in device["groups"]]
    assert len(devices) == N
    assert len({device["name"] for device in devices}) == N
    assert all(len([group for group in device["groups"] if group.startswith("mesh-")]) == 2 for device in devices)


def test_first_run_ends_with_all_members_joined(runs: Runs) -> None:
    size = N // len(NETWORKS)
    formed = {"gateways": 1, "nodes": size - 1, "joined": size, "pending": 0, "lost": 0}
    assert runs.first.result(RECONCILE)["networks"] == dict.fromkeys(NETWORKS, formed)


def test_first_run_takes_about_two_requests_per_device(runs: Runs) -> None:
    assert runs.first.result(RECONCILE)["cloud"]["requests"] <= 2.05 * N + 2 * NEW_GROUPS + 20


def test_second_run_writes_nothing(runs: Runs) -> None:
    cloud = runs.second.result(RECONCILE)["cloud"]
    assert runs.second.result(RECONCILE)["changed"] is False
    assert cloud["writes"] == 0
    assert cloud["requests"] <= 0.05 * N + 10


def test_reported_requests_match_the_count_of_the_cloud(runs: Runs) -> None:
    # The cloud also counts the login and the revocation of the role.
    for run, stats in (
        (runs.check, runs.check_stats),
        (runs.first, runs.first_stats),
        (runs.second, runs.second_stats),
    ):
        cost = run.result(RECONCILE)["cloud"]
        assert stats["requests"] == cost["requests"] + 2
        assert stats["writes"] == cost["writes"]
        assert stats["throttled"] == 0
        assert cost["retries"] == 0


def test_check_mode_writes_nothing_and_predicts_the_result(runs: Runs) -> None:
    predicted, done = runs.check.result(RECONCILE), runs.first.result(RECONCILE)
    assert runs.check_stats["writes"] == 0
    assert predicted["changed"] is done["changed"] is True
    # The diff shows some devices, the outcomes show all.
    assert predicted["diff"]["prepared"].splitlines()[:3] == done["diff"]["prepared"].splitlines()[:3]
    assert [device["changes"] for device in predicted["devices"]] == [device["changes"] for device in done["devices"]]
    assert read_counts(predicted) == read_counts(done)


def test_check_mode_predicts_which_tasks_of_the_play_change(runs: Runs) -> None:
    assert list_changed_tasks(runs.check) == list_changed_tasks(runs.first) == [RECONCILE]


def test_second_run_changes_nothing_in_the_recap(runs: Runs) -> None:
    assert list_changed_tasks(runs.second) == []
    assert re.search(r"localhost +: ok=\d+ +changed=0 ", runs.second.stdout)


def test_each_run_obtains_one_token_and_revokes_it(runs: Runs) -> None:
    for stats in (runs.check_stats, runs.first_stats, runs.second_stats):
        assert (stats["grants"], stats["revocations"], stats["refusals"]) == (1, 1, 0)


def test_first_run_reuses_at_most_twenty_connections(runs: Runs) -> None:
    assert runs.first_stats["connections"] <= 20


def test_device_info_reads_all_pages_with_mesh_roles(runs: Runs) -> None:
    info = runs.info.result(TASK)
    assert (info["count"], info["pages"], info["complete"]) == (N, N // 100, True)
    roles = [device["mesh"]["role"] for device in info["devices"]]
    assert (roles.count("gateway"), roles.count("node")) == (len(NETWORKS), N - len(NETWORKS))


def test_device_info_returns_no_mobile_secret(runs: Runs) -> None:
    assert all("mobile_secret" not in device for device in runs.info.result(TASK)["devices"])


def test_token_is_revoked_when_the_run_fails(simulator: Simulator) -> None:
    manifest = {**manifest_for(simulator), "product": "no-such-product"}
    run = run_playbook(
        "meshfleet.particle.provision",
        env=cloud_environment(simulator.url),
        extra_vars={"provision_manifest": manifest},
    )
    assert run.rc != 0
    assert run.task("Revoke the access token").status == "ok"
    assert simulator.stats()["grants"] == simulator.stats()["revocations"] == 1


def test_given_access_token_is_used_and_not_revoked(simulator: Simulator) -> None:
    token = simulator.access_token()
    run_playbook(
        "meshfleet.particle.provision",
        env={"PARTICLE_API_URL": simulator.url},
        extra_vars={"provision_manifest": manifest_for(simulator), "provision_access_token": token},
    ).succeeded()
    assert (simulator.stats()["grants"], simulator.stats()["revocations"]) == (1, 0)


def test_role_with_a_password_leaves_the_token_file_unchanged(simulator: Simulator, tmp_path: Path) -> None:
    token_file = tmp_path / "tokens.json"
    env = {**cloud_environment(simulator.url), "PARTICLE_TOKEN_FILE": str(token_file)}
    run_task("access_token", {}, env).succeeded()
    before = token_file.read_bytes()
    run_playbook(
        "meshfleet.particle.provision", env=env, extra_vars={"provision_manifest": manifest_for(simulator)}
    ).succeeded()
    assert token_file.read_bytes() == before
    stats = simulator.stats()
    assert (stats["grants"], stats["revocations"]) == (2, 1)


def test_role_uses_the_token_file_if_there_are_no_other_credentials(simulator: Simulator, tmp_path: Path) -> None:
    token_file = tmp_path / "tokens.json"
    run_task("access_token", {"token_file": str(token_file)}, cloud_environment(simulator.url)).succeeded()
    run_playbook(
        "meshfleet.particle.provision",
        env={"PARTICLE_API_URL": simulator.url, "PARTICLE_TOKEN_FILE": str(token_file)},
        extra_vars={"provision_manifest": manifest_for(simulator)},
    ).succeeded()
    assert (simulator.stats()["grants"], simulator.stats()["revocations"]) == (1, 0)


def test_vaulted_manifest_is_found_in_the_files_folder(simulator: Simulator, tmp_path: Path) -> None:
    text = yaml.safe_dump(manifest_for(simulator)).encode()
    secret = VaultSecret(b"vault-password")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "fleet.yml").write_bytes(VaultLib().encrypt(text, secret))
    (tmp_path / "password").write_text("vault-password")
    run = run_task(
        "fleet",
        {"manifest": "fleet.yml"},
        cloud_environment(simulator.url),
        "--vault-password-file",
        str(tmp_path / "password"),
        cwd=tmp_path,
    ).succeeded()
    assert run.result(TASK)["summary"]["changed"] == 20


def test_tasks_of_two_runs_share_one_login(simulator: Simulator, tmp_path: Path) -> None:
    env = {**cloud_environment(simulator.url), "XDG_RUNTIME_DIR": str(tmp_path)}
    run_task("device_info", {}, env).succeeded()
    run_task("fleet", {"manifest": manifest_for(simulator)}, env).succeeded()
    assert simulator.stats()["grants"] == 1


def test_only_devices_that_change_or_leave_their_network_are_written(simulator: Simulator) -> None:
    env = cloud_environment(simulator.url)
    manifest = manifest_for(simulator, ["barn", "field"])
    run_task("fleet", {"manifest": manifest}, env).succeeded()
    *_unused, moving, leaving = manifest["devices"]
    moving["mesh"] = {"network": "barn" if moving["mesh"]["network"] == "field" else "field"}
    leaving["mesh"] = {"state": "absent"}

    run = run_task("fleet", {"manifest": manifest, "verify": "online"}, env).succeeded()

    result = run.result(TASK)
    statuses = {d["id"]: d["status"] for d in result["devices"] if d["status"] != "ok"}
    assert statuses == {moving["id"]: "changed", leaving["id"]: "pending"}  # until it has reported that it has left
    # Two ledger instances, one group with an added device, and three groups with removed devices.
    assert result["cloud"]["writes"] <= 2 + 1 + 3
    groups = {device["id"]: device["groups"] for device in simulator.state()["devices"]}
    assert sorted(groups[moving["id"]]) == sorted([f"mesh-{moving['mesh']['network']}", "mesh-node"])
    assert groups[leaving["id"]] == []
