# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""An existing fleet is exported as a manifest, and a run with that manifest writes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_cloud import PRODUCT, barn, device_id, ids_of, run, statuses, user
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.gather import gather_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Sources
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.export import export_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from support.simulator import Simulator

ONE, TWO, THREE = device_id(1), device_id(2), device_id(3)


def export(
    *rows: dict[str, Any], product: str | None = PRODUCT, only: list[str] | None = None, form: str = "minimal"
) -> tuple[dict[str, Any], list[str]]:
    """Export a fleet, and return its manifest and the warnings."""
    devices = {row["id"]: build_facts(row, product) for row in rows}
    warnings: list[str] = []
    exported = list(devices) if only is None else only
    return export_manifest(product, devices, exported, warnings.append, form), warnings


def member(device: str, role: str, network: str = "barn") -> dict[str, Any]:
    """Return the row of a member of a ledger network."""
    return {"id": device, "groups": [f"mesh-{network}", f"mesh-{role}", "north"]}


class TestDeviceExport:
    """A device is exported with the values that differ from the defaults."""

    def test_device_is_exported_with_its_values(self) -> None:
        row = {
            **member(ONE, "gateway"),
            "name": "barn-gateway",
            "notes": "north wall\nsecond line",
            "development": True,
            "desired_firmware_version": 42,
        }
        manifest, warnings = export(row)
        assert warnings == []
        assert manifest == {
            "product": PRODUCT,
            "networks": {"barn": {"backend": "ledger"}},
            "devices": [
                {
                    "id": ONE,
                    "name": "barn-gateway",
                    "notes": "north wall\nsecond line",
                    "groups": ["north"],
                    "development": True,
                    "firmware_lock": 42,
                    "mesh": {"network": "barn", "role": "gateway"},
                }
            ],
        }

    def test_default_values_are_omitted(self) -> None:
        row = {"id": ONE, "name": "  ", "notes": None, "development": False, "desired_firmware_version": None}
        assert export(row)[0] == {"product": PRODUCT, "devices": [{"id": ONE}]}

    def test_device_of_the_account_is_exported_as_claimed(self) -> None:
        manifest, _unused = export({"id": ONE, "name": "a", "groups": ["north"], "development": True}, product=None)
        assert manifest == {"devices": [{"id": ONE, "name": "a", "claimed": True}]}

    def test_shared_name_sets_unique_names_to_false(self) -> None:
        manifest, _unused = export({"id": ONE, "name": "a"}, {"id": TWO, "name": "a"})
        assert manifest["unique_names"] is False

    @pytest.mark.parametrize("trait", ["quarantined", "denied"])
    def test_quarantined_or_denied_device_is_omitted_with_a_warning(self, trait: str) -> None:
        manifest, warnings = export({"id": ONE, trait: True}, {"id": TWO})
        assert [device["id"] for device in manifest["devices"]] == [TWO]
        assert len(warnings) == 1
        assert "1 quarantined or denied device," in warnings[0]

    def test_invalid_device_id_or_group_is_omitted_with_a_warning(self) -> None:
        manifest, warnings = export({"id": "0123"}, {"id": ONE, "groups": ["North Wall", "south"]})
        assert manifest["devices"] == [{"id": ONE, "groups": ["south"]}]
        assert len(warnings) == 2

    def test_exact_export_without_all_groups_does_not_set_groups_mode(self) -> None:
        manifest, (warning,) = export({"id": ONE, "groups": ["North Wall", "south"]}, form="exact")
        assert "groups_mode" not in manifest
        assert manifest["devices"][0]["groups"] == ["south"]
        assert "groups_mode" in warning
        assert export({"id": ONE, "groups": ["south"]}, form="exact")[0]["groups_mode"] == "exact"

    def test_exact_export_of_unknown_groups_declares_no_groups_and_no_mesh(self) -> None:
        (unknown,) = export({"id": ONE}, form="exact")[0]["devices"]
        assert not {"groups", "mesh"} & unknown.keys()
        (known,) = export({"id": ONE, "groups": []}, form="exact")[0]["devices"]
        assert (known["groups"], known["mesh"]) == ([], {"state": "absent"})


class TestNetworkExport:
    """A network is exported with its gateways, never with its parameters."""

    def test_gateway_that_is_not_exported_is_named_in_its_network(self) -> None:
        rows = [member(ONE, "gateway"), member(TWO, "gateway"), member(THREE, "node")]
        assert export(*rows, only=[TWO, THREE])[0]["networks"] == {"barn": {"backend": "ledger", "gateways": [ONE]}}

    def test_network_without_exported_members_is_omitted(self) -> None:
        rows = [member(ONE, "gateway"), {"id": TWO}]
        assert "networks" not in export(*rows, only=[TWO])[0]

    @pytest.mark.parametrize(
        "row", [member(ONE, "node"), member(ONE, "gateway", "x" * 33), {"id": ONE, "groups": ["mesh-barn"]}]
    )
    def test_membership_in_an_invalid_network_is_omitted(self, row: dict[str, Any]) -> None:
        manifest, _unused = export(row)
        assert "networks" not in manifest
        assert "mesh" not in manifest["devices"][0]

    def test_membership_in_a_registry_network_is_omitted(self) -> None:
        manifest, _unused = export({"id": ONE, "network": {"id": "5c11", "name": "barn", "role": {"gateway": True}}})
        assert manifest == {"product": PRODUCT, "devices": [{"id": ONE}]}


names = st.none() | st.text(max_size=4)
groups = st.lists(st.sampled_from(["north", "south", "mesh-barn", "mesh-node", "mesh-gateway", "Odd Name", "mesh-"]))
rows = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from([ONE, TWO, THREE, "odd"])},
        optional={
            "name": names,
            "notes": names,
            "groups": groups,
            "quarantined": st.booleans(),
            "development": st.none() | st.booleans(),
            "desired_firmware_version": st.none() | st.integers(0, 70_000),
        },
    ),
    unique_by=lambda row: str(row["id"]),
)


@given(rows, st.booleans())
def test_exported_manifest_of_any_fleet_can_be_read(found: list[dict[str, Any]], of_product: bool) -> None:
    manifest, _unused = export(*found, product=PRODUCT if of_product else None)
    assert len(read_manifest(manifest).devices) == len(manifest["devices"])


def test_run_with_the_exported_manifest_writes_nothing(simulator: Simulator) -> None:
    ids = ids_of(simulator)
    simulator.add_firmware(7)
    with user(simulator) as http:
        declared = barn(ids, join_key="hush")
        for index, device in enumerate(declared["devices"]):
            device.update(groups=["north", "south"][: index % 3], notes="" if index % 2 else "north wall")
            device.update(development=index % 4 == 0, firmware_lock="unlocked" if index % 5 else 7)
            device["mesh"]["parameters"] = {"join_key": "hush-hush"} if index % 6 == 0 else {}
        run(http, declared)
        found = gather_facts(http, Sources((PRODUCT,), None, False), [{}])
        manifest = export_manifest(PRODUCT, found.devices, found.devices, [].append)
        http.sent.clear()
        again = run(http, manifest)
    assert "hush" not in repr(manifest)
    assert (again["changed"], http.writes) == (False, [])
    assert set(statuses(again).values()) == {"ok"}
