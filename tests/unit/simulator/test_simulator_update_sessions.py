# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the sessions in which devices get their updates, with a simulator in this process."""

from __future__ import annotations

import pytest
from in_process_cloud import InProcessCloud
from simulator_client import DEMO, DEVICES, PRODUCT, device_id

HOUR = 3600


def test_crashing_device_crashes_again_after_it_reconnects() -> None:
    cloud = InProcessCloud(manufactured=1, churn=1)
    [device] = cloud.world.devices.by_id.values()
    cloud.send("POST", DEVICES, ids=[device.id])
    cloud.change("products/31337", firmware=[1])
    cloud.change(f"devices/{device.id}", update="crashes_online")
    cloud.send("PUT", f"{DEVICES}/{device.id}", desired_firmware_version=1, flash=True)
    cloud.advance(15)
    cloud.send("GET", DEVICES)
    before = device.last_handshake_at
    cloud.advance(60)
    assert device.last_handshake_at != before


def test_electron_stays_in_safe_mode_in_each_session() -> None:
    electron = device_id(1)
    cloud = InProcessCloud([{"id": electron, "platform_id": 10, "product_id": 40000, "firmware_version": 1}])
    device = cloud.world.devices.by_id[electron]
    cloud.world.products.by_id[40000].owner = cloud.world.accounts.by_username[DEMO[0]]
    cloud.change("products/40000", firmware=[1, 2])
    cloud.change(f"devices/{electron}", update="needs_device_os")
    cloud.send("PUT", f"/v1/products/40000/devices/{electron}", desired_firmware_version=2, flash=True)
    for _unused in range(2):
        cloud.advance(HOUR)
        assert (device.safe_mode, device.online, device.firmware_version) == (True, True, 1)
        cloud.change(f"devices/{electron}", online=True)
    cloud.send("PUT", f"/v1/products/40000/devices/{electron}", desired_firmware_version=1, flash=True)
    cloud.advance(HOUR)
    assert (device.safe_mode, device.firmware_version) == (False, 1)


def test_many_releases_plan_one_session_for_each_device() -> None:
    cloud = InProcessCloud(manufactured=100)
    cloud.change("products/31337", firmware=[1, 2])
    cloud.send("POST", DEVICES, ids=list(cloud.world.devices.by_id))
    for firmware in cloud.world.products.by_id[31337].resources.firmware.values():
        firmware.has_run = True
    for number in range(1000):
        cloud.send("PUT", f"{PRODUCT}/firmware/release", version=1 + number % 2, product_default=True)
    assert len(cloud.world.agenda) <= 100


def test_seed_determines_when_devices_begin_new_sessions() -> None:
    waits = []
    for seconds in (0, 1000):
        cloud = InProcessCloud(manufactured=20)
        cloud.advance(seconds)
        cloud.change("products/31337", firmware=[1])
        cloud.send("POST", DEVICES, ids=list(cloud.world.devices.by_id))
        device = next(iter(cloud.world.devices.by_id))
        cloud.send("PUT", f"{DEVICES}/{device}", desired_firmware_version=1)
        moment = cloud.world.agenda.next_moment
        assert moment is not None
        waits.append(moment - cloud.world.now())
    assert waits[0] == pytest.approx(waits[1], abs=0.01)
