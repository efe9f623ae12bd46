# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A fleet that is there becomes the manifest that declares it, and a run of that manifest has nothing to write."""

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


def adopt(
    *rows: dict[str, Any], product: str | None = PRODUCT, only: list[str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The manifest of a fleet, and what was said beside it."""
    devices = {row["id"]: build_facts(row, product) for row in rows}
    said: list[str] = []
    return export_manifest(product, devices, list(devices) if only is None else only, said.append), said


def member(device: str, role: str, network: str = "barn") -> dict[str, Any]:
    return {"id": device, "groups": [f"mesh-{network}", f"mesh-{role}", "north"]}


class TestADevice:
    """Is declared as it is, and no more."""

    def test_is_declared_with_what_it_has(self) -> None:
        row = {
            **member(ONE, "gateway"),
            "name": "barn-gateway",
            "notes": "north wall\nsecond line",
            "development": True,
            "desired_firmware_version": 42,
        }
        manifest, said = adopt(row)
        assert said == []
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
                    "firmware_version": 42,
                    "mesh": {"network": "barn", "role": "gateway"},
                }
            ],
        }

    def test_is_declared_without_what_it_would_be_anyway(self) -> None:
        row = {"id": ONE, "name": "  ", "notes": None, "development": False, "desired_firmware_version": None}
        assert adopt(row)[0] == {"product": PRODUCT, "devices": [{"id": ONE}]}

    def test_of_the_account_is_declared_as_claimed(self) -> None:
        manifest, _unused = adopt({"id": ONE, "name": "a", "groups": ["north"], "development": True}, product=None)
        assert manifest == {"devices": [{"id": ONE, "name": "a", "claimed": True}]}

    def test_that_shares_its_name_may_keep_it(self) -> None:
        manifest, _unused = adopt({"id": ONE, "name": "a"}, {"id": TWO, "name": "a"})
        assert manifest["unique_names"] is False

    @pytest.mark.parametrize("trait", ["quarantined", "denied"])
    def test_that_waits_for_approval_is_not_approved_by_being_declared(self, trait: str) -> None:
        manifest, said = adopt({"id": ONE, trait: True}, {"id": TWO})
        assert [device["id"] for device in manifest["devices"]] == [TWO]
        assert len(said) == 1
        assert "1 quarantined or denied devices" in said[0]

    def test_that_a_manifest_cannot_hold_is_left_out_and_said(self) -> None:
        manifest, said = adopt({"id": "0123"}, {"id": ONE, "groups": ["North Wall", "south"]})
        assert manifest["devices"] == [{"id": ONE, "groups": ["south"]}]
        assert len(said) == 2


class TestANetwork:
    """Is declared by name and gateways, never by its keys."""

    def test_names_the_gateways_that_are_not_among_the_devices(self) -> None:
        rows = [member(ONE, "gateway"), member(TWO, "gateway"), member(THREE, "node")]
        assert adopt(*rows, only=[TWO, THREE])[0]["networks"] == {"barn": {"backend": "ledger", "gateways": [ONE]}}

    def test_that_none_of_the_devices_is_in_is_not_declared(self) -> None:
        rows = [member(ONE, "gateway"), {"id": TWO}]
        assert "networks" not in adopt(*rows, only=[TWO])[0]

    @pytest.mark.parametrize(
        "row", [member(ONE, "node"), member(ONE, "gateway", "x" * 33), {"id": ONE, "groups": ["mesh-barn"]}]
    )
    def test_that_a_manifest_cannot_hold_leaves_its_members_alone(self, row: dict[str, Any]) -> None:
        manifest, _unused = adopt(row)
        assert "networks" not in manifest
        assert "mesh" not in manifest["devices"][0]

    def test_of_the_registry_is_none_of_this_backend(self) -> None:
        manifest, _unused = adopt({"id": ONE, "network": {"id": "5c11", "name": "barn", "role": {"gateway": True}}})
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
def test_whatever_a_fleet_is_like_its_manifest_can_be_read(found: list[dict[str, Any]], of_product: bool) -> None:
    manifest, _unused = adopt(*found, product=PRODUCT if of_product else None)
    assert len(read_manifest(manifest).devices) == len(manifest["devices"])


def test_a_run_over_an_adopted_fleet_writes_nothing(simulator: Simulator) -> None:
    ids = ids_of(simulator)
    with user(simulator) as http:
        declared = barn(ids, join_key="hush")
        for index, device in enumerate(declared["devices"]):
            device.update(groups=["north", "south"][: index % 3], notes="" if index % 2 else "north wall")
            device.update(development=index % 4 == 0, firmware_version="unlocked" if index % 5 else 7)
            device["mesh"]["parameters"] = {"join_key": "hush-hush"} if index % 6 == 0 else {}
        run(http, declared)
        found = gather_facts(http, Sources((PRODUCT,), None, False), [{}])
        manifest = export_manifest(PRODUCT, found.devices, found.devices, [].append)
        http.sent.clear()
        again = run(http, manifest)
    assert "hush" not in repr(manifest)
    assert (again["changed"], http.writes) == (False, [])
    assert set(statuses(again).values()) == {"ok"}
