# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the recipe of the guide to drift, and how a run treats undeclared devices."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from support.paths import ROOT
from support.playbooks import PlaybookRun, run_playbook
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator, running_simulator

MEMBER, PLAIN, NEW = (f"e00fce68{number:016x}" for number in (1, 2, 9))
BORON, TIMEOUT = 13, 30


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    fleet = tmp_path_factory.mktemp("fleet") / "fleet.json"
    of_product = [{"id": device, "product_id": PRODUCT_ID, "name": f"unit-{device[-1]}"} for device in (MEMBER, PLAIN)]
    fleet.write_text(json.dumps([*of_product, {"id": NEW}]))
    with running_simulator("--fleet", str(fleet)) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud whose product has a gateway of a network and a device with a group."""
    _cloud.reset()
    _cloud.add_firmware(7, 8)
    declared = {
        "product": PRODUCT_SLUG,
        "networks": {"barn": {}},
        "devices": [{"id": MEMBER, "mesh": {"network": "barn", "role": "gateway"}}, {"id": PLAIN, "groups": ["north"]}],
    }
    run_task("fleet", declared, cloud_environment(_cloud.url)).succeeded()
    return _cloud


def read_recipe(name: str) -> str:
    """Return a playbook of the guide by its file name."""
    guide = (ROOT / "docs" / "guide_drift.md").read_text()
    (text,) = re.findall(rf"```yaml\n# {re.escape(name)}\n(.*?)```", guide, re.DOTALL)
    return str(text)


def adopt(cloud: Simulator, folder: Path) -> None:
    """Run the first playbook of the guide, which writes the manifest into the folder."""
    recipe = yaml.safe_load(read_recipe("adopt.yml").replace("{{ playbook_dir }}", str(folder)))
    run_playbook(recipe, env=cloud_environment(cloud.url)).succeeded()


def check(cloud: Simulator, folder: Path) -> PlaybookRun:
    """Run the second playbook of the guide in check mode."""
    recipe = yaml.safe_load(read_recipe("drift.yml").replace("fleet.yml", str(folder / "fleet.yml")))
    return run_playbook(recipe, env=cloud_environment(cloud.url), args=["--check", "--diff"])


def send(cloud: Simulator, method: str, path: str, body: Any = None) -> Any:
    """Change the cloud without the collection, as a colleague might do."""
    response = requests.request(
        method,
        f"{cloud.url}/v1/{path}",
        json=body,
        headers={"Authorization": f"Bearer {cloud.access_token()}"},
        timeout=TIMEOUT,
    )
    response.raise_for_status()
    return response.json() if response.content else None


def put(device: str, **fields: Any) -> Callable[[Simulator], Any]:
    return lambda cloud: send(cloud, "PUT", f"products/{PRODUCT_SLUG}/devices/{device}", fields)


def remove(cloud: Simulator) -> None:
    send(cloud, "DELETE", f"products/{PRODUCT_SLUG}/devices/{PLAIN}")


def add(cloud: Simulator) -> None:
    send(cloud, "POST", f"products/{PRODUCT_SLUG}/devices", {"id": NEW})


def move(cloud: Simulator) -> None:
    remove(cloud)
    other = send(cloud, "POST", "user/products", {"product": {"name": "other", "platform_id": BORON}})["product"]
    send(cloud, "POST", f"products/{other['slug']}/devices", {"id": PLAIN})


CHANGES: dict[str, Callable[[Simulator], Any]] = {
    "nothing": lambda cloud: None,
    "name": put(PLAIN, name="renamed"),
    "notes": put(PLAIN, notes="by hand"),
    "group": put(PLAIN, groups=["north", "beta"]),
    "development": put(PLAIN, development=True),
    "lock": put(PLAIN, desired_firmware_version=7),
    "new device": add,
    "device gone": remove,
    "device moved": move,
    "device joined a network": put(PLAIN, groups=["north", "mesh-barn", "mesh-node"]),
    "member lost a group": put(MEMBER, groups=["mesh-gateway"]),
}


def test_recipe_of_the_guide_fails_for_each_change_and_only_then(cloud: Simulator, tmp_path: Path) -> None:
    adopt(cloud, tmp_path)
    adopted = cloud.state()
    undetected = []
    for name, change in CHANGES.items():
        restore(cloud, adopted)
        change(cloud)
        before = cloud.stats()["writes"]
        run = check(cloud, tmp_path)
        assert cloud.stats()["writes"] == before
        if run.rc == 0:
            undetected.append(name)
    assert undetected == ["nothing"]


def test_failed_check_of_the_guide_prints_the_diff(cloud: Simulator, tmp_path: Path) -> None:
    adopt(cloud, tmp_path)
    CHANGES["name"](cloud)
    run = check(cloud, tmp_path)
    assert run.rc != 0
    assert run.stdout.splitlines().count(f"renamed ({PLAIN}): name 'renamed' -> 'unit-2'") == 1


def restore(cloud: Simulator, adopted: dict[str, Any]) -> None:
    """Write the state in which the fleet was adopted."""
    cloud.reset()
    cloud.add_firmware(7, 8)
    for device in adopted["devices"]:
        if device["product"] is not None:
            put(device["id"], groups=device["groups"])(cloud)
    for ledger in adopted["ledgers"]:
        definition = {key: ledger[key] for key in ("name", "scope", "direction")}
        send(cloud, "POST", "ledgers", {"ledger": definition})
        for instance in ledger["instances"]:
            path = f"ledgers/{ledger['name']}/instances/{instance['scope_value']}"
            send(cloud, "PUT", path, {"instance": {"data": instance["data"]}})


def test_undeclared_devices_are_reported_refused_or_removed(cloud: Simulator) -> None:
    env = cloud_environment(cloud.url)
    declared: dict[str, Any] = {"product": PRODUCT_SLUG, "devices": [{"id": PLAIN}]}

    reported = run_task("fleet", declared, env).succeeded().result(TASK)
    assert (reported["changed"], reported["undeclared"]) == (False, {"count": 1, "ids": [MEMBER]})
    assert "does not declare 1 more device" in reported["msg"]
    assert "undeclared" not in run_task("fleet", {**declared, "undeclared": "ignore"}, env).succeeded().result(TASK)

    before = cloud.stats()["writes"]
    refused = run_task("fleet", {**declared, "undeclared": "fail"}, env).result(TASK)
    assert (refused["error"]["code"], MEMBER in refused["msg"]) == ("conflict", True)
    too_many = run_task("fleet", {**declared, "undeclared": "remove", "max_removals": 0}, env).result(TASK)
    assert too_many["error"]["code"] == "too_many_removals"
    part = run_task("fleet", {**declared, "undeclared": "remove", "lock": "none"}, env).result(TASK)
    assert (part["error"]["code"], "only a part of the fleet" in part["msg"]) == ("invalid_option", True)
    assert cloud.stats()["writes"] == before

    removal = {**declared, "undeclared": "remove"}
    planned = run_task("fleet", removal, env, "--check", "--diff").succeeded().result(TASK)
    removed = run_task("fleet", removal, env, "--diff").succeeded().result(TASK)
    assert planned["diff"] == removed["diff"]
    assert removed["devices"][0]["changes"]["product"] == {"before": PRODUCT_SLUG, "after": None}
    found = cloud.device(MEMBER)
    assert (found["product"], found["groups"]) == (None, [])
    assert run_task("fleet", removal, env).succeeded().result(TASK)["changed"] is False
