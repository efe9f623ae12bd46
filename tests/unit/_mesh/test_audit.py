# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The audit of a mesh lists its members and risks, and builds valid manifests for the migration to ledgers."""

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


def make_facts(device: str, platform: int = BORON, network: str | None = None, role: str = "node", **more: Any) -> Any:
    """Return the facts of a device as `device_info` returns them, with or without a network of the registry."""
    row: dict[str, Any] = {"id": device, "platform_id": platform, "online": True, "system_firmware_version": "1.5.2"}
    if network is not None:
        role_note = {"gateway": role == "gateway", "state": "confirmed"}
        row["network"] = {"id": f"5c{network}", "name": network, "type": "micro_wifi", "role": role_note}
    return build_facts({**row, **more})


def make_barn(*more: Any, **gateway_facts: Any) -> list[Any]:
    """Return a gateway and a node of network barn, and more devices."""
    return [make_facts(ONE, network="barn", role="gateway", **gateway_facts), make_facts(TWO, network="barn"), *more]


class TestMembers:
    """The audit lists devices with the radio of Particle Mesh and members of networks, and no other devices."""

    def test_networks_are_read_from_the_facts_of_their_devices(self) -> None:
        found = audit_mesh([*make_barn(), make_facts(THREE, ARGON), make_facts(FOUR, PHOTON)], None)
        assert found["registry"] == "retired"
        assert found["networks"] == [
            {"name": "barn", "type": None, "state": None, "gateways": [ONE], "nodes": [TWO]},
        ]
        assert [(device["id"], device["platform"], device["network"]) for device in found["devices"]] == [
            (ONE, "boron", "barn"),
            (TWO, "boron", "barn"),
            (THREE, "argon", None),
        ]

    def test_members_of_the_registry_are_listed_without_device_facts(self) -> None:
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

    @pytest.mark.parametrize(("device_os", "can_mesh"), [("1.5.2", True), ("2.3.1", False), (None, True)])
    def test_device_can_mesh_unless_device_os_is_newer_than_1_5(self, device_os: str | None, can_mesh: bool) -> None:
        (device,) = audit_mesh([make_facts(ONE, system_firmware_version=device_os)], None)["devices"]
        assert device["meshes"] is can_mesh


class TestRisks:
    """Each risk of a network or a device is one sentence."""

    def test_network_with_two_gateways_has_no_risk_but_old_device_os(self) -> None:
        found = audit_mesh(make_barn(make_facts(THREE, network="barn", role="gateway")), None)
        assert (found["risks"], [device["risks"] for device in found["devices"]]) == ([], [[MUST_UPDATE]] * 3)

    @pytest.mark.parametrize(
        ("gateway", "risk"),
        [
            ({}, "network barn has only one gateway, and no other can be added"),
            ({"online": False}, "network barn has no gateway that is online"),
        ],
    )
    def test_single_or_offline_gateway_is_a_risk(self, gateway: dict[str, Any], risk: str) -> None:
        assert audit_mesh(make_barn(**gateway), None)["risks"] == [risk]

    def test_network_without_gateway_is_a_risk(self) -> None:
        assert audit_mesh(make_barn()[1:], None)["risks"] == [
            "network barn has no gateway: 1 device in it cannot reach the cloud"
        ]

    @pytest.mark.parametrize(
        ("key", "words"),
        [("desired_firmware_version", "locked to"), ("targeted_firmware_release_version", "due for")],
    )
    def test_due_firmware_without_mesh_is_a_risk(self, key: str, words: str) -> None:
        newer = make_facts(FOUR, firmware_version=8, system_firmware_version="6.3.0")
        devices = make_barn(make_facts(THREE, network="barn", role="gateway"), newer, **{key: 8})
        found = audit_mesh(devices, None)
        assert found["devices"][0]["risks"] == [
            f"is {words} firmware 8, which runs on Device OS 6.3.0 only: it would leave its mesh",
            MUST_UPDATE,
        ]
        assert found["risks"] == [f"firmware 8 would end the mesh of 1 device {words} it"]

    def test_due_firmware_that_also_runs_in_a_mesh_is_not_a_risk(self) -> None:
        devices = make_barn(
            make_facts(THREE, network="barn", role="gateway", firmware_version=8),
            make_facts(FOUR, firmware_version=8, system_firmware_version="6.3.0"),
            desired_firmware_version=8,
        )
        assert audit_mesh(devices, None)["risks"] == []

    def test_device_os_without_mesh_means_that_the_device_has_left(self) -> None:
        devices = make_barn(make_facts(THREE, network="barn", role="gateway"), system_firmware_version="3.0.0")
        risk = audit_mesh(devices, None)["devices"][0]["risks"][0]
        assert risk == "runs Device OS 3.0.0, which has no Particle Mesh: it is no longer in barn"

    @pytest.mark.parametrize("device_os", ["6.1.0", "odd", None])
    def test_device_os_that_may_support_ledgers_needs_no_update(self, device_os: str | None) -> None:
        devices = audit_mesh(make_barn(system_firmware_version=device_os), None)["devices"]
        assert [MUST_UPDATE in device["risks"] for device in devices] == [False, True]
        assert not any("must be updated" in risk for risk in devices[0]["risks"])

    def test_device_without_a_manifest_needs_no_update(self) -> None:
        assert audit_mesh([make_facts(ONE, XENON, "barn", "gateway")], None)["devices"][0]["risks"] == []


class TestMigrationManifests:
    """The audit builds a manifest of backend `ledger` for each product and platform."""

    def test_manifest_declares_the_same_gateways(self) -> None:
        devices = [device | {"product": "field-logger"} for device in make_barn()]
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

    def test_manifest_without_product_says_that_one_is_needed(self) -> None:
        devices = [make_facts(THREE, ARGON, "barn"), *(device | {"product": "field-logger"} for device in make_barn())]
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
    def test_file_name_is_safe(self, product: str | None, file: str) -> None:
        assert [
            share["file"] for share in audit_mesh([d | {"product": product} for d in make_barn()], None)["manifests"]
        ] == [file]

    def test_each_product_has_a_separate_file(self) -> None:
        devices = [device | {"product": product} for device, product in zip(make_barn(), ("a/b", "a b"), strict=True)]
        assert [share["file"] for share in audit_mesh(devices, None)["manifests"]] == [
            "a-b-boron.yml",
            "a-b-boron-2.yml",
        ]

    def test_gateway_in_another_manifest_is_declared_on_the_network(self) -> None:
        found = audit_mesh([*make_barn(), make_facts(THREE, ARGON, "barn")], None)
        argon, boron = (share["manifest"] for share in found["manifests"])
        assert argon["networks"] == {"barn": {"backend": "ledger", "gateways": [ONE]}}
        assert boron["networks"] == {"barn": {"backend": "ledger"}}
        assert "product" not in argon

    def test_xenons_are_left_behind_with_the_reason(self) -> None:
        found = audit_mesh(make_barn(make_facts(THREE, XENON, "barn")), None)
        (device,) = found["left_behind"]
        assert (device["id"], device["network"]) == (THREE, "barn")
        assert device["reason"].startswith(f"device {THREE} is of platform xenon, which does not support ledgers")

    def test_gateway_left_behind_is_replaced_by_another_member(self) -> None:
        devices = [
            make_facts(ONE, XENON, "barn", "gateway"),
            make_facts(TWO, XSOM, "barn"),
            make_facts(THREE, network="barn"),
            make_facts(FOUR, network="barn"),
        ]
        xsom, boron = sorted(audit_mesh(devices, None)["manifests"], key=lambda share: share["platform"] == "boron")
        roles = {device["id"]: device["mesh"]["role"] for device in boron["manifest"]["devices"]}
        assert roles == {THREE: "gateway", FOUR: "node"}
        assert xsom["manifest"]["networks"]["barn"]["gateways"] == [THREE]

    def test_network_without_any_uplink_has_no_manifest(self) -> None:
        devices = [make_facts(ONE, XENON, "barn", "gateway"), make_facts(TWO, XSOM, "barn")]
        assert audit_mesh(devices, None)["manifests"] == []

    def test_members_of_a_network_without_any_uplink_are_left_behind(self) -> None:
        devices = [make_facts(ONE, XSOM, "barn"), make_facts(TWO, XSOM, "barn"), make_facts(THREE, network="shed")]
        found = audit_mesh(devices, None)
        left = {device["id"]: (device["network"], device["reason"]) for device in found["left_behind"]}
        assert left.keys() == {ONE, TWO}
        assert all(network == "barn" and "none has an uplink" in reason for network, reason in left.values())
        assert [network["name"] for network in found["networks"]] == ["barn", "shed"]

    def test_each_network_gets_a_valid_name(self) -> None:
        names = ["Barn 1", "barn_1", "BARN 1", "gateway", "äöü", "..", "x" * 16]
        devices = [make_facts(device_id(at), network=name, role="gateway") for at, name in enumerate(names)]
        (share,) = audit_mesh(devices, None)["manifests"]
        assert sorted(share["manifest"]["networks"]) == sorted(
            ["barn-1", "barn-1-2", "barn_1", "gateway-mesh", "mesh", "mesh-2", "x" * 16]
        )


PLATFORMS = st.sampled_from([ARGON, BORON, XENON, XSOM, PHOTON, BLUZ, None, 4711])
NAMES = st.none() | st.text(max_size=5)
DEVICE_FACTS = st.lists(
    st.builds(
        lambda number, platform, network, role, more: make_facts(device_id(number), platform, network, role, **more),
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


@given(DEVICE_FACTS)
def test_manifests_are_valid_and_omit_no_member_of_their_networks(devices: list[Any]) -> None:
    found = audit_mesh(devices, None)
    planned: list[str] = []
    for share in found["manifests"]:
        assert (share["needs"] is None) == (share["product"] is not None) == ("product" in share["manifest"])
        needed_product = {"product": "named-as-it-says"} if share["needs"] else {}
        manifest = read_manifest({**needed_product, **share["manifest"]})
        planned += [record.id for record in manifest.devices]
        assert all(network.gateways for network in manifest.networks.values())
    left_behind = [device["id"] for device in found["left_behind"]]
    members = {device["id"]: device["network"] for device in found["devices"] if device["network"] is not None}
    assert len(planned + left_behind) == len({*planned, *left_behind})
    omitted_networks = {members[device] for device in members.keys() - {*planned, *left_behind}}
    assert omitted_networks.isdisjoint(members[device] for device in planned)


@pytest.mark.parametrize("given_devices", [None, "devices", {"devices": []}, ["one"], 5])
def test_filter_refuses_devices_that_are_not_a_list_of_dictionaries(given_devices: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="the devices must be a list of dictionaries"):
        mesh_audit(given_devices)
    assert FilterModule().filters() == {"mesh_audit": mesh_audit}


def test_filter_refuses_networks_that_are_not_a_list() -> None:
    with pytest.raises(AnsibleFilterError, match="the networks must be a list of dictionaries"):
        mesh_audit([], networks="barn")
