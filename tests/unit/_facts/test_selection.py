# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Where devices are looked for, and which of them count."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import (
    Filters,
    Sources,
    read_filters,
    read_sources,
)

ID, OTHER = "e00fce680000000000000001", "e00fce680000000000000002"
DEVICE: dict[str, Any] = {
    "id": ID,
    "name": "barn-gateway",
    "groups": ["north", "mesh-barn", "mesh-gateway"],
    "mesh": {"network": "barn", "role": "gateway"},
    "platform": "boron",
    "online": True,
    "quarantined": False,
    "firmware_version": 42,
    "serial_number": "B40HAB000000001",
    "iccid": "8934070000000000001",
}


def filters(**given: Any) -> Filters:
    return read_filters({"filters": given})


class TestSources:
    """Whose devices are meant."""

    @pytest.mark.parametrize(
        ("options", "sources"),
        [
            ({}, Sources((), None, True)),
            ({"products": ["field-logger"]}, Sources(("field-logger",), None, False)),
            ({"products": [" a", "b", "a"], "account_devices": True}, Sources(("a", "b"), None, True)),
            ({"organization": "acme"}, Sources((), "acme", False)),
            ({"products": None, "organization": None, "account_devices": None}, Sources((), None, True)),
        ],
    )
    def test_are_the_account_unless_something_else_is_named(self, options: dict[str, Any], sources: Sources) -> None:
        assert read_sources(options) == sources

    @pytest.mark.parametrize("options", [{"account_devices": False}, {"products": ["a", " "]}])
    def test_that_name_nothing_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ParticleError) as caught:
            read_sources(options)
        assert caught.value.code == "invalid_option"


class TestFilters:
    """What a device must be to count."""

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"ids": [OTHER, f" {ID.upper()} "]},
            {"name": "barn-*"},
            {"name": "*", "ids": None},
            {"name": "barn-gatewa?"},
            {"name": "[ab]arn-gateway"},
            {"groups": ["south", "north"]},
            {"networks": ["barn"]},
            {"platforms": ["Boron"]},
            {"platforms": ["13", "argon"]},
            {"online": True},
            {"quarantined": False},
            {"firmware_versions": [41, 42]},
            {"serial_numbers": ["b40hab000000001"]},
            {"iccids": ["8934070000000000001"]},
            {"name": "barn-*", "online": True, "groups": ["north"]},
        ],
    )
    def test_let_a_device_through_that_fits(self, given: dict[str, Any]) -> None:
        assert filters(**given).matches(DEVICE)

    @pytest.mark.parametrize(
        "given",
        [
            {"ids": [OTHER]},
            {"name": "barn"},
            {"name": "BARN-*"},
            {"groups": ["south"]},
            {"networks": ["yard"]},
            {"platforms": ["argon"]},
            {"online": False},
            {"quarantined": True},
            {"firmware_versions": [41]},
            {"serial_numbers": ["B40HAB"]},
            {"iccids": ["89340700"]},
            {"name": "barn-*", "online": False},
        ],
    )
    def test_hold_a_device_back_that_does_not(self, given: dict[str, Any]) -> None:
        assert not filters(**given).matches(DEVICE)

    @pytest.mark.parametrize(
        "given", [{"name": "barn*"}, {"groups": ["north"]}, {"iccids": ["1"]}, {"networks": ["x"]}]
    )
    def test_hold_back_a_device_of_which_too_little_is_known(self, given: dict[str, Any]) -> None:
        bare = {"id": ID, "name": None, "groups": None, "mesh": None, "iccid": ["odd"], "online": False}
        assert not filters(**given).matches(bare)

    def test_for_a_name_may_hold_spaces(self) -> None:
        assert filters(name="barn *").matches({"name": "barn door"})

    def test_know_a_platform_by_its_number_also_when_it_has_no_name(self) -> None:
        assert filters(platforms=["4711"]).matches({"platform": "unknown (4711)"})

    def test_name_all_their_mistakes_at_once(self) -> None:
        with pytest.raises(ParticleError) as caught:
            filters(ids=[], groups=["north", " "], platforms=["boron", "borom"])
        assert caught.value.code == "invalid_option"
        for part in ("ids is empty", "has an empty entry", "borom is not a platform", " (did you mean boron?)"):
            assert part in caught.value.message


class TestQueries:
    """What the cloud itself can filter, it does."""

    @pytest.mark.parametrize(
        ("given", "queries"),
        [
            ({}, [{}]),
            ({"online": True, "platforms": ["boron"], "iccids": ["1"]}, [{}]),
            ({"name": "barn-*-door?"}, [{"deviceName": "barn-"}]),
            ({"name": "*"}, [{}]),
            ({"name": "[!]a]north[]b]"}, [{"deviceName": "north"}]),
            ({"quarantined": False}, [{"quarantined": "false"}]),
            ({"quarantined": True}, [{}]),
            ({"ids": [OTHER, ID]}, [{"deviceId": ID}, {"deviceId": OTHER}]),
            ({"serial_numbers": ["b40"], "groups": ["north"]}, [{"serialNumber": "B40"}]),
            ({"groups": ["south", "north"]}, [{"groups": "north"}, {"groups": "south"}]),
            ({"networks": ["barn"], "name": "barn*"}, [{"deviceName": "barn", "groups": "mesh-barn"}]),
            ({"groups": ["north"], "networks": ["barn"]}, [{"groups": "north"}]),
            ({"ids": [f"{number:024x}" for number in range(11)]}, [{}]),
        ],
    )
    def test_are_as_narrow_as_they_can_be(self, given: dict[str, Any], queries: list[dict[str, str]]) -> None:
        assert filters(**given).build_queries() == queries

    @given(st.text(alphabet="ab[]!*?-", min_size=1, max_size=8), st.text(alphabet="ab[]!*?-", max_size=8))
    def test_for_a_name_never_leave_out_a_name_that_fits(self, pattern: str, name: str) -> None:
        found = filters(name=pattern)
        assert found.matches({"name": name}) == fnmatch.fnmatchcase(name, pattern)
        if found.matches({"name": name}):
            assert found.build_queries()[0].get("deviceName", "") in name
