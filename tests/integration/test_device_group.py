# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the module `device_group` against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.counts import count
from support.plays import TASK, cloud_environment, run_task
from support.simulator import PRODUCT_SLUG, Simulator, running_simulator

CREATE = "POST /v1/products/:p/groups"
REMOVE = "DELETE /v1/products/:p/groups/:name"
CANARY: dict[str, Any] = {"name": "canary", "description": "On our roof", "color": "#FF8800"}
LOST = ("reset_after", "empty", "truncated")[: count(quick=1, full=3)]


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", "2") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A cloud whose product has no device group and no devices."""
    _cloud.reset()
    return _cloud


def run(cloud: Simulator, *args: str, **options: Any) -> dict[str, Any]:
    """Run a task that must succeed, and return its result."""
    done = run_task("device_group", {"product": PRODUCT_SLUG, **options}, cloud_environment(cloud.url), *args)
    return done.succeeded().result(TASK)


def run_and_fail(cloud: Simulator, *args: str, **options: Any) -> dict[str, Any]:
    """Run a task that must fail, and return its result."""
    done = run_task("device_group", {"product": PRODUCT_SLUG, **options}, cloud_environment(cloud.url), *args)
    assert done.rc != 0, done.output
    return done.result(TASK)


def call(cloud: Simulator, method: str, path: str, **request: Any) -> Any:
    """Send a request for the product without this collection."""
    url, headers = f"{cloud.url}/v1/products/{PRODUCT_SLUG}{path}", {"Authorization": f"Bearer {cloud.access_token()}"}
    answer = requests.request(method, url, headers=headers, timeout=60, **request)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def list_groups(cloud: Simulator) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in call(cloud, "GET", "/groups")["groups"]}


def count_writes(cloud: Simulator) -> int:
    return int(cloud.stats()["writes"])


def put_device_into_group(cloud: Simulator) -> None:
    device = sorted(device["id"] for device in cloud.state()["devices"])[0]
    call(cloud, "POST", "/devices", json={"id": device})
    call(cloud, "PUT", "/devices", json={"action": "groups", "devices": [device], "metadata": {"add": ["canary"]}})


def test_group_is_created_and_the_second_run_changes_nothing(cloud: Simulator) -> None:
    first = run(cloud, **CANARY)
    assert first["changed"]
    assert first["device_group"] == {"name": "canary", "description": "On our roof", "color": "#ff8800"}
    writes = count_writes(cloud)
    assert not run(cloud, **CANARY)["changed"]
    assert count_writes(cloud) == writes


@pytest.mark.parametrize(
    ("option", "value"), [("description", "In the barn"), ("color", "#0000ff"), ("description", "")]
)
def test_only_the_declared_setting_is_changed(cloud: Simulator, option: str, value: str) -> None:
    run(cloud, **CANARY)
    before = list_groups(cloud)["canary"]
    changed = run(cloud, name="canary", **{option: value})
    assert list(changed["changes"]) == [option]
    assert list_groups(cloud)["canary"] == {**before, option: value}
    assert not run(cloud, name="canary", **{option: value})["changed"]


def test_check_mode_and_diff_show_what_the_run_does(cloud: Simulator) -> None:
    writes = count_writes(cloud)
    predicted = run(cloud, "--check", "--diff", **CANARY)
    assert count_writes(cloud) == writes
    done = run(cloud, "--diff", **CANARY)
    assert predicted["device_group"] == done["device_group"]
    assert predicted["diff"] == done["diff"]
    assert "On our roof" in done["diff"]["prepared"]


def test_group_with_devices_is_removed_only_by_force(cloud: Simulator) -> None:
    run(cloud, **CANARY)
    put_device_into_group(cloud)
    refused = run_and_fail(cloud, name="canary", state="absent")
    assert refused["error"]["code"] == "conflict"
    assert refused["error"]["message"] == "Device group canary is in use: 1 device is in it."
    assert run_and_fail(cloud, "--check", name="canary", state="absent")["error"] == refused["error"]
    assert "canary" in list_groups(cloud)
    assert run(cloud, name="canary", state="absent", force=True)["changed"]
    assert "canary" not in list_groups(cloud)


def test_group_with_released_firmware_is_not_removed(cloud: Simulator) -> None:
    run(cloud, **CANARY)
    put_device_into_group(cloud)
    cloud.add_firmware(8)
    device = call(cloud, "GET", "/devices")["devices"][0]["id"]
    call(cloud, "PUT", f"/devices/{device}", json={"desired_firmware_version": 8, "flash": True})
    cloud.advance(60)
    call(cloud, "PUT", "/firmware/release", json={"version": 8, "groups": ["canary"]})
    refused = run_and_fail(cloud, name="canary", state="absent")
    assert "1 device is in it and firmware version 8 is released to it" in refused["error"]["message"]
    assert "force" in refused["error"]["hint"]


def test_absent_group_stays_absent_without_a_write(cloud: Simulator) -> None:
    run(cloud, **CANARY)
    assert run(cloud, name="canary", state="absent")["changed"]
    writes = count_writes(cloud)
    assert not run(cloud, name="canary", state="absent")["changed"]
    assert count_writes(cloud) == writes


@pytest.mark.parametrize("effect", LOST)
@pytest.mark.parametrize(("route", "state"), [(CREATE, "present"), (REMOVE, "absent")])
def test_lost_response_ends_in_the_declared_state(cloud: Simulator, route: str, state: str, effect: str) -> None:
    if state == "absent":
        run(cloud, **CANARY)
    cloud.set_faults([{"route": route, "effect": effect}])
    run(cloud, name="canary", state=state)
    assert ("canary" in list_groups(cloud)) == (state == "present")
    assert cloud.faults()[0]["fired"] == 1


def test_all_mistakes_are_named_before_any_request(cloud: Simulator) -> None:
    before = cloud.stats()["requests"]
    refused = run_and_fail(cloud, name="Canary Devices", color="orange")
    assert refused["error"]["code"] == "invalid_option"
    assert "'Canary Devices' is not a valid name" in refused["error"]["message"]
    assert "'orange' is not a valid color" in refused["error"]["message"]
    assert cloud.stats()["requests"] == before


def test_group_of_mesh_members_is_refused(cloud: Simulator) -> None:
    refused = run_and_fail(cloud, name="mesh-barn")
    assert "reserved for the members of mesh networks" in refused["error"]["message"]
