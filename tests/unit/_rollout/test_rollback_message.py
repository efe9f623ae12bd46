# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the error of a rollout that is rolled back says which devices get another version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import release_firmware
from support.fleet_files import device_id
from support.rollouts import OLD, Driver, connect, running_product
from support.simulator import PRODUCT_SLUG, Simulator

N = 10
BAD = [device_id(number) for number in range(0, N, 2)]
OPTIONS = {"waves": [{"percent": 100}], "soak": 1800, "rollback": "lock"}
KEPT = "10 targeted devices keep the present version, because no release gives another one."
RESTORED = "10 devices get the previous version."
END = "Roll out a corrected version, or set supersede to begin again."


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Simulator]:
    with running_product(tmp_path, N) as cloud:
        for device in BAD:
            cloud.change_device(device, update="refused")
        yield cloud


def release_old_version(cloud: Simulator) -> None:
    http = connect(cloud)
    release_firmware(http, PRODUCT_SLUG, OLD, {"product_default": True})
    http.close()


def roll_out_until_braked(cloud: Simulator, *, check_mode: bool = False) -> dict[str, Any]:
    driver = Driver(cloud, OPTIONS)
    driver.run()
    cloud.advance(1200)
    return driver.run(check_mode=check_mode)


@pytest.mark.parametrize("check_mode", [False, True])
def test_message_says_that_devices_without_a_release_keep_the_version(cloud: Simulator, check_mode: bool) -> None:
    error = roll_out_until_braked(cloud, check_mode=check_mode)["error"]
    assert (error["code"], error["hint"]) == ("braked", f"{KEPT} {END}")


def test_message_counts_the_devices_that_get_the_version_from_before(cloud: Simulator) -> None:
    release_old_version(cloud)
    error = roll_out_until_braked(cloud)["error"]
    assert (error["code"], error["hint"]) == ("braked", f"{RESTORED} {END}")


def test_message_counts_the_devices_that_were_not_rolled_back(cloud: Simulator) -> None:
    driver = Driver(cloud, OPTIONS)
    driver.run()
    cloud.advance(1200)
    fault = {"route": "PUT /v1/products/:p/devices/:id", "effect": "status", "status": 404, "times": 1}
    cloud.set_faults([fault])
    hint = driver.run()["error"]["hint"]
    assert hint.startswith("9 targeted devices keep the present version")
    assert "1 device was not written; run again to roll back the rest." in hint
    assert driver.run()["state"] == "rolled_back"
