# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Device rows of the cloud become facts in one format."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import add_presence, build_facts

ONE = device_id(1)


class TestDeviceFacts:
    """Facts have the same names and forms for every device and cloud."""

    @pytest.mark.parametrize(
        ("platform_id", "platform"),
        [
            (13, "boron"),
            (12, "argon"),
            (14, "xenon"),
            (4711, "unknown (4711)"),
            ("13", "unknown (13)"),
            (None, None),
            (-1, None),
        ],
    )
    def test_platform_number_becomes_its_name(self, platform_id: object, platform: str | None) -> None:
        assert build_facts({"id": ONE, "platform_id": platform_id})["platform"] == platform

    @pytest.mark.parametrize(
        ("row", "online"),
        [
            ({"online": True, "connected": False}, True),
            ({"online": False, "connected": True}, False),
            ({"connected": True}, True),
            ({"online": None, "connected": True}, True),
            ({}, False),
        ],
    )
    def test_online_is_preferred_to_the_older_key_connected(self, row: dict[str, bool], online: bool) -> None:
        assert build_facts(row)["online"] is online

    def test_membership_is_read_from_the_groups(self) -> None:
        facts = build_facts({"groups": ["north", "mesh-barn", "mesh-gateway"]})
        assert facts["mesh"] == {"network": "barn", "role": "gateway"}
        assert facts["groups"] == ["north", "mesh-barn", "mesh-gateway"]

    @pytest.mark.parametrize("row", [{}, {"groups": None}, {"groups": []}, {"groups": ["mesh-barn"]}])
    def test_membership_is_none_without_network_and_role_groups(self, row: dict[str, object]) -> None:
        assert build_facts(row)["mesh"] is None

    def test_mac_address_is_read_from_mac_wifi(self) -> None:
        assert build_facts({"mac_wifi": "94:94:4A:00:11:22"})["mac"] == "94:94:4A:00:11:22"
        assert build_facts({})["mac"] is None
        assert build_facts({"mac_wifi": ""})["mac"] is None

    @pytest.mark.parametrize(
        ("row", "iccid"),
        [
            ({"last_iccid": "8934"}, "8934"),
            ({"iccid": None, "last_iccid": "8934"}, "8934"),
            ({"iccid": "8935", "last_iccid": "8934"}, "8935"),
            ({"last_iccid": ""}, None),
            ({"last_iccid": 0}, None),
        ],
    )
    def test_iccid_falls_back_to_last_iccid(self, row: dict[str, object], iccid: str | None) -> None:
        assert build_facts(row)["iccid"] == iccid

    @pytest.mark.parametrize(
        ("row", "version"),
        [
            ({"current_build_target": "1.5.2"}, "1.5.2"),
            ({"system_firmware_version": None, "current_build_target": "1.5.2"}, "1.5.2"),
            ({"system_firmware_version": "6.3.4", "current_build_target": "1.5.2"}, "6.3.4"),
            ({"current_build_target": ""}, None),
            ({"current_build_target": "photon"}, None),
            ({"current_build_target": 1.5}, None),
        ],
    )
    def test_device_os_version_falls_back_to_current_build_target(
        self, row: dict[str, object], version: str | None
    ) -> None:
        assert build_facts(row)["system_firmware_version"] == version

    @pytest.mark.parametrize("row", [{}, {"last_iccid": None}])
    def test_common_facts_are_none_when_the_cloud_omits_them(self, row: dict[str, object]) -> None:
        facts = build_facts(row)
        for name in (
            *("name", "owner", "serial_number", "iccid", "firmware_version", "system_firmware_version"),
            *("last_heard", "mac", "notes"),
        ):
            assert facts[name] is None, name

    def test_unknown_keys_are_kept_and_secret_or_older_keys_removed(self) -> None:
        facts = build_facts(
            {"id": ONE, "new_thing": {"a": 1}, "mobile_secret": "hush", "connected": True, "last_iccid": "1"}
        )
        assert facts["new_thing"] == {"a": 1}
        assert not facts.keys() & {"mobile_secret", "connected", "last_iccid", "current_build_target"}

    @pytest.mark.parametrize(
        ("network", "mesh"),
        [
            ({"id": "5c11", "name": "barn", "role": {"gateway": True, "state": "confirmed"}}, ("barn", "gateway")),
            ({"id": "5c11", "name": "barn", "role": {"gateway": False}}, ("barn", "node")),
            ({"id": "5c11", "name": "barn"}, ("barn", "node")),
            ({"id": "5c11", "name": None}, ("5c11", "node")),
        ],
    )
    def test_membership_is_read_from_the_network_registry(
        self, network: dict[str, object], mesh: tuple[str, str]
    ) -> None:
        assert build_facts({"network": network})["mesh"] == {"network": mesh[0], "role": mesh[1]}

    @pytest.mark.parametrize("network", [None, {}, {"name": "barn"}, "barn", [1]])
    def test_invalid_network_gives_no_membership(self, network: object) -> None:
        assert build_facts({"network": network})["mesh"] is None

    @pytest.mark.parametrize(
        ("row", "read_through", "product"),
        [
            ({"product_id": 31337, "platform_id": 13}, "field-logger", "field-logger"),
            ({"product_id": 31337, "platform_id": 13}, None, "31337"),
            ({"product_id": 13, "platform_id": 13}, None, None),
            ({}, None, None),
        ],
    )
    def test_product_is_the_given_name_else_the_product_id(
        self, row: dict[str, object], read_through: str | None, product: str | None
    ) -> None:
        assert build_facts(row, read_through)["product"] == product


NOW = 1_800_000_000.0


def time_before_now(seconds_ago: float) -> str:
    """Return the time some seconds before ``NOW``, as the cloud writes it."""
    return datetime.fromtimestamp(NOW - seconds_ago, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TestPresence:
    """Presence rates how certain it is that a device is reachable."""

    @pytest.mark.parametrize(
        ("seconds", "presence"),
        [
            (0, "confirmed"),
            (60, "confirmed"),
            (61, "probable"),
            (600, "probable"),
            (46 * 60, "probable"),
            (46 * 60 + 1, "stale"),
        ],
    )
    def test_presence_of_an_online_device_depends_on_its_last_heard_age(self, seconds: int, presence: str) -> None:
        facts = add_presence({"online": True, "last_heard": time_before_now(seconds)}, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == (presence, seconds)

    @pytest.mark.parametrize("last_heard", [None, "", "yesterday", 12])
    def test_presence_is_stale_when_last_heard_is_unknown(self, last_heard: object) -> None:
        facts = add_presence({"online": True, "last_heard": last_heard}, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == ("stale", None)

    def test_presence_is_offline_even_if_the_device_was_heard_recently(self) -> None:
        facts = add_presence({"online": False, "last_heard": time_before_now(5)}, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == ("offline", 5)

    @pytest.mark.parametrize("last_heard", [None, "", "yesterday"])
    def test_last_handshake_replaces_an_unknown_last_heard(self, last_heard: object) -> None:
        facts_before = {"online": True, "last_heard": last_heard, "last_handshake_at": time_before_now(90)}
        facts = add_presence(facts_before, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == ("probable", 90)

    def test_last_heard_is_preferred_to_last_handshake(self) -> None:
        facts_before = {"online": True, "last_heard": time_before_now(5), "last_handshake_at": time_before_now(9000)}
        assert add_presence(facts_before, NOW)["last_heard_age"] == 5

    def test_last_heard_age_is_never_negative(self) -> None:
        assert add_presence({"online": True, "last_heard": time_before_now(-5)}, NOW)["last_heard_age"] == 0

    def test_time_without_a_zone_is_read_as_utc(self) -> None:
        moment = time_before_now(30).removesuffix("Z")
        assert add_presence({"online": True, "last_heard": moment}, NOW)["last_heard_age"] == 30
