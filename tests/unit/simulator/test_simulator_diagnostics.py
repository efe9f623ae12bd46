# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test device vitals, the status of SIM cards and the metrics of a fleet."""

from __future__ import annotations

import pytest
from simulator_client import FREE, OFFLINE, PRODUCT, UNKNOWN, User

BASES = pytest.mark.parametrize("base", ["/v1/diagnostics", f"{PRODUCT}/diagnostics"])
ICCID = "89014103000000000100"


@pytest.fixture(autouse=True)
def product_devices(demo: User) -> None:
    """Import two devices into the product, one of them offline."""
    demo.bring_in(FREE[0], OFFLINE)


@BASES
def test_refresh_of_vitals_is_accepted_and_adds_a_record(demo: User, base: str) -> None:
    before = len(demo.get(f"{base}/{FREE[0]}")["diagnostics"])
    answer = demo.call("POST", f"{base}/{FREE[0]}/update")
    assert (answer.status_code, answer.json()) == (202, {"ok": True})
    assert len(demo.get(f"{base}/{FREE[0]}")["diagnostics"]) == before + 1


@BASES
def test_last_vitals_have_the_documented_parts(demo: User, base: str) -> None:
    record = demo.get(f"{base}/{FREE[0]}/last")["diagnostics"]
    assert record["deviceID"] == FREE[0]
    assert set(record["payload"]) == {"device", "service"}
    assert set(record["payload"]["device"]) == {"network", "cloud", "power", "system"}
    assert "cellular" in record["payload"]["device"]["network"]


def test_refresh_of_an_offline_device_adds_no_record(demo: User) -> None:
    before = demo.get(f"/v1/diagnostics/{OFFLINE}")
    assert demo.call("POST", f"/v1/diagnostics/{OFFLINE}/update").status_code == 202
    assert demo.get(f"/v1/diagnostics/{OFFLINE}") == before


def test_device_that_never_reported_has_no_vitals(demo: User) -> None:
    new_device = demo.post("/v1/devices", {"product_id": 31337}).json()["id"]
    assert demo.call("GET", f"/v1/diagnostics/{new_device}/last").status_code == 404
    assert demo.get(f"/v1/diagnostics/{new_device}")["diagnostics"] == []


def test_vitals_are_filtered_by_start_and_end_date(demo: User) -> None:
    path = f"/v1/diagnostics/{FREE[0]}"
    updated_at = demo.get(f"{path}/last")["diagnostics"]["updated_at"]
    assert demo.get(path, end_date=updated_at)["diagnostics"] == []
    rows = demo.get(path, start_date="2026-01-01" if updated_at < "2026-01-31" else updated_at[:10])["diagnostics"]
    assert rows[-1]["updated_at"] == updated_at


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_invalid_date_is_refused_with_a_description(demo: User, name: str) -> None:
    answer = demo.call("GET", f"/v1/diagnostics/{FREE[0]}", params={name: "yesterday"})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "bad_request",
        "description": "start_date and end_date must be ISO8601 formatted",
    }


def test_start_date_older_than_thirty_days_is_refused(demo: User) -> None:
    answer = demo.call("GET", f"/v1/diagnostics/{FREE[0]}", params={"start_date": "2020-01-01T00:00:00Z"})
    assert answer.json()["description"] == "start_date must not be more than than 30 days ago"


def test_accept_header_returns_vitals_as_csv(demo: User) -> None:
    answer = demo.call("GET", f"/v1/diagnostics/{FREE[0]}", headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == "updated_at,deviceID,payload"


def test_vitals_of_an_unknown_device_are_forbidden(demo: User) -> None:
    assert demo.call("GET", f"/v1/diagnostics/{UNKNOWN}/last").status_code == 403
    assert demo.call("POST", f"{PRODUCT}/diagnostics/{UNKNOWN}/update").status_code == 403


def test_sim_status_is_pending_and_complete_ten_seconds_later(demo: User) -> None:
    path = f"{PRODUCT}/sims/{ICCID}/status"
    first = demo.call("GET", path)
    assert first.status_code == 202
    assert first.json()["meta"]["state"] == "pending"
    assert first.json()["sim_status"] == {"connected": None, "gsm_connection": None, "data_connection": None}
    demo.cloud.call("POST", "/_simulator/clock", json={"advance": 10})
    second = demo.call("GET", path)
    assert second.json()["meta"]["state"] == "complete"
    assert second.json()["meta"]["task_id"] == first.json()["meta"]["task_id"]
    assert second.json()["sim_status"]["connected"] is True


@pytest.mark.parametrize(
    ("name", "key", "field"),
    [
        ("online", "online", "count"),
        ("events", "events", "received"),
        ("integration", "integrations", "sleep"),
        ("functions", "functions", "offline"),
        ("variables", "variables", "success"),
    ],
)
def test_metric_is_returned_in_buckets(demo: User, name: str, key: str, field: str) -> None:
    dates = {"start_date": "2026-03-01T00:00:00Z", "end_date": "2026-03-01T01:00:00Z"}
    rows = demo.get(f"{PRODUCT}/metrics/{name}", **dates)[key]
    assert len(rows) == 4
    assert rows[0]["time"] == "2026-03-01T00:00:00.000Z"
    assert field in rows[0]
    assert len(demo.get(f"{PRODUCT}/metrics/{name}", **dates, bucket_size="1800")[key]) == 2


def test_online_metric_applies_and_validates_filters(demo: User) -> None:
    assert demo.get(f"{PRODUCT}/metrics/online")["online"][0]["count"] >= 1
    assert demo.get(f"{PRODUCT}/metrics/online", device_group="nope")["online"][0]["count"] == 0
    assert demo.call("GET", f"{PRODUCT}/metrics/online", params={"bucket_size": "15"}).status_code == 400
    assert demo.call("GET", f"{PRODUCT}/metrics/online", params={"end_date": "x"}).status_code == 400
