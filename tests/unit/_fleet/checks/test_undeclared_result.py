# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test which devices count as drift."""

from __future__ import annotations

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import find_drift


@pytest.mark.parametrize("status", ["changed", "failed", "pending"])
def test_device_that_is_not_as_declared_is_drift(status: str) -> None:
    devices = [{"identifier": "a", "name": None, "status": "ok"}, {"identifier": "b", "name": "barn", "status": status}]
    drift = find_drift({"changed": status == "changed", "devices": devices})
    assert drift is not None
    assert "1 device is not as declared (barn b)" in drift.message


def test_devices_as_declared_are_no_drift() -> None:
    assert find_drift({"changed": False, "devices": [{"identifier": "a", "status": "ok"}]}) is None


def test_drift_counts_undeclared_devices_whose_ids_the_result_lacks() -> None:
    undeclared = {"count": 2_000, "ids": [f"d{number}" for number in range(100)]}
    drift = find_drift({"changed": False, "devices": [], "undeclared": undeclared})
    assert drift is not None
    assert "2,000 devices are not declared (d0, d1, d2, d3, d4, d5, d6, d7, d8, d9 and 1,990 more)" in drift.message


def test_hint_for_undeclared_devices_does_not_say_to_run_again() -> None:
    drift = find_drift({"changed": False, "devices": [], "undeclared": {"count": 1, "ids": ["a"]}})
    assert drift is not None
    assert drift.hint == "Declare the undeclared devices, or set undeclared to ignore or remove."


def test_hint_for_drift_of_both_kinds_names_both_remedies() -> None:
    devices = [{"identifier": "b", "name": None, "status": "changed"}]
    drift = find_drift({"changed": True, "devices": devices, "undeclared": {"count": 1, "ids": ["a"]}})
    assert drift is not None
    assert drift.hint.startswith("Run the task without check mode")
    assert drift.hint.endswith("Declare the undeclared devices, or set undeclared to ignore or remove.")
