# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define what backend ``networks`` adds to manifests and facts; computes only. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import PartReader, kind_of
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    JOINED,
    LOST,
    NODE,
    PENDING,
    WRONG_NETWORK,
    Board,
    Membership,
    Rules,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    TYPES,
)

_PARAMETERS = ("type", "limit")
_MAX_NAME_BYTES = 16


@dataclass(frozen=True)
class Seat:
    """Where the cloud sees a device. Only the network's id tells it from another network of that name."""

    id: str
    membership: Membership


def seat_of(network: Any) -> Seat | None:
    """Return where a device is by the registry's note in its row; ``None`` when it is nowhere."""
    if not isinstance(network, dict) or not network.get("id"):
        return None
    role = network.get("role")
    is_gateway = isinstance(role, dict) and role.get("gateway") is True
    name = str(network.get("name") or network["id"])
    return Seat(str(network["id"]), Membership(name, GATEWAY if is_gateway else NODE))


def state_of(row: Mapping[str, Any], membership: Membership) -> str:
    """Return the state of a member by its row.

    A role is confirmed when its device has connected with it; a device that is not online now is lost again.
    """
    network = row.get("network")
    seat = seat_of(network)
    if seat is None:
        return PENDING
    if seat.membership.network != membership.network:
        return WRONG_NETWORK
    role = network.get("role") if isinstance(network, dict) else None
    confirmed = isinstance(role, dict) and role.get("state") == "confirmed"
    if not confirmed or seat.membership.role != membership.role:
        return PENDING
    return JOINED if row.get("online", row.get("connected", False)) else LOST


class RegistryRules(Rules):
    """Networks of Particle Mesh, whose membership stands in a note in the row of each device."""

    name = "networks"
    needs_product = False
    row_keys = ("network",)

    def check_name(self, reader: PartReader, name: Any, place: Place) -> None:
        """Check the name of a network. The registry takes any short one, and people have chosen many."""
        text = reader.text(name, place)
        if isinstance(name, str) and not 1 <= len(text.encode(errors="replace")) <= _MAX_NAME_BYTES:
            reader.wrong(place, f"the name of a network of backend {self.name} has 1 to {_MAX_NAME_BYTES} bytes")
        elif isinstance(name, str) and (not text.isprintable() or text != text.strip() or text in (".", "..")):
            reader.wrong(place, "is no name that the registry can be asked for")

    def check_parameters(self, reader: PartReader, parameters: Mapping[str, Any], place: Place) -> None:
        """Check type and limit, and refuse a password, which only the boards may know."""
        if "password" in parameters:
            reader.wrong((*place, "password"), "never goes to the cloud: it is given to the boards when they join")
        for key in parameters:
            if key not in (*_PARAMETERS, "password"):
                reader.wrong((*place, str(key)), f"unknown key; backend {self.name} knows {', '.join(_PARAMETERS)}")
        if "type" in parameters:
            reader.choice(parameters["type"], (*place, "type"), TYPES)
        limit = parameters.get("limit", 1)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            reader.wrong((*place, "limit"), f"must be a number of devices, at least 1, not {kind_of(limit)}")

    def read_member(self, reader: PartReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Refuse parameters of a member."""
        if "parameters" in mesh:
            said = f"a member of a network of backend {self.name} has none of its own: a registry tells boards nothing"
            reader.wrong((*place, "parameters"), said)
        return {}

    def shows(self, groups: frozenset[str], board: Board) -> bool:
        """Return whether the registry notes a network at the device."""
        return seat_of(board.row.get("network")) is not None

    def membership_in(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that the registry's note tells."""
        seat = seat_of(row.get("network"))
        return None if seat is None else seat.membership

    def state_in(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        """Return the state that the registry's note and the device's connection tell."""
        return state_of(row, membership)


REGISTRY = RegistryRules()
