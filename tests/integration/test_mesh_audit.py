# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the mesh audit of the role, which changes nothing, and the migration plan that it writes."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, USERNAME, Simulator, running_simulator


def device_id(number: int) -> str:
    return f"e00fce68{number:016x}"


GATEWAY, NODES, XENON, NEWER = device_id(1), [device_id(2), device_id(3)], device_id(4), device_id(5)
HOME = {"product_id": PRODUCT_ID, "owner": USERNAME}


@contextmanager
def running_old_mesh(folder: Path, *flags: str) -> Iterator[Simulator]:
    """Run a simulator with Borons of a product and a Xenon of the account."""
    fleet = [
        {"id": GATEWAY, **HOME, "desired_firmware_version": 8},
        *({"id": node, **HOME} for node in NODES),
        {"id": XENON, "platform_id": 14, "owner": USERNAME},
        {"id": NEWER, **HOME, "firmware_version": 8, "system_firmware_version": "6.3.0"},
    ]
    (folder / "fleet.json").write_text(json.dumps(fleet))
    with running_simulator("--fleet", str(folder / "fleet.json"), *flags) as cloud:
        yield cloud


def run_audit(cloud: Simulator, **variables: Any) -> tuple[PlaybookRun, dict[str, Any]]:
    """Run the task file `mesh_audit`, and return the run and the findings."""
    tasks = [
        {
            "name": "Audit",
            "ansible.builtin.include_role": {"name": "meshfleet.particle.provision", "tasks_from": "mesh_audit"},
            "vars": variables,
        },
        {"name": "Found", "ansible.builtin.debug": {"var": "provision_mesh_audit"}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    run = run_playbook([play], env=cloud_environment(cloud.url)).succeeded()
    return run, run.result("Found")["provision_mesh_audit"]


def test_audit_of_a_registered_mesh_writes_a_plan_that_migrates_it(tmp_path: Path) -> None:
    with running_old_mesh(tmp_path, "--mesh", "enabled") as cloud:
        env = cloud_environment(cloud.url)
        members = {"name": "Barn 1", "gateway": GATEWAY, "members": [*NODES, XENON]}
        run_task("network", members, env).succeeded()
        before = cloud.stats()

        run, found = run_audit(cloud, provision_product=PRODUCT_SLUG, provision_mesh_plan=str(tmp_path))

        after = cloud.stats()
        assert (after["writes"], after["grants"], after["revocations"]) == (
            before["writes"],
            before["grants"] + 1,
            before["revocations"] + 1,
        )
        (network,) = found["networks"]
        assert (network["name"], network["gateways"], network["nodes"]) == ("Barn 1", [GATEWAY], [*NODES, XENON])
        assert [device["device_os"] for device in found["devices"]] == ["1.5.2", "1.5.2", "1.5.2", None, "6.3.0"]
        assert found["left_behind"][0]["id"] == XENON
        assert found["risks"] == [
            "firmware 8 would end the mesh of 1 device locked to it",
            "network Barn 1 has only one gateway, and no other can be added",
        ]
        shown = run.result("Show the risks and the required steps")["msg"]
        assert any(re.fullmatch(r"device e00fce68\w+ is .* it would leave its mesh", risk) for risk in shown), shown

        again, _unused = run_audit(cloud, provision_product=PRODUCT_SLUG, provision_mesh_plan=str(tmp_path))
        assert [task.task for task in again.tasks if task.status == "changed"] == []

        # The module fleet accepts the plan, in check mode and in a real run.
        plan = tmp_path / f"{PRODUCT_SLUG}-boron.yml"
        assert sorted(yaml.safe_load(plan.read_text())) == ["devices", "networks", "product"]
        dry = run_task("fleet", {"manifest": str(plan)}, env, "--check").succeeded().result(TASK)
        assert dry["summary"]["changed"] == 3
        migrated = run_task("fleet", {"manifest": str(plan), "verify": "online"}, env).succeeded().result(TASK)
        assert migrated["networks"]["barn-1"] == {"gateways": 1, "nodes": 2, "joined": 3, "pending": 0, "lost": 0}
        (remaining,) = cloud.state()["networks"]
        assert [device["id"] for device in remaining["devices"]] == [XENON]


@pytest.mark.parametrize("product", [PRODUCT_SLUG, None])
def test_audit_lists_the_devices_if_the_registry_is_retired(tmp_path: Path, product: str | None) -> None:
    with running_old_mesh(tmp_path) as cloud:
        _unused, found = run_audit(cloud, **({"provision_product": product} if product else {}))
        assert cloud.stats()["writes"] == 0
    assert (found["registry"], found["networks"], found["manifests"]) == ("retired", [], [])
    platforms = {device["id"]: device["platform"] for device in found["devices"]}
    assert platforms == {
        **dict.fromkeys([GATEWAY, *NODES, NEWER], "boron"),
        **({} if product else {XENON: "xenon"}),
    }


def test_plan_for_members_without_a_product_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(json.dumps([{"id": GATEWAY, "owner": USERNAME}]))
    with running_simulator("--fleet", str(tmp_path / "fleet.json"), "--mesh", "enabled") as cloud:
        env = cloud_environment(cloud.url)
        run_task("network", {"name": "barn", "gateway": GATEWAY}, env).succeeded()
        run, found = run_audit(cloud, provision_mesh_plan=str(tmp_path))
        (manifest,) = found["manifests"]
        assert manifest["needs"] in run.result("Show the risks and the required steps")["msg"]

        plan = tmp_path / "account-boron.yml"
        assert stat.filemode(plan.stat().st_mode) == "-rw-------"
        assert manifest["needs"].split()[:3] == plan.read_text().replace("#", "").split()[:3]
        refused = run_task("fleet", {"manifest": str(plan)}, env, "--check")
        assert refused.result(TASK)["error"]["code"] == "unsupported"
        plan.write_text(f"product: {PRODUCT_SLUG}\n{plan.read_text()}")
        dry = run_task("fleet", {"manifest": str(plan)}, env, "--check").succeeded().result(TASK)
        assert dry["summary"]["changed"] == 1


def test_failed_audit_fails_the_play_and_revokes_its_token(tmp_path: Path) -> None:
    with running_old_mesh(tmp_path, "--mesh", "enabled") as cloud:
        cloud.set_faults([{"route": "GET /v1/networks", "effect": "status", "status": 500, "times": 9}])
        with pytest.raises(AssertionError, match="Could not list the mesh networks"):
            run_audit(cloud, provision_product=PRODUCT_SLUG)
        assert cloud.stats()["grants"] == cloud.stats()["revocations"] == 1
