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
            ({"pan_id": "FFFF"}, "pan_id: must be 1 to 4 hexadecimal digits in quotes, from '0000' to 'FFFE', got"),
            ({"pan_id": 4321}, "pan_id: must be 1 to 4 hexadecimal digits in quotes, from '0000' to 'FFFE', got a num"),
            ({"network_name": "x" * 17}, "network_name: must have 1 to 16 bytes in UTF-8"),
            ({"network_name": "é" * 9}, "network_name: must have 1 to 16 bytes in UTF-8"),
            ({"network_name": ""}, "network_name: must have 1 to 16 bytes in UTF-8"),
            ({"network_key": KEY[:-1]}, "network_key: must have 32 hexadecimal digits"),
            ({"extended_pan_id": "xyz"}, "extended_pan_id: must have 16 hexadecimal digits"),
            ({"chanel": 15}, "chanel: unknown key (did you mean channel?)"),
        ],
    )
    def test_parameter_is_refused(self, parameters: dict[str, Any], sentence: str) -> None:
        (mistake,) = read_mistakes(build_manifest({}, parameters=parameters))
        assert f"networks.barn.parameters.{sentence}" in mistake

    @pytest.mark.parametrize(
        ("routers", "sentence"),
        [
            ([], "networks.barn: has no border_routers"),
            ([{"ca_path": "/x"}], "networks.barn.border_routers[0]: has no url"),
            ([{"url": "10.0.0.1:8081"}], "networks.barn.border_routers[0].url: must be the URL of a border router"),
            ([{"url": "http://u:hush@r"}], "networks.barn.border_routers[0].url: contains a login"),
            ([{"url": ROUTER, "username": "me"}], "networks.barn.border_routers[0]: must have both username and pass"),
            ([{"url": ROUTER}, {"url": f"{ROUTER}/"}], "networks.barn.border_routers[1].url: 'http://127.0.0.1:8081' "),
        ],
    )
    def test_border_router_is_refused(self, routers: list[Any], sentence: str) -> None:
        assert sentence in "\n".join(read_mistakes(build_manifest({}, border_routers=routers)))

    @pytest.mark.parametrize("pskd", ["bad-pskd", "J01NMI", "J01N", "J" * 33, "J01NME-"])
    def test_joiner_key_of_a_wrong_form_is_refused(self, pskd: str) -> None:
        (mistake,) = read_mistakes(build_manifest({EUI64: pskd}))
        assert "devices[0].mesh.joiner: is not a valid joiner key (PSKd): use 6 to 32 digits" in mistake

    @pytest.mark.parametrize("eui64", ["18b430000000000", "18b43000000000zz", 1234567890123456])
    def test_eui64_of_a_wrong_form_is_refused(self, eui64: Any) -> None:
        assert "devices[0].eui64: " in "\n".join(read_mistakes(build_manifest({eui64: PSKD})))

    def test_gateways_and_parameters_of_members_are_refused(self) -> None:
        data = build_manifest({EUI64: PSKD}, gateways=[EUI64])
        data["devices"][0]["mesh"] |= {"role": "gateway", "parameters": {}}
        text = "\n".join(read_mistakes(data))
        assert "networks.barn.gateways[0]: cannot be declared, got '18b4300000000001': declare border_routers" in text
        assert "devices[0].mesh.role: cannot be gateway" in text
        assert "devices[0].mesh.parameters: cannot be declared for a member of backend thread" in text

    @pytest.mark.parametrize(("key", "value"), [("change_delay", 29), ("joiner_timeout", 0), ("joiner_timeout", "9")])
    def test_number_of_seconds_out_of_range_is_refused(self, key: str, value: Any) -> None:
        (mistake,) = read_mistakes(build_manifest({}, **{key: value}))
        assert f"networks.barn.{key}: must be a number of seconds from " in mistake
