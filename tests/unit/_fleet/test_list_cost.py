# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test how many requests a run sends to learn the state of its devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_cloud import PRODUCT, RecordingHttp, device_id, run, user

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.simulator import PRODUCT_ID, Simulator, running_simulator

LIST, READ = "GET /v1/products/:p/devices", "GET /v1/products/:p/devices/:id"
FLEET = 1_000
QUARANTINED = FLEET // 2
PAGES = FLEET // 100
EXACT = {"notes": "", "development": False, "firmware_lock": "unlocked"}


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    fleet: Path = tmp_path_factory.mktemp("fleet") / "fleet.json"
    devices = [
        {"id": device_id(number), "name": f"unit-{number}", "product_id": PRODUCT_ID, "serial_number": f"P046{number}"}
        for number in range(FLEET)
    ]
    devices[QUARANTINED]["quarantined"] = True
    fleet.write_text(json.dumps(devices))
    with running_simulator("--fleet", str(fleet), "--omit-nulls") as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A product of a thousand devices, whose list omits keys without a value."""
    _cloud.reset()
    return _cloud


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as logged_in:
        yield logged_in


def declare(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": list(devices), **more}


def count(http: RecordingHttp, route: str) -> int:
    return [request.route for request in http.sent].count(route)


@pytest.mark.parametrize("key", [{"id": device_id(700)}, {"serial_number": "P046700"}])
def test_one_device_of_a_large_product_takes_few_requests(http: RecordingHttp, key: dict[str, str]) -> None:
    result = run(http, declare({**key, "name": "unit-700"}))
    assert (result["changed"], count(http, LIST)) == (False, 5)
    assert result["undeclared"]["count"] == FLEET - 2
    assert len(result["undeclared"]["ids"]) == 100


def test_ignored_devices_are_not_counted(http: RecordingHttp) -> None:
    result = run(http, declare({"id": device_id(700), "name": "unit-700"}, undeclared="ignore"))
    assert (result["changed"], "undeclared" in result, count(http, LIST)) == (False, False, 1)


def test_few_devices_of_a_large_product_are_read_by_filters(http: RecordingHttp) -> None:
    devices = [{"id": device_id(number), "name": f"unit-{number}"} for number in (5, 700)]
    assert run(http, declare(*devices))["undeclared"]["count"] == FLEET - 3
    assert count(http, LIST) == 6


def test_written_device_is_read_back_with_one_request(http: RecordingHttp) -> None:
    run(http, declare({"id": device_id(700), "notes": "north"}))
    assert count(http, LIST) == 6


@pytest.mark.parametrize("undeclared", ["report", "ignore"])
def test_rename_reads_one_page_of_similar_names(http: RecordingHttp, undeclared: str) -> None:
    warnings: list[str] = []
    data = declare({"id": device_id(700), "name": "unit-1"}, undeclared=undeclared)
    run(http, data, check_mode=True, verify="none", warnings=warnings)
    assert count(http, LIST) == {"report": 6, "ignore": 2}[undeclared]
    assert any(f"unit-1 ({device_id(700)} and {device_id(1)})" in warning for warning in warnings)


def test_quarantined_device_of_a_large_product_is_refused(http: RecordingHttp) -> None:
    result = run(http, declare({"id": device_id(QUARANTINED)}), verify="none")
    assert [device["error"]["code"] for device in result["devices"]] == ["quarantined"]


@pytest.mark.parametrize("undeclared", ["fail", "remove"])
def test_undeclared_devices_that_matter_are_all_read(http: RecordingHttp, undeclared: str) -> None:
    with pytest.raises(ParticleError, match="998"):
        run(http, declare({"id": device_id(700)}, undeclared=undeclared), check_mode=True)
    assert count(http, LIST) >= PAGES


def test_devices_are_read_singly_if_no_row_shows_a_declared_key(http: RecordingHttp) -> None:
    warnings: list[str] = []
    devices = [{"id": device_id(number), "notes": ""} for number in range(25)]
    assert run(http, declare(*devices), warnings=warnings)["changed"] is False
    assert warnings == ["The list of devices lacks notes: 25 devices are read one by one."]
    assert count(http, READ) == 25


def test_exact_declaration_reads_no_device_singly_once_a_row_has_the_keys(http: RecordingHttp) -> None:
    devices = [{"id": device_id(number), **EXACT} for number in range(500)]
    devices[3]["notes"] = "north"
    run(http, declare({"id": device_id(3), "notes": "north"}))
    http.sent.clear()
    for device in devices:
        del device["firmware_lock"]
    assert run(http, declare(*devices))["changed"] is False
    assert count(http, READ) == 0


def test_undeclared_notes_are_found_where_rows_omit_missing_notes(http: RecordingHttp) -> None:
    run(http, declare({"id": device_id(444), "notes": "foreign"}))
    result = run(http, declare(*[{"id": device_id(number), **EXACT} for number in range(500)]), check_mode=True)
    assert [device["id"] for device in result["devices"] if device["status"] == "changed"] == [device_id(444)]
