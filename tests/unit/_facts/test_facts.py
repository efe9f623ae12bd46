# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The facts of devices: what the cloud says, in one shape."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fleet_cloud import device_id

from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import add_presence, build_facts

ONE = device_id(1)


class TestOneDevice:
    """What every user asks for first is there under one name."""

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
    def test_has_its_platform_in_words(self, platform_id: object, platform: str | None) -> None:
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
    def test_is_online_as_the_newer_key_says_or_else_the_older(self, row: dict[str, bool], online: bool) -> None:
        assert build_facts(row)["online"] is online

    def test_has_its_membership_from_its_groups(self) -> None:
        facts = build_facts({"groups": ["north", "mesh-barn", "mesh-gateway"]})
        assert facts["mesh"] == {"network": "barn", "role": "gateway"}
        assert facts["groups"] == ["north", "mesh-barn", "mesh-gateway"]

    @pytest.mark.parametrize("row", [{}, {"groups": None}, {"groups": []}, {"groups": ["mesh-barn"]}])
    def test_is_in_no_mesh_otherwise(self, row: dict[str, object]) -> None:
        assert build_facts(row)["mesh"] is None

    def test_has_its_mac_address_when_the_cloud_tells_it(self) -> None:
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
    def test_has_its_sim_card_as_an_older_cloud_says_it(self, row: dict[str, object], iccid: str | None) -> None:
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
    def test_has_its_device_os_as_an_older_cloud_says_it(self, row: dict[str, object], version: str | None) -> None:
        assert build_facts(row)["system_firmware_version"] == version

    @pytest.mark.parametrize("row", [{}, {"last_iccid": None}])
    def test_has_what_a_play_asks_for_even_where_the_cloud_tells_nothing(self, row: dict[str, object]) -> None:
        facts = build_facts(row)
        for name in (
            *("name", "owner", "serial_number", "iccid", "firmware_version", "system_firmware_version"),
            *("last_heard", "mac", "notes"),
        ):
            assert facts[name] is None, name

    def test_keeps_what_we_have_never_heard_of_and_leaves_out_what_opens_it(self) -> None:
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
    def test_has_its_membership_from_the_registry_of_networks(
        self, network: dict[str, object], mesh: tuple[str, str]
    ) -> None:
        assert build_facts({"network": network})["mesh"] == {"network": mesh[0], "role": mesh[1]}

    @pytest.mark.parametrize("network", [None, {}, {"name": "barn"}, "barn", [1]])
    def test_is_in_no_network_that_is_none(self, network: object) -> None:
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
    def test_has_its_product_by_the_best_name_that_is_known(
        self, row: dict[str, object], read_through: str | None, product: str | None
    ) -> None:
        assert build_facts(row, read_through)["product"] == product


NOW = 1_800_000_000.0


def heard(seconds_ago: float) -> str:
    return datetime.fromtimestamp(NOW - seconds_ago, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TestPresence:
    """How sure it is that a device is there."""

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
    def test_of_an_online_device_fades_with_its_silence(self, seconds: int, presence: str) -> None:
        facts = add_presence({"online": True, "last_heard": heard(seconds)}, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == (presence, seconds)

    @pytest.mark.parametrize("last_heard", [None, "", "yesterday", 12])
    def test_is_stale_when_nobody_knows_when_it_was_heard(self, last_heard: object) -> None:
        facts = add_presence({"online": True, "last_heard": last_heard}, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == ("stale", None)

    def test_is_offline_as_the_cloud_says_however_recently_it_was_heard(self) -> None:
        facts = add_presence({"online": False, "last_heard": heard(5)}, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == ("offline", 5)

    @pytest.mark.parametrize("last_heard", [None, "", "yesterday"])
    def test_begins_with_its_session_where_nobody_says_when_it_was_heard(self, last_heard: object) -> None:
        told = {"online": True, "last_heard": last_heard, "last_handshake_at": heard(90)}
        facts = add_presence(told, NOW)
        assert (facts["presence"], facts["last_heard_age"]) == ("probable", 90)

    def test_goes_by_when_it_was_heard_where_both_are_told(self) -> None:
        told = {"online": True, "last_heard": heard(5), "last_handshake_at": heard(9000)}
        assert add_presence(told, NOW)["last_heard_age"] == 5

    def test_is_never_heard_in_the_future(self) -> None:
        assert add_presence({"online": True, "last_heard": heard(-5)}, NOW)["last_heard_age"] == 0

    def test_reads_a_moment_without_a_zone_as_universal_time(self) -> None:
        moment = heard(30).removesuffix("Z")
        assert add_presence({"online": True, "last_heard": moment}, NOW)["last_heard_age"] == 30
