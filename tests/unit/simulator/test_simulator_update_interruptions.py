# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the result of an update when the device, its target or its product changes meanwhile."""

from __future__ import annotations

import pytest
from simulator_client import DEVICES, FREE, PRODUCT, WIFI, OpenStream, User
from update_cases import (
    FLASH,
    TRANSFER_EVENTS,
    WEEKS,
    Watch,
    add_versions,
    get_row,
    lock,
    release,
    run_version,
)

from support.firmware import make_binary

PIONEER, DEVICE = FREE[:2]
HOUR = 3600
PANIC = "panic, hard_fault"


@pytest.fixture(autouse=True)
def device_with_version_one(demo: User) -> None:
    """Let a device of the product run version 1, and let another device run all versions."""
    demo.bring_in(PIONEER, DEVICE)
    add_versions(demo, 1, 2, 3)
    for version in (2, 3, 1):
        run_version(demo, PIONEER, version)
    run_version(demo, DEVICE, 1)
    demo.cloud.advance(60)


@pytest.fixture
def watch(demo: User, listen: OpenStream) -> Watch:
    """Return a stream of the product's events, opened just before the update."""
    return Watch(demo, listen)


def start_update(user: User, ending: str, *, seconds: float) -> None:
    """Lock the device to version 2, send the version at once, and wait."""
    user.cloud.change_device(DEVICE, update=ending)
    lock(user, DEVICE, 2)
    user.cloud.advance(seconds)


def get_version(user: User) -> int:
    return int(get_row(user, DEVICE)["firmware_version"])


def list_transfers(watch: Watch) -> list[str]:
    return [event.data for event in watch.read() if event.name in TRANSFER_EVENTS]


# ---------------------------------------------------------------------- power and connection


@pytest.mark.parametrize(("ending", "seconds"), [("ok", 6), ("came_back_old", 4), ("sleeps", 100)])
def test_device_that_loses_its_power_without_contact_stays_off(demo: User, ending: str, seconds: float) -> None:
    start_update(demo, ending, seconds=seconds)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(HOUR)
    assert (demo.cloud.device(DEVICE)["powered"], get_row(demo, DEVICE)["online"]) == (False, False)
    assert get_version(demo) == 1


@pytest.mark.parametrize("key", ["powered", "online"])
def test_lost_transfer_fails_before_the_next_one_starts(demo: User, watch: Watch, key: str) -> None:
    start_update(demo, "ok", seconds=1)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(1)
    demo.cloud.change_device(DEVICE, **{key: True})
    demo.cloud.advance(HOUR)
    success = ["auto-update", "started ", "success ", "offline", "online"]
    assert list_transfers(watch) == ["auto-update", "started ", "failed ", "offline", "online", *success]


def test_sleeping_device_that_loses_its_power_has_failed(demo: User, watch: Watch) -> None:
    start_update(demo, "sleeps", seconds=10)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(120)
    assert list_transfers(watch) == ["auto-update", "failed "]


def test_crashing_device_crashes_again_after_a_loss_of_power(demo: User, watch: Watch) -> None:
    start_update(demo, "crashes_online", seconds=60)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(60)
    watch.read()
    demo.cloud.change_device(DEVICE, powered=True)
    demo.cloud.advance(60)
    assert PANIC in [event.data for event in watch.read()]
    demo.cloud.change_device(DEVICE, online=True)
    watch.read()
    demo.cloud.advance(HOUR)
    assert PANIC not in [event.data for event in watch.read()]


def test_device_in_safe_mode_is_in_safe_mode_after_a_loss_of_power(demo: User) -> None:
    start_update(demo, "needs_device_os", seconds=20)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.change_device(DEVICE, powered=True)
    assert get_row(demo, DEVICE)["status"] == "safe_mode"
    demo.cloud.advance(HOUR)
    row = get_row(demo, DEVICE)
    assert (row["status"], row["firmware_version"], row["system_firmware_version"]) == ("normal", 2, "6.4.0")


@pytest.mark.parametrize("seconds", [20, 100])
def test_device_os_is_completed_after_a_loss_of_power(demo: User, watch: Watch, seconds: float) -> None:
    demo.cloud.change_device(DEVICE, update="needs_device_os")
    demo.put(f"{DEVICES}/{DEVICE}", {"development": True})
    demo.call("PUT", f"{DEVICES}/{DEVICE}", files={"file": ("app.bin", make_binary(9))})
    demo.cloud.advance(seconds)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.change_device(DEVICE, powered=True)
    demo.cloud.advance(HOUR)
    assert list_transfers(watch).count("success ") == 3
    row = get_row(demo, DEVICE)
    assert (row["status"], row["firmware_version"], row["system_firmware_version"]) == ("normal", 9, "6.4.0")


def test_crashing_device_that_loses_its_power_during_an_update_stays_off(demo: User) -> None:
    start_update(demo, "crashes_online", seconds=20)
    lock(demo, DEVICE, 3)
    demo.cloud.advance(1)
    demo.cloud.change_device(DEVICE, powered=False)
    demo.cloud.advance(HOUR)
    assert demo.cloud.device(DEVICE)["powered"] is False


def test_repeated_loss_of_power_does_not_delay_the_failure(demo: User, watch: Watch) -> None:
    start_update(demo, "ok", seconds=1)
    for _unused in range(2):
        demo.cloud.change_device(DEVICE, powered=False)
        demo.cloud.advance(40)
    assert list_transfers(watch) == ["auto-update", "started ", "failed "]


def test_update_follows_the_latest_session(demo: User, watch: Watch) -> None:
    lock(demo, DEVICE, 2, flash=False)
    told = []
    for _unused in range(2):
        demo.cloud.change_device(DEVICE, online=True)
        demo.cloud.advance(3)
        told.append(list_transfers(watch))
    demo.cloud.advance(3)
    assert told == [["offline", "online"]] * 2
    assert list_transfers(watch)[0] == "auto-update"


def test_events_are_in_order_if_a_device_connects_twice_at_once(demo: User, watch: Watch) -> None:
    for _unused in range(2):
        demo.cloud.change_device(DEVICE, online=True)
    told = watch.read()
    assert [event.data for event in told] == ["offline", "online", "offline", "online"]
    assert [event.moment for event in told] == sorted(event.moment for event in told)


# ---------------------------------------------------------------------- Wi-Fi


def update_wifi_device(user: User, listen: OpenStream, ending: str) -> list[tuple[int, str]]:
    """Update a device with Wi-Fi. Return the seconds since the end of the transfer and the state, for each event."""
    fields = {"name": "wifi", "platform_id": 12, "type": "Consumer"}
    assert user.post("/v1/user/products", {"product": fields}).status_code < 300
    user.cloud.call("POST", "/_simulator/products/wifi", json={"firmware": [2]})
    user.post("/v1/products/wifi/devices", {"id": WIFI})
    user.cloud.change_device(WIFI, update=ending)
    watch = Watch(user, listen, "/v1/products/wifi")
    user.put(f"/v1/products/wifi/devices/{WIFI}", {"desired_firmware_version": 2, "flash": True})
    user.cloud.advance(HOUR)
    told = [event for event in watch.read() if event.name in TRANSFER_EVENTS]
    end = next(event.moment for event in told if event.data == "success ")
    return [(round(event.moment - end), event.data) for event in told if event.moment > end]


def test_cloud_notices_the_long_restart_of_a_wifi_device(demo: User, listen: OpenStream) -> None:
    assert update_wifi_device(demo, listen, "slow") == [(50, "offline"), (122, "online")]


def test_cloud_notices_that_a_wifi_device_does_not_return(demo: User, listen: OpenStream) -> None:
    assert update_wifi_device(demo, listen, "crashes_before") == [(50, "offline")]


# ---------------------------------------------------------------------- another target


def test_lock_without_flash_during_a_refused_update_waits_for_a_session(demo: User) -> None:
    start_update(demo, "refused", seconds=1)
    lock(demo, DEVICE, 3, flash=False)
    demo.cloud.advance(60)
    versions = [get_version(demo)]
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(60)
    assert [*versions, get_version(demo)] == [1, 3]


def test_lock_with_flash_during_a_refused_update_is_sent_after_it(demo: User) -> None:
    start_update(demo, "refused", seconds=1)
    lock(demo, DEVICE, 3)
    demo.cloud.advance(60)
    assert get_version(demo) == 3


def test_refused_flash_by_hand_does_not_send_a_waiting_release(demo: User) -> None:
    release(demo, 2)
    demo.cloud.change_device(DEVICE, update="refused")
    demo.call("PUT", f"{DEVICES}/{DEVICE}", files={"file": ("app.bin", make_binary(9))})
    demo.cloud.advance(60)
    assert get_version(demo) == 1


def test_crashing_device_with_an_unknown_target_keeps_crashing(demo: User, watch: Watch) -> None:
    start_update(demo, "crashes_online", seconds=60)
    lock(demo, DEVICE, 77)
    demo.cloud.advance(HOUR)
    watch.read()
    demo.cloud.advance(60)
    assert PANIC in [event.data for event in watch.read()]


def test_crashing_device_that_refuses_another_version_keeps_crashing(demo: User, watch: Watch) -> None:
    start_update(demo, "crashes_online", seconds=60)
    demo.cloud.change_device(DEVICE, update="refused")
    watch.read()
    lock(demo, DEVICE, 3)
    demo.cloud.advance(45)
    told = [event.data for event in watch.read()]
    assert PANIC in told[told.index("failed ") :]


def test_lock_to_the_shown_version_ends_the_safe_mode(demo: User) -> None:
    start_update(demo, "needs_device_os", seconds=20)
    lock(demo, DEVICE, 1)
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(HOUR)
    row = get_row(demo, DEVICE)
    assert (row["status"], row["firmware_version"]) == ("normal", 1)


def test_release_to_others_does_not_repeat_a_failed_update(demo: User, watch: Watch) -> None:
    demo.post(f"{PRODUCT}/groups", {"name": "beta"})
    demo.cloud.change_device(DEVICE, update="refused")
    release(demo, 2, product_default=True, intelligent=True)
    demo.cloud.advance(60)
    watch.read()
    release(demo, 3, groups=["beta"], intelligent=True)
    demo.cloud.advance(60)
    assert [event.name for event in watch.read() if event.name == FLASH] == []
    assert get_version(demo) == 1


def test_change_of_groups_without_releases_does_not_repeat_a_failed_update(demo: User, watch: Watch) -> None:
    demo.cloud.change_device(DEVICE, update="refused")
    release(demo, 2, product_default=True, intelligent=True)
    demo.cloud.advance(60)
    watch.read()
    demo.put(f"{DEVICES}/{DEVICE}", {"groups": ["beta"]})
    demo.put(DEVICES, {"action": "groups", "devices": [DEVICE], "metadata": {"add": ["beta"]}})
    demo.call("DELETE", f"{PRODUCT}/groups/beta")
    demo.cloud.advance(60)
    assert [event.name for event in watch.read() if event.name == FLASH] == []


def test_end_of_a_group_brings_its_devices_to_the_default(demo: User) -> None:
    demo.post(f"{PRODUCT}/groups", {"name": "beta"})
    demo.put(f"{DEVICES}/{DEVICE}", {"groups": ["beta"]})
    release(demo, 1, groups=["beta"])
    release(demo, 2)
    demo.call("DELETE", f"{PRODUCT}/groups/beta")
    demo.cloud.advance(WEEKS)
    assert get_row(demo.cloud.user(), DEVICE)["firmware_version"] == 2


# ---------------------------------------------------------------------- another product


@pytest.mark.parametrize("deny", [False, True])
def test_device_that_leaves_the_product_gets_no_update(demo: User, deny: bool) -> None:
    start_update(demo, "ok", seconds=1)
    demo.call("DELETE", f"{DEVICES}/{DEVICE}", json={"deny": True} if deny else None)
    demo.cloud.advance(HOUR)
    assert demo.cloud.device(DEVICE)["firmware_version"] == 1


def test_denied_device_gets_no_update_in_its_next_session(demo: User) -> None:
    demo.call("DELETE", f"{DEVICES}/{DEVICE}", json={"deny": True})
    release(demo, 2)
    demo.cloud.change_device(DEVICE, online=True)
    demo.cloud.advance(HOUR)
    assert get_version(demo) == 1


def test_device_that_has_received_its_update_runs_it_outside_the_product(demo: User) -> None:
    start_update(demo, "ok", seconds=6)
    demo.call("DELETE", f"{DEVICES}/{DEVICE}")
    demo.cloud.advance(HOUR)
    device = demo.cloud.device(DEVICE)
    assert (device["firmware_version"], device["online"]) == (2, True)


def test_crashing_device_crashes_outside_the_product(demo: User) -> None:
    demo.post("/v1/devices", {"id": DEVICE})
    start_update(demo, "crashes_online", seconds=60)
    demo.call("DELETE", f"{DEVICES}/{DEVICE}")
    sessions = []
    for _unused in range(3):
        demo.cloud.advance(60)
        sessions.append(demo.get(f"/v1/devices/{DEVICE}")["last_handshake_at"])
    assert sessions == sorted(set(sessions))


def test_update_of_a_former_product_is_not_a_run_in_the_new_product(demo: User) -> None:
    second = "/v1/products/second"
    fields = {"name": "second", "platform_id": 13, "type": "Consumer"}
    assert demo.post("/v1/user/products", {"product": fields}).status_code < 300
    demo.cloud.call("POST", "/_simulator/products/second", json={"firmware": [2]})
    start_update(demo, "ok", seconds=6)
    demo.call("DELETE", f"{DEVICES}/{DEVICE}")
    demo.post(f"{second}/devices", {"id": DEVICE})
    demo.cloud.advance(HOUR)
    demo.call("DELETE", f"{second}/devices/{DEVICE}")
    answer = demo.put(f"{second}/firmware/release", {"version": 2, "product_default": True})
    assert answer.status_code == 400


# ---------------------------------------------------------------------- planned sessions


def test_intelligent_release_of_a_released_version_is_sent_at_once(demo: User) -> None:
    release(demo, 2)
    release(demo, 2, product_default=True, intelligent=True)
    demo.cloud.advance(60)
    assert get_version(demo) == 2


def test_each_release_reaches_a_device_that_stays_connected(demo: User) -> None:
    versions = []
    for version in (2, 3):
        release(demo.cloud.user(), version)
        demo.cloud.advance(WEEKS)
        versions.append(get_version(demo.cloud.user()))
    assert versions == [2, 3]
