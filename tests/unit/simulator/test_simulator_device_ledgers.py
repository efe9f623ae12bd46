# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the admin routes with which a program reads and writes ledgers as a device."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from simulator_client import FREE, OFFLINE, Cloud, User

LEDGERS = "/v1/ledgers"
DEVICE, OTHER = FREE[:2]
INSTRUCTIONS = {"network": "barn", "role": "gateway", "gateways": [DEVICE], "parameters": {}}


@pytest.fixture
def ledger_owner(demo: User) -> User:
    """Return the owner of both mesh ledgers and of a product with three devices, one of them offline."""
    demo.bring_in(DEVICE, OTHER, OFFLINE)
    for name, direction in (("mesh", "Downstream"), ("mesh-status", "Upstream")):
        definition = {"name": name, "scope": "Device", "direction": direction}
        assert demo.post(LEDGERS, {"ledger": definition}).status_code == 201
    return demo


def call_as_device(cloud: Cloud, method: str, ledger: str, device: str = DEVICE, **options: Any) -> requests.Response:
    """Send a request for a ledger of a device."""
    return cloud.call(method, f"/_simulator/devices/{device}/ledgers/{ledger}", **options)


def use_external_firmware(cloud: Cloud, device: str = DEVICE) -> None:
    """Let the tests report for a device."""
    answer = cloud.call("POST", f"/_simulator/devices/{device}", json={"mesh_firmware": "external"})
    assert answer.status_code == 200, answer.text


def test_device_sees_its_instance_and_the_time_of_its_update(ledger_owner: User) -> None:
    path = f"{LEDGERS}/mesh/instances/{DEVICE}"
    assert ledger_owner.put(path, {"instance": {"data": INSTRUCTIONS}}).status_code == 201
    seen = call_as_device(ledger_owner.cloud, "GET", "mesh").json()
    assert (seen["scope"], seen["direction"], seen["data"]) == ("Device", "Downstream", INSTRUCTIONS)
    assert isinstance(seen["updated_at"], int)


def test_device_sees_no_time_and_no_data_without_an_instance(ledger_owner: User) -> None:
    seen = call_as_device(ledger_owner.cloud, "GET", "mesh").json()
    assert (seen["updated_at"], seen["data"]) == (None, None)


def test_device_does_not_see_an_unknown_or_archived_ledger(ledger_owner: User) -> None:
    assert ledger_owner.call("DELETE", f"{LEDGERS}/mesh").status_code < 300
    answers = [call_as_device(ledger_owner.cloud, "GET", name) for name in ("mesh", "other")]
    assert [answer.status_code for answer in answers] == [404, 404]


def test_offline_device_cannot_sync_its_ledgers(ledger_owner: User) -> None:
    assert call_as_device(ledger_owner.cloud, "GET", "mesh", OFFLINE).status_code == 409


def test_device_outside_of_a_product_sees_no_ledger(ledger_owner: User) -> None:
    assert call_as_device(ledger_owner.cloud, "GET", "mesh", FREE[3]).status_code == 404


def test_report_of_a_device_with_external_firmware_is_read_as_written(ledger_owner: User) -> None:
    report = {"contract": 1, "network": "barn", "role": "gateway", "state": "lost", "parent": None, "rssi": None}
    use_external_firmware(ledger_owner.cloud)
    ledger_owner.put(f"{LEDGERS}/mesh/instances/{DEVICE}", {"instance": {"data": INSTRUCTIONS}})
    assert call_as_device(ledger_owner.cloud, "PUT", "mesh-status", json={"data": report}).status_code == 200
    assert ledger_owner.get(f"{LEDGERS}/mesh-status/instances/{DEVICE}")["instance"]["data"] == report
    rows = ledger_owner.get(f"{LEDGERS}/mesh-status/instances")["instances"]
    assert [row["data"] for row in rows] == [report]


def test_device_with_external_firmware_does_not_report_by_itself(ledger_owner: User) -> None:
    use_external_firmware(ledger_owner.cloud)
    ledger_owner.put(f"{LEDGERS}/mesh/instances/{DEVICE}", {"instance": {"data": INSTRUCTIONS}})
    assert ledger_owner.get(f"{LEDGERS}/mesh-status/instances")["instances"] == []


def test_device_cannot_write_a_downstream_ledger(ledger_owner: User) -> None:
    assert call_as_device(ledger_owner.cloud, "PUT", "mesh", json={"data": {}}).status_code == 403


@pytest.mark.parametrize("body", [{"data": []}, {"data": {"text": "x" * 20_000}}, {}, {"other": {}}])
def test_report_that_is_not_valid_is_refused(ledger_owner: User, body: dict[str, Any]) -> None:
    assert call_as_device(ledger_owner.cloud, "PUT", "mesh-status", json=body).status_code == 400


def test_mesh_firmware_must_be_a_known_kind(demo: User) -> None:
    answer = demo.cloud.call("POST", f"/_simulator/devices/{DEVICE}", json={"mesh_firmware": "mine"})
    assert answer.status_code == 400
