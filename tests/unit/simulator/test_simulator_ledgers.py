# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test ledgers and their instances."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import FOREIGN, FREE, UNKNOWN, User

LEDGERS = "/v1/ledgers"
NOTES = f"{LEDGERS}/notes"


def create_ledger(user: User, name: str = "notes", wrapper: str = "ledger", **more: Any) -> requests.Response:
    definition = {"name": name, "scope": "Device", "direction": "Downstream"} | more
    return user.post(LEDGERS, {wrapper: definition})


@pytest.fixture
def writer(demo: User) -> User:
    """Return a user with a ledger and four devices in the product."""
    demo.bring_in(*FREE[:4])
    assert create_ledger(demo).status_code == 201
    return demo


def write_instance(user: User, device: str, data: Any, **query: str) -> requests.Response:
    path = f"{NOTES}/instances/{device}"
    return user.call("PUT", path, json={"instance": {"data": data}}, params=query)


@pytest.mark.parametrize("wrapper", ["ledger", "definition"])
def test_ledger_is_created_with_either_wrapper(demo: User, wrapper: str) -> None:
    answer = create_ledger(demo, wrapper=wrapper, description="what to note")
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
def test_ledger_with_a_malformed_definition_is_not_created(demo: User, fields: dict[str, str]) -> None:
    assert create_ledger(demo, **fields).status_code == 400
    assert demo.get(LEDGERS)["ledgers"] == []


def test_ledger_name_is_unique_across_scopes(demo: User) -> None:
    create_ledger(demo)
    assert create_ledger(demo, scope="Product").status_code == 400


def test_list_of_ledgers_is_paged_and_filtered_by_scope(demo: User) -> None:
    for number in range(3):
        create_ledger(demo, f"device-{number}")
    create_ledger(demo, "product", scope="Product")
    body = demo.get(LEDGERS, scope="Device", page=2, per_page=2)
    assert [ledger["name"] for ledger in body["ledgers"]] == ["device-2"]
    assert body["meta"] == {"page": 2, "per_page": 2, "total_pages": 2, "total": 3}


def test_default_page_size_of_ledgers_is_a_hundred(demo: User) -> None:
    assert demo.get(LEDGERS)["meta"]["per_page"] == 100


def test_ledger_is_readable_only_by_its_owner(writer: User, other: User) -> None:
    assert writer.get(NOTES)["ledger"]["name"] == "notes"
    assert other.call("GET", NOTES).status_code == 404


def test_description_of_a_ledger_can_be_changed(writer: User) -> None:
    answer = writer.put(NOTES, {"ledger": {"description": "changed"}})
    assert (answer.status_code, answer.json()["ledger"]["description"]) == (201, "changed")


def test_scope_of_a_ledger_cannot_be_changed(writer: User) -> None:
    assert writer.put(NOTES, {"ledger": {"scope": "Owner"}}).status_code == 400


def test_archived_ledger_is_listed_only_among_the_archived(writer: User) -> None:
    assert writer.call("DELETE", NOTES).status_code == 204
    assert writer.get(LEDGERS)["ledgers"] == []
    assert writer.get(LEDGERS, archived="true")["ledgers"][0]["archived_at"] is not None


def test_archived_ledger_keeps_its_name_and_accepts_no_data(writer: User) -> None:
    writer.call("DELETE", NOTES)
    assert create_ledger(writer).status_code == 400
    assert write_instance(writer, FREE[0], {}).status_code == 400


def test_data_of_a_product_device_is_written_and_read_back(writer: User) -> None:
    answer = write_instance(writer, FREE[0], {"depth": 3})
    instance = answer.json()["instance"]
    assert (answer.status_code, instance["data"]) == (201, {"depth": 3})
    assert (instance["scope"], instance["size_bytes"]) == ({"type": "Device", "value": FREE[0]}, 11)
    assert writer.get(f"{NOTES}/instances/{FREE[0]}")["instance"]["data"] == {"depth": 3}


def test_data_without_the_instance_wrapper_is_accepted(writer: User) -> None:
    answer = writer.put(f"{NOTES}/instances/{FREE[0]}", {"data": {"depth": 4}})
    assert answer.json()["instance"]["data"] == {"depth": 4}


def test_write_without_a_mode_replaces_the_data(writer: User) -> None:
    write_instance(writer, FREE[0], {"a": 1, "b": 1})
    assert write_instance(writer, FREE[0], {"b": 2}).json()["instance"]["data"] == {"b": 2}


def test_write_in_merge_mode_keeps_other_keys(writer: User) -> None:
    write_instance(writer, FREE[0], {"a": 1, "b": 1})
    answer = write_instance(writer, FREE[0], {"b": 2}, set_mode="Merge")
    assert answer.json()["instance"]["data"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("data", [None, [], "text", {"x": "y" * 16384}])
def test_invalid_or_oversized_data_is_refused(writer: User, data: Any) -> None:
    assert write_instance(writer, FREE[0], data).status_code == 400


def test_cloud_only_ledger_accepts_more_data_than_a_synced_one(writer: User) -> None:
    create_ledger(writer, "big", direction=None)
    content = {"instance": {"data": {"x": "y" * 16384}}}
    assert writer.put(f"{LEDGERS}/big/instances/{FREE[0]}", content).status_code == 201


@pytest.mark.parametrize("device", [UNKNOWN, FOREIGN, FREE[5]])
def test_device_outside_the_products_of_the_owner_has_no_instance(writer: User, device: str) -> None:
    assert write_instance(writer, device, {}).status_code == 404


def test_instance_of_a_product_ledger_belongs_to_a_product(writer: User) -> None:
    create_ledger(writer, "defaults", scope="Product")
    content = {"instance": {"data": {"channel": 15}}}
    assert writer.put(f"{LEDGERS}/defaults/instances/31337", content).status_code == 201
    assert writer.put(f"{LEDGERS}/defaults/instances/40000", content).status_code == 404


def test_list_of_instances_is_paged(writer: User) -> None:
    for device in FREE[:3]:
        write_instance(writer, device, {"id": device})
    body = writer.get(f"{NOTES}/instances", page=2, perPage=2)
    assert [row["data"]["id"] for row in body["instances"]] == [FREE[2]]
    assert body["meta"] == {"page": 2, "per_page": 2, "total_pages": 2, "total": 3}


def test_deleted_instance_is_not_found(writer: User) -> None:
    write_instance(writer, FREE[0], {})
    path = f"{NOTES}/instances/{FREE[0]}"
    statuses = [writer.call(method, path).status_code for method in ("DELETE", "GET", "DELETE")]
    assert statuses == [204, 404, 404]
