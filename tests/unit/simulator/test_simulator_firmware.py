# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Product firmware: upload, lock, release, and when devices take it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import DEVICES, FREE, GROUPS, OFFLINE, PRODUCT, User

FIRMWARE = f"{PRODUCT}/firmware"
BINARY = bytes(range(256))


@pytest.fixture(autouse=True)
def members(demo: User) -> None:
    """Three devices in the product, one of them offline, and a group."""
    demo.bring_in(FREE[0], FREE[1], OFFLINE)
    demo.post(GROUPS, {"name": "beta"})


def upload(user: User, version: object = 7, field: str = "file", **more: str) -> requests.Response:
    fields = {"version": str(version), "title": f"v{version}"} | more
    return user.call("POST", FIRMWARE, data=fields, files={field: ("app.bin", BINARY)})


def device(user: User, device_id: str = FREE[0]) -> Any:
    return user.get(f"{DEVICES}/{device_id}")


def try_out(user: User, version: int = 7) -> None:
    """Lets one device run a version: what is never tried cannot be released."""
    user.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": version, "flash": True})
    user.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": None})


def pass_time(user: User, seconds: int = 61) -> None:
    answer = user.cloud.call("POST", "/_simulator/clock", json={"advance": seconds})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("field", ["file", "binary"])
def test_given_a_binary_then_a_version_is_made_of_it(demo: User, field: str) -> None:
    answer = upload(demo, 7, field, description="first", mandatory="true")
    body = answer.json()
    assert answer.status_code == 201
    assert (body["version"], body["title"], body["name"], body["size"]) == (7, "v7", "app.bin", 256)
    assert (body["product_default"], body["groups"], body["mandatory"]) == (False, [], True)
    assert body["uploaded_by"] == {"username": "demo@example.com"}


def test_given_versions_then_they_are_listed_read_edited_and_downloaded(demo: User) -> None:
    upload(demo, 8)
    upload(demo, 7)
    assert [(row["version"], row["device_count"]) for row in demo.get(FIRMWARE)] == [(7, 0), (8, 0)]
    assert demo.put(f"{FIRMWARE}/7", {"title": "seven", "mandatory": True}).json()["title"] == "seven"
    body = demo.get(f"{FIRMWARE}/7")
    assert (body["title"], body["mandatory"], "device_count" in body) == ("seven", True, False)
    assert demo.call("GET", f"{FIRMWARE}/7/binary").content == BINARY


@pytest.mark.parametrize("version", ["x", "", "65536", "-1"])
def test_given_a_bad_version_then_the_upload_is_refused(demo: User, version: str) -> None:
    assert upload(demo, version).status_code == 400


def test_given_a_taken_version_or_nothing_to_upload_then_it_is_refused(demo: User) -> None:
    upload(demo, 7)
    assert upload(demo, 7).status_code == 400
    assert upload(demo, 8, title="").status_code == 400
    assert demo.call("POST", FIRMWARE, data={"version": "9", "title": "v9"}).status_code == 400


@pytest.mark.parametrize("path", ["7", "x", "7/binary"])
def test_given_an_unknown_version_then_it_is_not_found(demo: User, path: str) -> None:
    assert demo.call("GET", f"{FIRMWARE}/{path}").status_code == 404


def test_given_flash_now_then_the_device_runs_the_version_at_once(demo: User) -> None:
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 7, "flash": True})
    assert device(demo)["firmware_version"] == 7


def test_given_a_lock_then_the_device_takes_the_version_with_its_next_session(demo: User) -> None:
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 7})
    assert device(demo)["targeted_firmware_release_version"] == 7
    assert "firmware_version" not in device(demo)
    pass_time(demo)
    assert device(demo)["firmware_version"] == 7


def test_given_an_offline_device_then_it_takes_nothing(demo: User) -> None:
    demo.put(f"{DEVICES}/{OFFLINE}", {"desired_firmware_version": 7, "flash": True})
    pass_time(demo)
    assert "firmware_version" not in device(demo, OFFLINE)


def test_given_a_version_that_never_ran_then_it_cannot_be_released(demo: User) -> None:
    upload(demo)
    assert demo.put(f"{FIRMWARE}/release", {"version": 7, "product_default": True}).status_code == 400


def test_given_a_release_to_all_then_devices_take_it_but_not_the_locked_and_developing(demo: User) -> None:
    upload(demo)
    demo.put(f"{DEVICES}/{FREE[1]}", {"development": True})
    try_out(demo)
    body = demo.put(f"{FIRMWARE}/release", {"version": 7, "product_default": True}).json()
    assert body["product_default"] is True
    demo.bring_in(FREE[2])
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 3})
    pass_time(demo)
    assert device(demo)["firmware_version"] == 3
    assert "firmware_version" not in device(demo, FREE[1])
    assert device(demo, FREE[2])["firmware_version"] == 7
    assert [row["device_count"] for row in demo.get(FIRMWARE)] == [1]


def test_given_a_release_to_a_group_then_its_members_take_it(demo: User) -> None:
    upload(demo)
    try_out(demo)
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta"]})
    body = demo.put(f"{FIRMWARE}/release", {"version": 7, "groups": ["beta"]}).json()
    assert (body["groups"], body["product_default"]) == (["beta"], False)
    assert demo.get(f"{GROUPS}/beta")["group"]["fw_version"] == 7
    pass_time(demo)
    assert device(demo, FREE[1])["firmware_version"] == 7


def test_given_a_release_that_names_nothing_then_the_version_is_released_no_more(demo: User) -> None:
    upload(demo)
    try_out(demo)
    demo.put(f"{FIRMWARE}/release", {"version": 7, "groups": ["beta"], "product_default": True})
    body = demo.put(f"{FIRMWARE}/release", {"version": 7}).json()
    assert (body["groups"], body["product_default"]) == ([], False)


def test_given_another_default_then_the_first_one_is_it_no_more(demo: User) -> None:
    for version in (7, 8):
        upload(demo, version)
        try_out(demo, version)
        demo.put(f"{FIRMWARE}/release", {"version": version, "product_default": True})
    assert [row["product_default"] for row in demo.get(FIRMWARE)] == [False, True]


def test_given_a_released_version_then_it_cannot_be_deleted_but_others_can(demo: User) -> None:
    for version in (7, 8):
        upload(demo, version)
    try_out(demo)
    demo.put(f"{FIRMWARE}/release", {"version": 7, "product_default": True})
    assert demo.call("DELETE", f"{FIRMWARE}/7").status_code == 400
    assert demo.call("DELETE", f"{FIRMWARE}/8").status_code == 204
    assert demo.call("GET", f"{FIRMWARE}/8").status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 400), ({"version": 9}, 404), ({"version": 7, "groups": ["nope"]}, 400), ({"version": 7, "groups": 1}, 400)],
)
def test_given_a_malformed_release_then_it_is_refused(demo: User, fields: dict[str, Any], status: int) -> None:
    upload(demo)
    assert demo.put(f"{FIRMWARE}/release", fields).status_code == status


def test_given_a_planned_release_then_its_impact_is_told_without_doing_it(demo: User) -> None:
    upload(demo)
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["beta"]})
    query = {"action": "edit_groups_for_firmware", "firmware_version": "7", "groups": "beta"}
    impact = demo.get(f"{PRODUCT}/impact", **query)["devices"]["firmware_update"]
    assert impact == {"total": 1, "by_version": [{"version": 0, "total": 1}]}
    whole = demo.get(f"{PRODUCT}/impact", **query, product_default="true")["devices"]["firmware_update"]
    assert whole["total"] == len(demo.get(DEVICES)["devices"])
    assert demo.call("GET", f"{PRODUCT}/impact", params={"action": "x"}).status_code == 400


def test_given_an_offline_device_when_it_comes_back_then_it_takes_its_version(demo: User) -> None:
    demo.put(f"{DEVICES}/{OFFLINE}", {"desired_firmware_version": 7})
    demo.cloud.call("POST", f"/_simulator/devices/{OFFLINE}", json={"online": True})
    assert device(demo, OFFLINE)["firmware_version"] == 7


def test_given_a_release_then_a_device_that_joins_later_takes_it_too(demo: User) -> None:
    upload(demo)
    try_out(demo)
    demo.put(f"{FIRMWARE}/release", {"version": 7, "groups": ["beta"]})
    pass_time(demo)
    metadata = {"add": ["beta"], "remove": []}
    demo.put(DEVICES, {"action": "groups", "devices": [FREE[1]], "metadata": metadata})
    pass_time(demo)
    assert device(demo, FREE[1])["firmware_version"] == 7
