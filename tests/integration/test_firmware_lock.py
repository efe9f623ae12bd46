# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the firmware lock of a device under its name and its former name, in every form of a declaration."""

from __future__ import annotations

from pathlib import Path

from support.playbooks import run_playbook
from support.plays import cloud_environment
from support.simulator import PRODUCT_SLUG, Simulator


def test_lock_has_one_name_and_its_former_name_is_deprecated(simulator: Simulator, tmp_path: Path) -> None:
    simulator.add_firmware(41, 42)
    one, two, three = (device["id"] for device in simulator.state()["devices"][:3])
    table, manifest = tmp_path / "old.csv", tmp_path / "old.yml"
    table.write_text(f"id,firmware_version\n{one},42\n")
    manifest.write_text(f"product: {PRODUCT_SLUG}\ndevices:\n- id: {two}\n  firmware_version: 41\n")
    ours = "meshfleet.particle."
    tasks = [
        {"name": "Table", f"{ours}fleet": {"product": PRODUCT_SLUG, "manifest": str(table)}},
        {"name": "File", f"{ours}fleet": {"manifest": str(manifest)}},
        {"name": "Old", f"{ours}device": {"product": PRODUCT_SLUG, "id": three, "firmware_version": 42}},
        {"name": "New", f"{ours}device": {"product": PRODUCT_SLUG, "id": three, "firmware_lock": "unlocked"}},
        {"name": "Export", f"{ours}device_info": {"product": PRODUCT_SLUG, "as_manifest": True}},
    ]
    run = run_playbook(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], env=cloud_environment(simulator.url)
    ).succeeded()

    assert [run.result(name)["changed"] for name in ("Table", "File", "Old", "New")] == [True] * 4
    export = run.result("Export")
    assert {device["id"]: device["firmware_lock"] for device in export["devices"]} == {
        one: 42,
        two: 41,
        three: "unlocked",
    }
    locks = {device["id"]: device.get("firmware_lock") for device in export["manifest"]["devices"]}
    assert locks == {one: 42, two: 41, three: None}
    shown = " ".join(run.output.split())
    said = "firmware_version is deprecated as the name of firmware_lock"
    assert all(
        f"{place}: {said}" in shown for place in ("old.csv:2 firmware_version", "old.yml:4 devices[0].firmware_version")
    )
    assert "[DEPRECATION WARNING]" in shown
    assert "1.0.0" in shown
