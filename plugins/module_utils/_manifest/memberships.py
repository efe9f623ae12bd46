# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the memberships of devices in networks, and check them against each other. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import suggest_similar
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import DeviceRecord
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import get_rules, list_rules
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    ROLES,
    Membership,
    Network,
    Rules,
)

_MESH_KEYS = ("network", "role", "parameters", "state")

Devices = list[tuple[Place, DeviceRecord]]
"""Declared devices, each with its path in the manifest."""


class MembershipReader:
    """A reader of the ``mesh`` of devices.

    :param reader: collects the mistakes.
    :param networks: the declared networks by name, with only the gateways that the networks themselves list.
    """

    def __init__(self, reader: ValueReader, networks: Mapping[str, Network]) -> None:
        self._reader = reader
        self._networks = networks
        # Networks for which a device declares the role gateway, even if the device has mistakes.
        self._has_gateway: set[str] = set()

    def read(self, value: Any, place: Place, *, is_staying: bool = True) -> tuple[Membership | None, bool]:
        """Return the membership in the ``mesh`` of a device, and whether the device must leave its network.

        :param place: the path of ``mesh`` in the manifest.
        :param is_staying: whether the device remains in the fleet, and can therefore be the gateway of its network.
        """
        rules = _find_rules(value, self._networks)
        mesh = self._reader.read_mapping(
            value, place, (*_MESH_KEYS, *(key for one in rules for key in one.member_keys))
        )
        if not isinstance(value, Mapping):
            return None, False
        state = self._reader.read_choice(mesh.get("state", "present"), (*place, "state"), ("present", "absent"))
        if state == "absent":
            for key in ("network", "role", "parameters"):
                if key in mesh:
                    phrase = "cannot be combined with state absent, which removes the device from its network"
                    self._reader.add_mistake((*place, key), phrase)
            return None, True
        role = self._reader.read_choice(mesh.get("role", NODE), (*place, "role"), ROLES)
        if "network" not in mesh:
            self._reader.add_mistake(place, "has no network")
            return None, False
        name = mesh["network"]
        extra: Mapping[str, Any] = {}
        if role == GATEWAY and is_staying:
            self._has_gateway.add(str(name))
        if isinstance(name, (bool, int, float)):
            self._reader.read_line(name, (*place, "network"))
        elif not isinstance(name, str) or name not in self._networks:
            known = f"declared are {', '.join(self._networks)}" if self._networks else "no networks are declared"
            self._reader.add_mistake(
                (*place, "network"),
                f"{name!r} is not declared under networks{suggest_similar(name, self._networks)}; {known}",
            )
        elif self._networks[name].absent:
            self._reader.add_mistake((*place, "network"), f"{name} is declared with state absent")
        else:
            extra = get_rules(self._networks[name].backend).read_member(self._reader, mesh, place)
        return Membership(str(name), role, self._read_parameters(mesh, place), extra), False

    def _read_parameters(self, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the parameters of one member. Messages never contain a value, because a value can be a join key."""
        parameters = mesh.get("parameters", {})
        self._reader.check_json(parameters, (*place, "parameters"))
        if isinstance(parameters, Mapping):
            return parameters
        self._reader.add_mistake((*place, "parameters"), f"must be a mapping, got {describe_type(parameters)}")
        return {}

    def complete_networks(self, devices: Devices, *, absent: bool) -> dict[str, Network]:
        """Return the networks, completed with all gateways and with the number of devices.

        The gateways of a network are the devices that the network lists under ``gateways``, and the devices that
        declare the role gateway. Report each network that needs a gateway and has no gateway.

        :param absent: whether the declared devices must be removed from the fleet.
        """
        networks = self._networks
        among: dict[str, set[str]] = {name: set(network.gateways) for name, network in networks.items()}
        every: dict[str, set[str]] = {name: set(network.gateways) for name, network in networks.items()}
        used: set[str] = set()
        for place, record in devices:
            if record.mesh is None or record.mesh.network not in among:
                continue
            used.add(record.mesh.network)
            every[record.mesh.network].add(record.id)
            if record.mesh.role == GATEWAY:
                among[record.mesh.network].add(record.id)
            elif record.id in networks[record.mesh.network].gateways:
                self._reader.add_mistake(
                    (*place, "mesh", "role"), f"is {NODE}, but the network names this device as a gateway"
                )
        for name in sorted(used):
            served = among[name] or name in self._has_gateway or networks[name].absent or absent
            served = served or not get_rules(networks[name].backend).needs_gateway
            if not served:
                self._reader.add_mistake(
                    ("networks", name), "has nodes but no gateway; declare role gateway for one of its devices"
                )
        self._refuse_two_networks(devices)
        return {
            name: replace(network, gateways=tuple(sorted(among[name])), size=len(every[name]))
            for name, network in networks.items()
        }

    def _refuse_two_networks(self, devices: Devices) -> None:
        """Report devices that are in two networks, and gateways that must leave their network.

        A device is in a network if the device declares the network, or if the network lists the device under
        ``gateways``.
        """
        serves: dict[str, str] = {}
        for name, network in self._networks.items():
            for index, gateway in enumerate(network.gateways):
                if serves.setdefault(gateway, name) != name:
                    phrase = f"{gateway} is already a gateway of {serves[gateway]}"
                    self._reader.add_mistake(("networks", name, "gateways", index), phrase)
        for place, record in devices:
            named = serves.get(record.id)
            if named and (record.leaves_mesh or (record.mesh is not None and record.mesh.network != named)):
                self._reader.add_mistake((*place, "mesh"), f"network {named} names this device as a gateway")


def _find_rules(mesh: Any, networks: Mapping[str, Network]) -> list[Rules]:
    """Return the backend rules that may apply to the ``mesh`` of a device.

    If the manifest declares the network that ``mesh`` names, only the rules of this network's backend apply. Otherwise
    the rules of all backends may apply.
    """
    network = networks.get(str(mesh.get("network"))) if isinstance(mesh, Mapping) else None
    return list(list_rules()) if network is None else [get_rules(network.backend)]
