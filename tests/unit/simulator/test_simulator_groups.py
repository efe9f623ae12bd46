# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Device groups, one by one and in batches."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_client import DEVICES, FREE, GROUPS, UNKNOWN, Cloud, User


@pytest.fixture
def grouped(demo: User) -> User:
    """A product with four devices and the groups north and south; the first device is in north."""
    demo.bring_in(*FREE[:4])
    for name in ("north", "south"):
        assert demo.post(GROUPS, {"name": name}).status_code == 201
    demo.put(f"{DEVICES}/{FREE[0]}", {"groups": ["north"]})
    return demo


def batch(devices: list[str], **metadata: list[str]) -> dict[str, Any]:
    return {"action": "groups", "devices": devices, "metadata": metadata}


def test_given_a_new_name_when_a_group_is_created_then_the_answer_is_201(demo: User) -> None:
    answer = demo.post(GROUPS, {"name": "north", "color": "#00ff00", "description": "the north"})
    expected = {"name": "north", "color": "#00ff00", "description": "the north"}
    assert (answer.status_code, answer.json()) == (201, {"group": expected})


@pytest.mark.parametrize("name", ["North", "a b", "", None, "ä"])
def test_given_a_malformed_name_then_no_group_is_created(demo: User, name: Any) -> None:
    assert demo.post(GROUPS, {"name": name}).status_code == 400
    assert demo.get(GROUPS) == {"groups": []}


def test_given_a_taken_name_then_a_second_group_is_refused(grouped: User) -> None:
    assert grouped.post(GROUPS, {"name": "north"}).status_code == 400
    assert len(grouped.get(GROUPS)["groups"]) == 2


def test_given_groups_then_the_list_counts_no_devices_and_the_single_read_does(grouped: User) -> None:
    assert all("device_count" not in group for group in grouped.get(GROUPS)["groups"])
    assert grouped.get(f"{GROUPS}/north")["group"]["device_count"] == 1


def test_given_part_of_a_name_then_the_list_is_filtered(grouped: User) -> None:
    assert [group["name"] for group in grouped.get(GROUPS, name="ort")["groups"]] == ["north"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_given_an_unknown_group_then_it_is_not_found(demo: User, method: str) -> None:
    assert demo.call(method, f"{GROUPS}/nope", json={"color": "#000000"}).status_code == 404


def test_given_a_group_when_it_is_renamed_then_its_devices_follow(cloud: Cloud, grouped: User) -> None:
    body = grouped.put(f"{GROUPS}/north", {"name": "arctic", "color": "#ffffff"}).json()
    assert (body["group"]["name"], body["group"]["device_count"]) == ("arctic", 1)
    assert cloud.device(FREE[0])["groups"] == ["arctic"]
    assert grouped.get(DEVICES, groups="arctic")["devices"][0]["id"] == FREE[0]


def test_given_a_taken_name_then_a_rename_is_refused(grouped: User) -> None:
    assert grouped.put(f"{GROUPS}/north", {"name": "south"}).status_code == 400


def test_given_no_field_then_an_update_is_refused(grouped: User) -> None:
    assert grouped.put(f"{GROUPS}/north", {}).status_code == 400


def test_given_a_group_when_it_is_deleted_then_its_devices_lose_it(cloud: Cloud, grouped: User) -> None:
    assert grouped.call("DELETE", f"{GROUPS}/north").status_code == 204
    assert cloud.device(FREE[0])["groups"] == []
    assert [group["name"] for group in grouped.get(GROUPS)["groups"]] == ["south"]


def test_given_a_batch_then_groups_are_added_to_and_removed_from_every_device(cloud: Cloud, grouped: User) -> None:
    answer = grouped.put(DEVICES, batch(FREE[:2], add=["south"], remove=["north"]))
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert [cloud.device(device)["groups"] for device in FREE[:3]] == [["south"], ["south"], []]


def test_given_a_device_in_the_group_then_a_batch_does_not_double_it(cloud: Cloud, grouped: User) -> None:
    grouped.put(DEVICES, batch([FREE[0]], add=["north"]))
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
def test_given_something_unknown_in_a_batch_then_nothing_is_written(
    cloud: Cloud, grouped: User, content: dict[str, Any]
) -> None:
    assert grouped.put(DEVICES, content).status_code == 400
    assert cloud.device(FREE[1])["groups"] == []
