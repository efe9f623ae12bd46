# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the earlier versions of ledger instances."""

from __future__ import annotations

import pytest
from simulator_client import FREE, User

INSTANCE = f"/v1/ledgers/notes/instances/{FREE[0]}"
VERSIONS = f"{INSTANCE}/versions"


@pytest.fixture
def writer(demo: User) -> User:
    """Return a user who has written an instance three times, a minute apart."""
    demo.bring_in(FREE[0])
    demo.post("/v1/ledgers", {"ledger": {"name": "notes", "scope": "Device", "direction": "Downstream"}})
    for number in range(3):
        write(demo, number)
        demo.cloud.advance(60)
    return demo


def write(user: User, number: int) -> None:
    assert user.put(INSTANCE, {"instance": {"data": {"number": number}}}).status_code == 201


def list_numbers(user: User, **query: str) -> list[int]:
    return [version["data"]["number"] for version in user.get(VERSIONS, **query)["versions"]]


def test_instance_that_was_written_once_has_no_versions(demo: User) -> None:
    demo.bring_in(FREE[0])
    demo.post("/v1/ledgers", {"ledger": {"name": "notes", "scope": "Device", "direction": "Downstream"}})
    write(demo, 0)
    assert demo.get(VERSIONS) == {"versions": [], "meta": {"has_more": False}}


def test_replaced_data_is_listed_as_versions_newest_first(writer: User) -> None:
    assert list_numbers(writer) == [1, 0]


def test_version_is_read_by_its_replacement_time(writer: User) -> None:
    oldest = writer.get(VERSIONS)["versions"][-1]
    assert writer.get(f"{VERSIONS}/{oldest['replaced_at']}")["instance"]["data"] == {"number": 0}
    assert writer.call("GET", f"{VERSIONS}/2020-01-01T00:00:00.000Z").status_code == 404


def test_cursors_limit_the_listed_versions(writer: User) -> None:
    newer, older = (version["replaced_at"] for version in writer.get(VERSIONS)["versions"])
    assert list_numbers(writer, replaced_before=newer) == [0]
    assert list_numbers(writer, replaced_after=older) == [1]
    assert writer.call("GET", VERSIONS, params={"replaced_after": "soon"}).status_code == 400


def test_page_of_versions_shows_whether_there_are_more(writer: User) -> None:
    for number in range(3, 30):
        write(writer, number)
    body = writer.get(VERSIONS)
    assert body["meta"] == {"has_more": True}
    numbers = [version["data"]["number"] for version in body["versions"]]
    while body["meta"]["has_more"]:
        body = writer.get(VERSIONS, replaced_before=body["versions"][-1]["replaced_at"])
        numbers += [version["data"]["number"] for version in body["versions"]]
    assert numbers == list(range(28, -1, -1))


def test_last_data_of_a_deleted_instance_becomes_a_version(writer: User) -> None:
    assert writer.call("DELETE", INSTANCE).status_code == 204
    assert list_numbers(writer) == [2, 1, 0]
