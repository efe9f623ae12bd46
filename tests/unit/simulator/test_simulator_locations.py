# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the locations of the devices of a product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from simulator_client import PRODUCT, Cloud, User, device_id, started, write_json

LOCATIONS = f"{PRODUCT}/locations"
FLEET_LOCATIONS = f"{PRODUCT}/fleet_locations"
BERN, ROME, TRACKER, HIDDEN, BORON, NEVER = (device_id(number) for number in range(1, 7))
STARTED, HEARD = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"
TIMES = {"last_handshake_at": STARTED, "last_heard": HEARD}
IN_BERN = {"longitude": 7.4, "latitude": 46.9}
FLEET: list[dict[str, Any]] = [
    {"id": BERN, "name": "bern-1", "groups": ["north"], "position": IN_BERN, **TIMES},
    {"id": ROME, "name": "rome-1", "groups": ["south"], "position": {"longitude": 12, "latitude": 41}, **TIMES},
    {"id": TRACKER, "platform_id": 26},
    {"id": HIDDEN, "platform_id": 26, "position": None},
    {"id": BORON},
    {"id": NEVER, "position": IN_BERN, "last_heard": None},
]


@pytest.fixture(scope="module")
def placed_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run a simulator whose product has devices with and without a position."""
    folder = tmp_path_factory.mktemp("locations")
    fleet = write_json(folder / "fleet.json", [device | {"product_id": 31337} for device in FLEET])
    with started(folder, "--fleet", fleet) as (_unused, port):
        yield Cloud(f"http://127.0.0.1:{port}")


@pytest.fixture
def owner(placed_cloud: Cloud) -> User:
    """Return the owner of the product."""
    return placed_cloud.user()


def list_ids(answer: dict[str, Any]) -> list[str]:
    return [row["device_id"] for row in answer["locations"]]


def test_location_of_a_device_is_where_the_fleet_file_puts_it(owner: User) -> None:
    row = next(row for row in owner.get(LOCATIONS)["locations"] if row["device_id"] == BERN)
    assert row == {
        "device_id": BERN,
        "product_id": 31337,
        "device_name": "bern-1",
        "gps_lock": True,
        "last_heard": HEARD,
        "groups": ["north"],
        "timestamps": [HEARD],
        "geometry": {"type": "Point", "coordinates": [7.4, 46.9]},
        "online": True,
    }


@pytest.mark.parametrize("path", [LOCATIONS, FLEET_LOCATIONS])
def test_only_devices_with_a_position_have_a_location(owner: User, path: str) -> None:
    assert list_ids(owner.get(path)) == [BERN, ROME, TRACKER]


def test_made_up_position_of_a_tracker_stays_the_same(owner: User) -> None:
    before = owner.get(f"{LOCATIONS}/{TRACKER}")["location"]["geometry"]
    assert owner.get(f"{LOCATIONS}/{TRACKER}")["location"]["geometry"] == before


def test_fleet_locations_have_no_online_state_and_no_pages(owner: User) -> None:
    answer = owner.get(FLEET_LOCATIONS)
    assert answer.keys() == {"locations"}
    assert "online" not in answer["locations"][0]


@pytest.mark.parametrize("path", [LOCATIONS, FLEET_LOCATIONS])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"device_id": ROME.upper()}, [ROME]),
        ({"device_id": "0000"}, []),
        ({"device_name": "Bern"}, [BERN]),
        ({"device_name": "1"}, []),
        ({"groups": "north,south"}, [BERN, ROME]),
        ({"groups[0]": "north", "groups[1]": "south"}, [BERN, ROME]),
        ({"groups": "west"}, []),
    ],
)
def test_filters_select_locations(owner: User, path: str, query: dict[str, str], found: list[str]) -> None:
    assert list_ids(owner.get(path, **query)) == found


def test_rectangle_selects_locations(owner: User) -> None:
    assert list_ids(owner.get(LOCATIONS, rect_bl="46,7", rect_tr="47,8")) == [BERN]


@pytest.mark.parametrize(
    ("date_range", "kind", "times"),
    [(f"{STARTED},{HEARD}", "LineString", [STARTED, HEARD]), (f"{HEARD},2026-02-01", "Point", [HEARD])],
)
def test_date_range_selects_the_reports_of_a_period(owner: User, date_range: str, kind: str, times: list[str]) -> None:
    rows = owner.get(LOCATIONS, date_range=date_range, device_id=BERN)["locations"]
    assert [(row["geometry"]["type"], row["timestamps"]) for row in rows] == [(kind, times)]


def test_device_without_a_report_in_the_period_is_left_out(owner: User) -> None:
    assert owner.get(LOCATIONS, date_range="2025-01-01,2025-02-01")["locations"] == []


def test_locations_come_in_pages(owner: User) -> None:
    answer = owner.get(LOCATIONS, page=2, per_page=2)
    assert list_ids(answer) == [TRACKER]
    assert answer["meta"] == {"page": 2, "per_page": 2, "total_pages": 2, "devices_found": 3}
    assert owner.get(LOCATIONS)["meta"]["per_page"] == 20
    assert owner.get(LOCATIONS, per_page=500)["meta"]["per_page"] == 100


def test_location_of_one_device_has_the_properties_of_each_report(owner: User) -> None:
    answer = owner.get(f"{LOCATIONS}/{BERN}", date_range=f"{STARTED},{HEARD}")
    location = answer["location"]
    assert (answer["meta"], location["timestamps"]) == ({}, [STARTED, HEARD])
    assert location["geometry"] == {"type": "LineString", "coordinates": [[7.4, 46.9], [7.4, 46.9]]}
    assert [properties.keys() for properties in location["properties"]] == [{"hd", "acc_h", "speed", "temp"}] * 2


def test_location_of_one_device_is_the_last_report_without_a_period(owner: User) -> None:
    location = owner.get(f"{LOCATIONS}/{BERN}")["location"]
    assert (location["timestamps"], location["geometry"]["type"], len(location["properties"])) == ([HEARD], "Point", 1)
    answer = owner.call("GET", f"{LOCATIONS}/{BERN}", params={"date_range": "2025-01-01,2025-02-01"})
    assert answer.status_code == 404


@pytest.mark.parametrize(("device", "status"), [(BORON, 404), (HIDDEN, 404), (NEVER, 404), (device_id(99), 403)])
def test_device_without_a_location_is_not_found(owner: User, device: str, status: int) -> None:
    assert owner.call("GET", f"{LOCATIONS}/{device}").status_code == status


@pytest.mark.parametrize(
    "query",
    [
        {"date_range": "2026-01-01"},
        {"date_range": "yesterday,today"},
        {"rect_bl": "46,7"},
        {"rect_bl": "46,7", "rect_tr": "x,y"},
    ],
)
def test_malformed_query_is_refused(owner: User, query: dict[str, str]) -> None:
    assert owner.call("GET", LOCATIONS, params=query).status_code == 400
