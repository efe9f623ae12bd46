# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a lock to firmware that the product does not have is refused before the first write."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_cloud import BASE, DEVICES, PRODUCT, client, device_id, ids_of, row, run, script, user

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.scripted import ScriptedCloud
from support.simulator import Simulator

FIRMWARE = "GET /v1/products/:p/firmware"


def declare_locks(*locks: tuple[str, Any]) -> dict[str, Any]:
    return {"product": PRODUCT, "devices": [{"id": device, "firmware_lock": lock} for device, lock in locks]}


@pytest.mark.parametrize("check_mode", [False, True])
def test_lock_to_an_unknown_version_is_refused_before_any_write(simulator: Simulator, check_mode: bool) -> None:
    one, two, three = ids_of(simulator, 3)
    simulator.add_firmware(*range(1, 13))
    with user(simulator) as http:
        with pytest.raises(ParticleError) as caught:
            run(http, declare_locks((one, 42), (two, 12), (three, 42)), check_mode=check_mode)
        assert http.writes == []
        assert [request.route for request in http.sent].count(FIRMWARE) == 1
    assert caught.value.code == "not_found"
    assert caught.value.message == (
        f"Product {PRODUCT} does not have firmware version 42 (declared for {one}, {three}). "
        "It has 12, 11, 10, 9, 8, 7, 6, 5, 4, 3 and 2 more."
    )


def test_error_counts_the_unknown_versions_that_it_does_not_name(simulator: Simulator) -> None:
    locks = [(device, 101 + number) for number, device in enumerate(ids_of(simulator, 12))]
    with user(simulator) as http, pytest.raises(ParticleError) as caught:
        run(http, declare_locks(*locks))
    assert f"version 110 (declared for {locks[9][0]}); and 2 more. It has no firmware." in caught.value.message


def test_lock_is_refused_if_the_product_has_no_firmware(simulator: Simulator) -> None:
    with user(simulator) as http, pytest.raises(ParticleError, match="It has no firmware"):
        run(http, declare_locks((ids_of(simulator)[0], 1)))


def test_unchanged_locks_and_removed_locks_need_no_list(scripted_cloud: ScriptedCloud) -> None:
    one, two = device_id(1), device_id(2)
    script(scripted_cloud, [row(one, desired_firmware_version=9), row(two, desired_firmware_version=9)])
    scripted_cloud.answer("PUT", f"{DEVICES}/{two}", json={})
    with client(scripted_cloud.url) as http:
        run(http, declare_locks((one, 9), (two, "unlocked")), verify="none")
        assert FIRMWARE not in [request.route for request in http.sent]


def test_lock_is_written_with_a_warning_if_the_list_cannot_be_read(scripted_cloud: ScriptedCloud) -> None:
    one = device_id(1)
    scripted_cloud.answer("GET", f"{BASE}/firmware", 403, json={"ok": False, "error": "Permission denied"})
    script(scripted_cloud, [row(one, desired_firmware_version=None)])
    scripted_cloud.answer("PUT", f"{DEVICES}/{one}", json={})
    warnings: list[str] = []
    with client(scripted_cloud.url) as http:
        assert run(http, declare_locks((one, 42)), verify="none", warnings=warnings)["changed"] is True
    assert "It was not checked whether product field-logger has the declared firmware_lock" in warnings[0]
