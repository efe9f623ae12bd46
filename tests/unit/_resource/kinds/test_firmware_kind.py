# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Firmware versions of a definition are compared with the versions of the product, and uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_cloud import OURS

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.firmware import FIRMWARE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.module_result import reconcile_resource
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import plan_changes
from support.firmware import make_binary
from support.in_process import InProcessSimulator

ROW = {
    "version": 7,
    "title": "Winter",
    "description": None,
    "mandatory": False,
    "release": {"default": False, "groups": ["canary", "north"], "intelligent": True},
}


def plan(row: dict[str, Any] | None, **values: Any) -> Change:
    (change,) = plan_changes(FIRMWARE, {} if row is None else {"7": row}, [Declared("7", values)])
    return change


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"title": "Winter", "description": "", "mandatory": False},
        {"release": {"groups": ["north", "canary"]}},
        {"release": {"default": False}},
        {"release": {"default": False, "groups": ["canary", "north"], "intelligent": True}},
        {"file": "v7.bin"},
    ],
)
def test_equal_settings_need_no_change(values: dict[str, Any]) -> None:
    assert plan(ROW, **values).action is Action.NONE


@pytest.mark.parametrize(
    "values",
    [
        {"title": "Summer"},
        {"description": "Less power"},
        {"mandatory": True},
        {"release": {"default": True}},
        {"release": {"groups": ["north"]}},
        {"release": {"groups": []}},
        {"release": {"intelligent": False}},
    ],
)
def test_other_settings_are_a_change(values: dict[str, Any]) -> None:
    change = plan(ROW, **values)
    assert (change.action, list(change.after)) == (Action.UPDATE, list(values))


def test_way_of_updating_does_not_matter_without_a_target() -> None:
    unreleased = {**ROW, "release": {"default": False, "groups": [], "intelligent": False}}
    assert plan(unreleased, release={"intelligent": True}).action is Action.NONE


def test_new_version_needs_a_file() -> None:
    assert plan(None, file="v7.bin", title="Winter").action is Action.CREATE
    with pytest.raises(ParticleError, match="no firmware version 7 yet, and it cannot be created without file"):
        plan(None, title="Winter")


@pytest.fixture
def target() -> Iterator[Target]:
    """Return a product of a simulated cloud without firmware."""
    http = InProcessSimulator([]).connect(SYSTEM_CLOCK)
    yield Target(http, OURS, lambda text: None)
    http.close()


def reconcile(target: Target, key: str = "7", *, absent: bool = False, **values: Any) -> dict[str, Any]:
    return reconcile_resource(target, FIRMWARE, Declared(key, values, absent), check_mode=False)


def test_version_is_uploaded_changed_and_removed(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "v7.bin"
    file.write_bytes(make_binary(7))
    uploaded = reconcile(target, file=str(file), title="Winter", description="Less power", mandatory=True)
    assert (uploaded["changed"], uploaded.get("error")) == (True, None)
    (row,) = FIRMWARE.list_rows(target)
    assert (row["version"], row["title"], row["description"], row["mandatory"]) == (7, "Winter", "Less power", True)
    assert row["release"] == {"default": False, "groups": [], "intelligent": False}
    assert reconcile(target, file=str(file), title="Winter")["changed"] is False
    assert reconcile(target, title="Summer")["changed"] is True
    (row,) = FIRMWARE.list_rows(target)
    assert (row["title"], row["description"]) == ("Summer", "Less power")
    assert reconcile(target, absent=True)["changed"] is True
    assert FIRMWARE.list_rows(target) == []


def test_file_that_does_not_fit_is_refused_before_a_write(target: Target, tmp_path: Path) -> None:
    file = tmp_path / "v7.bin"
    file.write_bytes(make_binary(8))
    with pytest.raises(ParticleError) as caught:
        reconcile(target, file=str(file))
    assert caught.value.code == "wrong_binary"
    assert FIRMWARE.list_rows(target) == []
    file.write_bytes(make_binary(7))
    reconcile(target, file=str(file))
    file.write_bytes(make_binary(7, code=b"other code"))
    with pytest.raises(ParticleError) as caught:
        reconcile(target, file=str(file))
    assert caught.value.code == "wrong_binary"
