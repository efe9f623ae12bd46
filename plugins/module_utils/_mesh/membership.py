# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read in which network a device is: from its groups, or from the registry's note. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    RESERVED_GROUPS,
    ROLES,
    Membership,
)


def membership_of(groups: frozenset[str]) -> Membership | None:
    """Network and role as the device groups tell them; ``None`` outside a mesh or when they are not one each."""
    names = {group.removeprefix(RESERVED_GROUPS) for group in groups if group.startswith(RESERVED_GROUPS)}
    roles = names & set(ROLES)
    networks = names - set(ROLES)
    if len(roles) != 1 or len(networks) != 1:
        return None
    return Membership(networks.pop(), roles.pop())


@dataclass(frozen=True)
class Seat:
    """Where the cloud sees a device: the network's id, which alone tells it from another of that name."""

    id: str
    membership: Membership


def seat_of(network: Any) -> Seat | None:
    """Where a device is by the note that comes with it; ``None`` when it is nowhere."""
    if not isinstance(network, dict) or not network.get("id"):
        return None
    role = network.get("role")
    is_gateway = isinstance(role, dict) and role.get("gateway") is True
    name = str(network.get("name") or network["id"])
    return Seat(str(network["id"]), Membership(name, GATEWAY if is_gateway else NODE))
