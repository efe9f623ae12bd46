# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test product firmware: uploads, locks, releases and the updates of devices."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FREE, GROUPS, OFFLINE, PRODUCT, QUARANTINED, User
from update_cases import WEEKS, add_versions, lock, release, run_version

from support.firmware import make_binary

FIRMWARE = f"{PRODUCT}/firmware"


@pytest.fixture(autouse=True)
def product_devices(demo: User) -> None:
    """Import three devices into the product, one of them offline, and create a group."""
    demo.bring_in(FREE[0], FREE[1], OFFLINE)
    demo.post(GROUPS, {"name": "beta"})


def upload(user: User, version: object = 7, field: str = "file", **more: str) -> requests.Response:
    fields = {"version": str(version), "title": f"v{version}"} | more
    binary = make_binary(version if isinstance(version, int) else 1)
    return user.call("POST", FIRMWARE, data=fields, files={field: ("app.bin", binary)})


def get_device(user: User, device_id: str = FREE[0]) -> Any:
    return user.get(f"{DEVICES}/{device_id}")


def advance_clock(user: User, seconds: int = 61) -> None:
    user.cloud.advance(seconds)


def reconnect(user: User, *devices: str) -> None:
    """Let devices begin a new session, in which each gets its target version."""
    for device in devices:
        user.cloud.change_device(device, online=True)
    user.cloud.advance(61)


@pytest.mark.parametrize("field", ["file", "binary"])
def test_uploaded_binary_becomes_a_version(demo: User, field: str) -> None:
    answer = upload(demo, 7, field, description="first", mandatory="true")
    body = answer.json()
    assert answer.status_code == 201
    assert (body["version"], body["title"], body["name"], body["size"]) == (7, "v7", "app.bin", len(make_binary(7)))
    assert (body["product_default"], body["groups"], body["mandatory"]) == (False, [], True)
    assert body["uploaded_by"] == {"username": "demo@example.com"}


def test_versions_are_listed_read_edited_and_downloaded(demo: User) -> None:
    upload(demo, 8)
    upload(demo, 7)
    assert [(row["version"], row["device_count"]) for row in demo.get(FIRMWARE)] == [(7, 0), (8, 0)]
    assert demo.put(f"{FIRMWARE}/7", {"title": "seven", "mandatory": True}).json()["title"] == "seven"
    body = demo.get(f"{FIRMWARE}/7")
    assert (body["title"], body["mandatory"], "device_count" in body) == ("seven", True, False)
    assert demo.call("GET", f"{FIRMWARE}/7/binary").content == make_binary(7)


@pytest.mark.parametrize("version", ["x", "", "65536", "-1", "0"])
def test_upload_with_an_invalid_version_is_refused(demo: User, version: str) -> None:
    assert upload(demo, version).status_code == 400


def test_upload_of_a_duplicate_or_incomplete_version_is_refused(demo: User) -> None:
    upload(demo, 7)
    assert upload(demo, 7).status_code == 400
    assert upload(demo, 8, title="").status_code == 400
    assert demo.call("POST", FIRMWARE, data={"version": "9", "title": "v9"}).status_code == 400


@pytest.mark.parametrize("path", ["7", "x", "7/binary"])
def test_unknown_version_is_not_found(demo: User, path: str) -> None:
    assert demo.call("GET", f"{FIRMWARE}/{path}").status_code == 404


def test_lock_with_flash_updates_the_device_within_seconds(demo: User) -> None:
    add_versions(demo, 7)
    lock(demo, FREE[0], 7)
    assert "firmware_version" not in get_device(demo)
    advance_clock(demo, 15)
    assert get_device(demo)["firmware_version"] == 7


def test_locked_device_takes_the_version_with_its_next_session(demo: User) -> None:
    add_versions(demo, 7)
    lock(demo, FREE[0], 7, flash=False)
    advance_clock(demo)
    assert "firmware_version" not in get_device(demo)
    reconnect(demo, FREE[0])
    assert get_device(demo)["firmware_version"] == 7


def test_connected_device_begins_a_new_session_within_two_weeks(demo: User) -> None:
    add_versions(demo, 7)
    lock(demo, FREE[0], 7, flash=False)
    demo.cloud.advance(WEEKS)
    assert get_device(demo.cloud.user())["firmware_version"] == 7


def test_device_takes_no_version_that_the_product_lacks(demo: User) -> None:
    lock(demo, FREE[0], 7)
    reconnect(demo, FREE[0])
    assert "firmware_version" not in get_device(demo)


def test_offline_device_takes_no_version(demo: User) -> None:
    add_versions(demo, 7)
    lock(demo, OFFLINE, 7)
    advance_clock(demo)
    assert "firmware_version" not in get_device(demo, OFFLINE)


def test_quarantined_device_takes_a_version_only_after_approval(demo: User) -> None:
    add_versions(demo, 7)
    lock(demo, QUARANTINED, 7)
    reconnect(demo, QUARANTINED)
    assert "firmware_version" not in get_device(demo, QUARANTINED)
    demo.bring_in(QUARANTINED)
    advance_clock(demo)
    assert get_device(demo, QUARANTINED)["firmware_version"] == 7


def test_version_that_never_ran_cannot_be_released(demo: User) -> None:
    upload(demo)
    assert demo.put(f"{FIRMWARE}/release", {"version": 7, "product_default": True}).status_code == 400


def test_default_release_skips_locked_and_development_devices(demo: User) -> None:
    upload(demo)
    add_versions(demo, 3)
    demo.put(f"{DEVICES}/{FREE[1]}", {"development": True})
    run_version(demo, FREE[0], 7)
    body = demo.put(f"{FIRMWARE}/release", {"version": 7, "product_default": True}).json()
    assert body["product_default"] is True
    demo.bring_in(FREE[2])
    lock(demo, FREE[0], 3, flash=False)
    reconnect(demo, *FREE[:3])
    assert get_device(demo)["firmware_version"] == 3
    assert "firmware_version" not in get_device(demo, FREE[1])
    assert get_device(demo, FREE[2])["firmware_version"] == 7
    assert [row["device_count"] for row in demo.get(FIRMWARE)] == [1, 1]


def test_release_to_a_group_updates_its_devices(demo: User) -> None:
    upload(demo)
    run_version(demo, FREE[0], 7)
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta"]})
    body = demo.put(f"{FIRMWARE}/release", {"version": 7, "groups": ["beta"]}).json()
    assert (body["groups"], body["product_default"]) == (["beta"], False)
    assert demo.get(f"{GROUPS}/beta")["group"]["fw_version"] == 7
    reconnect(demo, FREE[1])
    assert get_device(demo, FREE[1])["firmware_version"] == 7


def test_release_without_targets_withdraws_earlier_releases(demo: User) -> None:
    upload(demo)
    run_version(demo, FREE[0], 7)
    demo.put(f"{FIRMWARE}/release", {"version": 7, "groups": ["beta"], "product_default": True})
    body = demo.put(f"{FIRMWARE}/release", {"version": 7}).json()
    assert (body["groups"], body["product_default"]) == ([], False)


def test_new_default_replaces_the_earlier_default(demo: User) -> None:
    for version in (7, 8):
        upload(demo, version)
        run_version(demo, FREE[0], version)
        demo.put(f"{FIRMWARE}/release", {"version": version, "product_default": True})
    assert [row["product_default"] for row in demo.get(FIRMWARE)] == [False, True]


def test_only_an_unreleased_version_can_be_deleted(demo: User) -> None:
    for version in (7, 8):
        upload(demo, version)
    run_version(demo, FREE[0], 7)
    demo.put(f"{FIRMWARE}/release", {"version": 7, "product_default": True})
    assert demo.call("DELETE", f"{FIRMWARE}/7").status_code == 400
    assert demo.call("DELETE", f"{FIRMWARE}/8").status_code == 204
    assert demo.call("GET", f"{FIRMWARE}/8").status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 400), ({"version": 9}, 404), ({"version": 7, "groups": ["nope"]}, 400), ({"version": 7, "groups": 1}, 400)],
)
def test_malformed_release_is_refused(demo: User, fields: dict[str, Any], status: int) -> None:
    upload(demo)
    assert demo.put(f"{FIRMWARE}/release", fields).status_code == status


def test_highest_of_several_released_versions_is_taken(demo: User) -> None:
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta", "north"]})
    for version, group in ((8, "beta"), (7, "north")):
        upload(demo, version)
        run_version(demo, FREE[0], version)
        release(demo, version, groups=[group])
    reconnect(demo, FREE[1])
    assert get_device(demo, FREE[1])["firmware_version"] == 8


def test_impact_counts_the_devices_that_a_release_would_update(demo: User) -> None:
    upload(demo)
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta"]})
    query = {"action": "edit_groups_for_firmware", "firmware_version": "7", "groups": "beta"}
    impact = demo.get(f"{PRODUCT}/impact", **query)["devices"]["firmware_update"]
    assert impact == {"total": 1, "by_version": [{"version": 0, "total": 1}]}
    default_impact = demo.get(f"{PRODUCT}/impact", **query, product_default="true")["devices"]["firmware_update"]
    assert default_impact["total"] == len(demo.get(DEVICES)["devices"])
    demo.put(f"{DEVICES}/{FREE[1]}", {"desired_firmware_version": 3})
    locked_impact = demo.get(f"{PRODUCT}/impact", **query)["devices"]["firmware_update"]
    assert locked_impact == {"total": 0, "by_version": []}
    assert demo.call("GET", f"{PRODUCT}/impact", params={"action": "x"}).status_code == 400


def test_impact_leaves_out_devices_that_a_higher_release_keeps(demo: User) -> None:
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta", "north"]})
    add_versions(demo, 7, 8)
    run_version(demo, FREE[0], 8)
    release(demo, 8, groups=["north"])
    query = {"action": "edit_groups_for_firmware", "firmware_version": "7", "groups": "beta"}
    assert demo.get(f"{PRODUCT}/impact", **query)["devices"]["firmware_update"]["total"] == 0


def test_impact_of_a_lower_version_replaces_the_release_of_the_group(demo: User) -> None:
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta"]})
    add_versions(demo, 7, 8)
    run_version(demo, FREE[0], 8)
    release(demo, 8, groups=["beta"])
    query = {"action": "edit_groups_for_firmware", "firmware_version": "7", "groups": "beta"}
    assert demo.get(f"{PRODUCT}/impact", **query)["devices"]["firmware_update"]["total"] == 1


def test_locked_offline_device_takes_its_version_when_it_reconnects(demo: User) -> None:
    add_versions(demo, 7)
    lock(demo, OFFLINE, 7)
    reconnect(demo, OFFLINE)
    assert get_device(demo, OFFLINE)["firmware_version"] == 7


def test_release_to_a_group_updates_devices_that_join_later(demo: User) -> None:
    upload(demo)
    run_version(demo, FREE[0], 7)
    release(demo, 7, groups=["beta"])
    metadata = {"add": ["beta"], "remove": []}
    demo.put(DEVICES, {"action": "groups", "devices": [FREE[1]], "metadata": metadata})
    reconnect(demo, FREE[1])
    assert get_device(demo, FREE[1])["firmware_version"] == 7
