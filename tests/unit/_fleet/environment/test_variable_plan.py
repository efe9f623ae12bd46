# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The edits of environment variables lead to the declared values, and publish no edits of other people."""

from __future__ import annotations

import pytest
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import Level
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.environment.plan import (
    describe_change,
    find_environment_obstacle,
    is_too_old,
    plan_edits,
)

ONE = device_id(1)


def test_missing_variable_is_edited() -> None:
    assert plan_edits({"A": "1"}, Level()) == {"A": "1"}
    assert describe_change({"A": "1"}, Level()) == ({"A": None}, {"A": "1"})


def test_variables_that_are_not_declared_are_left_alone() -> None:
    level = Level({"A": "0", "B": "2"}, {"A": "0", "B": "2"})
    assert plan_edits({"A": "1"}, level) == {"A": "1"}
    assert describe_change({"A": "1"}, level) == ({"A": "0"}, {"A": "1"})


def test_declared_and_rolled_out_variable_needs_nothing() -> None:
    level = Level({"A": "1"}, {"A": "1"})
    assert plan_edits({"A": "1", "B": None}, level) is None
    assert describe_change({"A": "1", "B": None}, level) is None


def test_edited_variable_that_is_not_rolled_out_needs_only_the_rollout() -> None:
    level = Level({"A": "1"}, {"A": "0"})
    assert plan_edits({"A": "1"}, level) == {}
    assert describe_change({"A": "1"}, level) == ({"A": {"edited": "1", "rolled_out": "0"}}, {"A": "1"})


def test_removal_that_is_not_rolled_out_needs_only_the_rollout() -> None:
    level = Level({}, {"A": "0"})
    assert plan_edits({"A": None}, level) == {}
    assert describe_change({"A": None}, level) == ({"A": {"edited": None, "rolled_out": "0"}}, {"A": None})


def test_variables_of_an_unknown_device_show_only_the_declared_values() -> None:
    assert describe_change({"B": "2", "A": "1", "C": None}, None) == (None, {"A": "1", "B": "2"})
    assert describe_change({"C": None}, None) is None


def test_staged_edits_of_other_variables_are_an_obstacle() -> None:
    error = find_environment_obstacle(ONE, {"A": "1"}, Level({"B": "2"}, {"C": "3"}))
    assert error is not None
    assert error.code == "conflict"
    what = f"The rollout of the environment variables of device {ONE}"
    assert error.message == f"{what} would publish staged edits that are not declared: B, C."
    assert error.hint == "Roll these edits out or undo them in the console, or declare these variables for the device."


def test_staged_edits_are_not_an_obstacle_without_a_rollout() -> None:
    assert find_environment_obstacle(ONE, {"A": "1"}, Level({"A": "1", "B": "2"}, {"A": "1"})) is None


def test_too_many_variables_are_an_obstacle() -> None:
    values = {f"V{number}": "1" for number in range(100)}
    error = find_environment_obstacle(ONE, {"A": "1"}, Level(values, values))
    assert error is not None
    assert error.code == "conflict"
    assert error.message.startswith(f"The environment of device {ONE} would be too large: 101 variables are more than ")
    assert error.hint == "Remove variables of the device with {state: absent}, or declare them for the product."
    assert find_environment_obstacle(ONE, {"A": "1", "V0": None}, Level(values, values)) is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [("6.3.4", True), ("1.5.2", True), ("6.4.0", False), ("6.4.0-rc.1", False), ("10.0.0", False), (None, False)],
)
def test_device_os_without_variables_is_found(version: str | None, expected: bool) -> None:
    assert is_too_old(version) is expected


@given(
    declared=st.dictionaries(st.sampled_from("ABC"), st.none() | st.sampled_from("12")),
    edited=st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("12")),
    rolled_out=st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("12")),
)
def test_edits_and_rollout_reach_the_declared_values(
    declared: dict[str, str | None], edited: dict[str, str], rolled_out: dict[str, str]
) -> None:
    level = Level(edited, rolled_out)
    edits = plan_edits(declared, level)
    assert (edits is None) == (describe_change(declared, level) is None)
    if edits is not None:
        after = {name: value for name, value in {**edited, **edits}.items() if value is not None}
        assert plan_edits(declared, Level(after, after)) is None
        assert {name: value for name, value in after.items() if name not in declared} == {
            name: value for name, value in edited.items() if name not in declared
        }
