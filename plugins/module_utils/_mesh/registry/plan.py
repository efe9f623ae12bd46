# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes to networks and members in the registry of Particle Mesh. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    Hardware,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    SharedWrite,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    DEFAULT_LIMIT,
    LARGE_TYPE,
    MICRO_SIZE,
    Size,
    check_device,
    check_size,
    get_max_size,
    is_micro,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import (
    Registration,
)


@dataclass
class SharedNetwork:
    """A declared network. The writes of all members share this object, because the first gateway's write sets the id.

    :param name: the name of the network.
    :param type: the type of the network; ``None`` for a micro network, whose type depends on the first gateway.
    :param id: the id of the network; ``None`` until the network exists.
    """

    name: str
    type: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class RegisteredNetwork:
    """A network that exists in the registry.

    :param id: the id of the network.
    :param type: the type of the network; ``None`` if the registry does not show the type.
    :param roles: the role of each member, keyed by device.
    """

    id: str
    type: str | None
    roles: Mapping[str, str]


@dataclass(frozen=True)
class Observed:
    """The observed state of the registry.

    :param networks: the declared networks that exist, by name.
    :param registrations: the membership of each device that is in any network, keyed by device.
    :param hardware_of: the hardware of the declared devices.
    """

    networks: Mapping[str, RegisteredNetwork]
    registrations: Mapping[str, Registration]
    hardware_of: Mapping[str, Hardware] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class DeleteNetwork:
    """A write that deletes a network. The members of the network are then in no network."""

    id: str
    name: str


@dataclass(frozen=True)
class LeaveNetwork:
    """A write that removes a device from its current network."""

    device: str


@dataclass(frozen=True)
class JoinNetwork:
    """A write that adds a device to a network. A gateway creates the network if the network does not exist."""

    device: str
    network: SharedNetwork
    role: str


@dataclass(frozen=True)
class SetRole:
    """A write that changes the role of a member."""

    device: str
    network: SharedNetwork
    role: str


Write: TypeAlias = "DeleteNetwork | LeaveNetwork | JoinNetwork | SetRole"


def plan(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    groups_of: Mapping[str, frozenset[str]],
    observed: Observed,
) -> MeshPlan:
    """Plan the changes from the observed state to the declared state.

    :param networks: the declared networks by name.
    :param wanted: for each device, the declared membership, or ``None`` if the device must be in no network of this
        backend.
    :param groups_of: not used, because this backend does not use device groups.
    :param observed: the state that the backend has read.
    """
    there = observed.networks
    shared_networks = {
        name: SharedNetwork(name, find_network_type(network), there[name].id if name in there else None)
        for name, network in networks.items()
    }
    gone = {name: there[name] for name, network in networks.items() if network.absent and name in there}
    members = {
        device: _plan_member(
            device, membership, observed.registrations.get(device), shared_networks, {one.id for one in gone.values()}
        )
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
            SharedWrite(DeleteNetwork(network.id, name), frozenset(network.roles.keys() & wanted.keys()))
            for name, network in sorted(gone.items())
        ),
        created_names={"networks": tuple(sorted(founded))} if founded else {},
        removed_names={"networks": tuple(sorted(gone))} if gone else {},
        staying_gateways={
            name: sum(1 for device, role in network.roles.items() if role == GATEWAY and device not in wanted)
            for name, network in there.items()
        },
        refusals=tuple(_find_refusals(networks, wanted, members, observed)),
        one_gateway=frozenset(name for name, network in there.items() if is_micro(network.type)),
        free_places={
            name: get_max_size(network.type, _get_limit(networks[name])).members - len(network.roles)
            for name, network in there.items()
            if network.type is not None
        },
    )


def _find_refusals(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    members: Mapping[str, MemberPlan],
    observed: Observed,
) -> Iterator[str]:
    """Yield a sentence for each reason why planned changes are impossible.

    Members without changes are not checked, and of networks without changes only the type.
    """
    if not wanted or any(wanted.values()):  # otherwise all declared devices leave their networks
        for name, network in networks.items():
            yield from _check_type(name, network, observed.networks.get(name))
    growing = set()
    for device, membership in wanted.items():
        if membership is not None and members[device].changes:
            growing.add(membership.network)
            yield from check_device(device, membership, observed.hardware_of.get(device, Hardware()))
    for name in sorted(growing):
        network, there = networks[name], observed.networks.get(name)
        roles = {device: role for device, role in there.roles.items() if device not in wanted} if there else {}
        roles |= {device: to.role for device, to in wanted.items() if to is not None and to.network == name}
        size = Size(len(roles), sum(1 for role in roles.values() if role == GATEWAY))
        kind = (there.type if there else None) or find_network_type(network) or "micro_wifi"
        yield from check_size(name, kind, _get_limit(network), size, exists=there is not None)


def _check_type(name: str, network: Network, there: RegisteredNetwork | None) -> Iterator[str]:
    """Yield a sentence if a network exists with another type than the declared one.

    No request of the registry changes the type (endpoints.yml: mesh_update).
    """
    declared = (network.parameters or {}).get("type")
    if there is not None and there.type is not None and declared not in (None, there.type):
        yield (
            f"{name}: type {declared} is declared, but the network has type {there.type}, which is fixed: declare type "
            f"{there.type}, or dissolve the network and declare it again"
        )


def _get_limit(network: Network) -> int:
    """Return the maximum number of devices in a network that is not a micro network."""
    return int((network.parameters or {}).get("limit", DEFAULT_LIMIT))


def find_network_type(network: Network) -> str | None:
    """Return the declared type of a network. If no type is declared, return the type that the declared size needs.

    The result is ``None`` for a micro network without a declared type, because the type depends on the first gateway.
    """
    # A network can grow, so the type must fit the declared size, not the current size.
    declared = (network.parameters or {}).get("type")
    if declared is not None:
        return str(declared)
    return None if network.size <= MICRO_SIZE.members and len(network.gateways) <= MICRO_SIZE.gateways else LARGE_TYPE


def _plan_member(
    device: str,
    membership: Membership | None,
    registration: Registration | None,
    shared_networks: Mapping[str, SharedNetwork],
    gone: set[str],
) -> MemberPlan:
    before = registration.membership if registration else None
    changes: dict[str, tuple[Any, Any]]
    leave = (LeaveNetwork(device),) if registration is not None and registration.network_id not in gone else ()
    if membership is None:
        changes = {"mesh": (before.as_result(), None)} if before else {}
        return MemberPlan(writes=leave, changes=changes, before=before)
    shared = shared_networks[membership.network]
    if registration is None or registration.network_id != shared.id:
        changes = {"mesh": (before.as_result() if before else None, membership.as_result())}
        # The device leaves its old network first, because a device can be in only one network at a time.
        return MemberPlan(writes=(*leave, JoinNetwork(device, shared, membership.role)), changes=changes, before=before)
    if before == membership:
        return MemberPlan(before=before)
    changes = {"mesh": (registration.membership.as_result(), membership.as_result())}
    return MemberPlan(writes=(SetRole(device, shared, membership.role),), changes=changes, before=before)
