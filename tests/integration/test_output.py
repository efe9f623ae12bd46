# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test what a run prints on the screen without `-v`: few lines, which contain what the user needs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.playbooks import PlaybookRun
from support.plays import TASK, cloud_environment, manifest_for, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

SIZE = 500
CHANGED = 20
MAX_LINES = 25
LINES_PER_DEVICE = 6
"""The lines in a diff for a device with two changed fields: two before, two after and two for the device."""


@dataclass(frozen=True)
class Outputs:
    """The runs whose outputs are examined, all on one fleet of `SIZE` devices."""

    one: PlaybookRun
    many: PlaybookRun
    again: PlaybookRun
    check: PlaybookRun
    whole_check: PlaybookRun
    failed: PlaybookRun
    refused: PlaybookRun


def list_printed_lines(run: PlaybookRun) -> list[str]:
    return [line for line in run.output.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outputs]:
    folder = tmp_path_factory.mktemp("output")
    with running_simulator("--fleet", str(SIZE)) as cloud:
        yield run_tasks(cloud, folder)


def run_tasks(cloud: Simulator, folder: Path) -> Outputs:
    def run(manifest: dict[str, Any], *args: str) -> PlaybookRun:
        file = folder / "fleet.yml"
        file.write_text(json.dumps(manifest, indent=1))
        return run_task("fleet", {"manifest": str(file)}, cloud_environment(cloud.url), *args)

    manifest = manifest_for(cloud)
    del manifest["networks"]
    for device in manifest["devices"]:
        del device["mesh"]
    changed, renamed, partly_wrong, wrong = (copy.deepcopy(manifest) for _unused in range(4))
    for device in changed["devices"][:CHANGED]:
        device.update(name=f"{device['name']}-north", notes="north wall")
    for device in renamed["devices"]:
        device["notes"] = "north wall"
    for number, device in enumerate(partly_wrong["devices"][-18:-16]):
        device.update(id=f"e00fce68ffffffffffff000{number}", name=f"wrong-{number}")
    del partly_wrong["devices"][-16:]
    for number, device in enumerate(wrong["devices"]):
        device.update(nmae="barn", groups=["North Wing"])
        device["id"] = device["id"] if number % 3 else "e00f"
    return Outputs(
        one=run({**manifest, "devices": manifest["devices"][:1]}),
        many=run(manifest),
        again=run(manifest),
        check=run(changed, "--check", "--diff"),
        whole_check=run(renamed, "--check", "--diff"),
        failed=run(partly_wrong),
        refused=run(wrong),
    )


@pytest.mark.parametrize("name", ["one", "many", "again", "failed", "refused"])
def test_run_prints_few_lines(outputs: Outputs, name: str) -> None:
    assert len(list_printed_lines(getattr(outputs, name))) <= MAX_LINES


def test_success_prints_the_numbers_of_devices(outputs: Outputs) -> None:
    expected = {
        "one": "1 device: 1 changed.",
        "many": f"{SIZE} devices: {SIZE - 1} changed, 1 unchanged.",
        "again": f"{SIZE} devices: {SIZE} unchanged.",
        "check": f"{SIZE} devices: {CHANGED} would change, {SIZE - CHANGED} unchanged.",
    }
    for name, summary in expected.items():
        run: PlaybookRun = getattr(outputs, name)
        assert list_printed_lines(run)[2] == run.result(TASK)["msg"] == summary


def test_diff_has_the_lines_of_the_changed_devices_and_names_them(outputs: Outputs) -> None:
    lines = list_printed_lines(outputs.check)
    assert len(lines) <= MAX_LINES + CHANGED * LINES_PER_DEVICE
    changes = outputs.check.result(TASK)["diff"]["after"]
    first = next(iter(changes))
    assert first.endswith(" (barn-0000)")
    assert changes[first] == {"name": "barn-0000-north", "notes": "north wall"}


def test_diff_of_many_devices_counts_the_changes_of_most(outputs: Outputs) -> None:
    changes = outputs.whole_check.result(TASK)["diff"]["after"]
    assert len(changes) == 100 + 1
    assert changes["400 more devices"] == {"notes": "changes on 400"}


def test_failure_names_failed_devices_and_their_places_once(outputs: Outputs) -> None:
    run = outputs.failed
    result = run.result(TASK)
    assert result["msg"].splitlines()[0].startswith("2 of 484 devices failed, all others are done. Could not import")
    assert [line.split(", ")[0] for line in result["msg"].splitlines()[1:3]] == [
        "  wrong-0 (e00fce68ffffffffffff0000",
        "  wrong-1 (e00fce68ffffffffffff0001",
    ]
    assert "fleet.yml:" in result["msg"].splitlines()[1]
    assert [row["name"] for row in result["devices"]] == ["wrong-0", "wrong-1"]
    assert len(run.output) < 5_000


def test_refused_manifest_prints_each_kind_of_mistake_once(outputs: Outputs) -> None:
    run = outputs.refused
    lines = list_printed_lines(run)
    for mistake in ("unknown key (did you mean name?)", "'e00f' is not a device id", "is not a valid group name"):
        assert len([line for line in lines if mistake in line and not line.startswith("fatal:")]) == 1
    assert "unknown key" not in run.result(TASK)["error"]["message"]
    assert len(run.output) < 5_000


def test_account_without_devices_is_told_its_products(simulator: Simulator) -> None:
    device = sorted(row["id"] for row in simulator.state()["devices"])[0]
    env = cloud_environment(simulator.url)
    for module, options in (("device_info", {}), ("fleet", {"devices": [{"id": device, "name": "barn"}]})):
        run = run_task(module, options, env)
        assert f"Name a product to see the devices of the product: {PRODUCT_SLUG}." in " ".join(run.output.split())


def test_misspelt_product_is_answered_with_a_suggestion(simulator: Simulator) -> None:
    run = run_task("fleet", {"devices": [], "product": "feild-logger"}, cloud_environment(simulator.url))
    assert "(did you mean field-logger?)" in run.result(TASK)["msg"]
    assert run.result(TASK)["error"]["hint"] == "Name one of the products of this account: field-logger."


def test_missing_manifest_is_not_blamed_on_the_vault(simulator: Simulator) -> None:
    run = run_task("fleet", {"manifest": "missing.yml"}, cloud_environment(simulator.url))
    assert "vault" not in run.result(TASK)["msg"].lower()
    assert run.result(TASK)["error"]["hint"].startswith("Correct the path.")
