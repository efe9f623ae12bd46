# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the output of a run without `-v`: a few lines that contain all that the user needs."""

from __future__ import annotations

import copy
import json
import re
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


@dataclass(frozen=True)
class Outputs:
    """The runs whose outputs are examined, all on one fleet of `SIZE` devices."""

    one: PlaybookRun
    many: PlaybookRun
    again: PlaybookRun
    check: PlaybookRun
    shared_check: PlaybookRun
    verbose_check: PlaybookRun
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
    changed, shared, partly_wrong, wrong = (copy.deepcopy(manifest) for _unused in range(4))
    for device in changed["devices"][:CHANGED]:
        device.update(name=f"{device['name']}-north", notes="north wall")
    for device in shared["devices"][:CHANGED]:
        device["notes"] = "north wall" * 500
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
        shared_check=run(shared, "--check", "--diff"),
        verbose_check=run(changed, "--check", "--diff", "-v"),
        failed=run(partly_wrong),
        refused=run(wrong),
    )


@pytest.mark.parametrize("name", ["one", "many", "again", "failed", "refused"])
def test_run_prints_few_lines(outputs: Outputs, name: str) -> None:
    assert len(list_printed_lines(getattr(outputs, name))) <= MAX_LINES, getattr(outputs, name).output


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


@pytest.mark.parametrize("name", ["check", "shared_check"])
def test_check_with_diff_fits_on_a_screen(outputs: Outputs, name: str) -> None:
    run: PlaybookRun = getattr(outputs, name)
    assert len(run.output.strip().splitlines()) <= MAX_LINES  # also counts blank lines


def test_diff_has_a_line_for_each_device(outputs: Outputs) -> None:
    diff = outputs.check.result(TASK)["diff"]["prepared"]
    first, *_others, last = diff.splitlines()
    changes = "name 'barn-0000' -> 'barn-0000-north'; notes null -> 'north wall'"
    assert re.fullmatch(rf"barn-0000 \(e00fce68[0-9a-f]{{16}}\): {changes}", first)
    assert last == "and 9 more devices (name on 9, notes on 9); run with -v for all"
    assert diff in outputs.check.output


def test_diff_has_one_line_for_a_change_that_devices_share(outputs: Outputs) -> None:
    (line,) = outputs.shared_check.result(TASK)["diff"]["prepared"].splitlines()
    assert re.fullmatch("notes null -> '(north wall)+.*[.]{3} on 20 devices: barn-0000, .* and 17 more", line)
    assert len(line) < 200


def test_diff_shows_all_devices_with_v(outputs: Outputs) -> None:
    lines = outputs.verbose_check.result(TASK)["diff"]["prepared"].splitlines()
    assert [line.split()[0] for line in lines] == [f"barn-{number:04}" for number in range(CHANGED)]


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


def test_account_without_devices_gets_a_message_with_its_products(simulator: Simulator) -> None:
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
