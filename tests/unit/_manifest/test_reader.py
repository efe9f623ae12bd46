# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A manifest is read into typed records, or all its mistakes are reported together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from fleet_cloud import device_id
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import parse_yaml
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Identifier
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import (
    list_device_keys,
    read_manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Membership, Network

STRING = "add the filter '| string' if it comes from a template"
ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)


def manifest(*devices: Any, **more: Any) -> dict[str, Any]:
    """Return a manifest of a product."""
    return {"product": "field-logger", "devices": list(devices), **more}


def with_network(network: Any = None, name: Any = "barn") -> dict[str, Any]:
    """Return a manifest with one network and its gateway."""
    device = {"id": ONE, "mesh": {"network": name, "role": "gateway"}}
    return manifest(device, networks={name: network})


def in_mesh(mesh: Any) -> dict[str, Any]:
    """Return a manifest whose second device declares ``mesh``."""
    gateway = {"id": ONE, "mesh": {"network": "barn", "role": "gateway"}}
    return manifest(gateway, {"id": TWO, "mesh": mesh}, networks={"barn": {}})


def refusal(data: Any) -> ParticleError:
    """Return the error that a manifest is refused with."""
    with pytest.raises(ParticleError) as caught:
        read_manifest(data)
    return caught.value


def mistakes(data: Any) -> list[str]:
    """Return the mistakes of a manifest, one sentence each."""
    error = refusal(data)
    assert error.code == "invalid_manifest"
    return error.message.split("\n  ")[1:]


class TestDeclarations:
    """Declared values are read as they are, and nothing is added."""

    def test_manifest_needs_only_a_list_of_devices(self) -> None:
        read = read_manifest({"devices": []})
        assert (read.product, read.exact_groups, read.devices, dict(read.networks)) == (None, False, (), {})

    def test_omitted_keys_are_not_declared(self) -> None:
        (record,) = read_manifest(manifest({"id": ONE})).devices
        assert (dict(record.fields), record.groups, record.claimed, record.mesh) == ({}, None, None, None)
        assert not record.has_mesh_declaration

    def test_empty_list_of_groups_is_a_declaration(self) -> None:
        (record,) = read_manifest(manifest({"id": ONE, "groups": []})).devices
        assert record.groups == frozenset()

    def test_empty_notes_are_a_declaration(self) -> None:
        (record,) = read_manifest(manifest({"id": ONE, "notes": ""})).devices
        assert record.fields == {"notes": ""}

    def test_device_id_may_have_capitals_and_surrounding_spaces(self) -> None:
        (record,) = read_manifest(manifest({"id": f" {ONE.upper()} "})).devices
        assert record.id == ONE

    @pytest.mark.parametrize(("given", "read"), [(31337, "31337"), ("31337", "31337"), (" barn ", "barn")])
    def test_product_is_an_id_or_a_slug(self, given: Any, read: str) -> None:
        assert read_manifest({"product": given, "devices": []}).product == read

    def test_default_role_of_a_member_is_node(self) -> None:
        _unused, record = read_manifest(in_mesh({"network": "barn"})).devices
        assert record.mesh == Membership("barn", "node")

    def test_mesh_state_absent_removes_the_device_from_its_network(self) -> None:
        _unused, record = read_manifest(in_mesh({"state": "absent"})).devices
        assert (record.mesh, record.leaves_mesh) == (None, True)

    def test_device_may_leave_without_any_declared_network(self) -> None:
        (record,) = read_manifest(manifest({"id": ONE, "mesh": {"state": "absent"}})).devices
        assert record.leaves_mesh

    def test_gateways_are_the_devices_with_that_role_and_the_named_ids(self) -> None:
        data = with_network({"gateways": [THREE.upper()], "parameters": {"channel": 15}})
        assert read_manifest(data).networks == {
            "barn": Network("barn", (ONE, THREE), {"channel": 15}, backend="ledger", size=2)
        }

    def test_gateway_may_be_a_device_outside_the_manifest(self) -> None:
        node = {"id": ONE, "mesh": {"network": "barn"}}
        read = read_manifest(manifest(node, networks={"barn": {"gateways": [TWO]}}))
        assert read.networks["barn"].gateways == (TWO,)

    def test_network_size_counts_nodes_and_gateways(self) -> None:
        nodes = [{"id": device, "mesh": {"network": "barn"}} for device in (TWO, THREE)]
        read = read_manifest(manifest(*nodes, networks={"barn": {"gateways": [ONE]}, "shed": {}}))
        assert {name: network.size for name, network in read.networks.items()} == {"barn": 3, "shed": 0}

    @pytest.mark.parametrize("backend", ["ledger", "networks"])
    def test_network_state_absent_dissolves_the_network(self, backend: str) -> None:
        read = read_manifest(manifest(networks={"barn": {"backend": backend, "state": "absent"}}))
        assert read.networks == {"barn": Network("barn", (), backend=backend, absent=True)}

    @pytest.mark.parametrize("name", ["Barn 1", "gateway", "ä" * 8, "x" * 16])
    def test_registry_network_may_have_any_short_name(self, name: str) -> None:
        read = read_manifest(with_network({"backend": "networks"}, name))
        assert read.networks[name].backend == "networks"

    def test_registry_network_may_have_a_type_and_a_limit(self) -> None:
        parameters = {"type": "high_availability", "limit": 250}
        read = read_manifest(with_network({"backend": "networks", "parameters": parameters}))
        assert read.networks["barn"].parameters == parameters

    def test_registry_networks_need_no_product(self) -> None:
        gateway = {"id": ONE, "claimed": True, "mesh": {"network": "barn", "role": "gateway"}}
        leaving = {"id": TWO, "mesh": {"state": "absent"}}
        read = read_manifest({"devices": [gateway, leaving], "networks": {"barn": {"backend": "networks"}}})
        assert (read.product, read.networks["barn"].gateways) == (None, (ONE,))

    def test_network_without_members_needs_no_gateway(self) -> None:
        assert read_manifest(manifest(networks={"barn": {}})).networks["barn"].gateways == ()

    def test_devices_may_share_a_name_if_unique_names_is_false(self) -> None:
        devices = [{"id": device, "name": "same"} for device in (ONE, TWO)]
        assert len(read_manifest(manifest(*devices, unique_names=False)).devices) == 2

    def test_omitted_parameters_differ_from_empty_parameters(self) -> None:
        assert read_manifest(with_network({})).networks["barn"].parameters is None
        assert read_manifest(with_network({"parameters": {}})).networks["barn"].parameters == {}

    @pytest.mark.parametrize("version", [1, 42, "unlocked"])
    def test_device_may_be_locked_to_a_firmware_version_or_unlocked(self, version: Any) -> None:
        (record,) = read_manifest(manifest({"id": ONE, "firmware_lock": version, "development": True})).devices
        assert record.fields == {"firmware_lock": version, "development": True}

    @pytest.mark.parametrize(
        ("kind", "label"), [("serial_number", " p046ab123 "), ("iccid", "8" * 20), ("imei", "352753000000001")]
    )
    def test_device_may_be_identified_by_its_label(self, kind: str, label: str) -> None:
        (record,) = read_manifest(manifest({kind: label})).devices
        assert record.declared_by == Identifier(kind, label.strip().upper())
        assert record.key == record.id == label.strip().upper()
        assert not record.is_identified

    def test_device_may_declare_several_labels_and_is_found_by_the_first(self) -> None:
        labels = {"imei": "352753000000001", "iccid": "8" * 20, "serial_number": "p046ab123"}
        (record,) = read_manifest(manifest(labels)).devices
        assert record.declared_by == Identifier("serial_number", "P046AB123")
        assert record.labels == {
            Identifier("iccid", "8" * 20): "devices[0].iccid",
            Identifier("imei", "352753000000001"): "devices[0].imei",
        }
        (record,) = read_manifest(manifest({"id": ONE, **labels})).devices
        assert (record.id, record.declared_by, len(record.labels)) == (ONE, None, 3)

    def test_labels_of_two_devices_must_differ(self) -> None:
        devices = [{"id": device, "iccid": "8" * 20} for device in (ONE, TWO)]
        (sentence,) = mistakes(manifest(*devices))
        assert sentence == f"devices[1].iccid: '{'8' * 20}' is already used at devices[0].iccid"

    def test_device_may_be_declared_unclaimed(self) -> None:
        (record,) = read_manifest({"devices": [{"id": ONE, "claimed": False}]}).devices
        assert record.claimed is False

    def test_repr_of_a_manifest_contains_no_parameter_values(self) -> None:
        assert "hush" not in repr(read_manifest(with_network({"parameters": {"key": "hush"}})))
        assert "hush" not in repr(read_manifest(in_mesh({"network": "barn", "parameters": {"key": "hush"}})))

    def test_member_may_have_parameters_of_its_own(self) -> None:
        _unused, record = read_manifest(
            in_mesh({"network": "barn", "parameters": {"key": "hush", "peers": [1]}})
        ).devices
        assert record.mesh is not None
        assert record.mesh.parameters == {"key": "hush", "peers": [1]}
        assert record.mesh == Membership("barn", "node")


class TestMistakes:
    """Each mistake is one sentence that begins with its place."""

    @pytest.mark.parametrize(
        ("data", "mistake"),
        [
            (None, "the manifest: is empty; declare devices"),
            ([], "the manifest: must be a mapping, got a list; valid keys are product, .*"),
            ("fleet.yml", "the manifest: must be a mapping, got a string; valid keys are product, .*"),
            ({}, "the manifest: the key devices is missing"),
            (manifest(prodcut=1), r"prodcut: unknown key \(did you mean product\?\); valid keys are product, .*"),
            ({"product": None, "devices": []}, "product: must be the id or slug of a product, got nothing"),
            ({"product": " ", "devices": []}, "product: must be the id or slug of a product, got a string"),
            (
                {"product": True, "devices": []},
                "product: must be the id or slug of a product, got true.*; put it in quotes, or .*",
            ),
            (manifest(groups_mode="replace"), "groups_mode: must be one of add, exact, got 'replace'"),
            (manifest(groups_mode=None), "groups_mode: must be one of add, exact, got None"),
            (
                manifest(unique_names="yes"),
                "unique_names: must be true or false, got a string; remove the quotes, or .*",
            ),
            ({"product": "p", "devices": None}, "devices: must be a list, got nothing"),
            ({"product": "p", "devices": {"id": ONE}}, "devices: must be a list, got a mapping"),
        ],
    )
    def test_mistake_in_the_manifest_is_reported(self, data: Any, mistake: str) -> None:
        (sentence,) = mistakes(data)
        assert re.fullmatch(mistake, sentence), sentence

    @pytest.mark.parametrize(
        ("device", "mistake"),
        [
            (
                None,
                r"devices\[0\]: must be a mapping, got nothing; valid keys are id, .*, mesh, eui64, state",
            ),
            (ONE, r"devices\[0\]: must be a mapping, got a string; .*"),
            ({"name": "a"}, r"devices\[0\]: has no identifier; declare id, serial_number, iccid, imei or eui64"),
            ({"id": ONE, "colour": 4}, r"devices\[0\]\.colour: unknown key; valid keys are id, .*, mesh, eui64, state"),
            ({"id": ONE, "nmae": "a"}, r"devices\[0\]\.nmae: unknown key \(did you mean name\?\); valid keys .*"),
            ({"id": None}, r"devices\[0\]\.id: must be a device id \(24 hexadecimal digits\), got nothing"),
            ({"id": "e00f"}, r"devices\[0\]\.id: 'e00f' is not a device id \(24 hexadecimal digits\)"),
            ({"id": f"{ONE}\n0"}, r"devices\[0\]\.id: .* is not a device id .*"),
            ({"id": ONE[:-1] + "g"}, r"devices\[0\]\.id: .* is not a device id .*"),
            ({"id": 10**23}, r"devices\[0\]\.id: 1(0){23} is read as a number: put the device id in quotes, or .*"),
            ({"id": True}, r"devices\[0\]\.id: must be a device id \(24 hexadecimal digits\), got true .*"),
            (
                {"id": ONE, "name": 7},
                r"devices\[0\]\.name: must be a string, got the number 7; put it in quotes, or .*",
            ),
            ({"id": ONE, "name": None}, r"devices\[0\]\.name: must be a string, got nothing"),
            ({"id": ONE, "name": False}, r"devices\[0\]\.name: must be a string, got false.*; put it in quotes, or .*"),
            ({"id": ONE, "name": ["a"]}, r"devices\[0\]\.name: must be a string, got a list"),
            ({"id": ONE, "name": " "}, r"devices\[0\]\.name: is empty"),
            (
                {"id": ONE, "notes": 1.5},
                r"devices\[0\]\.notes: must be a string, got a number.*; put it in quotes, or .*",
            ),
            ({"id": ONE, "notes": date(2026, 1, 1)}, r"devices\[0\]\.notes: must be a string, got a date; .*"),
            ({"id": ONE, "groups": "north"}, r"devices\[0\]\.groups: must be a list, got a string"),
            (
                {"id": ONE, "groups": [2026]},
                r"devices\[0\]\.groups\[0\]: must be a string, got the number 2026; put it in quotes, or .*",
            ),
            ({"id": ONE, "groups": ["a", "B"]}, r"devices\[0\]\.groups\[1\]: 'B' is not a valid group name: .*"),
            ({"id": ONE, "groups": [""]}, r"devices\[0\]\.groups\[0\]: '' is not a valid group name: .*"),
            (
                {"id": ONE, "groups": ["mesh-barn"]},
                r"devices\[0\]\.groups\[0\]: 'mesh-barn' is reserved: declare .* mesh .*",
            ),
            (
                {"id": ONE, "claimed": "yes"},
                r"devices\[0\]\.claimed: must be true or false, got a string; remove the quotes, or .*",
            ),
            ({"id": ONE, "development": 1}, r"devices\[0\]\.development: must be true or false, got a number"),
            ({"id": ONE, "firmware_lock": True}, r"devices\[0\]\.firmware_lock: must be a version .*, got True"),
            ({"id": ONE, "firmware_lock": -1}, r"devices\[0\]\.firmware_lock: must be a version .*, got -1"),
            ({"id": ONE, "firmware_lock": "4 2"}, r"devices\[0\]\.firmware_lock: .* or unlocked, got '4 2'"),
            ({"id": ONE, "imei": "3527"}, r"devices\[0\]\.imei: '3527' is not a valid IMEI: .*"),
            ({"id": "8,90141E+23"}, r"devices\[0\]\.id: '8,90141E\+23' is a number that a spreadsheet .* shortened.*"),
            ({"iccid": "8.90141E+19"}, r"devices\[0\]\.iccid: '8.90141E\+19' is a number that a spreadsheet .*"),
            ({"id": ONE, "imei": "3.5E+14"}, r"devices\[0\]\.imei: '3.5E\+14' is a number that a spreadsheet .*"),
            ({"serial_number": 123456}, r"devices\[0\]\.serial_number: must be a string, got a number; .*"),
            ({"serial_number": "a b c d"}, r"devices\[0\]\.serial_number: 'a b c d' is not a valid serial number: .*"),
            ({"iccid": "8901"}, r"devices\[0\]\.iccid: '8901' is not a valid ICCID: 18 to 22 digits"),
            (
                {"imei": "35275300000000X"},
                r"devices\[0\]\.imei: '35275300000000X' is not a valid IMEI: 14 to .*",
            ),
        ],
    )
    def test_mistake_in_a_device_is_reported(self, device: Any, mistake: str) -> None:
        (sentence,) = mistakes(manifest(device))
        assert re.fullmatch(mistake, sentence), sentence

    @pytest.mark.parametrize(
        ("mesh", "mistake"),
        [
            (None, "must be a mapping, got nothing; valid keys are network, role, parameters, state, joiner"),
            ("barn", "must be a mapping, got a string; valid keys are network, role, parameters, state, joiner"),
            ({}, "has no network"),
            ({"role": "node"}, "has no network"),
            ({"network": "shed"}, "network: 'shed' is not declared under networks; declared are barn"),
            (
                {"network": ["barn"]},
                "network: ['barn'] is not declared under networks (did you mean barn?); declared are barn",
            ),
            (
                {"network": "bran"},
                "network: 'bran' is not declared under networks (did you mean barn?); declared are barn",
            ),
            ({"network": "barn", "role": "router"}, "role: must be one of gateway, node, got 'router'"),
            (
                {"network": "barn", "role": "Gatway"},
                "role: must be one of gateway, node, got 'Gatway' (did you mean gateway?)",
            ),
            ({"network": "barn", "role": {}}, "role: must be one of gateway, node, got {}"),
            ({"network": "barn", "state": "gone"}, "state: must be one of present, absent, got 'gone'"),
            (
                {"network": "barn", "channel": 1},
                "channel: unknown key; valid keys are network, role, parameters, state",
            ),
            (
                {"network": "barn", "state": "absent"},
                "network: cannot be combined with state absent, which removes the device from its network",
            ),
            (
                {"role": "node", "state": "absent"},
                "role: cannot be combined with state absent, which removes the device from its network",
            ),
            (
                {"parameters": {"key": "hush"}, "state": "absent"},
                "parameters: cannot be combined with state absent, which removes the device from its network",
            ),
            ({"network": "barn", "parameters": None}, "parameters: must be a mapping, got nothing"),
            ({"network": "barn", "parameters": "hush"}, "parameters: must be a mapping, got a string"),
            (
                {"network": "barn", "parameters": {"keys": [{"at": date(2026, 1, 1)}]}},
                "parameters.keys[0].at: is a date, which JSON cannot contain; put it in quotes",
            ),
        ],
    )
    def test_mistake_in_a_membership_is_reported(self, mesh: Any, mistake: str) -> None:
        (sentence,) = mistakes(in_mesh(mesh))
        place = "devices[1].mesh"
        assert sentence in (f"{place}: {mistake}", f"{place}.{mistake}")

    def test_membership_is_refused_without_declared_networks(self) -> None:
        (sentence,) = mistakes(manifest({"id": ONE, "mesh": {"network": "barn"}}))
        assert sentence == "devices[0].mesh.network: 'barn' is not declared under networks; no networks are declared"

    @pytest.mark.parametrize(
        ("network", "mistake"),
        [
            (
                "ledger",
                "networks.barn: must be a mapping, got a string; valid keys are backend, state, parameters, gateways",
            ),
            ({"chanel": 1}, "networks.barn.chanel: unknown key; valid keys are backend, state, parameters, gateways"),
            ({"backend": "wired"}, "networks.barn.backend: must be one of ledger, networks, thread, got 'wired'"),
            ({"parameters": [15]}, "networks.barn.parameters: must be a mapping, got a list"),
            (
                {"parameters": {15: 1}},
                "networks.barn.parameters.15: must be a string, got a number; put it in quotes, or " + STRING,
            ),
            (
                {"parameters": {"since": [date(2026, 1, 1)]}},
                "networks.barn.parameters.since[0]: is a date, which JSON cannot contain; put it in quotes",
            ),
            (
                {"parameters": {"x": {"y": b""}}},
                "networks.barn.parameters.x.y: is a bytes, which JSON cannot contain; put it in quotes",
            ),
            (
                {"parameters": {"x": float("inf")}},
                "networks.barn.parameters.x: inf cannot be written as a number in JSON",
            ),
            ({"gateways": ONE}, "networks.barn.gateways: must be a list, got a string"),
            (
                {"gateways": [ONE, 5]},
                "networks.barn.gateways[1]: 5 is read as a number: put the device id in quotes, or " + STRING,
            ),
            ({"gateways": ["x"]}, "networks.barn.gateways[0]: 'x' is not a device id (24 hexadecimal digits)"),
        ],
    )
    def test_mistake_in_a_network_is_reported(self, network: Any, mistake: str) -> None:
        assert mistakes(with_network(network)) == [mistake]

    @pytest.mark.parametrize(
        ("network", "mistake"),
        [
            ({"parameters": {"type": "tiny"}}, "networks.barn.parameters.type: must be one of micro_wifi, "),
            ({"parameters": {"limit": 0}}, "networks.barn.parameters.limit: must be a number of devices, at least 1"),
            ({"parameters": {"limit": True}}, "networks.barn.parameters.limit: must be a number of devices"),
            ({"parameters": {"limit": "9"}}, "networks.barn.parameters.limit: must be a number of devices"),
            ({"parameters": {"channel": 15}}, "networks.barn.parameters.channel: unknown key; valid keys are"),
            ({"parameters": {"password": "hush"}}, "networks.barn.parameters.password: cannot be declared"),
        ],
    )
    def test_mistake_in_a_registry_network_is_reported(self, network: Any, mistake: str) -> None:
        (sentence,) = mistakes(with_network({"backend": "networks", **network}))
        assert sentence.startswith(mistake)
        assert "hush" not in sentence

    def test_parameters_of_a_registry_member_are_refused(self) -> None:
        data = in_mesh({"network": "barn", "parameters": {"key": "hush"}})
        data["networks"] = {"barn": {"backend": "networks"}}
        (sentence,) = mistakes(data)
        assert sentence.startswith("devices[1].mesh.parameters: cannot be declared for a member of backend networks")
        assert "hush" not in sentence

    @pytest.mark.parametrize("name", ["", "x" * 17, "ä" * 9, "..", " barn", "ba\nrn"])
    def test_invalid_name_of_a_registry_network_is_reported(self, name: str) -> None:
        (sentence,) = mistakes(with_network({"backend": "networks"}, name))
        assert sentence.startswith(f"networks.{name}: ")

    @pytest.mark.parametrize("key", ["parameters", "gateways"])
    def test_dissolved_network_cannot_have_parameters_or_gateways(self, key: str) -> None:
        value: Any = {} if key == "parameters" else []
        (sentence,) = mistakes(manifest(networks={"barn": {"state": "absent", key: value}}))
        assert sentence == f"networks.barn.{key}: cannot be combined with state absent, which dissolves the network"

    def test_member_of_a_dissolved_network_is_refused(self) -> None:
        device = {"id": ONE, "mesh": {"network": "barn"}}
        (sentence,) = mistakes(manifest(device, networks={"barn": {"state": "absent"}}))
        assert sentence == "devices[0].mesh.network: barn is declared with state absent"

    @pytest.mark.parametrize("mesh", [{"network": "shed"}, {"state": "absent"}])
    def test_named_gateway_cannot_join_another_network_or_leave(self, mesh: Any) -> None:
        networks = {"barn": {"gateways": [ONE]}, "shed": {"gateways": [TWO]}}
        (sentence,) = mistakes(manifest({"id": ONE, "mesh": mesh}, networks=networks))
        assert sentence == "devices[0].mesh: network barn names this device as a gateway"

    def test_gateway_of_two_networks_is_refused(self) -> None:
        networks = {"barn": {"gateways": [ONE]}, "shed": {"gateways": [TWO, ONE]}}
        assert mistakes(manifest(networks=networks)) == [
            f"networks.shed.gateways[1]: {ONE} is already a gateway of barn"
        ]

    @pytest.mark.parametrize(
        ("name", "mistake"),
        [
            ("Barn", "networks.Barn: is not a valid network name: use 1 to 32 characters from a-z, 0-9, _ and -"),
            ("", "networks.: is not a valid network name: use 1 to 32 characters from a-z, 0-9, _ and -"),
            (
                "b" * 33,
                f"networks.{'b' * 33}: is not a valid network name: use 1 to 32 characters from a-z, 0-9, _ and -",
            ),
            (15, "networks.15: must be a string, got the number 15; put it in quotes, or " + STRING),
            ("gateway", "networks.gateway: is not a valid network name: it is the name of a role"),
        ],
    )
    def test_invalid_network_name_is_reported(self, name: Any, mistake: str) -> None:
        assert mistakes(manifest(networks={name: {}})) == [mistake]

    def test_list_of_networks_is_refused(self) -> None:
        (sentence,) = mistakes(manifest(networks=["barn"]))
        assert sentence == "networks: must be a mapping from names to networks, got a list"

    def test_network_with_nodes_but_no_gateway_is_refused(self) -> None:
        node = {"id": ONE, "mesh": {"network": "barn"}}
        (sentence,) = mistakes(manifest(node, networks={"barn": {}}))
        assert sentence == "networks.barn: has nodes but no gateway; declare role gateway for one of its devices"

    def test_named_gateway_cannot_have_the_role_node(self) -> None:
        node = {"id": ONE, "mesh": {"network": "barn"}}
        (sentence,) = mistakes(manifest(node, networks={"barn": {"gateways": [ONE]}}))
        assert sentence == "devices[0].mesh.role: is node, but the network names this device as a gateway"

    def test_gateway_with_another_mistake_still_counts_as_gateway(self) -> None:
        gateway = {"id": "x", "mesh": {"network": "barn", "role": "gateway"}}
        node = {"id": ONE, "mesh": {"network": "barn"}}
        (sentence,) = mistakes(manifest(gateway, node, networks={"barn": {}}))
        assert sentence.startswith("devices[0].id:")

    def test_duplicate_device_id_is_refused(self) -> None:
        (sentence,) = mistakes(manifest({"id": ONE}, {"id": TWO}, {"id": ONE.upper()}))
        assert sentence == f"devices[2].id: '{ONE}' is already used at devices[0].id"

    def test_duplicate_device_name_is_refused(self) -> None:
        (sentence,) = mistakes(manifest({"id": ONE, "name": "a"}, {"id": TWO, "name": "a"}))
        assert sentence == "devices[1].name: 'a' is already used at devices[0].name"

    def test_all_mistakes_are_reported_in_one_error(self) -> None:
        data = manifest(
            {"id": ONE, "name": 1, "groups": ["mesh-x"]},
            {"id": ONE},
            {"id": "short"},
            groups_mode="all",
        )
        error = refusal(data)
        assert error.message.startswith("The manifest has 5 mistakes:\n")
        assert [sentence.split(":")[0] for sentence in mistakes(data)] == [
            "groups_mode",
            "devices[0].name",
            "devices[0].groups[0]",
            "devices[2].id",
            "devices[1].id",
        ]
        assert error.hint == "Correct the manifest and run again; no request was sent."

    def test_mistakes_of_one_kind_are_written_once(self) -> None:
        found = mistakes(manifest(*[{"id": f"x{index}", "nmae": "a"} for index in range(1000)]))
        others = ", ".join(f"'x{index}' at devices[{index}].id" for index in range(1, 11))
        assert found == [
            "devices[0].nmae: unknown key (did you mean name?); valid keys are "
            f"{', '.join(list_device_keys())} (on 1000 devices)",
            "devices[0].id: 'x0' is not a device id (24 hexadecimal digits) "
            f"(on 1000 devices; also {others} and 989 more)",
        ]

    def test_at_most_twenty_kinds_of_mistakes_are_shown(self) -> None:
        found = mistakes(manifest({"id": ONE, **{f"{letter}zz": 1 for letter in "abcdefghijklmnopqrstuvwxy"}}))
        assert (len(found), found[-1]) == (21, "and 5 more")


class TestClaims:
    """Only claimed devices belong to the account."""

    def test_unclaimed_device_without_product_cannot_have_a_name(self) -> None:
        (sentence,) = mistakes({"devices": [{"id": ONE, "claimed": False, "name": "a"}]})
        assert sentence == "devices[0].claimed: is false, but an unclaimed device cannot have name"

    def test_unclaimed_device_of_a_product_can_have_a_name(self) -> None:
        assert read_manifest(manifest({"id": ONE, "claimed": False, "name": "a"})).devices

    def test_device_of_the_account_is_removed_only_if_unclaimed(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_manifest({"devices": [{"id": ONE}, {"id": TWO, "claimed": False}]}, absent=True)
        assert "devices[0]: a device of the account can only be removed by giving up its claim" in caught.value.message
        assert "devices[1]" not in caught.value.message


class TestRemoval:
    """A part of a network can be removed while the rest stays."""

    def test_nodes_can_be_removed_without_a_declared_gateway(self) -> None:
        data = manifest({"id": ONE, "mesh": {"network": "barn"}}, networks={"barn": {}})
        assert len(mistakes(data)) == 1
        assert read_manifest(data, absent=True).absent

    def test_absent_device_keeps_only_what_its_removal_needs(self) -> None:
        mesh = {"network": "barn"}
        absent = {"id": ONE, "state": "absent", "name": "a", "notes": "", "groups": ["north"], "mesh": mesh}
        record, other = read_manifest(
            {
                **manifest({**absent, "claimed": True, "environment": {"A": 1}}, {"id": TWO, "name": "a"}),
                "networks": {"barn": {}},
                "name_template": "{id}",
            }
        ).devices
        assert record.is_removed
        assert (record.fields, record.groups, record.claimed, record.environment) == ({"name": "a"}, None, None, {})
        assert (record.mesh, record.leaves_mesh) == (None, True)
        assert not other.is_removed

    def test_absent_gateway_serves_no_network(self) -> None:
        gateway = {"id": ONE, "state": "absent", "mesh": {"network": "barn", "role": "gateway"}}
        node = {"id": TWO, "mesh": {"network": "barn"}}
        (sentence,) = mistakes(manifest(gateway, node, networks={"barn": {}}))
        assert "has nodes but no gateway" in sentence
        (sentence,) = mistakes(manifest(gateway, networks={"barn": {"gateways": [ONE]}}))
        assert "network barn names this device as a gateway" in sentence

    def test_absent_device_gets_no_name_from_the_template(self) -> None:
        (record,) = read_manifest({**manifest({"id": ONE, "state": "absent"}), "name_template": "{id}"}).devices
        assert record.fields == {}

    def test_absent_device_of_the_account_must_be_unclaimed(self) -> None:
        (sentence,) = mistakes({"devices": [{"id": ONE, "state": "absent"}]})
        assert "can only be removed by giving up its claim" in sentence
        declared = {"id": ONE, "state": "absent", "claimed": False, "name": "a"}
        assert read_manifest({"devices": [declared]}).devices[0].claimed is False

    def test_unknown_state_is_refused(self) -> None:
        (sentence,) = mistakes(manifest({"id": ONE, "state": "gone"}))
        assert sentence.startswith("devices[0].state: ")

    def test_present_device_cannot_be_removed_with_all_devices(self) -> None:
        data = manifest({"id": ONE, "state": "present"}, {"id": TWO, "state": "absent"})
        with pytest.raises(ParticleError, match=r"devices\[0\].state: is present, but the task removes all devices"):
            read_manifest(data, absent=True)


class TestNameTemplate:
    """Devices without a declared name get one from the template."""

    @staticmethod
    def names(template: str, *devices: Any, **more: Any) -> list[Any]:
        """Return the names of the devices of a manifest with this template."""
        read = read_manifest(manifest(*devices, name_template=template, **more))
        return [record.fields["name"] for record in read.devices]

    def test_index_counts_from_one_with_leading_zeros(self) -> None:
        assert self.names("unit-{index:3}", {"id": ONE}, {"id": TWO}) == ["unit-001", "unit-002"]

    def test_width_takes_the_last_characters_of_an_identifier(self) -> None:
        devices = [{"id": ONE}, {"id": TWO}]
        assert self.names("{id:4}/{id}", *devices) == [f"{ONE[-4:]}/{ONE}", f"{TWO[-4:]}/{TWO}"]
        assert self.names("{serial_number:3}", {"serial_number": "P046AB123"}) == ["123"]

    def test_network_and_role_are_placeholders(self) -> None:
        gateway = {"id": ONE, "mesh": {"network": "barn", "role": "gateway"}}
        node = {"id": TWO, "mesh": {"network": "barn"}}
        names = self.names("{network}-{role}-{index}", gateway, node, networks={"barn": {}})
        assert names == ["barn-gateway-1", "barn-node-2"]

    def test_declared_name_is_preferred_to_the_template(self) -> None:
        assert self.names("unit-{index}", {"id": ONE, "name": "own"}, {"id": TWO}) == ["own", "unit-2"]

    def test_doubled_braces_are_literal_braces(self) -> None:
        assert self.names("{{{index}}}", {"id": ONE}) == ["{1}"]

    @pytest.mark.parametrize(
        ("template", "mistake"),
        [
            ("{colour}", r"name_template: \{colour\} is not a valid placeholder; use index, id, .*, role"),
            ("{rol}", r"name_template: \{rol\} is not a valid placeholder \(did you mean role\?\); use .*, role"),
            ("{index!r}", r"name_template: \{index!r\} is not valid: remove !r"),
            ("{index:x}", r"name_template: \{index:x\} is not valid: the width must be a number from 1 to 99"),
            ("{index:0}", r"name_template: \{index:0\} is not valid: .*"),
            ("{index:100}", r"name_template: \{index:100\} is not valid: the width must be a number from 1 to 99"),
            ("{index:99999999999}", r"name_template: \{index:99999999999\} is not valid: .*"),
            ("{index", r"name_template: is not a valid template: .*"),
            ("{}", r"name_template: \{\} is not a valid placeholder.*"),
            ("unit", r"name_template: gives all devices the same name; use one of index, id, .*"),
            ("{network}", r"name_template: gives all devices the same name; use one of index, id, .*"),
            (7, r"name_template: must be a string, got the number 7; put it in quotes, or .*"),
            ("{imei}", r"devices\[0\]: has no imei, which name_template requires"),
            ("{index}-{role}", r"devices\[0\]: has no role, which name_template requires"),
            ("unit {index} ", r"devices\[0\]: gets a name from name_template that begins or ends with blank space.*"),
            ("unit\u200b{index}", r"devices\[0\]: gets a name from .* that contains the invisible character U\+200B.*"),
            ("u" * 300 + "{index}", r"devices\[0\]: gets a name from name_template that has 301 characters; use .*"),
        ],
    )
    def test_invalid_template_is_reported(self, template: Any, mistake: str) -> None:
        (sentence,) = mistakes(manifest({"id": ONE}, name_template=template))
        assert re.fullmatch(mistake, sentence), sentence

    def test_unclaimed_device_gets_no_name(self) -> None:
        devices = [{"id": ONE, "claimed": False}, {"id": TWO, "claimed": True}]
        one, two = read_manifest({"devices": devices, "name_template": "unit-{index}"}).devices
        assert (dict(one.fields), dict(two.fields)) == ({}, {"name": "unit-2"})

    def test_index_is_refused_for_devices_without_a_fixed_order(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_manifest(manifest({"id": ONE}, name_template="{index}"), ordered=False)
        assert "depends on the batch of hosts" in caught.value.message
        assert read_manifest(manifest({"id": ONE}, name_template="{id:6}"), ordered=False).devices

    def test_duplicate_names_from_a_template_are_refused(self) -> None:
        devices = [{"id": "0" * 20 + "aaaa"}, {"id": "1" * 20 + "aaaa"}]
        (sentence,) = mistakes(manifest(*devices, name_template="unit-{id:4}"))
        assert sentence == "devices[1].name: 'unit-aaaa' is already used at devices[0].name"


class TestManifestFile:
    """Mistakes in a file are reported with its name and line."""

    @staticmethod
    def mistakes(text: str) -> list[str]:
        """Return the mistakes of a manifest file, one sentence each."""
        with pytest.raises(ParticleError) as caught:
            read_manifest(*parse_yaml(text, "fleet.yml"))
        return caught.value.message.split("\n  ")[1:]

    def test_each_mistake_has_its_line(self) -> None:
        text = f"""\
product: field-logger
devices:
  - id: {ONE}
  - name: nameless
    colour: red
  - id: 123456789012345678901234
    groups:
      - north
      - South
"""
        assert self.mistakes(text) == [
            "fleet.yml:5 devices[1].colour: unknown key; valid keys are id, serial_number, iccid, imei, name, "
            "notes, groups, development, firmware_lock, approval, replaces, environment, from_product, "
            "claimed, mesh, eui64, state",
            "fleet.yml:4 devices[1]: has no identifier; declare id, serial_number, iccid, imei or eui64",
            "fleet.yml:6 devices[2].id: 123456789012345678901234 is read as a number: put the device id in quotes, or "
            + STRING,
            "fleet.yml:9 devices[2].groups[1]: 'South' is not a valid group name: use only a-z, 0-9, _ and -",
        ]

    def test_deprecated_names_are_read_and_named_once_with_a_line(self) -> None:
        text = f"product: p\ndevices:\n- id: {ONE}\n  firmware_version: 42\n- id: {TWO}\n  firmware_version: unlocked\n"
        found = read_manifest(*parse_yaml(text, "fleet.yml"))
        assert [record.fields for record in found.devices] == [{"firmware_lock": 42}, {"firmware_lock": "unlocked"}]
        assert found.deprecations == (
            "fleet.yml:4 devices[0].firmware_version (and at 1 other place): "
            "firmware_version is deprecated as the name of firmware_lock; rename the key.",
        )

    def test_field_under_two_names_is_a_mistake(self) -> None:
        text = f"product: p\ndevices:\n- id: {ONE}\n  firmware_lock: 42\n  firmware_version: 42\n"
        said = "is the deprecated name of firmware_lock; declare only firmware_lock"
        assert self.mistakes(text) == [f"fleet.yml:5 devices[0].firmware_version: {said}"]

    def test_deprecated_name_requires_a_product_too(self) -> None:
        with pytest.raises(ParticleError) as caught:
            read_manifest({"devices": [{"id": ONE, "firmware_version": 42}]})
        assert caught.value.code == "unsupported"

    def test_empty_file_is_one_mistake(self) -> None:
        (sentence,) = self.mistakes("")
        assert sentence == "fleet.yml:1 the manifest: is empty; declare devices"

    def test_duplicate_id_is_reported_with_both_lines(self) -> None:
        text = f"product: p\ndevices:\n- id: {ONE}\n- id: {ONE}\n"
        assert self.mistakes(text) == [
            f"fleet.yml:4 devices[1].id: '{ONE}' is already used at fleet.yml:3 devices[0].id"
        ]

    def test_quoted_digits_are_a_device_id(self) -> None:
        data, where = parse_yaml('product: p\ndevices:\n- {id: "123456789012345678901234"}\n', "fleet.yml")
        assert read_manifest(data, where).devices[0].id == "123456789012345678901234"

    def test_memberships_may_share_an_anchor(self) -> None:
        text = f"""\
product: p
networks: {{barn: }}
devices:
  - id: {ONE}
    mesh: &gateway {{network: barn, role: gateway}}
  - id: {TWO}
    mesh: &node
      <<: *gateway
      role: node
  - id: {THREE}
    mesh: *node
"""
        read = read_manifest(*parse_yaml(text, "fleet.yml"))
        assert [record.mesh.role for record in read.devices if record.mesh] == ["gateway", "node", "node"]


class TestManifestWithoutProduct:
    """Groups and ledger networks require a product."""

    def test_devices_of_the_account_can_be_claimed_and_named(self) -> None:
        (record,) = read_manifest({"devices": [{"id": ONE, "name": "a", "claimed": True}]}).devices
        assert (record.claimed, record.fields) == (True, {"name": "a"})

    def test_items_that_require_a_product_are_listed(self) -> None:
        gateway = {"id": ONE, "groups": ["north"], "mesh": {"network": "barn", "role": "gateway"}}
        error = refusal({"devices": [gateway, {"id": TWO, "groups": []}], "networks": {"barn": {}}})
        assert error.code == "unsupported"
        assert error.message.split("\n  ") == [
            "The manifest declares 3 items that require a product, of 2 kinds:",
            "networks.barn: a network of backend ledger requires a product",
            "devices[0].groups: requires a product (on 2 devices)",
        ]
        assert error.hint == "Set product, or remove these items."

    def test_mistakes_are_reported_before_a_missing_product(self) -> None:
        assert refusal({"devices": [{"id": "x", "groups": []}]}).code == "invalid_manifest"


TEXT = st.text(max_size=6)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=3) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.integers(), inner, max_size=3),
    max_leaves=6,
)


def maybe_wrong(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Build a strategy for mappings with any of ``keys``, whose values may be junk."""
    return st.fixed_dictionaries({}, optional={key: value | JUNK for key, value in keys.items()})


IDS = st.sampled_from([ONE, TWO, THREE, ONE.upper(), "x", 10**23])
NETWORKS = st.sampled_from(["barn", "shed", "node", "Barn"])
NEARLY_VALID = maybe_wrong(
    product=st.just("p"),
    groups_mode=st.sampled_from(["add", "exact"]),
    unique_names=st.booleans(),
    networks=st.dictionaries(
        NETWORKS | TEXT | st.integers(),
        maybe_wrong(
            backend=st.sampled_from(["ledger", "networks"]),
            state=st.just("present"),
            parameters=st.dictionaries(TEXT, JUNK, max_size=2),
            gateways=st.lists(IDS),
        ),
        max_size=3,
    ),
    devices=st.lists(
        maybe_wrong(
            id=IDS,
            name=TEXT,
            notes=TEXT,
            groups=st.lists(st.sampled_from(["north", "mesh-x"]) | JUNK, max_size=3),
            claimed=st.booleans(),
            mesh=maybe_wrong(
                network=NETWORKS,
                role=st.sampled_from(["gateway", "node"]),
                state=st.sampled_from(["present", "absent"]),
            ),
        )
        | JUNK,
        max_size=4,
    ),
)


@given(NEARLY_VALID | JUNK)
def test_any_data_is_read_or_refused(data: Any) -> None:
    code = None
    try:
        read_manifest(data)
    except ParticleError as error:
        code = error.code
    assert code in (None, "invalid_manifest", "unsupported")


NAMES = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), min_size=1, max_size=8)
    .map(str.strip)
    .filter(bool)
)
GROUPS = st.lists(
    st.from_regex(r"[a-z0-9_-]{1,6}", fullmatch=True).filter(lambda name: not name.startswith("mesh-")), max_size=3
)
MESHES = st.fixed_dictionaries(
    {"network": st.sampled_from(["barn", "shed"])},
    optional={"role": st.sampled_from(["gateway", "node"]), "state": st.just("present")},
) | st.just({"state": "absent"})
RECORDS = st.fixed_dictionaries(
    {"id": st.integers(10, 2**64 - 1).map(device_id)},  # never the id of a gateway in VALID
    optional={"name": NAMES, "notes": st.text(max_size=8), "groups": GROUPS, "mesh": MESHES},
)
VALID = st.fixed_dictionaries(
    {
        "product": NAMES,
        "devices": st.lists(RECORDS, max_size=6, unique_by=lambda record: str(record["id"])),
        "networks": st.fixed_dictionaries(
            {name: st.just({"gateways": [one]}) for name, one in (("barn", ONE), ("shed", TWO))}
        ),
        "unique_names": st.just(False),
    },
    optional={"groups_mode": st.sampled_from(["add", "exact"])},
)


@given(VALID)
def test_valid_manifest_is_read_as_declared(data: Mapping[str, Any]) -> None:
    read = read_manifest(data)
    assert read.product == data["product"].strip()
    assert read.exact_groups == (data.get("groups_mode") == "exact")
    for declared, record in zip(data["devices"], read.devices, strict=True):
        mesh = declared.get("mesh", {})
        assert record.id == declared["id"]
        assert record.fields == {key: declared[key] for key in ("name", "notes") if key in declared}
        assert record.groups == (frozenset(declared["groups"]) if "groups" in declared else None)
        assert record.leaves_mesh == (mesh.get("state") == "absent")
        assert record.mesh == (Membership(mesh["network"], mesh.get("role", "node")) if "network" in mesh else None)
