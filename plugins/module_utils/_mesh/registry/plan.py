# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the registry's networks and members that differ from what is declared. Private to this collection."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    Board,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    Shared,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    DEFAULT_LIMIT,
    LARGE,
    MICRO,
    Size,
    is_micro,
    most_of,
    too_large,
    unfit_for_particle_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import (
    Seat,
)


@dataclass
class Handle:
    """A network as its members' writes know it: its ``id`` is there once the network is.

    :param kind: its type; ``None`` for a small one whose first gateway decides.
    """

    name: str
    kind: str | None = None
    id: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


@dataclass(frozen=True)
class Registered:
    """A network that is there: its type, and the role of each of its devices."""

    id: str
    kind: str | None
    roles: Mapping[str, str]


@dataclass(frozen=True)
class Observed:
    """The declared networks that exist, by name, where devices are, and what they are."""

    networks: Mapping[str, Registered]
    seats: Mapping[str, Seat]
    boards: Mapping[str, Board] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Dissolve:
    """Write: a network goes, and its devices are free."""

    id: str
    name: str


@dataclass(frozen=True)
class Leave:
    """Write: a device leaves whatever network it is in."""

    device: str


@dataclass(frozen=True)
class Join:
    """Write: a device enters a network, as a gateway founding it where it is not there."""

    device: str
    handle: Handle
    role: str


@dataclass(frozen=True)
class SetRole:
    """Write: a member becomes gateway or node."""

    device: str
    handle: Handle
    role: str


Write: TypeAlias = "Dissolve | Leave | Join | SetRole"


def plan(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    groups_of: Mapping[str, frozenset[str]],
    observed: Observed,
) -> MeshPlan:
    """What differs from what is declared: networks that are missing or must go, and who enters, leaves or changes."""
    there = observed.networks
    handles = {
        name: Handle(name, kind_of(network), there[name].id if name in there else None)
        for name, network in networks.items()
    }
    gone = {name: there[name] for name, network in networks.items() if network.absent and name in there}
    members = {
        device: _plan_member(device, membership, observed.seats.get(device), handles, {one.id for one in gone.values()})
        for device, membership in wanted.items()
    }
    founded = {
        membership.network
        for device, membership in wanted.items()
        if membership and membership.role == GATEWAY and membership.network not in there
    }
    return MeshPlan(
        members,
        setup=tuple(
            Shared(Dissolve(network.id, name), frozenset(network.roles.keys() & wanted.keys()))
            for name, network in sorted(gone.items())
        ),
        creates={"networks": tuple(sorted(founded))} if founded else {},
        removes={"networks": tuple(sorted(gone))} if gone else {},
        staying={
            name: sum(1 for device, role in network.roles.items() if role == GATEWAY and device not in wanted)
            for name, network in there.items()
        },
        refusals=tuple(_refusals(networks, wanted, members, observed)),
        one_gateway=frozenset(name for name, network in there.items() if is_micro(network.kind)),
        room={
            name: most_of(network.kind, _limit_of(networks[name])).members - len(network.roles)
            for name, network in there.items()
            if network.kind is not None
        },
    )


def _refusals(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    members: Mapping[str, MemberPlan],
    observed: Observed,
) -> Iterator[str]:
    """Why what changes cannot be; what is so already is let be."""
    growing = set()
    for device, membership in wanted.items():
        if membership is not None and members[device].changes:
            growing.add(membership.network)
            yield from unfit_for_particle_mesh(device, membership, observed.boards.get(device, Board()))
    for name in sorted(growing):
        network, there = networks[name], observed.networks.get(name)
        roles = {device: role for device, role in there.roles.items() if device not in wanted} if there else {}
        roles |= {device: to.role for device, to in wanted.items() if to is not None and to.network == name}
        size = Size(len(roles), sum(1 for role in roles.values() if role == GATEWAY))
        kind = (there.kind if there else None) or kind_of(network) or "micro_wifi"
        yield from too_large(name, kind, _limit_of(network), size, there=there is not None)


def _limit_of(network: Network) -> int:
    """How many devices a network may have that is not small."""
    return int((network.parameters or {}).get("limit", DEFAULT_LIMIT))


def kind_of(network: Network) -> str | None:
    """The declared type of a network, else what its size asks for; ``None`` for small, which its gateway decides.

    Sizes are those of the whole declaration, so that a network that grows is not founded too small.
    """
    declared = (network.parameters or {}).get("type")
    if declared is not None:
        return str(declared)
    return None if network.size <= MICRO.members and len(network.gateways) <= MICRO.gateways else LARGE


def _plan_member(
    device: str, membership: Membership | None, seat: Seat | None, handles: Mapping[str, Handle], gone: set[str]
) -> MemberPlan:
    before = seat.membership if seat else None
    changes: dict[str, tuple[Any, Any]]
    leave = (Leave(device),) if seat is not None and seat.id not in gone else ()
    if membership is None:
        changes = {"mesh": (before.as_result(), None)} if before else {}
        return MemberPlan(writes=leave, changes=changes, before=before)
    handle = handles[membership.network]
    if seat is None or seat.id != handle.id:
        changes = {"mesh": (before.as_result() if before else None, membership.as_result())}
        # Out of the old one first: a device is in one network at a time.
        return MemberPlan(writes=(*leave, Join(device, handle, membership.role)), changes=changes, before=before)
    if before == membership:
        return MemberPlan(before=before)
    changes = {"mesh": (seat.membership.as_result(), membership.as_result())}
    return MemberPlan(writes=(SetRole(device, handle, membership.role),), changes=changes, before=before)
