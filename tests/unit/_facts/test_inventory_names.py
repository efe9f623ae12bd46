# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Names of hosts and groups: safe, unique, and never decided by the order of devices."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.inventory_names import (
    GROUP_KEYS,
    build_host_groups,
    build_host_names,
)

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)


def fleet(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: build_facts(row, row.pop("product", None)) for row in rows}


def named(*names: str | None, taken: dict[str, str | None] | None = None) -> list[str]:
    """What devices of these names are called as hosts."""
    devices = fleet(*({"id": device_id(number), "name": name} for number, name in enumerate(names, 1)))
    return list(build_host_names(devices, ["name"], taken or {}).values())


class TestHosts:
    """Are called like their device where that is safe, else by its id."""

    @pytest.mark.parametrize(
        ("name", "host"),
        [
            ("barn-gateway", "barn-gateway"),
            ("Barn.gateway_2", "Barn.gateway_2"),
            ("barn gateway", "barn_gateway"),
            ("café 東京", "café_東京"),
            ("{{ lookup('pipe', 'x') }}", "lookup__pipe____x_____"),
            ("web[1:9]:&db!x,*?~", "web_1_9___db_x____"),
            ("--limit", "limit"),
            ("../../etc/passwd", "etc_passwd"),
            ("a\nb\tc", "a_b_c"),
            ("ﬁeld", "field"),
            ("12", "12"),
        ],
    )
    def test_are_called_like_their_device(self, name: str, host: str) -> None:
        assert named(name) == [host]

    @pytest.mark.parametrize(
        "name", [None, "", "  ", "___", "::", "localhost", "127.0.0.1", "all", "ungrouped", "x" * 254, TWO]
    )
    def test_are_called_by_the_id_where_the_name_is_none(self, name: str | None) -> None:
        assert named(name, "other") == [ONE, "other"]

    def test_of_the_same_name_are_all_called_by_their_ids(self) -> None:
        assert named("unit", "unit", "other") == [ONE, TWO, "other"]
        assert named("a b", "a_b", "a:b") == [ONE, TWO, THREE]

    def test_do_not_take_the_place_of_what_is_there(self) -> None:
        assert named("db1", "platform_boron", taken={"db1": None, "platform_boron": None}) == [ONE, TWO]

    def test_that_another_source_shows_already_are_the_same_host(self) -> None:
        assert named("unit", taken={"unit": ONE}) == ["unit"]
        assert named("unit", taken={"unit": TWO}) == [ONE]

    def test_take_the_next_best_name(self) -> None:
        devices = fleet(
            {"id": ONE, "name": "unit", "serial_number": "B40A"},
            {"id": TWO, "name": "unit", "serial_number": "B40B"},
            {"id": THREE, "name": "other", "serial_number": None},
        )
        assert list(build_host_names(devices, ["name", "serial_number"], {}).values()) == ["B40A", "B40B", "other"]
        assert list(build_host_names(devices, ["serial_number", "name"], {}).values()) == ["B40A", "B40B", "other"]
        assert list(build_host_names(devices, ["id", "name"], {}).values()) == [ONE, TWO, THREE]

    def test_with_an_id_of_an_unknown_kind_have_a_name_nevertheless(self) -> None:
        (name,) = build_host_names({"{{ evil }}": {"id": "{{ evil }}"}}, ["name"], {}).values()
        assert re.fullmatch(r"device-[0-9a-f]{24}", name)

    @given(
        st.dictionaries(
            st.sampled_from([ONE, TWO, THREE, "odd", "localhost"]),
            st.sampled_from(["a", "a b", "a_b", "all", ONE, TWO, "", "ü", "ü", "odd"]),
        ),
        st.randoms(),
    )
    def test_are_unique_safe_and_the_same_in_any_order(self, names: dict[str, str], random: Any) -> None:
        devices = {device: {"id": device, "name": name} for device, name in names.items()}
        taken = {"a_b": None}
        found = build_host_names(devices, ["name", "id"], taken)
        assert len(set(found.values())) == len(devices)
        assert not {"all", "localhost", "a_b", "ungrouped"} & set(found.values())
        assert all(re.fullmatch(r"[^\W_][\w.-]*", name) for name in found.values())
        shuffled = list(devices)
        random.shuffle(shuffled)
        assert build_host_names({device: devices[device] for device in shuffled}, ["name", "id"], taken) == found


class TestGroups:
    """Are called by key and value."""

    def test_are_by_all_that_can_be_asked_for(self) -> None:
        devices = fleet(
            {
                "id": ONE,
                "product": "Field Logger",
                "platform_id": 13,
                "groups": ["north", "mesh-barn", "mesh-gateway"],
                "online": True,
                "firmware_version": 42,
                "development": False,
            },
            {"id": TWO, "platform_id": 4711, "online": False, "groups": None, "development": True},
        )
        assert build_host_groups(devices, GROUP_KEYS) == {
            "product_field_logger": [ONE],
            "platform_boron": [ONE],
            "platform_unknown__4711_": [TWO],
            "device_group_north": [ONE],
            "network_barn": [ONE],
            "mesh_role_gateway": [ONE],
            "online_true": [ONE],
            "online_false": [TWO],
            "firmware_version_42": [ONE],
            "development_false": [ONE],
            "development_true": [TWO],
        }

    def test_are_none_where_nothing_is_asked_for_or_known(self) -> None:
        devices = fleet({"id": ONE, "platform_id": 13})
        assert build_host_groups(devices, []) == {}
        assert build_host_groups({ONE: {"id": ONE, "mesh": None}}, GROUP_KEYS) == {}

    def test_never_hold_devices_of_two_values(self) -> None:
        devices = fleet(
            {"id": ONE, "groups": ["north-1"]}, {"id": TWO, "groups": ["north_1"]}, {"id": THREE, "groups": ["NORTH.1"]}
        )
        groups = build_host_groups(devices, ["device_group"])
        assert groups.pop("device_group_north_1") == [TWO]
        assert sorted(groups.values()) == [[ONE], [THREE]]
        assert all(re.fullmatch(r"device_group_north_1_[0-9a-f]{12}", name) for name in groups)

    def test_are_not_taken_over_by_whoever_reckons_the_digits(self) -> None:
        (lengthened,) = (
            name
            for name in build_host_groups(
                fleet({"id": ONE, "groups": ["a-b"]}, {"id": TWO, "groups": ["a_b"]}), ["device_group"]
            )
            if name != "device_group_a_b"
        )
        forged = lengthened.removeprefix("device_group_")
        devices = fleet(
            {"id": ONE, "groups": ["a-b"]}, {"id": TWO, "groups": ["a_b"]}, {"id": THREE, "groups": [forged]}
        )
        groups = build_host_groups(devices, ["device_group"])
        assert sorted(groups.values()) == [[ONE], [TWO], [THREE]]
        assert groups[lengthened] == [THREE]

    @given(st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True))
    def test_are_one_for_each_value_and_valid(self, values: list[str]) -> None:
        devices = {device_id(number): {"groups": [value]} for number, value in enumerate(values)}
        kept = [value for value in values if not value.startswith("mesh-")]
        groups = build_host_groups(devices, ["device_group"])
        assert len(groups) == len(kept)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in groups)
