# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Inventory hosts and groups get safe, unique names that do not depend on the order of devices."""

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
    find_names_of_groups,
)

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)


def fleet(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: build_facts(row, row.pop("product", None)) for row in rows}


def name_hosts(*names: str | None, taken: dict[str, str | None] | None = None) -> list[str]:
    """Return the host names of devices with these names."""
    devices = fleet(*({"id": device_id(number), "name": name} for number, name in enumerate(names, 1)))
    return list(build_host_names(devices, ["name"], taken or {}).values())


class TestHostNames:
    """A host is named after its device if that name is safe and unique, else after the device id."""

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
    def test_host_name_is_the_device_name_in_safe_characters(self, name: str, host: str) -> None:
        assert name_hosts(name) == [host]

    @pytest.mark.parametrize(
        "name",
        [
            *(None, "", "  ", "___", "::", "localhost", "127.0.0.1", "all", "ungrouped", "x" * 254),
            *(TWO, TWO.upper(), device_id(999), "device-" + "a" * 24),
        ],
    )
    def test_host_gets_the_device_id_when_the_name_is_unusable(self, name: str | None) -> None:
        assert name_hosts(name, "other") == [ONE, "other"]

    @pytest.mark.parametrize(
        ("names", "hosts"),
        [
            ([f"pump (replaced by {TWO})", None], ["pump", TWO]),
            ([f"pump (replaced by {TWO})", "pump"], [ONE, "pump"]),
            ([f"pump (replaced by {TWO})", "spare", "pump"], [ONE, "spare", "pump"]),
        ],
    )
    def test_name_of_a_host_stays_while_its_device_is_replaced(self, names: list[str | None], hosts: list[str]) -> None:
        assert name_hosts(*names) == hosts

    def test_hosts_with_the_same_name_all_get_their_ids(self) -> None:
        assert name_hosts("unit", "unit", "other") == [ONE, TWO, "other"]
        assert name_hosts("a b", "a_b", "a:b") == [ONE, TWO, THREE]

    def test_name_of_an_existing_host_or_group_is_not_used(self) -> None:
        assert name_hosts("db1", "platform_boron", taken={"db1": None, "platform_boron": None}) == [ONE, TWO]

    def test_name_of_a_group_is_replaced_and_reported(self) -> None:
        devices = fleet({"id": ONE, "name": "north", "serial_number": "B40A"}, {"id": TWO, "name": "barn"})
        groups = {"north", "other"}
        names = build_host_names(devices, ["name", "id"], {}, groups)
        assert names == {ONE: ONE, TWO: "barn"}
        assert find_names_of_groups(devices, ["name", "id"], groups, names) == {ONE: "north"}
        names = build_host_names(devices, ["name", "serial_number"], {"north": ONE}, groups)
        assert names == {ONE: "B40A", TWO: "barn"}
        assert find_names_of_groups(devices, ["id", "name"], groups, {ONE: ONE, TWO: TWO}) == {}

    def test_id_that_is_the_name_of_a_group_is_replaced_by_a_hash(self) -> None:
        devices = fleet({"id": ONE, "name": None})
        names = build_host_names(devices, ["name"], {}, {ONE})
        assert re.fullmatch(r"device-[0-9a-f]{24}", names[ONE])
        assert find_names_of_groups(devices, ["name"], {ONE}, names) == {ONE: ONE}

    def test_name_taken_by_the_same_device_is_used(self) -> None:
        assert name_hosts("unit", taken={"unit": ONE}) == ["unit"]
        assert name_hosts("unit", taken={"unit": TWO}) == [ONE]

    def test_next_key_is_used_when_a_key_gives_no_unique_name(self) -> None:
        devices = fleet(
            {"id": ONE, "name": "unit", "serial_number": "B40A"},
            {"id": TWO, "name": "unit", "serial_number": "B40B"},
            {"id": THREE, "name": "other", "serial_number": None},
        )
        assert list(build_host_names(devices, ["name", "serial_number"], {}).values()) == ["B40A", "B40B", "other"]
        assert list(build_host_names(devices, ["serial_number", "name"], {}).values()) == ["B40A", "B40B", "other"]
        assert list(build_host_names(devices, ["id", "name"], {}).values()) == [ONE, TWO, THREE]

    def test_member_without_a_name_keeps_its_eui64_as_host_name(self) -> None:
        eui64 = "18b4300000000001"
        found = build_host_names({eui64: {"name": None}, ONE: {"name": eui64}}, ["name", "id"], {})
        assert found == {eui64: eui64, ONE: ONE}

    def test_unsafe_device_id_becomes_a_safe_host_name(self) -> None:
        (name,) = build_host_names({"{{ evil }}": {"id": "{{ evil }}"}}, ["name"], {}).values()
        assert re.fullmatch(r"device-[0-9a-f]{24}", name)

    @given(
        st.dictionaries(
            st.sampled_from([ONE, TWO, THREE, "odd", "localhost"]),
            st.sampled_from(["a", "a b", "a_b", "all", ONE, TWO, "", "ü", "ü", "odd"]),
        ),
        st.randoms(),
    )
    def test_host_names_are_unique_safe_and_independent_of_order(self, names: dict[str, str], random: Any) -> None:
        devices = {device: {"id": device, "name": name} for device, name in names.items()}
        taken, groups = {"a_b": None}, {"a", THREE}
        found = build_host_names(devices, ["name", "id"], taken, groups)
        assert len(set(found.values())) == len(devices)
        assert not {"all", "localhost", "a_b", "ungrouped", *groups} & set(found.values())
        assert all(re.fullmatch(r"[^\W_][\w.-]*", name) for name in found.values())
        shuffled = list(devices)
        random.shuffle(shuffled)
        again = {device: devices[device] for device in shuffled}
        assert build_host_names(again, ["name", "id"], taken, groups) == found


class TestGroupNames:
    """A group is named after its key and value."""

    def test_each_key_makes_groups_of_its_values(self) -> None:
        devices = fleet(
            {
                "id": ONE,
                "product": "Field Logger",
                "platform_id": 13,
                "groups": ["north", "mesh-barn", "mesh-gateway"],
                "online": True,
                "firmware_version": 42,
                "development": False,
                "desired_firmware_version": 41,
                "quarantined": False,
                "last_heard_age": 8 * 86_400,
            },
            {
                "id": TWO,
                "platform_id": 4711,
                "online": False,
                "groups": None,
                "development": True,
                "desired_firmware_version": None,
                "quarantined": True,
            },
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
            "firmware_lock_41": [ONE],
            "firmware_lock_unlocked": [TWO],
            "development_false": [ONE],
            "development_true": [TWO],
            "quarantined_false": [ONE],
            "quarantined_true": [TWO],
            "silent_true": [ONE, TWO],
            "silent_never": [TWO],
        }

    def test_days_decide_which_devices_are_in_the_silent_groups(self) -> None:
        ages = {ONE: 2 * 86_400, TWO: 2 * 86_400 + 1, THREE: None}
        devices = {device: {"id": device, "last_heard_age": age} for device, age in ages.items()}
        assert build_host_groups(devices, ["silent"], 2) == {
            "silent_false": [ONE],
            "silent_true": [TWO, THREE],
            "silent_never": [THREE],
        }

    def test_no_groups_are_made_without_keys_or_facts(self) -> None:
        devices = fleet({"id": ONE, "platform_id": 13})
        assert build_host_groups(devices, []) == {}
        assert build_host_groups({ONE: {"id": ONE, "mesh": None}}, GROUP_KEYS[:-1]) == {}

    def test_different_values_never_share_a_group(self) -> None:
        devices = fleet(
            {"id": ONE, "groups": ["north-1"]}, {"id": TWO, "groups": ["north_1"]}, {"id": THREE, "groups": ["NORTH.1"]}
        )
        groups = build_host_groups(devices, ["device_group"])
        assert groups.pop("device_group_north_1") == [TWO]
        assert sorted(groups.values()) == [[ONE], [THREE]]
        assert all(re.fullmatch(r"device_group_north_1_[0-9a-f]{12}", name) for name in groups)

    def test_value_that_forges_a_hashed_group_name_gets_its_own_group(self) -> None:
        (hashed,) = (
            name
            for name in build_host_groups(
                fleet({"id": ONE, "groups": ["a-b"]}, {"id": TWO, "groups": ["a_b"]}), ["device_group"]
            )
            if name != "device_group_a_b"
        )
        forged = hashed.removeprefix("device_group_")
        devices = fleet(
            {"id": ONE, "groups": ["a-b"]}, {"id": TWO, "groups": ["a_b"]}, {"id": THREE, "groups": [forged]}
        )
        groups = build_host_groups(devices, ["device_group"])
        assert sorted(groups.values()) == [[ONE], [TWO], [THREE]]
        assert groups[hashed] == [THREE]

    @given(st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True))
    def test_each_value_makes_one_group_with_a_valid_name(self, values: list[str]) -> None:
        devices = {device_id(number): {"groups": [value]} for number, value in enumerate(values)}
        ordinary = [value for value in values if not value.startswith("mesh-")]
        groups = build_host_groups(devices, ["device_group"])
        assert len(groups) == len(ordinary)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in groups)
