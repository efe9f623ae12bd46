# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test devices that lose and regain power, their online state, their order in lists and their quarantine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from in_process_cloud import InProcessCloud
from simulator_client import DEVICES, FREE, OFFLINE, OLD_OS, PRODUCT, QUARANTINED, UNKNOWN, WIFI, Cloud, User

BORON = FREE[0]
MINUTE = 60


def claim(user: User, device: str) -> None:
    assert user.post("/v1/devices", {"id": device}).status_code == 200


def is_online(user: User, device: str) -> bool:
    return bool(user.get(f"/v1/devices/{device}")["online"])


@pytest.mark.parametrize(
    ("device", "online_until", "offline_after"), [(WIFI, 40, 60), (BORON, 22 * MINUTE, 47 * MINUTE)]
)
def test_device_without_power_counts_as_online_until_the_timeout(
    demo: User, device: str, online_until: float, offline_after: float
) -> None:
    claim(demo, device)
    demo.cloud.change_device(device, powered=False)
    demo.cloud.advance(online_until)
    assert is_online(demo, device)
    demo.cloud.advance(offline_after - online_until)
    assert not is_online(demo, device)


@pytest.mark.parametrize("change", [{"offline_face": []}, {"update": "explodes"}, {"firmware_product_id": 1}])
def test_invalid_change_of_a_device_changes_nothing(cloud: Cloud, change: dict[str, object]) -> None:
    answer = cloud.call("POST", f"/_simulator/devices/{BORON}", json={"powered": False, **change})
    assert (answer.status_code, cloud.device(BORON)["powered"]) == (400, True)


def test_ping_detects_a_device_without_power_before_the_timeout(demo: User) -> None:
    claim(demo, BORON)
    demo.cloud.change_device(BORON, powered=False)
    assert demo.call("PUT", f"/v1/devices/{BORON}/ping").json() == {"online": False, "ok": True}
    assert is_online(demo, BORON)


def test_device_without_power_is_not_heard(demo: User) -> None:
    claim(demo, BORON)
    demo.cloud.change_device(BORON, powered=False)
    before = demo.get(f"/v1/devices/{BORON}")["last_heard"]
    demo.cloud.advance(10 * MINUTE)
    assert demo.get(f"/v1/devices/{BORON}")["last_heard"] == before


def test_reachable_device_is_heard_while_time_passes_by_itself() -> None:
    cloud = InProcessCloud([{"id": BORON}, {"id": WIFI, "online": False}])
    before = {device.id: device.last_heard for device in cloud.world.devices.by_id.values()}
    cloud.world.clock.advance(60 * MINUTE)  # this is what a real clock does, without a request that turns the clock
    cloud.call("GET", "/v1/devices")
    after = {device.id: device.last_heard for device in cloud.world.devices.by_id.values()}
    assert after == {BORON: before[BORON] + 60 * MINUTE, WIFI: before[WIFI]}


def test_device_that_regains_power_in_time_stays_online(demo: User) -> None:
    claim(demo, WIFI)
    demo.cloud.change_device(WIFI, powered=False)
    demo.cloud.advance(30)
    demo.cloud.change_device(WIFI, powered=True)
    demo.cloud.advance(MINUTE)
    assert is_online(demo, WIFI)


def test_device_that_closes_its_session_is_offline_at_once(demo: User) -> None:
    claim(demo, BORON)
    assert demo.cloud.change_device(BORON, online=False)["online"] is False
    assert not is_online(demo, BORON)


def test_offline_device_can_be_claimed_after_it_connects(demo: User) -> None:
    assert demo.post("/v1/devices", {"id": OFFLINE}).status_code == 404
    demo.cloud.change_device(OFFLINE, powered=True)
    claim(demo, OFFLINE)


def test_device_without_power_cannot_be_claimed_before_the_timeout(demo: User) -> None:
    demo.cloud.change_device(BORON, powered=False)
    assert demo.post("/v1/devices", {"id": BORON}).json()["errors"] == [["Core isn't online", 404]]


@pytest.mark.parametrize("status", [404, 408, 400, 500])
def test_signal_of_an_offline_device_has_the_configured_status(demo: User, status: int) -> None:
    demo.bring_in(OFFLINE)
    demo.cloud.change_device(OFFLINE, offline_face=status)
    assert demo.put(f"/v1/devices/{OFFLINE}", {"signal": "1"}).status_code == status


def test_one_request_takes_all_devices_offline(cloud: Cloud) -> None:
    changed = cloud.change_device("*", online=False)["changed"]
    devices = cloud.state()["devices"]
    assert changed == len(devices)
    assert not any(device["online"] or device["powered"] for device in devices)


@pytest.mark.parametrize(
    ("device", "content", "status"),
    [
        (UNKNOWN, {"powered": False}, 404),
        (BORON, {}, 400),
        (BORON, {"powered": 0}, 400),
        (BORON, {"colour": "red"}, 400),
        (BORON, {"offline_face": 418}, 400),
        (BORON, {"firmware_product_id": 5}, 400),
    ],
)
def test_malformed_change_of_a_device_is_refused(
    cloud: Cloud, device: str, content: dict[str, object], status: int
) -> None:
    before = cloud.state()["devices"]
    assert cloud.call("POST", f"/_simulator/devices/{device}", json=content).status_code == status
    assert cloud.state()["devices"] == before


# ---------------------------------------------------------------------- order of lists


def list_ids_by_page(user: User, **query: str) -> list[str]:
    """Read three pages, and return the device ids on them."""
    first = user.get(DEVICES, perPage=3, page=1, **query)
    pages = [first] + [user.get(DEVICES, perPage=3, page=page, **query) for page in range(2, 4)]
    return [row["id"] for page in pages for row in page["devices"]]


def test_reconnected_device_is_first_in_the_lists(demo: User) -> None:
    demo.bring_in(*FREE)
    claim(demo, FREE[0])
    claim(demo, FREE[1])
    last = demo.get(DEVICES)["devices"][-1]["id"]
    for device in (last, FREE[1]):
        demo.cloud.change_device(device, online=False)
        demo.cloud.change_device(device, online=True)
    assert [row["id"] for row in demo.get(DEVICES)["devices"][:2]] == [FREE[1], last]
    assert demo.get("/v1/devices")[0]["id"] == FREE[1]


def test_only_sorted_paging_finds_each_device_that_reconnects_meanwhile(
    cloud_with: Callable[..., Cloud],
) -> None:
    demo = cloud_with("--churn", "2").user()
    demo.bring_in(*FREE)
    all_devices = {*FREE, QUARANTINED}
    assert any(set(list_ids_by_page(demo)) != all_devices for _unused in range(10))
    assert all(sorted(list_ids_by_page(demo, sortAttr="deviceId")) == sorted(all_devices) for _unused in range(10))


# ---------------------------------------------------------------------- quarantine


def test_device_of_a_newer_device_os_reports_no_product(demo: User) -> None:
    changed = demo.cloud.change_device(FREE[0], firmware_product_id=31337)
    assert changed["quarantined"] is False
    assert demo.cloud.device(FREE[0])["product"] is None
    demo.bring_in(FREE[0])
    demo.call("DELETE", f"{DEVICES}/{FREE[0]}")
    demo.cloud.change_device(FREE[0], firmware_product_id=31337)
    assert (demo.cloud.device(FREE[0])["product"], demo.cloud.device(FREE[0])["denied"]) == (None, False)


def test_device_with_the_firmware_waits_in_quarantine_for_approval(demo: User) -> None:
    assert demo.cloud.change_device(OLD_OS, firmware_product_id=31337)["quarantined"] is True
    assert demo.get(f"{DEVICES}/{OLD_OS}")["quarantined"] is True
    assert demo.post(DEVICES, {"id": OLD_OS}).json()["updatedDeviceIds"] == [OLD_OS]
    assert demo.get(f"{DEVICES}/{OLD_OS}")["quarantined"] is False


def test_device_with_the_firmware_is_approved_at_once_without_quarantine(demo: User) -> None:
    answer = demo.cloud.call("POST", "/_simulator/products/31337", json={"quarantine": False})
    assert answer.json() == {"id": 31337, "quarantine": False, "firmware": []}
    assert demo.get("/v1/products/31337")["product"]["settings"]["quarantine"] is False
    assert demo.cloud.change_device(OLD_OS, firmware_product_id=31337)["quarantined"] is False


@pytest.mark.parametrize("firmware", [[0], [7, 70_000], [65_536], [-1], ["7"], [True], 7])
def test_firmware_version_out_of_bounds_is_not_added(demo: User, firmware: object) -> None:
    answer = demo.cloud.call("POST", "/_simulator/products/31337", json={"firmware": firmware})
    assert answer.status_code == 400
    assert "firmware must be a list of version numbers from 1 to 65535" in answer.text
    assert demo.get(f"{PRODUCT}/firmware") == []


def test_first_and_last_firmware_version_can_be_added(demo: User) -> None:
    answer = demo.cloud.call("POST", "/_simulator/products/31337", json={"firmware": [65_535, 1]})
    assert answer.json()["firmware"] == [1, 65_535]


def test_removed_device_that_returns_is_denied_until_it_is_imported(demo: User) -> None:
    demo.bring_in(OLD_OS)
    demo.call("DELETE", f"{DEVICES}/{OLD_OS}")
    demo.cloud.change_device(OLD_OS, firmware_product_id=31337)
    found = demo.get(f"{DEVICES}/{OLD_OS}")
    assert (found["denied"], found["quarantined"]) == (True, False)
    demo.bring_in(OLD_OS)
    assert demo.get(f"{DEVICES}/{OLD_OS}")["denied"] is False


def test_firmware_does_not_add_a_device_of_another_platform(demo: User) -> None:
    demo.cloud.change_device(WIFI, firmware_product_id=31337)
    assert demo.cloud.device(WIFI)["product"] is None


def test_import_approves_a_denied_device(demo: User) -> None:
    demo.call("DELETE", f"{DEVICES}/{QUARANTINED}", json={"deny": True})
    demo.bring_in(QUARANTINED)
    device = demo.cloud.device(QUARANTINED)
    assert (device["denied"], device["quarantined"]) == (False, False)
