# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that exports, drift checks and fleet tasks leave the firmware locks of a running rollout to the rollout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun, run_playbook
from support.plays import cloud_environment
from support.rollouts import NEW, OLD, Driver, running_product
from support.simulator import PRODUCT_SLUG, Simulator

SIZE, FIRST_WAVE = 24, 4
WAVES = [{"count": FIRST_WAVE}, {"percent": 100}]
OURS = "meshfleet.particle."


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Simulator]:
    with running_product(tmp_path, SIZE) as simulator:
        yield simulator


def build_export(name: str, form: str = "exact") -> dict[str, Any]:
    options = {"product": PRODUCT_SLUG, "as_manifest": True, "manifest_form": form}
    return {"name": name, f"{OURS}device_info": options, "register": name.lower().replace(" ", "_")}


def build_check(name: str, manifest: Any) -> dict[str, Any]:
    return {"name": name, f"{OURS}fleet": {"manifest": manifest, "fail_on_drift": True}, "check_mode": True}


def run_tasks(cloud: Simulator, *tasks: Mapping[str, Any]) -> PlaybookRun:
    play = {"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
    return run_playbook([play], env=cloud_environment(cloud.url))


def read_locks(run: PlaybookRun, export: str) -> dict[str, Any]:
    """Return the declared locks in an exported manifest, keyed by device id; `None` for a device without the key."""
    return {device["id"]: device.get("firmware_lock") for device in run.result(export)["manifest"]["devices"]}


def test_running_rollout_is_not_drift_and_its_locks_remain(cloud: Simulator) -> None:
    rollout = {"product": PRODUCT_SLUG, "version": NEW, "waves": WAVES, "soak": 60, "wait": False}
    own = max(Driver(cloud).truth())  # the lock of a person, which no rollout may touch
    moved = {"product": PRODUCT_SLUG, "devices": [{"id": "{{ targeted[0] }}", "firmware_lock": OLD}]}
    run = run_tasks(
        cloud,
        {"name": "Own lock", f"{OURS}device": {"product": PRODUCT_SLUG, "id": own, "firmware_lock": OLD}},
        build_export("Before"),
        {"name": "Begin", f"{OURS}rollout": rollout, "register": "begun"},
        {"ansible.builtin.set_fact": {"targeted": "{{ begun.waves[0].members }}"}},
        build_check("Drift from before", "{{ before.manifest }}"),
        build_export("During"),
        build_export("Minimal", "minimal"),
        build_check("Drift from during", "{{ during.manifest }}"),
        {"name": "Apply", f"{OURS}fleet": {"manifest": "{{ before.manifest }}"}},
        {"name": "Move", f"{OURS}fleet": moved, "ignore_errors": True},
        {"name": "Move one", f"{OURS}device": {"product": PRODUCT_SLUG, **moved["devices"][0]}, "ignore_errors": True},
    ).succeeded()

    targeted = set(run.result("Begin")["waves"][0]["members"])
    assert len(targeted) == FIRST_WAVE
    rest = dict.fromkeys(read_locks(run, "During"), "unlocked") | {own: OLD}
    assert read_locks(run, "During") == rest | dict.fromkeys(targeted)
    assert read_locks(run, "Minimal") == dict.fromkeys(rest) | {own: OLD}
    assert "The manifest leaves out 4 firmware locks of a rollout." in " ".join(run.output.split())
    for name in ("Drift from before", "Drift from during", "Apply"):
        result = run.result(name)
        assert (result["changed"], result["cloud"]["writes"]) == (False, 0)
        assert result["cloud"]["requests"] <= 0.05 * SIZE + 10
    assert run.result("During")["cloud"]["requests"] == run.result("Before")["cloud"]["requests"]  # `own` has a lock
    assert "The firmware_lock of 4 devices was left alone, because it belongs to the rollout of version 2" in (
        " ".join(run.output.split())
    )
    for name in ("Move", "Move one"):
        assert run.result(name)["error"]["code"] == "conflict"
        assert "belongs to the rollout of version 2, which is not over" in run.result(name)["error"]["message"]
        assert run.result(name)["cloud"]["writes"] == 0

    finish_rollout(cloud)
    after = run_tasks(
        cloud,
        build_check("Drift from before", run.result("Before")["manifest"]),
        build_check("Drift from during", run.result("During")["manifest"]),
        build_export("After"),
    ).succeeded()
    assert read_locks(after, "After") == rest
    assert "left alone" not in after.output


def finish_rollout(cloud: Simulator) -> None:
    driver = Driver(cloud, {"waves": WAVES, "soak": 60})
    for _look in range(50):
        if driver.run()["state"] == "done":
            return
        cloud.advance(120)
    raise AssertionError("the rollout did not end")


def test_version_of_a_running_rollout_is_not_removed(cloud: Simulator) -> None:
    rollout = {"product": PRODUCT_SLUG, "version": NEW, "approve": "each", "wait": False}
    removal = {"product": PRODUCT_SLUG, "version": NEW, "state": "absent"}
    run = run_tasks(
        cloud,
        {"name": "Begin", f"{OURS}rollout": rollout},
        {"name": "Remove early", f"{OURS}firmware": removal, "ignore_errors": True},
        {"name": "Abort", f"{OURS}rollout": {**rollout, "state": "aborted"}},
        {"name": "Remove", f"{OURS}firmware": removal},
    ).succeeded()
    assert run.result("Begin")["state"] == "awaiting_approval"
    error = run.result("Remove early")["error"]
    assert (error["code"], run.result("Remove early")["cloud"]["writes"]) == ("conflict", 0)
    assert "its rollout is not over" in error["message"]
    assert run.result("Remove")["changed"] is True


def test_export_without_locks_does_not_read_the_record(cloud: Simulator) -> None:
    run_tasks(cloud, build_export("Export")).succeeded()
    assert not any("ledgers" in route for route in cloud.stats()["by_route"])
