# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backend ``networks``: the registry of Particle Mesh, where a cloud still has it. Private to this collection.

Membership stands in the cloud's registry, which belongs to the account; whether a board really joins is settled
between the boards. A network comes into being with its first gateway and is confirmed when a gateway is online.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

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
    Membership,
    MeshPlan,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.plan import (
    Dissolve,
    Handle,
    Join,
    Leave,
    Observed,
    Registered,
    SetRole,
    Write,
    plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import (
    Seat,
    seat_of,
    state_of,
)

_RETIRED = (400, 403, 404, 410)
"""How a cloud that has the registry no more may answer; the real one has never been seen doing so."""
_ABOUT_THE_TOKEN = frozenset({"token_invalid", "token_expired", "missing_scope"})


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
