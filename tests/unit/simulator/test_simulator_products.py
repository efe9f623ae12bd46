# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Products and the devices in them."""

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


def ids(body: dict[str, Any]) -> list[str]:
    return [row["id"] for row in body["devices"]]


def is_permission_denied(answer: requests.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"] == "Permission Denied"


@pytest.mark.parametrize("path", ["/v1/user/products", "/v1/products"])
def test_given_the_first_account_then_both_lists_have_its_product(demo: User, path: str) -> None:
    (product,) = demo.get(path)["products"]
    assert (product["id"], product["slug"], product["platform_id"]) == (31337, "field-logger", 13)
    assert product["user"] == "demo@example.com"


def test_given_another_account_then_it_has_no_product(other: User) -> None:
    assert other.get("/v1/user/products") == {"products": []}


@pytest.mark.parametrize("name", ["31337", "field-logger"])
def test_given_an_id_or_a_slug_then_the_product_is_read(demo: User, name: str) -> None:
    assert demo.get(f"/v1/products/{name}")["product"]["id"] == 31337


@pytest.mark.parametrize("path", ["/v1/products/1", "/v1/products/nope/devices", "/v1/products/nope/groups"])
def test_given_an_unknown_product_then_it_is_not_found(demo: User, path: str) -> None:
    answer = demo.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"ok": False, "error": "Product not found."})


def test_given_the_product_of_somebody_else_then_it_is_forbidden(other: User) -> None:
    answer = other.call("GET", DEVICES)
    assert (answer.status_code, answer.json()["error"]) == (403, "Permission denied")


@pytest.mark.parametrize("spelling", ["perPage", "per_page"])
def test_given_a_page_size_then_the_pages_hold_every_device_once(demo: User, spelling: str) -> None:
    demo.bring_in(*FREE)
    pages = [demo.get(DEVICES, sortAttr="deviceId", page=page, **{spelling: 3}) for page in (1, 2, 3, 4)]
    assert [len(page["devices"]) for page in pages] == [3, 3, 1, 0]
    assert {page["meta"]["total_pages"] for page in pages} == {3}
    assert {device for page in pages for device in ids(page)} == {*FREE, QUARANTINED}


def test_given_no_page_size_then_a_page_has_twenty_five_rows_at_most(demo: User) -> None:
    body = demo.get(DEVICES)
    assert body["meta"] == {"total_pages": 1}
    assert body["customers"] == []


def test_given_no_sort_then_the_newest_connection_is_first(demo: User) -> None:
    demo.bring_in(*FREE)
    moments = [row["last_handshake_at"] for row in demo.get(DEVICES)["devices"]]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize(("direction", "backwards"), [("asc", False), ("desc", True)])
def test_given_a_sort_by_id_then_its_direction_is_heeded(demo: User, direction: str, backwards: bool) -> None:
    demo.bring_in(*FREE)
    listed = ids(demo.get(DEVICES, sortAttr="deviceId", sortDir=direction))
    assert listed == sorted([*FREE, QUARANTINED], reverse=backwards)


def test_given_a_sort_by_name_when_a_device_is_renamed_then_the_order_follows(demo: User) -> None:
    demo.bring_in(*FREE[:2])
    query = {"sortAttr": "deviceName", "sortDir": "asc", "quarantined": "false"}
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "b"})
    demo.put(f"{DEVICES}/{FREE[1]}", {"name": "c"})
    assert ids(demo.get(DEVICES, **query)) == FREE[:2]
    demo.put(f"{DEVICES}/{FREE[1]}", {"name": "a"})
    assert ids(demo.get(DEVICES, **query)) == [FREE[1], FREE[0]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"deviceId": FREE[1][-4:].upper()}, [FREE[1]]),
        ({"deviceName": "BARN"}, [FREE[0]]),
        ({"serialNumber": "0000102"}, [FREE[2]]),
        ({"groups": "north"}, [FREE[0], FREE[1]]),
        ({"groups": "north,south"}, [FREE[0], FREE[1], FREE[2]]),
        ({"groups": "nort"}, []),
        ({"groups": "north", "deviceId": FREE[1]}, [FREE[1]]),
    ],
)
def test_given_a_filter_then_only_matching_devices_are_listed(
    demo: User, query: dict[str, str], expected: list[str]
) -> None:
    demo.bring_in(*FREE[:4])
    demo.put(f"{DEVICES}/{FREE[0]}", {"name": "old barn", "groups": ["north"]})
    demo.put(f"{DEVICES}/{FREE[1]}", {"groups": ["north", "south"]})
    demo.put(f"{DEVICES}/{FREE[2]}", {"groups": ["south"]})
    assert sorted(ids(demo.get(DEVICES, **query))) == expected


@pytest.mark.parametrize(("asked", "listed"), [("true", True), ("false", False)])
def test_given_the_quarantine_filter_then_it_includes_or_excludes(demo: User, asked: str, listed: bool) -> None:
    assert (QUARANTINED in ids(demo.get(DEVICES, quarantined=asked))) is listed


def test_given_a_product_device_then_its_row_has_what_the_product_adds(demo: User) -> None:
    demo.bring_in(FREE[0])
    row = demo.get(f"{DEVICES}/{FREE[0]}")
    assert (row["product_id"], row["firmware_product_id"], row["groups"]) == (31337, 31337, [])
    assert (row["development"], row["quarantined"], row["denied"]) == (False, False, False)
    assert (row["desired_firmware_version"], row["targeted_firmware_release_version"]) == (None, None)


@pytest.mark.parametrize("device", [UNKNOWN, FREE[0], ELSEWHERE])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_given_a_device_that_is_not_in_the_product_then_permission_is_denied(
    demo: User, method: str, device: str
) -> None:
    assert is_permission_denied(demo.call(method, f"{DEVICES}/{device}", json={"name": "x"}))


def test_given_several_fields_in_one_call_then_all_are_written_and_answered(cloud: Cloud, demo: User) -> None:
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


def test_given_unknown_group_names_on_a_device_then_they_are_created(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north", "beta"]})
    assert [group["name"] for group in demo.get(GROUPS)["groups"]] == ["north", "beta"]


def test_given_groups_on_a_device_then_they_are_an_absolute_set(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north", "beta"]})
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["beta"]})
    assert demo.get(f"{DEVICES}/{FREE[0]}")["groups"] == ["beta"]


def test_given_one_malformed_field_then_nothing_of_the_call_is_written(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    answer = demo.put(f"{DEVICES}/{FREE[0]}", {"name": "one", "groups": ["Not A Group"]})
    assert answer.status_code == 400
    assert cloud.device(FREE[0])["name"] is None


def test_given_a_form_with_a_literal_null_then_the_firmware_is_unlocked(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 7})
    demo.call("PUT", f"{DEVICES}/{FREE[0]}", data={"desired_firmware_version": "null", "development": "true"})
    device = cloud.device(FREE[0])
    assert (device["desired_firmware_version"], device["development"]) == (None, True)


def test_given_a_lock_with_flash_then_an_online_device_runs_the_version(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"desired_firmware_version": 7, "flash": True})
    assert cloud.device(FREE[0])["firmware_version"] == 7


def test_given_a_product_device_when_it_is_removed_then_it_falls_back_to_its_platform(cloud: Cloud, demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north"], "development": True})
    answer = demo.call("DELETE", f"{DEVICES}/{FREE[0]}")
    assert (answer.status_code, answer.content) == (204, b"")
    device = cloud.device(FREE[0])
    assert (device["product"], device["groups"], device["development"]) == (None, [], False)
    assert demo.get(f"{GROUPS}/north")["group"]["device_count"] == 0


def test_given_a_quarantined_device_when_it_is_denied_then_it_stays_as_denied(demo: User) -> None:
    answer = demo.call("DELETE", f"{DEVICES}/{QUARANTINED}", json={"deny": True})
    assert answer.status_code == 204
    assert demo.get(f"{DEVICES}/{QUARANTINED}")["denied"] is True


def test_given_an_owned_product_device_when_it_is_unclaimed_then_it_stays_in_the_product(
    cloud: Cloud, demo: User
) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/devices", {"id": FREE[0]})
    assert demo.call("DELETE", f"{DEVICES}/{FREE[0]}/owner").json() == {"ok": True}
    device = cloud.device(FREE[0])
    assert (device["owner"], device["product"]) == (None, 31337)


def test_given_two_products_then_the_state_tells_them_apart(cloud: Cloud) -> None:
    products = {product["id"]: product["owner"] for product in cloud.state()["products"]}
    assert products == {31337: "demo@example.com", 40000: None}
