# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test which devices count as undeclared, and which of them a run removes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fleet_cloud import PRODUCT, RecordingHttp, barn, errors, ids_of, run, user

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.simulator import Simulator

UNKNOWN_SERIAL = "P046AAAAAAAAAAA"
UNKNOWN_ID = "e00fce68ffffffffffffffff"


@pytest.fixture
def http(simulator: Simulator) -> Iterator[RecordingHttp]:
    with user(simulator) as logged_in:
        yield logged_in


@pytest.fixture
def ids(simulator: Simulator) -> list[str]:
    return ids_of(simulator)


def remove_others(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Build a manifest that declares devices and removes all others."""
    return {"undeclared": "remove", "devices": list(devices), **more}


def list_product_devices(simulator: Simulator) -> set[str]:
    """List the ids of the devices that are in a product."""
    return {str(device["id"]) for device in simulator.state()["devices"] if device["product"]}


@pytest.mark.parametrize("typo", [{"serial_number": UNKNOWN_SERIAL}, {"id": UNKNOWN_ID}])
@pytest.mark.parametrize("claimed", [{}, {"claimed": True}])
def test_account_keeps_undeclared_devices_while_one_is_unknown(
    simulator: Simulator, http: RecordingHttp, ids: list[str], typo: dict[str, str], claimed: dict[str, Any]
) -> None:
    run(http, {"devices": [{"id": device, "claimed": True} for device in ids[:2]]})
    warnings: list[str] = []
    data = remove_others({**typo, **claimed, "name": "a"}, {"id": ids[1]})
    result = run(http, data, warnings=warnings, verify="none", confirm=True)
    assert result["failed"]
    assert simulator.device(ids[0])["owner"] == "demo@example.com"
    assert any(ids[0] in warning and "not removed" in warning for warning in warnings)


@pytest.mark.parametrize("typo", [{"serial_number": UNKNOWN_SERIAL}, {"id": UNKNOWN_ID}])
def test_product_keeps_undeclared_devices_when_an_import_fails(
    simulator: Simulator, http: RecordingHttp, ids: list[str], typo: dict[str, str]
) -> None:
    run(http, {"product": PRODUCT, "devices": [{"id": device} for device in ids[:2]]})
    warnings: list[str] = []
    data = remove_others({**typo, "name": "a"}, {"id": ids[1]}, product=PRODUCT)
    assert run(http, data, warnings=warnings, verify="none", confirm=True)["failed"]
    assert list_product_devices(simulator) == set(ids[:2])
    assert any(ids[0] in warning and "not removed" in warning for warning in warnings)


def test_refused_device_keeps_undeclared_devices(simulator: Simulator, http: RecordingHttp, ids: list[str]) -> None:
    run(http, {"product": PRODUCT, "devices": [{"id": device} for device in ids[:2]]})
    wrong = {"id": ids[1], "serial_number": simulator.device(ids[0])["serial_number"]}
    result = run(http, remove_others(wrong, product=PRODUCT), verify="none", confirm=True)
    assert errors(result) == {ids[1]: "conflict"}
    assert list_product_devices(simulator) == set(ids[:2])


@pytest.mark.parametrize("undeclared", ["fail", "remove"])
def test_device_imported_by_label_is_not_undeclared(
    simulator: Simulator, http: RecordingHttp, ids: list[str], undeclared: str
) -> None:
    serial = simulator.device(ids[0])["serial_number"]
    data = {"product": PRODUCT, "undeclared": undeclared, "devices": [{"serial_number": serial}]}
    result = run(http, data)
    assert result["summary"]["changed"] == 1
    assert list_product_devices(simulator) == {ids[0]}


def test_undeclared_devices_are_removed_once_all_devices_are_known(
    simulator: Simulator, http: RecordingHttp, ids: list[str]
) -> None:
    run(http, {"product": PRODUCT, "devices": [{"id": device} for device in ids[:2]]})
    data = remove_others({"serial_number": simulator.device(ids[2])["serial_number"]}, {"id": ids[1]}, product=PRODUCT)
    run(http, data)
    assert list_product_devices(simulator) == set(ids[:3])
    run(http, data)
    assert list_product_devices(simulator) == set(ids[1:3])


def dissolve_barn(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Build a manifest that removes network barn and declares devices."""
    return {"product": PRODUCT, "networks": {"barn": {"state": "absent"}}, "devices": list(devices), **more}


def test_undeclared_members_of_a_removed_network_are_reported(
    simulator: Simulator, http: RecordingHttp, ids: list[str]
) -> None:
    run(http, barn(ids[:3]))
    result = run(http, dissolve_barn({"id": ids[0]}))
    assert result["undeclared"] == {"count": 2, "ids": sorted(ids[1:3])}
    assert "does not declare 2 more devices" in result["msg"]


def test_undeclared_members_of_a_removed_network_are_refused(
    simulator: Simulator, http: RecordingHttp, ids: list[str]
) -> None:
    run(http, barn(ids[:3]))
    with pytest.raises(ParticleError, match="2 devices that the manifest does not declare"):
        run(http, dissolve_barn({"id": ids[0]}, undeclared="fail"))
    assert [device["groups"] for device in simulator.state()["devices"] if device["id"] in ids[:3]].count([]) == 0


def test_undeclared_members_of_a_removed_network_are_removed(
    simulator: Simulator, http: RecordingHttp, ids: list[str]
) -> None:
    run(http, barn(ids[:3]))
    result = run(http, dissolve_barn({"id": ids[0]}, undeclared="remove"), confirm=True)
    assert sorted(device["id"] for device in result["devices"]) == sorted(ids[:3])
    assert list_product_devices(simulator) == {ids[0]}


def test_absent_devices_of_a_removed_network_leave_its_other_members(
    simulator: Simulator, http: RecordingHttp, ids: list[str]
) -> None:
    run(http, barn(ids[:3]))
    run(http, dissolve_barn({"id": ids[1]}), absent=True, confirm=True)
    assert list_product_devices(simulator) == {ids[0], ids[2]}
