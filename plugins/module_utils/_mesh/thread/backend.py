# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe, form and join Thread networks through OpenThread border routers. Private to this collection."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.redact import Redactor
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    LOST,
    PENDING,
    WRONG_NETWORK,
    Hardware,
    MemberPending,
    Membership,
    MeshPlan,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.address_map import AddressMap
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.client import (
    Access,
    BorderRouter,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.commission import (
    Attempt,
    Commissioner,
    explain_attempt,
    find_joiner_tasks,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.dataset import JSON_KEYS, Dataset
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.forming import (
    change_network,
    extend_network,
    form_network,
    start_router,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.members import Members, find_members
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.model import (
    ATTACHED,
    Commission,
    ConfirmJoined,
    ExtendNetwork,
    FormNetwork,
    Observed,
    ObservedNetwork,
    ObservedRouter,
    StartRouter,
    Write,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.plan import find_identity, plan
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import read_networks
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.topology import (
    NetworkView,
    describe_router,
    list_places,
    list_rows,
)

_FRESH_SECONDS = 30.0
"""Number of seconds for which a list of members is reused in the same run, unless a write follows."""
_ROUNDS = 3
"""Maximum number of attempts to commission devices whose tasks the border router has lost."""


@dataclass(frozen=True)
class _View:
    """A list of members, and the time at which it was read."""

    members: Members
    known: frozenset[str]
    read_at: float


class ThreadBackend:
    """The :class:`Backend` ``thread``. Each object keeps the sessions and the outcomes of one task."""

    def __init__(
        self, options: Mapping[str, Any], environment: Mapping[str, str] | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._options = options
        self._redact = Redactor()
        self._environment = os.environ if environment is None else environment
        self._clock = clock
        self._routers: dict[str, BorderRouter] = {}
        self._views: dict[str, _View] = {}
        self._outcomes: dict[tuple[str, str], MemberPending | None] = {}
        """The outcome of each device that was commissioned, keyed by network and device."""

    # --- observe ---

    def observe(self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]) -> Observed:
        """Read the state of the border routers, and find the members; see :mod:`members`."""
        eui64s = {eui64 for hardware in hardware_of.values() if (eui64 := find_identity(hardware)) is not None}
        found = {name: self._observe_network(target, network, eui64s) for name, network in networks.items()}
        return Observed(found, hardware_of)

    def _observe_network(self, target: Target, network: Network, eui64s: set[str]) -> ObservedNetwork:
        routers, silent = self._observe_routers(target, network)
        running = next((one for one in routers if one.has_tasks and one.state in ATTACHED and one.dataset), None)
        if running is None or running.dataset is None:
            return ObservedNetwork(routers, unreachable=silent)
        router = self._routers[running.url]
        view = self._read_members(network.name, router, running.dataset.extended_pan_id, eui64s)
        tasks = router.list_tasks().values()
        left = find_joiner_tasks(tasks, eui64s)
        is_busy = router.read_commissioner_state() == "active" and not any(task for task in left if not task.has_ended)
        leftovers = tuple(task.id for task in left)
        return ObservedNetwork(routers, view.members.addresses, view.known, leftovers, is_busy, silent)

    def _observe_routers(self, target: Target, network: Network) -> tuple[tuple[ObservedRouter, ...], tuple[str, ...]]:
        """Return the state of the border routers that answer, and the URLs of the others.

        :raises ParticleError: ``unreachable`` when a border router does not answer, and no other border router has a
            network.
        """
        routers, errors = [], {}
        for access in map(_read_access, network.extra.get("border_routers", ())):
            try:
                routers.append(self._observe_router(self._connect(target, access)))
            except ParticleError as error:
                if error.code != "unreachable":
                    raise
                errors[access.url] = error
        # The border router that does not answer may have the network, which must not be formed a second time.
        if errors and not any(router.dataset for router in routers):
            raise next(iter(errors.values()))
        return tuple(routers), tuple(errors)

    def _connect(self, target: Target, access: Access) -> BorderRouter:
        if access.url not in self._routers:
            http = target.http
            self._routers[access.url] = BorderRouter(access, http.redact, http.before_request, self._clock)
        return self._routers[access.url]

    def _observe_router(self, router: BorderRouter) -> ObservedRouter:
        has_tasks = router.has_tasks()
        state = str(router.read_node()["state"])
        dataset = router.read_dataset()
        pending = router.read_pending() if dataset is not None else None
        has_joiners = has_tasks and router.read_commissioner_state() is not None
        return ObservedRouter(router.url, state, has_tasks, has_joiners, dataset, pending)

    def _read_members(self, network: str, router: BorderRouter, extended_pan_id: str, eui64s: Iterable[str]) -> _View:
        """Return the members of a network. Read them again if the last reading is too old."""
        view = self._views.get(network)
        if view is None or router.now() - view.read_at > _FRESH_SECONDS:
            known = AddressMap.open(self._environment, extended_pan_id)
            members = find_members(router, known, frozenset(eui64s))
            view = self._views[network] = _View(members, known.known, router.now())
        return view

    # --- plan ---

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Observed,
    ) -> MeshPlan:
        """Plan the changes to networks and members, without sending a request. ``groups_of`` is not used."""
        return plan(networks, wanted, observed)

    # --- apply ---

    def apply_write(self, target: Target, write: Write) -> None:
        """Carry out one write of a plan.

        :raises MemberPending: when a device has not joined its network.
        """
        if isinstance(write, ConfirmJoined):
            self._confirm(write)
            return
        router = self._routers[write.url]
        if isinstance(write, Commission):
            self._commission(router, write)
            return
        self._views.pop(write.network, None)
        if isinstance(write, FormNetwork):
            names = {key: name for name, key in JSON_KEYS.items()}
            form_network(router, {names[key]: value for key, value in write.values.items()}, write.values)
        elif isinstance(write, StartRouter):
            start_router(router)
        elif isinstance(write, ExtendNetwork):
            extend_network(self._routers[write.source], router)
        else:
            change_network(router, write.parameters, write.delay)

    def _commission(self, router: BorderRouter, write: Commission) -> None:
        """Let devices join, and keep the outcome of each device for :class:`ConfirmJoined`."""
        for leftover in write.leftovers:  # the tasks of a border router show the keys
            router.delete_task(leftover)
        if not write.joiners:
            return
        start_router(router)
        # A network that was started just now may already have members.
        members = self._find_joined_members(router, write, finished=set())
        commissioner = Commissioner(router, write.joiner_timeout, write.time_limit)
        attempts = dict.fromkeys((joiner.eui64 for joiner in write.joiners), Attempt.LOST)
        for _unused in range(_ROUNDS):
            remaining = [
                joiner
                for joiner in write.joiners
                if attempts[joiner.eui64] is Attempt.LOST and joiner.eui64 not in members.addresses
            ]
            if not remaining:
                break
            start_router(router)
            attempts.update(commissioner.commission(remaining))
            self._views.pop(write.network, None)
            finished = {eui64 for eui64, attempt in attempts.items() if attempt is Attempt.FINISHED}
            members = self._find_joined_members(router, write, finished)
        for joiner in write.joiners:
            is_joined = joiner.eui64 in members.addresses
            self._outcomes[write.network, joiner.device] = (
                None
                if is_joined
                else explain_attempt(joiner, write.network, attempts[joiner.eui64], write.joiner_timeout)
            )

    def _find_joined_members(self, router: BorderRouter, write: Commission, finished: set[str]) -> Members:
        """Find the members. If a device that has finished its attempt is missing, read the members a second time.

        :param finished: the EUI-64s of the devices that have finished their attempt.
        """
        dataset = router.read_dataset()
        extended_pan_id = dataset.extended_pan_id if dataset is not None else ""
        euis = [joiner.eui64 for joiner in write.joiners]
        members = self._read_members(write.network, router, extended_pan_id, euis).members
        if finished <= members.addresses.keys():
            return members
        self._views.pop(write.network, None)
        return self._read_members(write.network, router, extended_pan_id, euis).members

    def _confirm(self, write: ConfirmJoined) -> None:
        key = (write.network, write.device)
        if not write.has_joiner:
            raise MemberPending(
                "conflict",
                f"Device {write.device} is not in network {write.network}, and declares no joiner key.",
                hint="Declare mesh.joiner, the PSKd of the device, and run again.",
            )
        error = self._outcomes[key]
        if error is not None:
            raise error

    # --- verify ---

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member. A member that was found earlier, but not now, is lost."""
        eui64_of = {device: str(to.extra.get("eui64") or "") for device, to in wanted.items()}
        seen = {
            name: self._observe_network(target, network, set(eui64_of.values())) for name, network in networks.items()
        }
        return {device: _find_state(eui64_of[device], to.network, seen) for device, to in wanted.items()}

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        """Return an empty mapping, because no member can leave a network through its border router."""
        return {}

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """List the members of the networks in option ``thread_networks``, with their parents and links.

        :raises ParticleError: ``invalid_option`` when the option is not valid.
        """
        return [row for network in read_networks(self._options) for row in self._list_network(network)]

    def _list_network(self, network: Network) -> Iterable[Mapping[str, Any]]:
        view = self.read_network(network)
        if view.dataset is None:
            message = f"No border router of network {network.name} is in a network and can list its members."
            raise ParticleError("not_found", message, hint="Form the network with module fleet first.")
        return list_rows(network.name, view)

    def read_network(self, network: Network) -> NetworkView:
        """Read the state of the border routers of a network, and list its members with their parents and links.

        :raises ParticleError: ``unreachable`` when no border router answers.
        """
        accesses = [_read_access(router) for router in network.extra["border_routers"]]
        routers = [BorderRouter(access, self._redact, clock=self._clock) for access in accesses]
        self._routers.update({router.url: router for router in routers})
        rows, errors = [], []
        running: tuple[BorderRouter, Dataset] | None = None
        for router in routers:
            try:
                node, dataset = router.read_node(), router.read_dataset()
                can_list = dataset is not None and node["state"] in ATTACHED and router.has_tasks()
            except ParticleError as error:
                if error.code != "unreachable":
                    raise
                errors.append(error)
                rows.append(describe_router(router.url, error=error.message))
                continue
            rows.append(describe_router(router.url, node, dataset))
            if running is None and dataset is not None and can_list:
                running = (router, dataset)
        if len(errors) == len(routers):
            raise errors[0]
        if running is None:
            return NetworkView(tuple(rows))
        first, found = running
        known = AddressMap.open(self._environment, found.extended_pan_id)
        addresses = {row["address"] for row in rows if row["address"]}
        return NetworkView(tuple(rows), found.show(), tuple(list_places(first, known, addresses)))

    def close(self) -> None:
        """Close the sessions with the border routers."""
        for router in self._routers.values():
            router.close()


def _read_access(router: Mapping[str, Any]) -> Access:
    return Access(str(router["url"]), router.get("ca_path"), router.get("username"), router.get("password"))


def _find_state(eui64: str, network: str, seen: Mapping[str, ObservedNetwork]) -> str:
    if network in seen and eui64 in seen[network].members:
        return JOINED
    if any(eui64 in other.members for other in seen.values()):
        return WRONG_NETWORK
    return LOST if network in seen and eui64 in seen[network].known else PENDING
