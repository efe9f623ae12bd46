# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A stranded mesh is described as far as it is known, and the way out is a manifest that can be read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.filter.mesh_audit import FilterModule, mesh_audit
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.audit import audit_mesh

ONE, TWO, THREE, FOUR = (device_id(number) for number in range(1, 5))
ARGON, BORON, XENON, XSOM, PHOTON, BLUZ = 12, 13, 14, 24, 6, 103


MUST_UPDATE = (
    "runs Device OS 1.5.2, but ledgers require 6.1 or newer: it must be updated before it can join a network of "
    "backend ledger"
)


def hardware(device: str, platform: int = BORON, network: str | None = None, role: str = "node", **more: Any) -> Any:
    """A device as `device_info` tells it, in or out of a network of the registry."""
    row: dict[str, Any] = {"id": device, "platform_id": platform, "online": True, "system_firmware_version": "1.5.2"}
    if network is not None:
        note = {"gateway": role == "gateway", "state": "confirmed"}
        row["network"] = {"id": f"5c{network}", "name": network, "type": "micro_wifi", "role": note}
    return build_facts({**row, **more})


def barn(*more: Any, **of_the_gateway: Any) -> list[Any]:
    return [hardware(ONE, network="barn", role="gateway", **of_the_gateway), hardware(TWO, network="barn"), *more]


class TestWhatThereIs:
    """Boards with the radio and members of networks, and nobody else."""

    def test_networks_are_known_by_the_notes_at_their_devices(self) -> None:
        found = audit_mesh([*barn(), hardware(THREE, ARGON), hardware(FOUR, PHOTON)], None)
        assert found["registry"] == "retired"
        assert found["networks"] == [
            {"name": "barn", "type": None, "state": None, "gateways": [ONE], "nodes": [TWO]},
        ]
        assert [(device["id"], device["platform"], device["network"]) for device in found["devices"]] == [
            (ONE, "boron", "barn"),
            (TWO, "boron", "barn"),
            (THREE, "argon", None),
        ]

    def test_the_registry_knows_members_that_no_list_of_devices_shows(self) -> None:
        members = [
            {"id": ONE, "name": "g", "platform_id": ARGON, "platform": "argon", "role": "gateway"},
            {"id": TWO, "name": None, "platform_id": XENON, "platform": "xenon", "role": "node"},
        ]
        networks = [{"name": "barn", "type": "micro_wifi", "state": "confirmed", "devices": members}]
        found = audit_mesh([], [*networks, {"name": "empty", "type": "large_site", "state": "pending"}])
        assert found["registry"] == "present"
        assert [(network["name"], network["gateways"], network["nodes"]) for network in found["networks"]] == [
            ("barn", [ONE], [TWO]),
            ("empty", [], []),
        ]
        assert [device["device_os"] for device in found["devices"]] == [None, None]

    @pytest.mark.parametrize(("device_os", "meshes"), [("1.5.2", True), ("2.3.1", False), (None, True)])
    def test_a_mesh_ends_with_device_os_1_5(self, device_os: str | None, meshes: bool) -> None:
        (device,) = audit_mesh([hardware(ONE, system_firmware_version=device_os)], None)["devices"]
        assert device["meshes"] is meshes


class TestWhatWouldBreakIt:
    """One sentence each."""

    def test_a_quiet_network_of_two_gateways_has_nothing_to_fear(self) -> None:
        found = audit_mesh(barn(hardware(THREE, network="barn", role="gateway")), None)
        assert (found["risks"], [device["risks"] for device in found["devices"]]) == ([], [[MUST_UPDATE]] * 3)

    @pytest.mark.parametrize(
        ("gateway", "risk"),
        [
            ({}, "network barn has only one gateway, and no other can be added"),
            ({"online": False}, "network barn has no gateway that is online"),
        ],
    )
    def test_gateways_are_few(self, gateway: dict[str, Any], risk: str) -> None:
        assert audit_mesh(barn(**gateway), None)["risks"] == [risk]

    def test_gateways_are_none(self) -> None:
        assert audit_mesh(barn()[1:], None)["risks"] == [
            "network barn has no gateway: 1 device in it cannot reach the cloud"
        ]

    @pytest.mark.parametrize(
        ("key", "words"),
        [("desired_firmware_version", "locked to"), ("targeted_firmware_release_version", "due for")],
    )
    def test_firmware_that_only_runs_without_a_mesh_is_told(self, key: str, words: str) -> None:
        newer = hardware(FOUR, firmware_version=8, system_firmware_version="6.3.0")
        devices = barn(hardware(THREE, network="barn", role="gateway"), newer, **{key: 8})
        found = audit_mesh(devices, None)
        assert found["devices"][0]["risks"] == [
            f"is {words} firmware 8, which runs on Device OS 6.3.0 only: it would leave its mesh",
            MUST_UPDATE,
        ]
        assert found["risks"] == [f"firmware 8 would end the mesh of 1 device {words} it"]

    def test_firmware_that_runs_in_a_mesh_as_well_is_none_of_it(self) -> None:
        devices = barn(
            hardware(THREE, network="barn", role="gateway", firmware_version=8),
            hardware(FOUR, firmware_version=8, system_firmware_version="6.3.0"),
            desired_firmware_version=8,
        )
        assert audit_mesh(devices, None)["risks"] == []

    def test_who_has_left_already_is_told(self) -> None:
        devices = barn(hardware(THREE, network="barn", role="gateway"), system_firmware_version="3.0.0")
        risk = audit_mesh(devices, None)["devices"][0]["risks"][0]
        assert risk == "runs Device OS 3.0.0, which has no Particle Mesh: it is no longer in barn"

    @pytest.mark.parametrize("device_os", ["6.1.0", "odd", None])
    def test_who_may_know_ledgers_need_not_be_updated(self, device_os: str | None) -> None:
        devices = audit_mesh(barn(system_firmware_version=device_os), None)["devices"]
        assert [MUST_UPDATE in device["risks"] for device in devices] == [False, True]
        assert not any("must be updated" in risk for risk in devices[0]["risks"])

    def test_who_is_in_no_plan_need_not_be_updated(self) -> None:
        assert audit_mesh([hardware(ONE, XENON, "barn", "gateway")], None)["devices"][0]["risks"] == []


class TestTheWayOut:
    """Manifests of backend ledger, one for each product and platform."""

    def test_is_a_manifest_with_the_same_gateways(self) -> None:
        devices = [device | {"product": "field-logger"} for device in barn()]
        (share,) = audit_mesh(devices, None)["manifests"]
        assert (share["platform"], share["product"]) == ("boron", "field-logger")
        assert share["manifest"] == {
            "product": "field-logger",
            "networks": {"barn": {"backend": "ledger"}},
            "devices": [
                {"id": ONE, "mesh": {"network": "barn", "role": "gateway"}},
                {"id": TWO, "mesh": {"network": "barn", "role": "node"}},
            ],
        }

    def test_of_devices_without_a_product_says_that_they_need_one(self) -> None:
        devices = [hardware(THREE, ARGON, "barn"), *(device | {"product": "field-logger"} for device in barn())]
        argon, boron = audit_mesh(devices, None)["manifests"]
        assert (boron["needs"], argon["product"]) == (None, None)
        assert "Create a product for platform argon in the Console, unless you have one" in argon["needs"]
        with pytest.raises(ParticleError, match="a product:"):
            read_manifest(argon["manifest"])
        read_manifest({"product": "named-as-it-says", **argon["manifest"]})

    @pytest.mark.parametrize(
        ("product", "file"),
        [
            ("field-logger", "field-logger-boron.yml"),
            (None, "account-boron.yml"),
            ("../../Evil", "evil-boron.yml"),
            ("/", "boron.yml"),
            ("x" * 300, "x" * 100 + ".yml"),
        ],
    )
    def test_has_a_file_of_a_safe_name(self, product: str | None, file: str) -> None:
        assert [
            share["file"] for share in audit_mesh([d | {"product": product} for d in barn()], None)["manifests"]
        ] == [file]

    def test_has_a_file_of_its_own_for_each_product(self) -> None:
        devices = [device | {"product": product} for device, product in zip(barn(), ("a/b", "a b"), strict=True)]
        assert [share["file"] for share in audit_mesh(devices, None)["manifests"]] == [
            "a-b-boron.yml",
            "a-b-boron-2.yml",
        ]

    def test_of_several_platforms_names_gateways_that_are_elsewhere(self) -> None:
        found = audit_mesh([*barn(), hardware(THREE, ARGON, "barn")], None)
        argon, boron = (share["manifest"] for share in found["manifests"])
        assert argon["networks"] == {"barn": {"backend": "ledger", "gateways": [ONE]}}
        assert boron["networks"] == {"barn": {"backend": "ledger"}}
        assert "product" not in argon

    def test_leaves_xenons_behind_with_the_reason(self) -> None:
        found = audit_mesh(barn(hardware(THREE, XENON, "barn")), None)
        (left,) = found["left_behind"]
        assert (left["id"], left["network"]) == (THREE, "barn")
        assert left["reason"].startswith(f"device {THREE} is of platform Xenon, which does not support ledgers")

    def test_puts_another_in_the_place_of_a_gateway_that_stays_behind(self) -> None:
        devices = [
            hardware(ONE, XENON, "barn", "gateway"),
            hardware(TWO, XSOM, "barn"),
            hardware(THREE, network="barn"),
            hardware(FOUR, network="barn"),
        ]
        xsom, boron = sorted(audit_mesh(devices, None)["manifests"], key=lambda share: share["platform"] == "boron")
        roles = {device["id"]: device["mesh"]["role"] for device in boron["manifest"]["devices"]}
        assert roles == {THREE: "gateway", FOUR: "node"}
        assert xsom["manifest"]["networks"]["barn"]["gateways"] == [THREE]

    def test_has_none_for_a_network_without_any_uplink(self) -> None:
        assert (
            audit_mesh([hardware(ONE, XENON, "barn", "gateway"), hardware(TWO, XSOM, "barn")], None)["manifests"] == []
        )

    def test_gives_each_network_a_name_that_it_may_have(self) -> None:
        names = ["Barn 1", "barn_1", "BARN 1", "gateway", "äöü", "..", "x" * 16]
        devices = [hardware(device_id(at), network=name, role="gateway") for at, name in enumerate(names)]
        (share,) = audit_mesh(devices, None)["manifests"]
        assert sorted(share["manifest"]["networks"]) == sorted(
            ["barn-1", "barn-1-2", "barn_1", "gateway-mesh", "mesh", "mesh-2", "x" * 16]
        )


PLATFORMS = st.sampled_from([ARGON, BORON, XENON, XSOM, PHOTON, BLUZ, None, 4711])
NAMES = st.none() | st.text(max_size=5)
BOARDS = st.lists(
    st.builds(
        lambda number, platform, network, role, more: hardware(device_id(number), platform, network, role, **more),
        st.integers(1, 9),
        PLATFORMS,
        NAMES,
        st.sampled_from(["gateway", "node"]),
        st.fixed_dictionaries(
            {},
            optional={
                "system_firmware_version": st.none() | st.sampled_from(["1.5.2", "6.3.0", "odd"]),
                "firmware_version": st.none() | st.integers(1, 3),
                "desired_firmware_version": st.none() | st.integers(1, 3),
                "product_id": st.sampled_from([13, 31337]),
            },
        ),
    ),
    unique_by=lambda facts: facts["id"],
)


@given(BOARDS)
def test_every_way_out_can_be_read_and_nobody_is_forgotten(devices: list[Any]) -> None:
    found = audit_mesh(devices, None)
    planned: list[str] = []
    for share in found["manifests"]:
        assert (share["needs"] is None) == (share["product"] is not None) == ("product" in share["manifest"])
        follows = {"product": "named-as-it-says"} if share["needs"] else {}
        manifest = read_manifest({**follows, **share["manifest"]})
        planned += [record.id for record in manifest.devices]
        assert all(network.gateways for network in manifest.networks.values())
    left = [device["id"] for device in found["left_behind"]]
    members = {device["id"]: device["network"] for device in found["devices"] if device["network"] is not None}
    assert len(planned + left) == len({*planned, *left})
    without = {members[device] for device in members.keys() - {*planned, *left}}
    assert without.isdisjoint(members[device] for device in planned)


@pytest.mark.parametrize("given_devices", [None, "devices", {"devices": []}, ["one"], 5])
def test_the_filter_refuses_what_is_no_list_of_devices(given_devices: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="the devices must be a list of dictionaries"):
        mesh_audit(given_devices)
    assert FilterModule().filters() == {"mesh_audit": mesh_audit}


def test_the_filter_refuses_what_are_no_networks() -> None:
    with pytest.raises(AnsibleFilterError, match="the networks must be a list of dictionaries"):
        mesh_audit([], networks="barn")
