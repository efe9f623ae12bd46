# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check networks of backend ``networks``, and read memberships and states. Private to this collection.

This module sends no requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader, describe_type
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    JOINED,
    LOST,
    NODE,
    PENDING,
    WRONG_NETWORK,
    Hardware,
    Membership,
    Rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.firmware import (
    find_versions_without_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    TYPES,
    is_too_new_for_mesh,
)

_PARAMETERS = ("type", "limit")
_MAX_NAME_BYTES = 16


@dataclass(frozen=True)
class Registration:
    """The membership of a device in the registry.

    :param network_id: the id of the network. Another network can have the same name.
    :param membership: the name of the network, and the role of the device.
    """

    network_id: str
    membership: Membership


def read_registration(network: Any) -> Registration | None:
    """Return the membership that the row of a device shows, or ``None`` if the row shows no network.

    :param network: the value of the key ``network`` in the row.
    """
    if not isinstance(network, dict) or not network.get("id"):
        return None
    role = network.get("role")
    is_gateway = isinstance(role, dict) and role.get("gateway") is True
    name = str(network.get("name") or network["id"])
    return Registration(str(network["id"]), Membership(name, GATEWAY if is_gateway else NODE))


def read_member_state(row: Mapping[str, Any], membership: Membership) -> str:
    """Return the state of a member according to its row in a list of the cloud.

    The registry confirms a member when the device has connected in its role. The state of a confirmed member is
    ``joined`` if the device is online, or ``lost`` if the device is offline.
    """
    network = row.get("network")
    registration = read_registration(network)
    if registration is None:
        return PENDING
    if registration.membership.network != membership.network:
        return WRONG_NETWORK
    role = network.get("role") if isinstance(network, dict) else None
    confirmed = isinstance(role, dict) and role.get("state") == "confirmed"
    if not confirmed or registration.membership.role != membership.role:
        return PENDING
    return JOINED if row.get("online", row.get("connected", False)) else LOST


class RegistryRules(Rules):
    """The rules of backend ``networks``. The key ``network`` in the row of a device shows the membership."""

    name = "networks"
    needs_product = False
    row_keys = ("network",)

    def check_name(self, reader: ValueReader, name: Any, place: Place) -> None:
        """Report a mistake if the name of a network is not valid."""
        # The check allows unusual names, because existing networks have unusual names: the registry accepts any short
        # name.
        text = reader.read_text(name, place)
        if isinstance(name, str) and not 1 <= len(text.encode(errors="replace")) <= _MAX_NAME_BYTES:
            reader.add_mistake(
                place, f"is not a valid network name: backend {self.name} allows 1 to {_MAX_NAME_BYTES} bytes"
            )
        elif isinstance(name, str) and (not text.isprintable() or text != text.strip() or text in (".", "..")):
            reader.add_mistake(place, "is not a valid network name: the registry cannot look it up")

    def check_parameters(self, reader: ValueReader, parameters: Mapping[str, Any], place: Place) -> None:
        """Report a mistake for an unknown key, an invalid ``type`` or ``limit``, and any ``password``.

        A manifest must not contain the password, because only the devices are allowed to know the password.
        """
        if "password" in parameters:
            reader.add_mistake((*place, "password"), "cannot be declared: set it on the devices when they join")
        for key in parameters:
            if key not in (*_PARAMETERS, "password"):
                reader.add_mistake((*place, str(key)), f"unknown key; valid keys are {', '.join(_PARAMETERS)}")
        if "type" in parameters:
            reader.read_choice(parameters["type"], (*place, "type"), TYPES)
        limit = parameters.get("limit", 1)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            reader.add_mistake(
                (*place, "limit"), f"must be a number of devices, at least 1, got {describe_type(limit)}"
            )

    def read_member(self, reader: ValueReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Report a mistake if a member has parameters, because the registry sends no parameters to devices."""
        if "parameters" in mesh:
            phrase = (
                f"cannot be declared for a member of backend {self.name}: the registry sends no parameters to devices"
            )
            reader.add_mistake((*place, "parameters"), phrase)
        return {}

    def is_shown(self, groups: frozenset[str], hardware: Hardware) -> bool:
        """Return whether the row of a device shows a network."""
        return read_registration(hardware.row.get("network")) is not None

    def read_membership(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that a row shows, or ``None`` if the row shows no network."""
        registration = read_registration(row.get("network"))
        return None if registration is None else registration.membership

    def can_firmware_end_membership(self, hardware: Hardware) -> bool:
        """Return whether the Device OS of a member still has Particle Mesh."""
        return not is_too_new_for_mesh(hardware.device_os)

    def explain_ending_firmware(self, versions: Set[int], rows: Sequence[Mapping[str, Any]]) -> Mapping[int, str]:
        """Return the versions that run only on a Device OS without Particle Mesh, and those that no device runs."""
        ending, unknown = find_versions_without_mesh(versions, rows)
        need = "Particle Mesh needs Device OS 1.5.x or older"
        reasons = {version: f"firmware {version} runs only on {shown}, but {need}" for version, shown in ending.items()}
        for version in unknown:
            reasons[version] = f"no device runs firmware {version} yet, so its Device OS is unknown, and {need}"
        return reasons

    def read_state(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        """Return the state of a member according to its row."""
        return read_member_state(row, membership)


REGISTRY = RegistryRules()
