# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backend ``networks``: the registry of Particle Mesh, where a cloud still has it. Private to this collection.

Membership stands in the cloud's registry, which belongs to the account; whether a board really joins is settled
between the boards. A network comes into being with its first gateway and is confirmed when a gateway is online.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import get_device, list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.mesh_registry import (
    ADD,
    MAKE_GATEWAY,
    MAKE_NODE,
    change_member,
    create_network,
    delete_network,
    find_network,
    leave_network,
    list_members,
    list_networks,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
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
    seat_of,
    state_of,
)

_RETIRED = (400, 403, 404, 410)
"""How a cloud that has the registry no more may answer; the real one has never been seen doing so."""
_ABOUT_THE_TOKEN = frozenset({"token_invalid", "token_expired", "missing_scope"})


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


def observe(
    target: Target,
    networks: Mapping[str, Network],
    boards: Mapping[str, Board],
) -> Observed:
    """Read the networks, and the members of those that are declared.

    One request for each hundred networks, one or two for each declared one, one more for each hundred of its members.
    """
    http = target.http
    rows = {str(row.get("name")): row for row in listed(http, networks)}
    unlisted = [name for name in networks if name not in rows]
    # The list may leave out what waits for its gateway.
    found = in_parallel(lambda name: find_network(http, name), unlisted, http.workers)
    rows |= {name: row for name, row in zip(unlisted, found, strict=True) if row}
    present = [name for name in networks if name in rows]
    members = in_parallel(lambda name: list_members(http, str(rows[name].get("id")), name), present, http.workers)
    registered = {
        name: Registered(str(rows[name]["id"]), rows[name].get("type"), _roles(devices))
        for name, devices in zip(present, members, strict=True)
    }
    seats = {
        device: seat for device, board in boards.items() if (seat := seat_of(board.row.get("network"))) is not None
    }
    seats |= {
        device: Seat(network.id, Membership(name, role))
        for name, network in registered.items()
        for device, role in network.roles.items()
    }
    return Observed(registered, seats, boards)


def listed(http: Http, declared: Collection[str] = ()) -> list[dict[str, Any]]:
    """The networks that the cloud lists: those that a gateway has confirmed.

    :param declared: the names of networks that need the registry, for the refusal where there is none.
    :raises ParticleError: ``unsupported`` where the cloud has no registry.
    """
    try:
        return list_networks(http)
    except ParticleError as error:
        if error.status not in _RETIRED or error.code in _ABOUT_THE_TOKEN:
            raise
        raise _retired(error, declared) from None


def listed_by_name(http: Http, name: str, rows: Sequence[dict[str, Any]] | None = None) -> dict[str, Any] | None:
    """One network, also one that waits for its gateway and is not in the list, whose ``rows`` may be known already."""
    rows = listed(http, [name]) if rows is None else rows
    return next((row for row in rows if row.get("name") == name), None) or find_network(http, name)


def _retired(error: ParticleError, declared: Collection[str]) -> ParticleError:
    names = f" Declared so: {', '.join(sorted(declared))}." if declared else ""
    message = (
        f"This cloud has no registry of Particle Mesh networks, it answered {error.status}: Particle retired it, and "
        f"since the end of 2020 no device can be added.{names}"
    )
    hint = (
        "Use backend ledger, which forms networks on the Particle cloud of today: it takes devices of a product, and "
        "firmware that keeps the mesh contract. Task file mesh_audit of role provision writes such a manifest."
    )
    return ParticleError("unsupported", message, hint=hint, status=error.status, route=error.route)


def _roles(rows: list[dict[str, Any]]) -> dict[str, str]:
    found = {}
    for row in rows:
        seat = seat_of(row.get("network"))
        found[str(row.get("id"))] = seat.membership.role if seat else NODE
    return found


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


def apply(target: Target, write: Write) -> None:
    """Carry out one write."""
    http = target.http
    if isinstance(write, Dissolve):
        _dissolve(http, write)
    elif isinstance(write, Leave):
        leave_network(http, write.device)
    elif isinstance(write, SetRole):
        _set_role(http, write.handle, write.device, write.role)
    elif not _found(http, write):
        handle = write.handle
        change_member(http, _id_of(handle, write.device), handle.name, ADD, write.device)
        if write.role == GATEWAY:
            _set_role(http, handle, write.device, GATEWAY)


def _dissolve(http: Http, write: Dissolve) -> None:
    try:
        delete_network(http, write.id, write.name)
    except ParticleError as error:
        # Sent twice, because the first answer was lost, it meets what it did itself.
        if error.status != 404:
            raise


def _set_role(http: Http, handle: Handle, device: str, role: str) -> None:
    action = MAKE_GATEWAY if role == GATEWAY else MAKE_NODE
    change_member(http, _id_of(handle, device), handle.name, action, device)


def _id_of(handle: Handle, device: str) -> str:
    if handle.id is None:
        message = f"Could not add device {device} to mesh network {handle.name}, which is not there yet."
        hint = "A network comes into being with its first gateway: run first what declares that one."
        raise ParticleError("conflict", message, hint=hint)
    return handle.id


def _found(http: Http, write: Join) -> bool:
    """Whether this gateway founded its network. Of several that would, the first does."""
    handle = write.handle
    if write.role != GATEWAY:
        return False
    with handle.lock:
        if handle.id is not None:
            return False
        there = find_network(http, handle.name)  # perhaps made by another gateway, whose answer was lost
        if there is None:
            # Whether it is cellular, and then by which SIM, is what the cloud wants to know of the founder.
            gateway = get_device(http, write.device)
            cellular = gateway.get("cellular") is True
            kind = handle.kind or ("micro_cellular" if cellular else "micro_wifi")
            iccid = gateway.get("iccid") or gateway.get("last_iccid")
            made = create_network(http, handle.name, write.device, kind, str(iccid) if cellular and iccid else None)
            there = made if made.get("id") else find_network(http, handle.name)
            handle.id = str((there or {}).get("id") or "") or None
            return True
        handle.id = str(there["id"])
        return False


def verify(target: Target, wanted: Mapping[str, Membership]) -> Mapping[str, str]:
    """One sweep over the list of devices, each of which comes with the registry's note of its network."""
    http, product = target.http, target.product
    listing = list_account_devices(http) if product is None else list_product_devices(http, product.id)
    rows = {str(row.get("id")): row for row in listing.rows}
    return {device: state_of(rows.get(device, {}), membership) for device, membership in wanted.items()}


class RegistryBackend:
    """The functions of this file as a :class:`Backend`."""

    def observe(self, target: Target, networks: Mapping[str, Network], boards: Mapping[str, Board]) -> Observed:
        """Read the networks and their members."""
        return observe(target, networks, boards)

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Observed,
    ) -> MeshPlan:
        """Plan what differs."""
        return plan(networks, wanted, groups_of, observed)

    def apply(self, target: Target, write: Write) -> None:
        """Carry out one write."""
        apply(target, write)

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Read the state of each member from the list of devices."""
        return verify(target, wanted)

    def find_members(
        self, target: Target, networks: Mapping[str, Network], boards: Mapping[str, Board]
    ) -> Mapping[str, str | None]:
        """Find the declared devices in ``networks``. Others need no write: they are free with their network."""
        seats = {device: seat_of(board.row.get("network")) for device, board in boards.items()}
        return {device: None for device, seat in seats.items() if seat and seat.membership.network in networks}

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """Return nothing: every member is a device of the Particle cloud."""
        return ()

    def close(self) -> None:
        """Do nothing: the connection is the task's."""
