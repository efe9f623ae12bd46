# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Networks and members of backend thread are checked before the first request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_declared_secrets
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import (
    THREAD,
    read_network,
    read_networks,
)
from support.thread_networks import EUI64, KEY, PSKD, ROUTER, build_manifest


def read_mistakes(data: Mapping[str, Any]) -> list[str]:
    """Return the mistakes in a manifest, and check that they show no secret."""
    with pytest.raises(ParticleError) as caught:
        read_manifest(data)
    assert not any(secret in caught.value.message for secret in (KEY, PSKD, "bad-pskd", "hush"))
    return caught.value.message.split("\n  ")[1:]


class TestValidManifest:
    """A manifest of Thread networks needs no login and no product."""

    def test_member_is_identified_by_its_eui64_alone(self) -> None:
        manifest = read_manifest(build_manifest({EUI64: PSKD}))
        (record,) = manifest.devices
        assert (record.id, record.is_outside_cloud, manifest.needs_login) == (EUI64, True, False)
        assert record.mesh is not None
        assert record.mesh.extra == {"joiner": PSKD, "eui64": EUI64}

    @pytest.mark.parametrize("written", ["18:B4:30:00:00:00:00:01", "18b4.3000.0000.0001", " 0x18B4300000000001 "])
    def test_eui64_is_understood_in_common_spellings(self, written: str) -> None:
        (record,) = read_manifest(build_manifest({written: PSKD})).devices
        assert record.id == "18b4300000000001"

    def test_network_without_members_is_valid(self) -> None:
        manifest = read_manifest(build_manifest({}))
        assert manifest.networks["barn"].extra["border_routers"] == ({"url": ROUTER},)

    def test_secrets_are_found_and_not_printed(self) -> None:
        login = {"url": "https://router.example/otbr", "username": "me", "password": "hush"}
        data = build_manifest({EUI64: PSKD}, parameters={"network_key": KEY}, border_routers=[login])
        manifest = read_manifest(data)
        members = [record.mesh for record in manifest.devices if record.mesh]
        assert {KEY, KEY.upper(), PSKD, "hush"} <= set(find_declared_secrets(manifest.networks, members))
        assert not any(secret in repr(manifest) for secret in (KEY, PSKD, "hush"))


class TestMistakes:
    """Each mistake is reported with its place, without secrets."""

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"channel": 27}, "channel: must be a channel of the 2.4 GHz band from 11 to 26, got 27"),
            ({"channel": "15"}, "channel: must be a channel of the 2.4 GHz band from 11 to 26, got a string"),
            (
                {"pan_id": "FFFF"},
                "pan_id: must be 1 to 4 hexadecimal digits in quotes, from '0000' to 'FFFE', got 'FFFF'",
            ),
            (
                {"pan_id": 4321},
                "pan_id: must be 1 to 4 hexadecimal digits in quotes, from '0000' to 'FFFE', got a number",
            ),
            ({"network_name": "a\tb"}, "network_name: contains a control character; remove it"),
            (
                {"network_key": 1},
                "network_key: must be a string, got a number; put it in quotes, or add the filter "
                "'| string' if it comes from a template",
            ),
            ({"network_name": "x" * 17}, "network_name: must have 1 to 16 bytes in UTF-8"),
            ({"network_name": "é" * 9}, "network_name: must have 1 to 16 bytes in UTF-8"),
            ({"network_name": ""}, "network_name: must have 1 to 16 bytes in UTF-8"),
            ({"network_key": KEY[:-1]}, "network_key: must have 32 hexadecimal digits"),
            ({"extended_pan_id": "xyz"}, "extended_pan_id: must have 16 hexadecimal digits"),
            (
                {"chanel": 15},
                "chanel: unknown key (did you mean channel?); valid keys are channel, pan_id, network_name, "
                "extended_pan_id, network_key",
            ),
        ],
    )
    def test_parameter_is_refused(self, parameters: dict[str, Any], sentence: str) -> None:
        (mistake,) = read_mistakes(build_manifest({}, parameters=parameters))
        assert mistake == f"networks.barn.parameters.{sentence}"

    @pytest.mark.parametrize(
        ("routers", "sentence"),
        [
            ([], "networks.barn: has no border_routers; declare the url of at least one border router"),
            ([{"ca_path": "/x"}], "networks.barn.border_routers[0]: has no url"),
            (
                [{"url": "10.0.0.1:8081"}],
                "networks.barn.border_routers[0].url: must be the URL of a border router, such as http://127.0.0.1:8081",
            ),
            (
                [{"url": "http://u:hush@r"}],
                "networks.barn.border_routers[0].url: contains a login; declare username and password beside url "
                "instead",
            ),
            (
                [{"url": ROUTER, "username": "me"}],
                "networks.barn.border_routers[0]: must have both username and password, or neither of them",
            ),
            (
                [{"url": ROUTER}, {"url": f"{ROUTER}/"}],
                "networks.barn.border_routers[1].url: 'http://127.0.0.1:8081' is already used at "
                "networks.barn.border_routers[0]",
            ),
            ([{"url": ROUTER, "password": 5, "username": "me"}], "must be a string, got a number"),
            ([{"url": ROUTER, "port": 5}], "networks.barn.border_routers[0].port: unknown key"),
        ],
    )
    def test_border_router_is_refused(self, routers: list[Any], sentence: str) -> None:
        assert sentence in "\n".join(read_mistakes(build_manifest({}, border_routers=routers)))

    @pytest.mark.parametrize("url", ["ftp://r", "http://", "http://r:99999", "http://r?a", "http://r#a", "http://[r"])
    def test_other_address_than_that_of_a_border_router_is_refused(self, url: str) -> None:
        (mistake,) = read_mistakes(build_manifest({}, border_routers=[{"url": url}]))
        assert mistake.startswith("networks.barn.border_routers[0].url: must be the URL of a border router")

    @pytest.mark.parametrize("pskd", ["bad-pskd", "J01NMI", "J01N", "J" * 33, "J01NME-"])
    def test_joiner_key_of_a_wrong_form_is_refused(self, pskd: str) -> None:
        (mistake,) = read_mistakes(build_manifest({EUI64: pskd}))
        assert mistake == (
            "devices[0].mesh.joiner: is not a valid joiner key (PSKd): use 6 to 32 digits and upper-case letters "
            "except I, O, Q and Z"
        )

    @pytest.mark.parametrize("eui64", ["18b430000000000", "18b43000000000zz", 1234567890123456])
    def test_eui64_of_a_wrong_form_is_refused(self, eui64: Any) -> None:
        assert "devices[0].eui64: " in "\n".join(read_mistakes(build_manifest({eui64: PSKD})))

    def test_gateways_and_parameters_of_members_are_refused(self) -> None:
        data = build_manifest({EUI64: PSKD}, gateways=[EUI64])
        data["devices"][0]["mesh"] |= {"role": "gateway", "parameters": {}}
        text = "\n".join(read_mistakes(data))
        for sentence in (
            "networks.barn.gateways[0]: cannot be declared, got '18b4300000000001': declare border_routers instead",
            "devices[0].mesh.role: cannot be gateway: the gateways of a Thread network are its border_routers",
            "devices[0].mesh.parameters: cannot be declared for a member of backend thread, which receives them from "
            "the border router",
        ):
            assert sentence in text

    def test_gateway_that_is_not_a_text_is_refused_by_its_type(self) -> None:
        assert "gateways[0]: cannot be declared, got a number: " in "\n".join(
            read_mistakes(build_manifest({}, gateways=[5]))
        )

    @pytest.mark.parametrize(("key", "value"), [("change_delay", 29), ("joiner_timeout", 0), ("joiner_timeout", "9")])
    def test_number_of_seconds_out_of_range_is_refused(self, key: str, value: Any) -> None:
        (mistake,) = read_mistakes(build_manifest({}, **{key: value}))
        assert f"networks.barn.{key}: must be a number of seconds from " in mistake


class TestOptions:
    """The options of modules that name border routers are checked like a manifest."""

    def test_options_are_read_without_the_keys_that_are_not_set(self) -> None:
        router = {"url": f" {ROUTER}/ ", "ca_path": None, "username": "me", "password": "hush"}
        (network,) = read_networks({"thread_networks": [{"name": "barn", "border_routers": [router]}]})
        assert (network.name, network.gateways, network.backend) == ("barn", (), "thread")
        assert network.extra["border_routers"] == ({"url": ROUTER, "username": "me", "password": "hush"},)
        assert read_network("barn", [router]) == network
        assert read_networks({}) == read_networks({"thread_networks": None}) == []

    def test_mistakes_of_all_networks_are_reported_with_their_places(self) -> None:
        networks = [{"name": "Barn", "border_routers": [{"url": "r"}]}, {"name": "yard", "border_routers": []}]
        with pytest.raises(ParticleError) as caught:
            read_networks({"thread_networks": networks})
        assert caught.value.code == "invalid_option"
        assert caught.value.message == (
            "thread_networks[0].name: is not a valid network name: use 1 to 32 characters from a-z, 0-9, _ and -; "
            "thread_networks[0].border_routers[0].url: must be the URL of a border router, such as "
            "http://127.0.0.1:8081; thread_networks[1]: has no border_routers; declare the url of at least one border "
            "router."
        )

    def test_mistake_of_a_single_network_names_it(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_network("barn", [])
        assert caught.value.message == (
            "network barn: has no border_routers; declare the url of at least one border router."
        )


class TestRows:
    """The row of a member shows its network and its state."""

    def test_membership_and_state_are_read_from_the_row(self) -> None:
        row = {"thread": {"network": "barn", "state": "joined"}}
        assert THREAD.read_membership(row) == Membership("barn", "node")
        assert THREAD.read_state(row, Membership("barn", "node")) == "joined"

    @pytest.mark.parametrize("row", [{}, {"thread": None}, {"thread": {}}, {"thread": {"network": None}}])
    def test_row_without_a_network_shows_no_membership(self, row: dict[str, Any]) -> None:
        assert THREAD.read_membership(row) is None
        assert THREAD.read_state(row, Membership("barn", "node")) is None

    def test_export_names_border_routers_without_their_login(self) -> None:
        rows = [{"thread": {"border_routers": [ROUTER]}}, {"thread": {"border_routers": ["http://other"]}}]
        assert THREAD.export_network(rows) == {"border_routers": [{"url": ROUTER}]}

    def test_members_can_be_listed_if_networks_are_named(self) -> None:
        assert THREAD.can_list_members({"thread_networks": [{}]})
        assert not THREAD.can_list_members({"thread_networks": []})
        assert not THREAD.can_list_members({})
