# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Devices that lose their power and come back, and what the cloud believes meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulator_client import DEVICES, FREE, OFFLINE, QUARANTINED, UNKNOWN, WIFI, Cloud, User

BORON = FREE[0]
MINUTE = 60


def claim(user: User, device: str) -> None:
    assert user.post("/v1/devices", {"id": device}).status_code == 200


def is_online(user: User, device: str) -> bool:
    return bool(user.get(f"/v1/devices/{device}")["online"])


@pytest.mark.parametrize(("device", "soon", "late"), [(WIFI, 40, 60), (BORON, 22 * MINUTE, 47 * MINUTE)])
def test_given_a_lost_device_then_the_cloud_takes_it_for_online_for_a_while(
    demo: User, device: str, soon: float, late: float
) -> None:
    claim(demo, device)
    demo.cloud.change_device(device, powered=False)
    demo.cloud.advance(soon)
    assert is_online(demo, device)
    demo.cloud.advance(late - soon)
    assert not is_online(demo, device)


def test_given_a_lost_device_then_a_ping_tells_the_truth_before_the_cloud_knows(demo: User) -> None:
    claim(demo, BORON)
    demo.cloud.change_device(BORON, powered=False)
    assert demo.call("PUT", f"/v1/devices/{BORON}/ping").json() == {"online": False, "ok": True}
    assert is_online(demo, BORON)


def test_given_a_lost_device_then_it_has_not_been_heard_since(demo: User) -> None:
    claim(demo, BORON)
    demo.cloud.change_device(BORON, powered=False)
    before = demo.get(f"/v1/devices/{BORON}")["last_heard"]
    demo.cloud.advance(10 * MINUTE)
    assert demo.get(f"/v1/devices/{BORON}")["last_heard"] == before


def test_given_a_device_that_comes_back_in_time_then_nobody_misses_it(demo: User) -> None:
    claim(demo, WIFI)
    demo.cloud.change_device(WIFI, powered=False)
    demo.cloud.advance(30)
    demo.cloud.change_device(WIFI, powered=True)
    demo.cloud.advance(MINUTE)
    assert is_online(demo, WIFI)


def test_given_a_session_that_ends_in_good_order_then_the_cloud_knows_at_once(demo: User) -> None:
    claim(demo, BORON)
    assert demo.cloud.change_device(BORON, online=False)["online"] is False
    assert not is_online(demo, BORON)


def test_given_an_offline_device_when_it_connects_then_it_can_be_claimed(demo: User) -> None:
    assert demo.post("/v1/devices", {"id": OFFLINE}).status_code == 404
    demo.cloud.change_device(OFFLINE, powered=True)
    claim(demo, OFFLINE)


def test_given_a_lost_device_then_it_cannot_be_claimed_even_while_it_counts_as_online(demo: User) -> None:
    demo.cloud.change_device(BORON, powered=False)
    assert demo.post("/v1/devices", {"id": BORON}).json()["errors"] == [["Core isn't online", 404]]


@pytest.mark.parametrize("face", [404, 408, 400, 500])
def test_given_a_chosen_face_then_a_call_to_a_device_that_is_not_there_is_refused_with_it(
    demo: User, face: int
) -> None:
    demo.bring_in(OFFLINE)
    demo.cloud.change_device(OFFLINE, offline_face=face)
    assert demo.put(f"/v1/devices/{OFFLINE}", {"signal": "1"}).status_code == face


def test_given_every_device_at_once_then_one_request_takes_the_whole_fleet_down(cloud: Cloud) -> None:
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
def test_given_a_malformed_change_then_it_is_refused(
    cloud: Cloud, device: str, content: dict[str, object], status: int
) -> None:
    before = cloud.state()["devices"]
    assert cloud.call("POST", f"/_simulator/devices/{device}", json=content).status_code == status
    assert cloud.state()["devices"] == before


# ---------------------------------------------------------------------- lists that move


def sweep(user: User, **query: str) -> list[str]:
    """The ids that a client sees who reads page after page, once each."""
    first = user.get(DEVICES, perPage=3, page=1, **query)
    pages = [first] + [user.get(DEVICES, perPage=3, page=page, **query) for page in range(2, 4)]
    return [row["id"] for page in pages for row in page["devices"]]


def test_given_a_reconnect_then_the_device_is_first_in_the_lists(demo: User) -> None:
    demo.bring_in(*FREE)
    claim(demo, FREE[0])
    claim(demo, FREE[1])
    last = demo.get(DEVICES)["devices"][-1]["id"]
    for device in (last, FREE[1]):
        demo.cloud.change_device(device, online=False)
        demo.cloud.change_device(device, online=True)
    assert [row["id"] for row in demo.get(DEVICES)["devices"][:2]] == [FREE[1], last]
    assert demo.get("/v1/devices")[0]["id"] == FREE[1]


def test_given_devices_that_reconnect_between_pages_then_careless_paging_loses_rows(
    cloud_with: Callable[..., Cloud],
) -> None:
    demo = cloud_with("--churn", "2").user()
    demo.bring_in(*FREE)
    everything = {*FREE, QUARANTINED}
    assert any(set(sweep(demo)) != everything for _unused in range(10))
    assert all(sorted(sweep(demo, sortAttr="deviceId")) == sorted(everything) for _unused in range(10))


# ---------------------------------------------------------------------- quarantine


def test_given_the_quarantine_setting_then_a_device_with_the_firmware_waits_for_approval(demo: User) -> None:
    assert demo.cloud.change_device(BORON, firmware_product_id=31337)["quarantined"] is True
    assert demo.get(f"{DEVICES}/{BORON}")["quarantined"] is True
    assert demo.post(DEVICES, {"id": BORON}).json()["updatedDeviceIds"] == [BORON]
    assert demo.get(f"{DEVICES}/{BORON}")["quarantined"] is False


def test_given_no_quarantine_then_a_device_with_the_firmware_is_in_at_once(demo: User) -> None:
    answer = demo.cloud.call("POST", "/_simulator/products/31337", json={"quarantine": False})
    assert answer.json() == {"id": 31337, "quarantine": False}
    assert demo.get("/v1/products/31337")["product"]["settings"]["quarantine"] is False
    assert demo.cloud.change_device(BORON, firmware_product_id=31337)["quarantined"] is False


def test_given_another_platform_then_the_firmware_brings_no_device_into_the_product(demo: User) -> None:
    demo.cloud.change_device(WIFI, firmware_product_id=31337)
    assert demo.cloud.device(WIFI)["product"] is None


def test_given_a_denied_device_when_it_is_imported_then_it_is_approved_again(demo: User) -> None:
    demo.call("DELETE", f"{DEVICES}/{QUARANTINED}", json={"deny": True})
    demo.bring_in(QUARANTINED)
    device = demo.cloud.device(QUARANTINED)
    assert (device["denied"], device["quarantined"]) == (False, False)
