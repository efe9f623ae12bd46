# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A thousand devices from their boxes into ten networks, through the playbook that users run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, manifest_for, read_counts, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

N = 1_000
NETWORKS = [f"site-{number:02}" for number in range(10)]
NEW_GROUPS = len(NETWORKS) + len(("mesh-gateway", "mesh-node")) + len(("north",))

RECONCILE = "Bring the fleet to its declared state"


@dataclass(frozen=True)
class Story:
    """The runs one after another, each with what the cloud itself counted of it."""

    check: PlaybookRun
    check_stats: dict[str, Any]
    first: PlaybookRun
    first_stats: dict[str, Any]
    second: PlaybookRun
    second_stats: dict[str, Any]
    facts: PlaybookRun
    state: dict[str, Any]


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {key: after[key] - before[key] for key in after if isinstance(after[key], int)}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Dry run, real run, run again, look; with a manifest file and credentials in the environment."""
    with running_simulator("--fleet", str(N)) as cloud:
        file = tmp_path_factory.mktemp("fleet") / "fleet.yml"
        file.write_text(yaml.safe_dump(manifest_for(cloud, NETWORKS, groups=["north"])))
        env = cloud_environment(cloud.url)

        def provision(*args: str) -> tuple[PlaybookRun, dict[str, Any]]:
            before = cloud.stats()
            run = run_playbook(
                "meshfleet.particle.provision",
                env=env,
                extra_vars={"provision_manifest": str(file), "provision_verify": "online"},
                args=args,
            ).succeeded()
            return run, difference(before, cloud.stats())

        yield Story(
            *provision("--check", "--diff"),
            *provision(),
            *provision(),
            run_task("device_info", {"product": PRODUCT_SLUG}, env).succeeded(),
            cloud.state(),
        )


def test_every_device_is_named_grouped_and_in_its_network(story: Story) -> None:
    result = story.first.result(RECONCILE)
    assert read_counts(result) == {"total": N, "ok": 0, "changed": N, "failed": 0, "pending": 0}
    devices = [device for device in story.state["devices"] if "north" in device["groups"]]
    assert len(devices) == N
    assert len({device["name"] for device in devices}) == N
    assert all(len([group for group in device["groups"] if group.startswith("mesh-")]) == 2 for device in devices)


def test_all_members_report_that_they_have_joined(story: Story) -> None:
    size = N // len(NETWORKS)
    formed = {"gateways": 1, "nodes": size - 1, "joined": size, "pending": 0, "lost": 0}
    assert story.first.result(RECONCILE)["networks"] == dict.fromkeys(NETWORKS, formed)


def test_the_first_run_takes_two_writes_for_a_device(story: Story) -> None:
    assert story.first.result(RECONCILE)["cloud"]["requests"] <= 2.05 * N + 2 * NEW_GROUPS + 20


def test_the_second_run_only_looks(story: Story) -> None:
    cloud = story.second.result(RECONCILE)["cloud"]
    assert story.second.result(RECONCILE)["changed"] is False
    assert cloud["writes"] == 0
    assert cloud["requests"] <= 0.05 * N + 10


def test_what_a_run_says_of_its_cost_is_what_the_cloud_counted(story: Story) -> None:
    # The cloud also sees the role's login and revocation.
    for run, stats in (
        (story.check, story.check_stats),
        (story.first, story.first_stats),
        (story.second, story.second_stats),
    ):
        cost = run.result(RECONCILE)["cloud"]
        assert stats["requests"] == cost["requests"] + 2
        assert stats["writes"] == cost["writes"]
        assert stats["throttled"] == 0
        assert cost["retries"] == 0


def test_a_dry_run_writes_nothing_and_predicts_all(story: Story) -> None:
    predicted, done = story.check.result(RECONCILE), story.first.result(RECONCILE)
    assert story.check_stats["writes"] == 0
    assert predicted["changed"] is done["changed"] is True
    assert predicted["diff"] == done["diff"]
    assert read_counts(predicted) == read_counts(done)


def test_the_dry_run_of_the_play_has_as_many_changes_as_the_real_one(story: Story) -> None:
    def changed(run: PlaybookRun) -> list[str]:
        return [task.task for task in run.tasks if task.status == "changed"]

    assert changed(story.check) == changed(story.first)


def test_each_run_obtains_one_token_and_leaves_none(story: Story) -> None:
    for stats in (story.check_stats, story.first_stats, story.second_stats):
        assert (stats["grants"], stats["revocations"], stats["refusals"]) == (1, 1, 0)


def test_connections_are_kept_alive(story: Story) -> None:
    assert story.first_stats["connections"] <= 20


def test_facts_show_all_pages_with_network_and_role(story: Story) -> None:
    facts = story.facts.result(TASK)
    assert (facts["count"], facts["pages"], facts["complete"]) == (N, N // 100, True)
    roles = [device["mesh"]["role"] for device in facts["devices"]]
    assert (roles.count("gateway"), roles.count("node")) == (len(NETWORKS), N - len(NETWORKS))


def test_no_setup_secret_of_a_device_is_among_the_facts(story: Story) -> None:
    assert all("mobile_secret" not in device for device in story.facts.result(TASK)["devices"])


def test_the_token_is_revoked_even_when_the_run_fails(simulator: Simulator) -> None:
    manifest = {**manifest_for(simulator), "product": "no-such-product"}
    run = run_playbook(
        "meshfleet.particle.provision",
        env=cloud_environment(simulator.url),
        extra_vars={"provision_manifest": manifest},
    )
    assert run.rc != 0
    assert run.task("Revoke the access token").status == "changed"
    assert simulator.stats()["grants"] == simulator.stats()["revocations"] == 1


def test_a_ready_token_is_used_and_left_alone(simulator: Simulator) -> None:
    token = simulator.access_token()
    run_playbook(
        "meshfleet.particle.provision",
        env={"PARTICLE_API_URL": simulator.url},
        extra_vars={"provision_manifest": manifest_for(simulator), "provision_access_token": token},
    ).succeeded()
    assert (simulator.stats()["grants"], simulator.stats()["revocations"]) == (1, 0)


def test_a_kept_token_is_neither_used_up_nor_revoked_by_the_role(simulator: Simulator, tmp_path: Path) -> None:
    kept = tmp_path / "tokens.json"
    env = {**cloud_environment(simulator.url), "PARTICLE_TOKEN_FILE": str(kept)}
    run_task("access_token", {}, env).succeeded()
    before = kept.read_bytes()
    run_playbook(
        "meshfleet.particle.provision", env=env, extra_vars={"provision_manifest": manifest_for(simulator)}
    ).succeeded()
    assert kept.read_bytes() == before
    stats = simulator.stats()
    assert (stats["grants"], stats["revocations"]) == (2, 1)


def test_a_kept_token_alone_is_enough_for_the_role(simulator: Simulator, tmp_path: Path) -> None:
    kept = tmp_path / "tokens.json"
    run_task("access_token", {"token_file": str(kept)}, cloud_environment(simulator.url)).succeeded()
    run_playbook(
        "meshfleet.particle.provision",
        env={"PARTICLE_API_URL": simulator.url, "PARTICLE_TOKEN_FILE": str(kept)},
        extra_vars={"provision_manifest": manifest_for(simulator)},
    ).succeeded()
    assert (simulator.stats()["grants"], simulator.stats()["revocations"]) == (1, 0)


def test_a_manifest_is_found_beside_the_playbook_and_may_be_vaulted(simulator: Simulator, tmp_path: Path) -> None:
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


def test_tasks_that_log_in_by_themselves_share_one_login(simulator: Simulator, tmp_path: Path) -> None:
    env = {**cloud_environment(simulator.url), "XDG_RUNTIME_DIR": str(tmp_path)}
    run_task("device_info", {}, env).succeeded()
    run_task("fleet", {"manifest": manifest_for(simulator)}, env).succeeded()
    assert simulator.stats()["grants"] == 1


def test_a_device_that_moves_and_one_that_leaves_are_the_only_writes(simulator: Simulator) -> None:
    env = cloud_environment(simulator.url)
    manifest = manifest_for(simulator, ["barn", "field"])
    run_task("fleet", {"manifest": manifest}, env).succeeded()
    *_unused, moving, leaving = manifest["devices"]
    moving["mesh"] = {"network": "barn" if moving["mesh"]["network"] == "field" else "field"}
    leaving["mesh"] = {"state": "absent"}

    run = run_task("fleet", {"manifest": manifest, "verify": "online"}, env).succeeded()

    result = run.result(TASK)
    assert [d["id"] for d in result["devices"] if d["status"] == "changed"] == [moving["id"], leaving["id"]]
    # One ledger instance each; a group joined, two groups left by one device and two by the other.
    assert result["cloud"]["writes"] <= 2 + 1 + 3
    groups = {device["id"]: device["groups"] for device in simulator.state()["devices"]}
    assert sorted(groups[moving["id"]]) == sorted([f"mesh-{moving['mesh']['network']}", "mesh-node"])
    assert groups[leaving["id"]] == []
