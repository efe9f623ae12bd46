# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test device groups and their changes, singly and in batches."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import DEVICES, FREE, GROUPS, UNKNOWN, Cloud, User


@pytest.fixture
def group_owner(demo: User) -> User:
    """Return the owner of a product with four devices and the groups north and south; the first device is in north."""
    demo.bring_in(*FREE[:4])
    for name in ("north", "south"):
        assert demo.post(GROUPS, {"name": name}).status_code == 201
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north"]})
    return demo


def batch(devices: list[str], **metadata: list[str]) -> dict[str, Any]:
    return {"action": "groups", "devices": devices, "metadata": metadata}


def test_created_group_is_answered_with_201(demo: User) -> None:
    answer = demo.post(GROUPS, {"name": "north", "color": "#00ff00", "description": "the north"})
    expected = {"name": "north", "color": "#00ff00", "description": "the north"}
    assert (answer.status_code, answer.json()) == (201, {"group": expected})


@pytest.mark.parametrize("name", ["North", "a b", "", None, "ä", "n" * 65])
def test_group_with_a_malformed_name_is_not_created(demo: User, name: Any) -> None:
    assert demo.post(GROUPS, {"name": name}).status_code == 400
    assert demo.get(GROUPS) == {"groups": []}


def test_second_group_of_the_same_name_is_refused(group_owner: User) -> None:
    assert group_owner.post(GROUPS, {"name": "north"}).status_code == 400
    assert len(group_owner.get(GROUPS)["groups"]) == 2


def test_only_the_single_read_of_a_group_counts_its_devices(group_owner: User) -> None:
    assert all("device_count" not in group for group in group_owner.get(GROUPS)["groups"])
    assert group_owner.get(f"{GROUPS}/north")["group"]["device_count"] == 1


def test_list_is_filtered_by_part_of_a_name(group_owner: User) -> None:
    assert [group["name"] for group in group_owner.get(GROUPS, name="ort")["groups"]] == ["north"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_unknown_group_is_not_found(demo: User, method: str) -> None:
    assert demo.call(method, f"{GROUPS}/nope", json={"color": "#000000"}).status_code == 404


def test_renamed_group_keeps_its_devices(cloud: Cloud, group_owner: User) -> None:
    body = group_owner.put(f"{GROUPS}/north", {"name": "arctic", "color": "#ffffff"}).json()
    assert (body["group"]["name"], body["group"]["device_count"]) == ("arctic", 1)
    assert cloud.device(FREE[0])["groups"] == ["arctic"]
    assert group_owner.get(DEVICES, groups="arctic")["devices"][0]["id"] == FREE[0]


def test_rename_to_an_existing_name_is_refused(group_owner: User) -> None:
    assert group_owner.put(f"{GROUPS}/north", {"name": "south"}).status_code == 400


def test_update_without_fields_is_refused(group_owner: User) -> None:
    assert group_owner.put(f"{GROUPS}/north", {}).status_code == 400


def test_deleted_group_is_removed_from_its_devices(cloud: Cloud, group_owner: User) -> None:
    assert group_owner.call("DELETE", f"{GROUPS}/north").status_code == 204
    assert cloud.device(FREE[0])["groups"] == []
    assert [group["name"] for group in group_owner.get(GROUPS)["groups"]] == ["south"]


def test_batch_adds_and_removes_groups_of_each_device(cloud: Cloud, group_owner: User) -> None:
    answer = group_owner.put(DEVICES, batch(FREE[:2], add=["south"], remove=["north"]))
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert [cloud.device(device)["groups"] for device in FREE[:3]] == [["south"], ["south"], []]


def test_batch_does_not_add_a_group_twice(cloud: Cloud, group_owner: User) -> None:
    group_owner.put(DEVICES, batch([FREE[0]], add=["north"]))
    assert cloud.device(FREE[0])["groups"] == ["north"]


@pytest.mark.parametrize(
    "content",
    [
        batch([FREE[1], UNKNOWN], add=["north"]),
        batch([FREE[1], FREE[5]], add=["north"]),
        batch([FREE[1]], add=["north", "nope"]),
        batch([FREE[1]], add=["north"], remove=["nope"]),
        {"action": "names", "devices": [FREE[1]], "metadata": {"add": ["north"]}},
        {"action": "groups", "devices": [FREE[1]]},
        {"action": "groups", "metadata": {"add": ["north"]}},
        {"action": "groups", "devices": [FREE[1]], "metadata": {"add": "north"}},
    ],
)
def test_invalid_batch_writes_nothing(cloud: Cloud, group_owner: User, content: dict[str, Any]) -> None:
    assert group_owner.put(DEVICES, content).status_code == 400
    assert cloud.device(FREE[1])["groups"] == []
