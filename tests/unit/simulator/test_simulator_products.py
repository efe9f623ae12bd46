# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test products and the devices in them."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import (
    DEVICES,
    ELSEWHERE,
    FREE,
    GROUPS,
    QUARANTINED,
    UNKNOWN,
    Cloud,
    User,
)


def list_ids(body: dict[str, Any]) -> list[str]:
    return [row["id"] for row in body["devices"]]


def is_permission_denied(answer: requests.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"] == "Permission Denied"


@pytest.mark.parametrize("path", ["/v1/user/products", "/v1/products"])
def test_both_product_lists_have_the_product_of_the_first_account(demo: User, path: str) -> None:
    (product,) = demo.get(path)["products"]
    assert (product["id"], product["slug"], product["platform_id"]) == (31337, "field-logger", 13)
    assert product["user"] == "demo@example.com"


def test_other_account_has_no_product(other: User) -> None:
    assert other.get("/v1/user/products") == {"products": []}


@pytest.mark.parametrize("name", ["31337", "field-logger"])
def test_product_is_read_by_id_or_slug(demo: User, name: str) -> None:
    assert demo.get(f"/v1/products/{name}")["product"]["id"] == 31337


@pytest.mark.parametrize("path", ["/v1/products/1", "/v1/products/nope/devices", "/v1/products/nope/groups"])
def test_unknown_product_is_not_found(demo: User, path: str) -> None:
    answer = demo.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Product not found."})


def test_product_of_another_user_is_forbidden(other: User) -> None:
    answer = other.call("GET", DEVICES)
    assert (answer.status_code, answer.json()["error"]) == (403, "Permission denied")


@pytest.mark.parametrize("spelling", ["perPage", "per_page"])
def test_pages_contain_each_device_once(demo: User, spelling: str) -> None:
    demo.bring_in(*FREE)
    pages = [demo.get(DEVICES, sortAttr="deviceId", page=page, **{spelling: 3}) for page in (1, 2, 3, 4)]
    assert [len(page["devices"]) for page in pages] == [3, 3, 1, 0]
    assert {page["meta"]["total_pages"] for page in pages} == {3}
    assert {device for page in pages for device in list_ids(page)} == {*FREE, QUARANTINED}


def test_small_product_fits_on_one_page_of_default_size(demo: User) -> None:
    body = demo.get(DEVICES)
    assert body["meta"] == {"total_pages": 1}
    assert body["customers"] == []


def test_default_order_has_the_newest_connection_first(demo: User) -> None:
    demo.bring_in(*FREE)
    handshakes = [row["last_handshake_at"] for row in demo.get(DEVICES)["devices"]]
    assert handshakes == sorted(handshakes, reverse=True)


@pytest.mark.parametrize(("direction", "is_reversed"), [("asc", False), ("desc", True)])
def test_sort_by_id_follows_the_direction(demo: User, direction: str, is_reversed: bool) -> None:
    demo.bring_in(*FREE)
    listed = list_ids(demo.get(DEVICES, sortAttr="deviceId", sortDir=direction))
    assert listed == sorted([*FREE, QUARANTINED], reverse=is_reversed)


def test_sort_by_name_follows_a_rename(demo: User) -> None:
    demo.bring_in(*FREE[:2])
    query = {"sortAttr": "deviceName", "sortDir": "asc", "quarantined": "false"}
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "b"})
    demo.put(f"{DEVICES}/{FREE[1]}", {"name": "c"})
    assert list_ids(demo.get(DEVICES, **query)) == FREE[:2]
    demo.put(f"{DEVICES}/{FREE[1]}", {"name": "a"})
    assert list_ids(demo.get(DEVICES, **query)) == [FREE[1], FREE[0]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"deviceId": FREE[1].upper()}, [FREE[1]]),
        ({"deviceName": "BARN"}, [FREE[0]]),
        ({"serialNumber": "0000102"}, [FREE[2]]),
        ({"groups": "north"}, [FREE[0], FREE[1]]),
        ({"groups": "north,south"}, [FREE[0], FREE[1], FREE[2]]),
        ({"groups": "nort"}, []),
        ({"groups": "north", "deviceId": FREE[1]}, [FREE[1]]),
    ],
)
def test_filter_lists_only_matching_devices(demo: User, query: dict[str, str], expected: list[str]) -> None:
    demo.bring_in(*FREE[:4])
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "Old Barn", "groups": ["north"]})
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["north", "south"]})
    demo.put(f"{DEVICES}/{FREE[2]}", {"groups": ["south"]})
    assert sorted(list_ids(demo.get(DEVICES, **query))) == expected


@pytest.mark.parametrize(("filter_value", "listed"), [("true", True), ("false", False)])
def test_quarantine_filter_includes_or_excludes_quarantined_devices(
    demo: User, filter_value: str, listed: bool
) -> None:
    assert (QUARANTINED in list_ids(demo.get(DEVICES, quarantined=filter_value))) is listed


def test_row_of_a_product_device_has_the_product_fields(demo: User) -> None:
    demo.bring_in(FREE[0])
    row = demo.get(f"{DEVICES}/{FREE[0]}")
    assert (row["product_id"], row["firmware_product_id"], row["groups"]) == (31337, 31337, [])
    assert (row["development"], row["quarantined"], row["denied"]) == (False, False, False)
    assert (row["desired_firmware_version"], row["targeted_firmware_release_version"]) == (None, None)


@pytest.mark.parametrize("device", [UNKNOWN, FREE[0], ELSEWHERE])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_device_outside_the_product_is_refused_with_permission_denied(demo: User, method: str, device: str) -> None:
    assert is_permission_denied(demo.call(method, f"{DEVICES}/{device}", json={"name": "x"}))


def test_all_fields_of_one_call_are_written_and_answered(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    fields = {
        "name": "one",
        "notes": "north wall",
        "groups": ["north", "beta"],
        "development": True,
        "desired_firmware_version": 7,
    }
    body = demo.put(f"{DEVICES}/{FREE[0]}", fields).json()
    assert body.pop("updated_at").endswith("Z")
    assert body == {"id": FREE[0], **fields}
    assert cloud.device(FREE[0]).items() >= fields.items()


def test_unknown_groups_of_a_device_are_created(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north", "beta"]})
    assert [group["name"] for group in demo.get(GROUPS)["groups"]] == ["north", "beta"]


def test_groups_of_a_device_are_replaced(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north", "beta"]})
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["beta"]})
    assert demo.get(f"{DEVICES}/{FREE[0]}")["groups"] == ["beta"]


def test_call_with_a_malformed_field_writes_nothing(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    answer = demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one", "groups": ["Not A Group"]})
    assert answer.status_code == 400
    assert cloud.device(FREE[0])["name"] is None


def test_null_in_a_form_unlocks_the_firmware(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 7})
    demo.call("PUT", f"{DEVICES}/{FREE[0]}", data={"desired_firmware_version": "null", "development": "true"})
    device = cloud.device(FREE[0])
    assert (device["desired_firmware_version"], device["development"]) == (None, True)


def test_removed_device_loses_the_settings_of_its_product(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north"], "development": True, "desired_firmware_version": 7})
    answer = demo.call("DELETE", f"{DEVICES}/{FREE[0]}")
    assert (answer.status_code, answer.content) == (204, b"")
    device = cloud.device(FREE[0])
    assert (device["product"], device["groups"], device["development"]) == (None, [], False)
    assert demo.get(f"{GROUPS}/north")["group"]["device_count"] == 0
    demo.bring_in(FREE[0])
    assert demo.get(f"{DEVICES}/{FREE[0]}")["desired_firmware_version"] is None


def test_denied_device_is_still_readable_as_denied(demo: User) -> None:
    answer = demo.call("DELETE", f"{DEVICES}/{QUARANTINED}", json={"deny": True})
    assert answer.status_code == 204
    assert demo.get(f"{DEVICES}/{QUARANTINED}")["denied"] is True


def test_unclaimed_device_stays_in_the_product(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/devices", {"id": FREE[0]})
    assert demo.call("DELETE", f"{DEVICES}/{FREE[0]}/owner").json() == {"ok": True}
    device = cloud.device(FREE[0])
    assert (device["owner"], device["product"]) == (None, 31337)


def test_simulator_state_shows_the_owner_of_each_product(cloud: Cloud) -> None:
    products = {product["id"]: product["owner"] for product in cloud.state()["products"]}
    assert products == {31337: "demo@example.com", 40000: None}
