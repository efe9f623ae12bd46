# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The changes of a firmware version are computed from its row and its declaration, without any request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import (
    Declared,
    Release,
    find_ended_releases,
    plan_version,
    predict_row,
    read_release,
    show_version,
)

ROW: dict[str, Any] = {
    "_id": "65aa00bb11cc22dd33ee44ff",
    "version": 8,
    "title": "v8",
    "description": "Old",
    "mandatory": True,
    "product_default": True,
    "groups": ["north", "beta"],
    "intelligent": True,
}
UNRELEASED = {**ROW, "product_default": False, "groups": [], "intelligent": False}


def declare(**release: Any) -> Declared:
    return Declared(8, {}, release)


def test_nothing_declared_changes_nothing() -> None:
    assert plan_version(ROW, Declared(8)).changes == {}


def test_undeclared_fields_of_a_release_are_written_as_they_are() -> None:
    plan = plan_version(ROW, declare(groups=["beta"]))
    assert plan.release == Release(True, ("beta",), True)
    assert plan.changes == {"release.groups": (["beta", "north"], ["beta"])}


def test_order_and_repetition_of_groups_do_not_matter() -> None:
    assert plan_version(ROW, declare(groups=["beta", "north", "beta"])).changes == {}


def test_way_of_updating_is_not_compared_without_a_target() -> None:
    assert plan_version(UNRELEASED, declare(intelligent=True)).changes == {}
    assert plan_version(ROW, declare(intelligent=False)).changes == {"release.intelligent": (True, False)}


def test_missing_settings_equal_their_defaults() -> None:
    assert (
        plan_version({"version": 8, "title": "v8"}, Declared(8, {"description": "", "mandatory": False})).changes == {}
    )


def test_release_ends_those_of_other_versions_to_the_same_targets() -> None:
    known = {
        7: {"version": 7, "groups": ["north", "south"]},
        8: UNRELEASED,
        9: {"version": 9, "product_default": True, "groups": ["east"]},
    }
    to_groups = plan_version(UNRELEASED, declare(groups=["beta", "north"]))
    as_default = plan_version(UNRELEASED, declare(default=True))
    assert find_ended_releases(known, 8, to_groups) == {7: {"release.groups": (["north", "south"], ["south"])}}
    assert find_ended_releases(known, 8, as_default) == {9: {"release.default": (True, False)}}
    assert find_ended_releases(known, 8, plan_version(UNRELEASED, declare(groups=[]))) == {}


@pytest.mark.parametrize("row", [{"current": True}, {"product_default": True}])
def test_default_is_read_from_its_new_and_its_older_name(row: dict[str, Any]) -> None:
    assert read_release(row).default is True


def test_row_without_optional_keys_is_shown() -> None:
    shown = show_version({"version": "8"})
    assert (shown["version"], shown["uploaded_by"], shown["release"]["groups"]) == (8, None, [])


GROUPS = st.lists(st.sampled_from(["beta", "north", "south"]), max_size=3)
RELEASES = st.fixed_dictionaries(
    {}, optional={"default": st.booleans(), "groups": GROUPS, "intelligent": st.booleans()}
)
SETTINGS = st.fixed_dictionaries(
    {}, optional={"title": st.text(min_size=1), "description": st.text(), "mandatory": st.booleans()}
)


@given(st.sampled_from([ROW, UNRELEASED]), SETTINGS, RELEASES)
def test_second_plan_is_empty(row: dict[str, Any], settings: dict[str, Any], release: dict[str, Any]) -> None:
    declared = Declared(8, settings, release)
    assert plan_version(predict_row(row, plan_version(row, declared)), declared).changes == {}
