# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The fields that one PUT sets are said one way in a manifest and another way by the cloud."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    Value,
    differs,
    for_cloud,
    observed_fields,
)

WHOLE = {"name": "barn", "notes": "north wall", "development": True, "desired_firmware_version": 42, "online": True}


def test_a_device_is_read_in_the_words_of_a_manifest() -> None:
    assert observed_fields(WHOLE) == {
        "name": "barn",
        "notes": "north wall",
        "development": True,
        "firmware_version": 42,
    }


def test_what_the_cloud_does_not_tell_is_not_known() -> None:
    assert observed_fields({"name": "barn", "id": "e00f"}) == {"name": "barn"}


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"name": None, "notes": None}, {"name": None, "notes": None}),
        ({"name": 7}, {"name": "7"}),
        ({"development": None}, {"development": False}),
        ({"development": "yes"}, {"development": False}),
        ({"desired_firmware_version": None}, {"firmware_version": "unlocked"}),
        ({"desired_firmware_version": True}, {"firmware_version": "unlocked"}),
        ({"desired_firmware_version": 0}, {"firmware_version": 0}),
    ],
)
def test_odd_values_of_the_cloud_have_a_meaning_too(told: dict[str, Any], read: dict[str, Any]) -> None:
    assert observed_fields(told) == read


def test_a_put_speaks_the_words_of_the_cloud() -> None:
    fields: dict[str, Value] = {"name": "barn", "notes": "", "development": False, "firmware_version": 42}
    assert for_cloud(fields) == {"name": "barn", "notes": "", "development": False, "desired_firmware_version": 42}


def test_a_lock_is_removed_by_none_and_a_device_may_be_called_unlocked() -> None:
    fields: dict[str, Value] = {"name": "unlocked", "firmware_version": "unlocked"}
    assert for_cloud(fields) == {"name": "unlocked", "desired_firmware_version": None}


@pytest.mark.parametrize(
    ("declared", "observed", "written"),
    [("a", "a", False), ("a", "b", True), ("a", None, True), ("", None, False), (False, None, True), (42, 42, False)],
)
def test_only_a_difference_is_written_and_no_notes_are_empty_ones(
    declared: Value, observed: Value | None, written: bool
) -> None:
    assert differs(declared, observed) is written
