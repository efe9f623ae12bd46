# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test devices of each platform and devices that were never heard, both from a fleet file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from simulator_client import DEMO, DEVICES, Cloud, User, device_id, started, write_json

from support.paths import ROOT

FACTS = (ROOT / "docs" / "facts" / "errors-and-limits").with_suffix(".md").read_text(encoding="utf-8")
TABLE = FACTS.partition("### platform_id table")[2]
RADIOS = {int(row[1]): row[2] for row in re.finditer(r"(?m)^\| (\d+) \|[^|]*\|[^|]*\|[^|]*\| ([^|]*) \|", TABLE)}
"""The radios of each platform in the facts, keyed by platform id."""
UNKNOWN_PLATFORM = 999
PREFIXED = {6, 8, 12, 13, 14, 23, 25, 26, 32}
"""Platforms whose prefix of serial numbers is known to the simulator."""

NEVER, HEARD, LATER = (device_id(number) for number in range(1, 4))
HEARD_AT, LATER_AT = "2026-01-02T03:04:05.000Z", "2026-01-03T00:00:00.000Z"
PLATFORM_DEVICES = {platform: device_id(100 + number) for number, platform in enumerate([*RADIOS, UNKNOWN_PLATFORM])}
FLEET: list[dict[str, Any]] = [
    {"id": NEVER, "product_id": 31337, "owner": DEMO[0], "last_heard": None, "last_handshake_at": None},
    {"id": HEARD, "product_id": 31337, "last_heard": HEARD_AT, "last_handshake_at": HEARD_AT, "firmware_version": 2},
    {"id": LATER, "product_id": 31337, "last_handshake_at": LATER_AT},
    *({"id": found, "platform_id": platform, "owner": DEMO[0]} for platform, found in PLATFORM_DEVICES.items()),
]


@pytest.fixture(scope="module")
def fleet_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run a simulator with the fleet above."""
    folder = tmp_path_factory.mktemp("fleet")
    with started(folder, "--fleet", write_json(folder / "fleet.json", FLEET)) as (_unused, port):
        yield Cloud(f"http://127.0.0.1:{port}")


@pytest.fixture
def owner(fleet_cloud: Cloud) -> User:
    """Return the owner of the product, with the simulator in its start state."""
    assert fleet_cloud.call("POST", "/_simulator/reset").status_code == 200
    return fleet_cloud.user()


def rows(user: User, **query: Any) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in user.get(DEVICES, **query)["devices"]}


# ---------------------------------------------------------------------- devices that were never heard


def test_device_that_was_never_heard_has_no_times_and_no_firmware(owner: User) -> None:
    row = rows(owner)[NEVER]
    assert (row["last_heard"], row["last_handshake_at"], row["last_ip_address"]) == (None, None, None)
    assert row["online"] is False
    assert "firmware_version" not in row


def test_device_that_was_never_heard_has_no_functions(owner: User) -> None:
    device = owner.get(f"{DEVICES}/{NEVER}")
    assert (device["functions"], device["variables"]) == (None, None)
    assert owner.call("GET", f"/v1/diagnostics/{NEVER}/last").status_code == 404


def test_times_of_a_fleet_file_are_shown(owner: User) -> None:
    row = rows(owner)[HEARD]
    assert (row["last_heard"], row["last_handshake_at"], row["firmware_version"]) == (HEARD_AT, HEARD_AT, 2)


@pytest.mark.parametrize(("direction", "order"), [("desc", [LATER, HEARD, NEVER]), ("asc", [NEVER, HEARD, LATER])])
def test_device_without_a_connection_sorts_as_the_oldest(owner: User, direction: str, order: list[str]) -> None:
    assert list(rows(owner, sortAttr="lastConnection", sortDir=direction)) == order


def test_device_without_a_connection_is_last_in_the_list_of_the_account(owner: User) -> None:
    assert owner.get("/v1/devices")[-1]["id"] == NEVER


def test_first_session_of_a_device_gives_it_times(owner: User) -> None:
    owner.cloud.change_device(NEVER, online=True)
    row = rows(owner)[NEVER]
    assert row["online"] is True
    assert row["last_handshake_at"] is not None
    assert row["last_heard"] == row["last_handshake_at"]


# ---------------------------------------------------------------------- platforms


def test_facts_name_many_platforms() -> None:
    assert len(RADIOS) >= 25


@pytest.mark.parametrize("platform", [*RADIOS, UNKNOWN_PLATFORM])
def test_device_of_each_platform_has_the_fields_of_its_radios(owner: User, platform: int) -> None:
    radios = RADIOS.get(platform, "")
    device = owner.get(f"/v1/devices/{PLATFORM_DEVICES[platform]}")
    assert (device["platform_id"], device["product_id"]) == (platform, platform)
    cellular = "cellular" in radios
    assert device["cellular"] is cellular
    assert [key in device for key in ("iccid", "imei")] == [cellular, cellular]
    assert ("mac_wifi" in device) is ("Wi-Fi" in radios and not cellular)
    assert ("serial_number" in device) is (platform in PREFIXED)
