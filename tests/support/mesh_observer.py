# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Follow the writes that the simulator has accepted, to check conditions after each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from support.simulator import PRODUCT_ID, Simulator

Membership = tuple[str, str] | None
"""Network and role of a device."""


class MeshObserver:
    """An observer of the writes of a cloud that tracks the network and role of each device."""

    def __init__(self, cloud: Simulator, networks: Iterable[str]) -> None:
        self.networks = tuple(networks)
        state = cloud.state()
        self.names = {network["id"]: network["name"] for network in state["networks"]}
        self.registry = {
            device["id"]: (network["name"], device["role"])
            for network in state["networks"]
            for device in network["devices"]
        }
        instances = [
            entry for ledger in state["ledgers"] for entry in (ledger["instances"] if ledger["name"] == "mesh" else ())
        ]
        self.instructions: dict[str, Any] = {}
        self.listed_gateways: dict[str, set[str]] = {}
        for entry in instances:
            self._set_instructions(entry["scope_value"], entry["data"])
        self.groups = {device["id"]: set(device["groups"]) for device in state["devices"]}
        self.declared_memberships: Mapping[str, Membership] = {}
        """The declared memberships. A device that moves follows its old instructions until they are replaced."""

    def _set_instructions(self, device: str, data: Mapping[str, Any]) -> None:
        if data["network"] is None:  # the order to leave
            self.instructions.pop(device, None)
            return
        self.instructions[device] = (data["network"], data["role"])
        self.listed_gateways[device] = set(data["gateways"])

    def apply_write(self, write: Mapping[str, Any]) -> None:
        path, fields = write["path"], write["fields"]
        match write["route"]:
            case "POST /v1/networks":
                self.names[write["answer"]["network"]["id"]] = fields["name"]
                self.registry[fields["device_id"]] = (fields["name"], "gateway")
            case "PUT /v1/networks/:idOrName":
                role = "gateway" if fields["action"] == "gateway-enable" else "node"
                self.registry[fields["device_id"]] = (self.names[path["idOrName"]], role)
            case "DELETE /v1/networks/:idOrName":
                deleted = self.names[path["idOrName"]]
                self.registry = {
                    device: membership for device, membership in self.registry.items() if membership[0] != deleted
                }
            case "DELETE /v1/devices/:id/network":
                self.registry.pop(path["id"], None)
            case "PUT /v1/ledgers/:name/instances/:scopeValue":
                self._set_instructions(path["scopeValue"], fields["instance"]["data"])
            case "DELETE /v1/ledgers/:name/instances/:scopeValue":
                self.instructions.pop(path["scopeValue"], None)
            case "PUT /v1/products/:p/devices":
                for device in fields["devices"]:
                    self.groups[device] |= set(fields["metadata"].get("add", ()))
                    self.groups[device] -= set(fields["metadata"].get("remove", ()))
            case "DELETE /v1/products/:p/devices/:id":
                self.groups[path["id"]] = set()
            case "DELETE /v1/products/:p/groups/:name":
                for groups in self.groups.values():
                    groups.discard(path["name"])

    def find_networks_without_gateway(self) -> set[tuple[str, str]]:
        """Find the networks that have nodes but no gateway, each with the place that shows it."""
        views = {
            "registry": set(self.registry.values()),
            "instructions": set(self.instructions.values()),
            "groups": {
                (network, role)
                for groups in self.groups.values()
                for network in self.networks
                for role in ("gateway", "node")
                if {f"mesh-{network}", f"mesh-{role}"} <= groups
            },
        }
        missing = {
            (view, network)
            for view, memberships in views.items()
            for network, role in memberships
            if role == "node" and (network, "gateway") not in memberships
        }
        # A node connects to the gateways that its instructions list.
        gateways = {device for device, (_unused, role) in self.instructions.items() if role == "gateway"}
        return missing | {
            ("listed gateways", network)
            for device, (network, role) in self.instructions.items()
            if self.declared_memberships.get(device) == (network, role)
            and role == "node"
            and not any(self.instructions[other][0] == network for other in self.listed_gateways[device] & gateways)
        }


class FleetObserver(MeshObserver):
    """An observer that also tracks the names of the devices in the product."""

    def __init__(self, cloud: Simulator, networks: Iterable[str]) -> None:
        super().__init__(cloud, networks)
        devices = cloud.state()["devices"]
        self.ids = {label: row["id"] for row in devices for label in (row["id"], row["serial_number"])}
        self.all_names = {row["id"]: row["name"] for row in devices}
        self.members = {row["id"] for row in devices if row["product"] == PRODUCT_ID}

    def apply_write(self, write: Mapping[str, Any]) -> None:
        """Follow one write."""
        super().apply_write(write)
        match write["route"]:
            case "POST /v1/products/:p/devices":
                self.members |= {self.ids[label] for label in write["answer"]["updatedDeviceIds"]}
            case "PUT /v1/products/:p/devices/:id":
                if "name" in write["fields"]:
                    self.all_names[write["path"]["id"]] = write["fields"]["name"]
            case "DELETE /v1/products/:p/devices/:id":
                self.members.discard(write["path"]["id"])

    def find_shared_names(self) -> set[str]:
        """Find the names that several devices of the product have."""
        counts = Counter(name for device in self.members if (name := self.all_names[device]))
        return {name for name, number in counts.items() if number > 1}
