# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Build fleets in which devices are replaced, and check the state of the cloud after each write of the replacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from support.declared import normalize_state
from support.mesh_observer import FleetObserver
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator

PARAMETERS = {"channel": 15, "power": 0}
KEPT = ("name", "notes", "groups", "desired_firmware_version")


@dataclass(frozen=True)
class OldDevice:
    """A device of the fleet.

    :param record: its declared values, without an identifier.
    :param mesh: its declared membership; empty if it is in no network.
    :param is_replaced: whether another device takes its place.
    :param named_by: how the replacement names it: `id`, `serial_number` or `name`.
    :param declares_new_by: how the manifest declares the new device: `id` or `serial_number`.
    :param new_name: the name that the manifest declares for the new device; empty if the new device keeps the name.
    :param declares_mesh: whether the manifest declares the membership of the new device, which a gateway requires.
    """

    record: dict[str, Any]
    mesh: dict[str, Any] = field(default_factory=dict)
    is_replaced: bool = False
    named_by: str = "id"
    declares_new_by: str = "id"
    declares_mesh: bool = True
    new_name: str = ""


@dataclass(frozen=True)
class ReplacedFleet:
    """A fleet before and after devices of it are replaced.

    :param devices: the devices of the fleet.
    :param old: the list rows of these devices.
    :param new: for each of them, the list row of the device that may take its place.
    """

    devices: Sequence[OldDevice]
    old: Sequence[dict[str, Any]]
    new: Sequence[dict[str, Any]]

    @property
    def networks(self) -> list[str]:
        """The names of the networks."""
        return sorted({device.mesh["network"] for device in self.devices if device.mesh})

    @property
    def pairs(self) -> dict[str, str]:
        """The id of each replaced device, with the id of the new device."""
        rows = zip(self.devices, self.old, self.new, strict=True)
        return {old["id"]: new["id"] for device, old, new in rows if device.is_replaced}

    def declare_before(self) -> dict[str, Any]:
        """Build the manifest of the fleet before the replacement."""
        rows = zip(self.devices, self.old, strict=True)
        return self._declare(
            [
                {"id": row["id"], **device.record, **({"mesh": device.mesh} if device.mesh else {})}
                for device, row in rows
            ]
        )

    def declare_after(self) -> dict[str, Any]:
        """Build the manifest that replaces the devices.

        For a new device, it contains only the required declarations.
        """
        records = []
        for device, old, new in zip(self.devices, self.old, self.new, strict=True):
            mesh = {"mesh": device.mesh} if device.mesh else {}
            if not device.is_replaced:
                records.append({"id": old["id"], **mesh})
                continue
            named = device.record.get("name") if device.named_by == "name" else old[device.named_by]
            replaces: Any = named or old["id"]
            if "environment" in device.record:
                replaces = {"device": replaces, "environment": True}
            key = device.declares_new_by
            name = {"name": device.new_name} if device.new_name else {}
            records.append({key: new[key], "replaces": replaces, **name, **(mesh if device.declares_mesh else {})})
        return self._declare(records)

    def _declare(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        networks = {name: {"parameters": PARAMETERS} for name in self.networks}
        return {"product": PRODUCT_SLUG, "networks": networks, "devices": records}

    def observe(self, cloud: Simulator) -> FleetObserver:
        """Return an observer of the writes that follow. Members and the devices that replace them are declared."""
        observer = FleetObserver(cloud, self.networks)
        members = list(zip(self.devices, self.old, self.new, strict=True))
        for device, old, new in members:
            if device.mesh:
                membership = (device.mesh["network"], device.mesh.get("role", "node"))
                observer.declared_memberships = {
                    **observer.declared_memberships,
                    old["id"]: membership,
                    **({new["id"]: membership} if device.is_replaced else {}),
                }
        return observer


def check_writes(observer: FleetObserver, writes: Sequence[dict[str, Any]]) -> None:
    """Check after each write that no two devices have the same name, and that no node is without a gateway."""
    for write in writes:
        observer.apply_write(write)
        assert observer.find_shared_names() == set(), write
        assert observer.find_networks_without_gateway() == set(), write


def check_replaced(before: dict[str, Any], after: dict[str, Any], fleet: ReplacedFleet) -> None:
    """Check that the new devices have taken the place of the old ones, and that all other devices are as before.

    :param before: the state of the simulator before the replacement.
    :param after: the state after it.
    """
    then, now = normalize_state(before), normalize_state(after)
    pairs = fleet.pairs
    for declared, row in zip(fleet.devices, fleet.old, strict=True):
        device, place = row["id"], pairs.get(row["id"], row["id"])
        was, found = then["devices"][device], now["devices"][place]
        assert found["product"] == PRODUCT_ID
        renamed = {"name": declared.new_name} if declared.is_replaced and declared.new_name else {}
        assert {key: found[key] for key in KEPT} == {**{key: was[key] for key in KEPT}, **renamed}
        if device != place:
            assert now["devices"][device]["product"] is None
    instructions = [state["ledgers"].get("mesh", {"data": {}})["data"] for state in (then, now)]
    expected = {
        pairs.get(device, device): {**data, "gateways": sorted(pairs.get(one, one) for one in data["gateways"])}
        for device, data in instructions[0].items()
    }
    assert instructions[1] == expected
