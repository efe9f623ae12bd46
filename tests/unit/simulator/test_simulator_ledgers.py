# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Ledgers and their instances."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import FOREIGN, FREE, UNKNOWN, User

LEDGERS = "/v1/ledgers"
NOTES = f"{LEDGERS}/notes"


def create(user: User, name: str = "notes", wrapper: str = "ledger", **more: Any) -> requests.Response:
    definition = {"name": name, "scope": "Device", "direction": "Downstream"} | more
    return user.post(LEDGERS, {wrapper: definition})


@pytest.fixture
def writer(demo: User) -> User:
    """Return a user with a ledger and four devices in the product."""
    demo.bring_in(*FREE[:4])
    assert create(demo).status_code == 201
    return demo


def write(user: User, device: str, data: Any, **query: str) -> requests.Response:
    path = f"{NOTES}/instances/{device}"
    return user.call("PUT", path, json={"instance": {"data": data}}, params=query)


@pytest.mark.parametrize("wrapper", ["ledger", "definition"])
def test_given_either_wrapper_then_a_ledger_is_created(demo: User, wrapper: str) -> None:
    answer = create(demo, wrapper=wrapper, description="what to note")
    ledger = answer.json()["ledger"]
    assert answer.status_code == 201
    assert (ledger["name"], ledger["scope"], ledger["direction"]) == ("notes", "Device", "Downstream")
    assert (ledger["description"], ledger["archived_at"]) == ("what to note", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "No"},
        {"name": "under_score"},
        {"name": "x" * 33},
        {"scope": "Galaxy"},
        {"direction": "Sideways"},
    ],
)
def test_given_a_malformed_definition_then_no_ledger_is_created(demo: User, fields: dict[str, str]) -> None:
    assert create(demo, **fields).status_code == 400
    assert demo.get(LEDGERS)["ledgers"] == []


def test_given_a_taken_name_then_a_ledger_of_another_scope_is_refused_too(demo: User) -> None:
    create(demo)
    assert create(demo, scope="Product").status_code == 400


def test_given_ledgers_then_the_list_is_paged_and_filtered_by_scope(demo: User) -> None:
    for number in range(3):
        create(demo, f"device-{number}")
    create(demo, "product", scope="Product")
    body = demo.get(LEDGERS, scope="Device", page=2, per_page=2)
    assert [ledger["name"] for ledger in body["ledgers"]] == ["device-2"]
    assert body["meta"] == {"page": 2, "per_page": 2, "total_pages": 2, "total": 3}


def test_given_no_page_size_then_the_ledger_pages_hold_a_hundred(demo: User) -> None:
    assert demo.get(LEDGERS)["meta"]["per_page"] == 100


def test_given_a_ledger_then_it_is_read_by_name_by_its_owner_only(writer: User, other: User) -> None:
    assert writer.get(NOTES)["ledger"]["name"] == "notes"
    assert other.call("GET", NOTES).status_code == 404


def test_given_a_new_description_then_the_ledger_has_it(writer: User) -> None:
    answer = writer.put(NOTES, {"ledger": {"description": "changed"}})
    assert (answer.status_code, answer.json()["ledger"]["description"]) == (201, "changed")


def test_given_another_scope_then_an_update_is_refused(writer: User) -> None:
    assert writer.put(NOTES, {"ledger": {"scope": "Owner"}}).status_code == 400


def test_given_an_archived_ledger_then_it_is_listed_only_among_the_archived(writer: User) -> None:
    assert writer.call("DELETE", NOTES).status_code == 204
    assert writer.get(LEDGERS)["ledgers"] == []
    assert writer.get(LEDGERS, archived="true")["ledgers"][0]["archived_at"] is not None


def test_given_an_archived_ledger_then_its_name_is_taken_and_it_takes_no_data(writer: User) -> None:
    writer.call("DELETE", NOTES)
    assert create(writer).status_code == 400
    assert write(writer, FREE[0], {}).status_code == 400


def test_given_data_for_a_product_device_then_it_is_written_and_read_back(writer: User) -> None:
    answer = write(writer, FREE[0], {"depth": 3})
    instance = answer.json()["instance"]
    assert (answer.status_code, instance["data"]) == (201, {"depth": 3})
    assert (instance["scope"], instance["size_bytes"]) == ({"type": "Device", "value": FREE[0]}, 11)
    assert writer.get(f"{NOTES}/instances/{FREE[0]}")["instance"]["data"] == {"depth": 3}


def test_given_data_without_the_instance_wrapper_then_it_is_written_too(writer: User) -> None:
    answer = writer.put(f"{NOTES}/instances/{FREE[0]}", {"data": {"depth": 4}})
    assert answer.json()["instance"]["data"] == {"depth": 4}


def test_given_no_mode_then_the_data_is_replaced(writer: User) -> None:
    write(writer, FREE[0], {"a": 1, "b": 1})
    assert write(writer, FREE[0], {"b": 2}).json()["instance"]["data"] == {"b": 2}


def test_given_the_mode_merge_then_other_keys_are_kept(writer: User) -> None:
    write(writer, FREE[0], {"a": 1, "b": 1})
    answer = write(writer, FREE[0], {"b": 2}, set_mode="Merge")
    assert answer.json()["instance"]["data"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("data", [None, [], "text", {"x": "y" * 16384}])
def test_given_data_that_is_no_object_or_too_large_then_it_is_refused(writer: User, data: Any) -> None:
    assert write(writer, FREE[0], data).status_code == 400


def test_given_a_cloud_only_ledger_then_it_may_hold_more_than_a_synced_one(writer: User) -> None:
    create(writer, "big", direction=None)
    content = {"instance": {"data": {"x": "y" * 16384}}}
    assert writer.put(f"{LEDGERS}/big/instances/{FREE[0]}", content).status_code == 201


@pytest.mark.parametrize("device", [UNKNOWN, FOREIGN, FREE[5]])
def test_given_a_device_that_is_not_in_a_product_of_the_owner_then_it_has_no_ledger(writer: User, device: str) -> None:
    assert write(writer, device, {}).status_code == 404


def test_given_the_product_scope_then_the_instance_is_that_of_a_product(writer: User) -> None:
    create(writer, "defaults", scope="Product")
    content = {"instance": {"data": {"channel": 15}}}
    assert writer.put(f"{LEDGERS}/defaults/instances/31337", content).status_code == 201
    assert writer.put(f"{LEDGERS}/defaults/instances/40000", content).status_code == 404


def test_given_instances_then_the_list_is_paged(writer: User) -> None:
    for device in FREE[:3]:
        write(writer, device, {"id": device})
    body = writer.get(f"{NOTES}/instances", page=2, perPage=2)
    assert [row["data"]["id"] for row in body["instances"]] == [FREE[2]]
    assert body["meta"] == {"page": 2, "per_page": 2, "total_pages": 2, "total": 3}


def test_given_an_instance_when_it_is_deleted_then_it_is_not_found(writer: User) -> None:
    write(writer, FREE[0], {})
    path = f"{NOTES}/instances/{FREE[0]}"
    statuses = [writer.call(method, path).status_code for method in ("DELETE", "GET", "DELETE")]
    assert statuses == [204, 404, 404]
