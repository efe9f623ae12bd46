# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test which version a device is meant to run, and when the cloud sends it (firmware-and-events.md, section 1)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from simulator_client import DEVICES, FREE, GROUPS, OFFLINE, PRODUCT, Cloud, OpenStream, User, started
from update_cases import FLASH, WEEKS, Watch, add_versions, get_row, lock, release, run_version

from support.firmware import make_binary

BAD_ENDINGS = {"refused", "transfer_fails", "came_back_old", "crashes_online", "crashes_before"}
PIONEER, DEVICE, OTHER = FREE[:3]
HOUR = 3600


@pytest.fixture(autouse=True)
def released_versions(demo: User) -> None:
    """Give the product versions that can be released, because a device of the product has run each of them."""
    demo.bring_in(PIONEER, DEVICE, OTHER, OFFLINE)
    for group in ("beta", "north"):
        demo.post(GROUPS, {"name": group})
    add_versions(demo, 1, 2, 3)
    for version in (2, 3, 1):
        run_version(demo, PIONEER, version)
    demo.put(f"{DEVICES}/{PIONEER}", {"development": True})
    run_version(demo, DEVICE, 1)


def reconnect(user: User, device: str = DEVICE) -> None:
    """Let a device begin a new session, and wait for the update that follows."""
    user.cloud.change_device(device, online=True)
    user.cloud.advance(60)


def get_version(user: User, device: str = DEVICE) -> int | None:
    version: int | None = get_row(user, device).get("firmware_version")
    return version


def flash_by_hand(user: User, device: str, binary: bytes) -> None:
    answer = user.call("PUT", f"{DEVICES}/{device}", files={"file": ("app.bin", binary)})
    assert (answer.status_code, answer.json()["status"]) == (200, "Update started")


# ---------------------------------------------------------------------- precedence


def test_development_device_gets_neither_release_nor_lock(demo: User) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"development": True})
    release(demo, 3)
    lock(demo, DEVICE, 2)
    reconnect(demo)
    assert (get_version(demo), get_row(demo, DEVICE)["targeted_firmware_release_version"]) == (1, None)


def test_lock_has_priority_over_releases(demo: User) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"groups": ["beta"]})
    release(demo, 3, product_default=True, groups=["beta"])
    lock(demo, DEVICE, 2, flash=False)
    reconnect(demo)
    row = get_row(demo, DEVICE)
    assert (row["firmware_version"], row["targeted_firmware_release_version"]) == (2, 3)


def test_release_to_a_group_has_priority_over_a_higher_default(demo: User) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"groups": ["beta"]})
    release(demo, 3)
    release(demo, 2, groups=["beta"])
    reconnect(demo)
    assert get_version(demo) == 2


def test_group_cannot_hold_a_device_back_below_another_group(demo: User) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"groups": ["beta", "north"]})
    release(demo, 2, groups=["beta"])
    release(demo, 3, groups=["north"])
    reconnect(demo)
    assert get_version(demo) == 3


def test_lock_to_an_older_version_downgrades_the_device(demo: User) -> None:
    lock(demo, DEVICE, 3)
    demo.cloud.advance(60)
    lock(demo, DEVICE, 1)
    demo.cloud.advance(60)
    assert get_version(demo) == 1


def test_device_without_a_lock_gets_the_release_again(demo: User) -> None:
    release(demo, 3)
    lock(demo, DEVICE, 2)
    demo.cloud.advance(60)
    lock(demo, DEVICE, None, flash=False)
    reconnect(demo)
    assert get_version(demo) == 3


# ---------------------------------------------------------------------- when


def test_standard_release_waits_for_the_next_session(demo: User) -> None:
    release(demo, 2)
    demo.cloud.advance(60)
    assert get_version(demo) == 1
    reconnect(demo)
    assert get_version(demo) == 2


def test_standard_release_reaches_each_connected_device_in_two_weeks(demo: User) -> None:
    release(demo, 2)
    demo.cloud.advance(WEEKS)
    user = demo.cloud.user()
    assert [get_version(user, device) for device in (DEVICE, OTHER)] == [2, 2]


def test_intelligent_release_is_sent_at_once(demo: User) -> None:
    release(demo, 2, product_default=True, intelligent=True)
    demo.cloud.advance(60)
    assert (get_version(demo), get_version(demo, OFFLINE)) == (2, None)
    reconnect(demo, OFFLINE)
    assert get_version(demo, OFFLINE) == 2


def test_intelligent_release_waits_for_a_busy_device(demo: User, listen: OpenStream) -> None:
    demo.cloud.change_device(DEVICE, update="disabled")
    watch = Watch(demo, listen)
    release(demo, 2, product_default=True, intelligent=True)
    demo.cloud.advance(60)
    pending = [event.data for event in watch.read() if event.name == "particle/device/updates/pending"]
    assert (get_version(demo), pending[0]) == (1, "true")
    demo.cloud.change_device(DEVICE, update="ok")
    demo.cloud.advance(60)
    assert get_version(demo) == 2


@pytest.mark.parametrize("intelligent", [False, True])
def test_release_publishes_its_version_and_its_kind(demo: User, listen: OpenStream, intelligent: bool) -> None:
    watch = Watch(demo, listen)
    release(demo, 2, groups=["beta"], intelligent=intelligent)
    [told] = watch.read()
    assert (told.name, told.version) == ("particle/firmware/release", 0)
    assert json.loads(told.data) == {"immediate": intelligent, "version": 2}


def test_events_about_uploads_and_releases_carry_the_same_user(demo: User, listen: OpenStream) -> None:
    stream = listen(demo, f"{PRODUCT}/events/particle%2Ffirmware")
    upload = {"data": {"version": "9", "title": "v9"}, "files": {"file": ("v9.bin", make_binary(9))}}
    demo.call("POST", f"{PRODUCT}/firmware", **upload)
    release(demo, 2)
    users = [stream.read_event()[1]["userid"] for _unused in range(2)]
    assert users[0] == users[1] != ""


def test_imported_device_gets_the_release_at_once(demo: User) -> None:
    release(demo, 2)
    demo.bring_in(FREE[3])
    demo.cloud.advance(60)
    assert get_version(demo, FREE[3]) == 2


def test_end_of_the_development_starts_an_update_at_once(demo: User) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"development": True})
    release(demo, 2)
    reconnect(demo)
    demo.put(f"{DEVICES}/{DEVICE}", {"development": False})
    demo.cloud.advance(60)
    assert get_version(demo) == 2


def test_offline_device_gets_its_lock_when_it_connects(demo: User) -> None:
    lock(demo, OFFLINE, 2)
    demo.cloud.advance(HOUR)
    before = get_row(demo, OFFLINE)
    reconnect(demo, OFFLINE)
    assert ("firmware_version" in before, before["online"]) == (False, False)
    assert get_version(demo, OFFLINE) == 2


# ---------------------------------------------------------------------- by hand


def test_flash_of_a_development_device_has_no_announcement(demo: User, listen: OpenStream) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"development": True})
    release(demo, 2)
    watch = Watch(demo, listen)
    flash_by_hand(demo, DEVICE, make_binary(9))
    demo.cloud.advance(60)
    assert [event.data for event in watch.read()][:2] == ["started ", "success "]
    assert get_version(demo) == 9


def test_device_that_was_flashed_by_hand_is_put_back_at_once(demo: User) -> None:
    lock(demo, DEVICE, 2)
    demo.cloud.advance(60)
    flash_by_hand(demo, DEVICE, make_binary(9))
    demo.cloud.advance(15)
    versions = [get_version(demo)]
    demo.cloud.advance(60)
    assert [*versions, get_version(demo)] == [9, 2]


@pytest.mark.parametrize("binary", [b"not a firmware", make_binary(9, platform_id=12)], ids=["damaged", "platform"])
def test_file_that_the_device_cannot_run_fails_without_a_restart(demo: User, listen: OpenStream, binary: bytes) -> None:
    watch = Watch(demo, listen)
    flash_by_hand(demo, DEVICE, binary)
    demo.cloud.advance(HOUR)
    assert [(event.name, event.data) for event in watch.read()] == [(FLASH, "started "), (FLASH, "failed ")]
    assert get_version(demo) == 1


def test_second_update_during_an_update_is_refused(demo: User, listen: OpenStream) -> None:
    watch = Watch(demo, listen)
    lock(demo, DEVICE, 2)
    demo.cloud.advance(1)
    flash_by_hand(demo, DEVICE, make_binary(9))
    demo.cloud.advance(60)
    told = [event.data for event in watch.read() if event.name == FLASH]
    assert (told, get_version(demo)) == (["started ", "started ", "failed ", "success "], 2)


def test_device_with_updates_switched_off_refuses_a_flash_by_hand(demo: User) -> None:
    demo.cloud.change_device(DEVICE, update="disabled")
    flash_by_hand(demo, DEVICE, make_binary(9))
    demo.cloud.advance(60)
    assert get_version(demo) == 1


def test_binary_for_a_newer_device_os_leads_through_safe_mode(demo: User) -> None:
    demo.put(f"{DEVICES}/{DEVICE}", {"development": True})
    flash_by_hand(demo, DEVICE, make_binary(9, needed_device_os=6400))
    demo.cloud.advance(30)
    assert get_row(demo, DEVICE)["status"] == "safe_mode"
    demo.cloud.advance(HOUR)
    row = get_row(demo, DEVICE)
    assert (row["status"], row["firmware_version"], row["system_firmware_version"]) == ("normal", 9, "6.4.0")


# ---------------------------------------------------------------------- a share of bad updates


def update_large_fleet(cloud: Cloud) -> tuple[dict[str, str], dict[str, Any]]:
    """Release version 2 to all devices. Return the chosen endings, and the rows of the list after an hour."""
    user = cloud.user()
    devices = {device["id"]: device["update"] for device in cloud.state()["devices"]}
    user.bring_in(*devices)
    add_versions(user, 2)
    pioneer = next(device for device, ending in devices.items() if ending is None)
    run_version(user, pioneer, 2)
    release(user, 2, product_default=True, intelligent=True)
    cloud.advance(HOUR)
    rows = {row["id"]: row for row in user.get(DEVICES, perPage=500)["devices"]}
    return {device: ending for device, ending in devices.items() if ending}, rows


def test_share_of_bad_updates_fails_as_the_seed_says(tmp_path: Path) -> None:
    runs = []
    for run, seed in enumerate((7, 7, 8)):
        folder = tmp_path / str(run)
        folder.mkdir()
        with started(folder, "--fleet", "200", "--bad-updates", "0.05", "--seed", str(seed)) as (_unused, port):
            runs.append(update_large_fleet(Cloud(f"http://127.0.0.1:{port}")))
    (bad, rows), (bad_again, rows_again), (other_bad, _other_rows) = runs
    assert (len(bad), len(rows)) == (10, 200)
    assert bad == bad_again != other_bad
    assert Counter(bad.values()).keys() <= BAD_ENDINGS
    runs_new = {device for device, row in rows.items() if row.get("firmware_version") == 2}
    assert runs_new == set(rows) - {device for device, ending in bad.items() if ending != "crashes_online"}
    assert runs_new == {device for device, row in rows_again.items() if row.get("firmware_version") == 2}
