# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the networks of backend ``networks``: the registry of Particle Mesh. Private to this collection.

Some clouds have a registry of Particle Mesh networks for each account. The registry only records the members of each
network: the devices form the network by themselves. A network is created together with its first gateway. The registry
confirms the network when a gateway is online.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import may_exist_already
from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import get_device, list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.mesh_registry import (
    ADD_DEVICE,
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
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    NODE,
    Hardware,
    Membership,
    MeshPlan,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.plan import (
    DeleteNetwork,
    JoinNetwork,
    LeaveNetwork,
    Observed,
    RegisteredNetwork,
    SetRole,
    SharedNetwork,
    Write,
    plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import (
    Registration,
    read_member_state,
    read_registration,
)

_RETIRED_STATUSES = (400, 403, 404, 410)
"""HTTP statuses that mean that a cloud no longer has the registry. The list is an assumption, not an observation."""
_TOKEN_CODES = frozenset({"token_invalid", "token_expired", "missing_scope"})


def observe_networks(
    target: Target,
    networks: Mapping[str, Network],
    hardware_of: Mapping[str, Hardware],
) -> Observed:
    """Read the networks of the account and the members of the declared networks.

    Sends one request per hundred networks of the account. For each declared network, sends one or two more requests,
    and one more request per hundred members.

    :param networks: the declared networks by name.
    :param hardware_of: the hardware of the declared devices.
    :raises ParticleError: ``unsupported`` when the cloud has no registry.
    """
    http = target.http
    rows = {str(row.get("name")): row for row in list_registered_networks(http, networks)}
    unlisted = [name for name in networks if name not in rows]
    # The list can omit networks that no gateway has confirmed yet.
    found = map_in_parallel(lambda name: find_network(http, name), unlisted, http.workers)
    rows |= {name: row for name, row in zip(unlisted, found, strict=True) if row}
    present = [name for name in networks if name in rows]
    members = map_in_parallel(lambda name: list_members(http, str(rows[name].get("id")), name), present, http.workers)
    registered = {
        name: RegisteredNetwork(str(rows[name]["id"]), rows[name].get("type"), _read_roles(devices))
        for name, devices in zip(present, members, strict=True)
    }
    registrations = {
        device: registration
        for device, hardware in hardware_of.items()
        if (registration := read_registration(hardware.row.get("network"))) is not None
    }
    registrations |= {
        device: Registration(network.id, Membership(name, role))
        for name, network in registered.items()
        for device, role in network.roles.items()
    }
    return Observed(registered, registrations, hardware_of)


def list_registered_networks(http: Http, declared: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the networks in the list of the cloud. The list can omit a network that no gateway has confirmed.

    :param declared: the names of the declared networks, for the error message.
    :raises ParticleError: ``unsupported`` when the cloud has no registry.
    """
    try:
        return list_networks(http)
    except ParticleError as error:
        if error.status not in _RETIRED_STATUSES or error.code in _TOKEN_CODES:
            raise
        raise _build_retired_error(error, declared) from None


def find_registered_network(
    http: Http, name: str, rows: Sequence[dict[str, Any]] | None = None
) -> dict[str, Any] | None:
    """Return the network named ``name``, or ``None`` if the network does not exist.

    A network that no gateway has confirmed is also found, although the list of networks can omit the network.

    :param rows: the list of networks, if the caller has already read the list.
    :raises ParticleError: ``unsupported`` when the cloud has no registry.
    """
    rows = list_registered_networks(http, [name]) if rows is None else rows
    return next((row for row in rows if row.get("name") == name), None) or find_network(http, name)


def _build_retired_error(error: ParticleError, declared: Collection[str]) -> ParticleError:
    names = f" Declared with backend networks: {', '.join(sorted(declared))}." if declared else ""
    message = (
        f"This cloud has no registry of Particle Mesh networks (HTTP {error.status}{error.quoted}): "
        f"Particle retired it, and since the end of 2020 no device can be added.{names}"
    )
    hint = (
        "Use backend ledger, which works on the current Particle cloud: it requires devices of a product, and firmware "
        "that implements the mesh contract. Task file mesh_audit of role provision writes a manifest for it."
    )
    return ParticleError("unsupported", message, hint=hint, status=error.status, route=error.route)


def _read_roles(rows: list[dict[str, Any]]) -> dict[str, str]:
    found = {}
    for row in rows:
        registration = read_registration(row.get("network"))
        found[str(row.get("id"))] = registration.membership.role if registration else NODE
    return found


def _delete_network(http: Http, write: DeleteNetwork) -> None:
    try:
        delete_network(http, write.id, write.name)
    except ParticleError as error:
        # If the response to the first request was lost, the retry finds the network already deleted.
        if error.status != 404:
            raise


def _set_role(http: Http, shared: SharedNetwork, device: str, role: str) -> None:
    action = MAKE_GATEWAY if role == GATEWAY else MAKE_NODE
    change_member(http, _require_network_id(shared, device), shared.name, action, device)


def _require_network_id(shared: SharedNetwork, device: str) -> str:
    if shared.id is None:
        message = f"Could not add device {device} to mesh network {shared.name}, which does not exist yet."
        hint = "First run the task that declares a gateway of the network: the gateway creates the network."
        raise ParticleError("conflict", message, hint=hint)
    return shared.id


def _create_network(http: Http, name: str, gateway: str, kind: str, iccid: str | None) -> dict[str, Any] | None:
    """Create a network. If the response does not show whether it exists now, read the network.

    :returns: the network; ``None`` if it is not there.
    """
    try:
        made = create_network(http, name, gateway, kind, iccid)
    except ParticleError as error:
        there = find_network(http, name) if may_exist_already(error) else None
        if there is None:
            raise
        return there
    return made if made.get("id") else find_network(http, name)


def verify_members(target: Target, wanted: Mapping[str, Membership]) -> Mapping[str, str]:
    """Read the list of devices once, and return the state of each member in ``wanted``."""
    http, product = target.http, target.product
    listing = list_account_devices(http) if product is None else list_product_devices(http, product.id)
    rows = {str(row.get("id")): row for row in listing.rows}
    return {device: read_member_state(rows.get(device, {}), membership) for device, membership in wanted.items()}


class RegistryBackend:
    """The :class:`Backend` ``networks``, made of the functions of this file."""

    def __init__(self) -> None:
        # By network name. A lock prevents two gateways from creating the same network at the same time.
        self._locks: dict[str, threading.Lock] = {}

    def observe(self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]) -> Observed:
        """Read the networks and their members; see :func:`observe_networks`."""
        return observe_networks(target, networks, hardware_of)

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Observed,
    ) -> MeshPlan:
        """Plan the changes to networks and members, without sending a request."""
        return plan(networks, wanted, groups_of, observed)

    def apply_write(self, target: Target, write: Write) -> None:
        """Carry out one write of a plan.

        :raises ParticleError: ``conflict`` when a device must join a network that no gateway has created yet.
        """
        http = target.http
        if isinstance(write, DeleteNetwork):
            _delete_network(http, write)
        elif isinstance(write, LeaveNetwork):
            leave_network(http, write.device)
        elif isinstance(write, SetRole):
            _set_role(http, write.network, write.device, write.role)
        elif not self._create_if_missing(http, write):
            shared = write.network
            change_member(http, _require_network_id(shared, write.device), shared.name, ADD_DEVICE, write.device)
            if write.role == GATEWAY:
                _set_role(http, shared, write.device, GATEWAY)

    def _create_if_missing(self, http: Http, write: JoinNetwork) -> bool:
        """Create a network together with its first gateway. Return whether this call has created the network.

        If several gateways of a new network join at the same time, only the first gateway creates the network.
        """
        shared = write.network
        if write.role != GATEWAY:
            return False
        with self._locks.setdefault(shared.name, threading.Lock()):
            if shared.id is not None:
                return False
            # The network may exist although the response to its creation was lost.
            there = find_network(http, shared.name)
            if there is None:
                # The type of the network depends on whether the gateway is cellular. The request for a cellular gateway
                # also contains the ICCID of the SIM card.
                gateway = get_device(http, write.device)
                cellular = gateway.get("cellular") is True
                kind = shared.type or ("micro_cellular" if cellular else "micro_wifi")
                iccid = gateway.get("iccid") or gateway.get("last_iccid")
                sim = str(iccid) if cellular and iccid else None
                there = _create_network(http, shared.name, write.device, kind, sim)
                shared.id = str((there or {}).get("id") or "") or None
                return True
            shared.id = str(there["id"])
            return False

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member in ``wanted`` according to the list of devices. ``networks`` is not used."""
        return verify_members(target, wanted)

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        """Find the devices in ``hardware_of`` whose rows show one of ``networks``."""
        # Undeclared members need no write, because the deletion of a network removes all its members.
        registrations = {
            device: read_registration(hardware.row.get("network")) for device, hardware in hardware_of.items()
        }
        return {
            device: None
            for device, registration in registrations.items()
            if registration and registration.membership.network in networks
        }

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """Return an empty tuple, because the Particle cloud knows all members of this backend."""
        return ()

    def close(self) -> None:
        """Do nothing, because the backend uses the HTTP session of the task."""
