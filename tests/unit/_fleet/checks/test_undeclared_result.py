# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Devices that are not as declared, or not declared at all, are reported in the words of the user."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fleet_cloud import OURS, target_of

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import (
    build_undeclared_result,
    describe_kept_devices,
    describe_undeclared,
    find_drift,
    refuse_undeclared_devices,
)


@pytest.mark.parametrize("status", ["changed", "failed", "pending"])
def test_device_that_is_not_as_declared_is_drift(status: str) -> None:
    devices = [{"identifier": "a", "name": None, "status": "ok"}, {"identifier": "b", "name": "barn", "status": status}]
    drift = find_drift({"changed": status == "changed", "devices": devices})
    assert drift is not None
    assert "1 device is not as declared (barn b)" in drift.message


def test_devices_as_declared_are_not_drift() -> None:
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


def test_changed_groups_are_drift_although_all_devices_are_as_declared() -> None:
    drift = find_drift({"changed": True, "devices": [{"identifier": "a", "status": "ok"}]})
    assert drift is not None
    assert (drift.code, drift.message) == (
        *("conflict", "The fleet has drifted: device groups or networks are not as declared."),
    )
    assert drift.hint == "Run the task without check mode to restore the declared state, or change the manifest."


def test_drift_of_devices_names_the_first_of_them() -> None:
    devices = [{"identifier": f"d{number}", "name": None, "status": "pending"} for number in range(1_100)]
    drift = find_drift({"changed": False, "devices": devices, "undeclared": {"count": 1, "ids": ["u"]}})
    assert drift is not None
    names = ", ".join(f"d{number}" for number in range(10))
    assert drift.message == (
        f"The fleet has drifted: 1,100 devices are not as declared ({names} and 1,090 more), and 1 device is not "
        "declared (u)."
    )
    assert drift.hint == (
        "Run the task without check mode to restore the declared state, or change the manifest. Declare the undeclared "
        "devices, or set undeclared to ignore or remove."
    )


def test_result_names_a_hundred_undeclared_devices_and_counts_all() -> None:
    found = build_undeclared_result({f"{number:03}" for number in range(150)}, 7)
    assert found == {"count": 157, "ids": [f"{number:03}" for number in range(100)]}
    assert describe_undeclared(found) == "The manifest does not declare 157 more devices."
    assert describe_undeclared(build_undeclared_result({}, 0)) is None


@pytest.mark.parametrize(("product", "where"), [(OURS, "Product field-logger"), (None, "The account")])
def test_undeclared_devices_are_refused_if_they_must_not_exist(product: Product | None, where: str) -> None:
    target = target_of(cast(Any, None), product)
    refuse_undeclared_devices(target, {})
    with pytest.raises(ParticleError) as caught:
        refuse_undeclared_devices(target, {"b": None, "a": "pump"})
    assert caught.value.code == "conflict"
    assert caught.value.message == f"{where} has 2 devices that the manifest does not declare: a, b."
    assert caught.value.hint == "Declare these devices, or set undeclared to report, ignore or remove."


def test_warning_about_kept_devices_names_both_sides() -> None:
    assert describe_kept_devices({"b", "a"}, ["35", "34"]) == (
        "2 undeclared devices were not removed (a, b), because they may be the declared devices that the cloud does "
        "not list as declared: 34, 35. Check the identifiers of these devices, then run again."
    )
    assert describe_kept_devices({"a"}, ["35"]).startswith("1 undeclared device was not removed (a), ")
