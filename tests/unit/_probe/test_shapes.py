# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the comparison of values with documented shapes, and the choice of names that a report may show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._probe.documented import SHAPES
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.names import MAX_NAMES, SeenTexts
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.read import find_value
from ansible_collections.meshfleet.particle.plugins.module_utils._probe.shapes import Shapes

OWN = {"row": {"id": "str", "size": "int|absent"}, "box": {"row": "row"}, "texts": {"*": "str"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=20,
)


def compare(value: Any, shape: Any) -> list[tuple[str, str, str, str | None]]:
    """Return the differences between a value and a shape."""
    found = Shapes(OWN, lambda value: None).compare(value, shape)
    return [(each.place, each.documented, each.found, each.field) for each in found]


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"id": "a"}, "row"),
        ({"id": "a", "size": 1}, "row"),
        ([{"id": "a"}], "[row]"),
        ([{"id": "a"}], ["row"]),
        ({"row": {"id": "a"}}, "row|box"),
        ({"id": "a"}, "row|box"),
        (None, "row|null"),
        ("2026-03-02T08:00:01.120Z", "iso"),
        ("2026-03-02T08:00:01+01:00", "iso"),
        (1, "number"),
        (0.5, "number"),
        ({"soil": "int32"}, "texts"),
        ({"anything": [1]}, "object"),
        ([1, "a"], "list"),
        ({}, "any"),
    ],
)
def test_value_of_the_documented_shape_has_no_difference(value: Any, shape: Any) -> None:
    assert compare(value, shape) == []


@pytest.mark.parametrize(
    ("value", "shape", "difference"),
    [
        ({}, "row", ("id", "str", "no field", None)),
        ({"id": 1}, "row", ("id", "str", "int", None)),
        ({"id": "a", "size": True}, "row", ("size", "int", "bool", None)),
        ({"id": "a", "size": 1.5}, "row", ("size", "int", "number", None)),
        ({"id": "a", "hue": 1}, "row", ("", "no field", "int", "hue")),
        ([{"id": "a"}, {"id": None}], "[row]", ("[].id", "str", "null", None)),
        ([{"id": 1}], "row|[row]", ("[].id", "str", "int", None)),
        ({"row": [1]}, "row|box", ("row", "object", "list", None)),
        ("x", "int|null", ("", "int or null", "str", None)),
        ("yesterday", "iso", ("", "iso", "str that is not a time", None)),
        (None, "row", ("", "object", "null", None)),
        ({"soil": 1}, "texts", ("*", "str", "int", None)),
    ],
)
def test_difference_names_place_and_types(value: Any, shape: Any, difference: tuple[Any, ...]) -> None:
    assert compare(value, shape) == [difference]


def test_value_below_an_undocumented_field_is_not_compared() -> None:
    assert compare({"id": "a", "more": {"id": 1}}, "row") == [("", "no field", "object", "more")]


@given(value=JSON, shape=st.sampled_from(sorted(SHAPES)))
def test_any_json_can_be_compared_with_each_shape(value: Any, shape: str) -> None:
    for each in Shapes(SHAPES, lambda value: None).compare(value, shape):
        assert each.documented
        assert each.found


@pytest.mark.parametrize("name", ["hue", "_hue", "last_seen", "lastSeen", "deviceID"])
def test_name_that_a_cloud_may_have_chosen_is_shown(name: str) -> None:
    assert SeenTexts().choose_names([name]) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "e00fce68aabbccddeeff0022",
        "barn gateway",
        "barn-gateway",
        "Barn",
        "BARN",
        "jane@example.com",
        "soil2",
        "",
        "é",
        "a" * 33,
        "8901410300000000010",
    ],
)
def test_name_that_a_user_may_have_chosen_is_withheld(name: str) -> None:
    assert SeenTexts().choose_names([name]) == []


def test_name_that_is_a_value_in_the_account_is_withheld() -> None:
    seen = SeenTexts()
    seen.add_values({"groups": [{"name": "North"}]})
    assert seen.choose_names(["north", "south"]) == ["south"]


def test_name_that_is_a_free_key_in_the_account_is_withheld() -> None:
    seen = SeenTexts()
    shapes = Shapes({"texts": {"*": "str"}, "free": {"data": "object", "texts": "texts"}}, seen.add_free)
    list(shapes.compare({"data": {"a": {"soil": 1}}, "texts": {"hue": "x"}, "new": {"barn": 1}}, "free"))
    assert seen.choose_names(["soil", "hue", "barn", "new"]) == ["new"]


def test_name_that_is_a_key_in_a_value_of_another_type_is_withheld() -> None:
    seen = SeenTexts()
    shape = {"notes": "str|null", "size": "int"}
    found = [*Shapes(OWN, seen.add_free).compare({"notes": {"north": 1}, "size": 1, "north": 2, "south": 3}, shape)]
    names = [each.field for each in found if each.field is not None]
    assert (sorted(names), seen.choose_names(names)) == (["north", "south"], ["south"])


def test_documented_name_is_shown_although_a_value_has_it() -> None:
    seen = SeenTexts()
    seen.add_values(["online"])
    assert seen.choose_names(["online"]) == ["online"]


def test_names_of_an_object_with_many_unknown_fields_are_withheld() -> None:
    names = ["north_" + letter for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert SeenTexts().choose_names(names[:MAX_NAMES]) == names[:MAX_NAMES]
    assert SeenTexts().choose_names(names[: MAX_NAMES + 1]) == []


@pytest.mark.parametrize(
    ("data", "place", "value"),
    [
        ([{"id": "a"}, {"id": "b"}], "[].id", "a"),
        ({"rows": [{"id": None}, {"id": 5}]}, "rows[].id", "5"),
        ({"rows": [{"id": True}, {"id": "x" * 201}]}, "rows[].id", None),
        ({"rows": {"id": 5}}, "rows[].id", None),
        ({"variables": {"soil": "int32"}}, "variables.*", "soil"),
        ({"variables": None}, "variables.*", None),
        ({"rows": [{"scope": {"value": "a"}}]}, "rows[].scope.value", "a"),
        (None, "[].id", None),
    ],
)
def test_value_is_found_at_its_place(data: Any, place: str, value: str | None) -> None:
    assert find_value(data, place) == value
