# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Firmware versions of a definition are compared with the versions of the product."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.change import Action, Change, Declared
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.firmware import FIRMWARE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.plan import plan_changes

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
