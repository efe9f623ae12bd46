# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Options name the sources of devices and filter the devices."""

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
    "last_heard_age": 7 * 86_400 + 1,
}


def filters(**given: Any) -> Filters:
    return read_filters({"filters": given})


class TestSources:
    """Sources are products, an organization or the account."""

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
    def test_source_is_the_account_unless_another_one_is_named(self, options: dict[str, Any], sources: Sources) -> None:
        assert read_sources(options) == sources

    @pytest.mark.parametrize("options", [{"account_devices": False}, {"products": ["a", " "]}])
    def test_empty_sources_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ParticleError) as caught:
            read_sources(options)
        assert caught.value.code == "invalid_option"


class TestFilters:
    """A device is selected if it matches all filters."""

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
            {"silent_days": 7},
            {"quarantined": False},
            {"firmware_versions": [41, 42]},
            {"serial_numbers": ["b40hab000000001"]},
            {"iccids": ["8934070000000000001"]},
            {"iccids": ["89340700000000000017"]},
            {"name": "barn-*", "online": True, "groups": ["north"]},
        ],
    )
    def test_device_that_matches_all_filters_is_accepted(self, given: dict[str, Any]) -> None:
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
            {"silent_days": 8},
            {"quarantined": True},
            {"firmware_versions": [41]},
            {"serial_numbers": ["B40HAB"]},
            {"iccids": ["89340700"]},
            {"name": "barn-*", "online": False},
        ],
    )
    def test_device_that_differs_in_one_filter_is_rejected(self, given: dict[str, Any]) -> None:
        assert not filters(**given).matches(DEVICE)

    @pytest.mark.parametrize(
        "given", [{"name": "barn*"}, {"groups": ["north"]}, {"iccids": ["1"]}, {"networks": ["x"]}]
    )
    def test_device_without_the_filtered_facts_is_rejected(self, given: dict[str, Any]) -> None:
        bare = {"id": ID, "name": None, "groups": None, "mesh": None, "iccid": ["odd"], "online": False}
        assert not filters(**given).matches(bare)

    def test_silent_device_was_heard_longer_ago_or_never(self) -> None:
        ages = [0, 86_400, 86_401, None]
        assert [filters(silent_days=1).matches({**DEVICE, "last_heard_age": age}) for age in ages] == [
            *(False, False),
            *(True, True),
        ]

    def test_name_pattern_may_contain_spaces(self) -> None:
        assert filters(name="barn *").matches({"name": "barn door"})

    def test_platform_without_a_name_is_matched_by_its_number(self) -> None:
        assert filters(platforms=["4711"]).matches({"platform": "unknown (4711)"})

    def test_all_invalid_filters_are_reported_together(self) -> None:
        with pytest.raises(ParticleError) as caught:
            filters(ids=[], groups=["north", " "], platforms=["boron", "borom"], silent_days=0)
        assert caught.value.code == "invalid_option"
        for part in ("ids is empty", "has an empty entry", "borom is not a platform", " (did you mean boron?)"):
            assert part in caught.value.message
        assert "silent_days must be 1 or more, got 0" in caught.value.message


class TestQueries:
    """Queries let the cloud apply the filters that it supports."""

    @pytest.mark.parametrize(
        ("given", "queries"),
        [
            ({}, [{}]),
            ({"online": True, "platforms": ["boron"], "iccids": ["1"]}, [{}]),
            ({"name": "barn-*-door?"}, [{"deviceName": "barn-"}]),
            ({"name": "*"}, [{}]),
            ({"name": "[!]a]north[]b]"}, [{"deviceName": "north"}]),
            ({"quarantined": False}, [{}]),
            ({"quarantined": True}, [{}]),
            ({"ids": [OTHER, ID]}, [{"deviceId": ID}, {"deviceId": OTHER}]),
            ({"serial_numbers": ["b40"], "groups": ["north"]}, [{"serialNumber": "B40"}]),
            ({"groups": ["south", "north"]}, [{"groups": "north"}, {"groups": "south"}]),
            ({"networks": ["barn"], "name": "barn*"}, [{"deviceName": "barn"}]),
            ({"groups": ["north"], "networks": ["barn"]}, [{"groups": "north"}]),
            ({"ids": [f"{number:024x}" for number in range(11)]}, [{}]),
        ],
    )
    def test_filters_become_the_narrowest_queries_of_the_cloud(
        self, given: dict[str, Any], queries: list[dict[str, str]]
    ) -> None:
        assert filters(**given).build_queries() == queries

    @given(st.text(alphabet="ab[]!*?-", min_size=1, max_size=8), st.text(alphabet="ab[]!*?-", max_size=8))
    def test_name_query_includes_every_matching_name(self, pattern: str, name: str) -> None:
        found = filters(name=pattern)
        assert found.matches({"name": name}) == fnmatch.fnmatchcase(name, pattern)
        if found.matches({"name": name}):
            assert found.build_queries()[0].get("deviceName", "") in name
