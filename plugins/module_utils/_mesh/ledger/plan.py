# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the device groups and ledger instances that differ from the declaration. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import some_of
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    RESERVED_GROUPS,
    ROLES,
    Board,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    Shared,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.limits import (
    LEDGERS_SINCE,
    precedes_ledgers,
    too_much_to_order,
    unfit_for_ledger,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.parameters import (
    differing_keys,
    nobody_knows,
    parameters_of,
    with_parameters,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import (
    DEFAULT_LEDGERS,
    Ledgers,
    membership_of,
)


def definitions_of(ledgers: Ledgers) -> tuple[Mapping[str, str], ...]:
    """Return the definitions of the two ledgers, as requests that create them send them."""
    scope = {"scope": "Device"}
    orders = {"direction": "Downstream", "description": "What a device needs to join its network"}
    reports = {"direction": "Upstream", "description": "What a device reports of its network"}
    return {"name": ledgers.orders, **scope, **orders}, {"name": ledgers.reports, **scope, **reports}


@dataclass(frozen=True)
class Observed:
    """The observed state of the ledgers and devices.

    :param ledgers: the names of the ledgers that exist.
    :param orders: the current instructions by device; devices without an instance are not in it.
    :param boards: the hardware of the declared devices.
    :param named: the names of the two ledgers of the backend.
    """

    ledgers: frozenset[str]
    orders: Mapping[str, Mapping[str, Any]] = field(repr=False)
    boards: Mapping[str, Board] = field(default_factory=dict, repr=False)
    named: Ledgers = DEFAULT_LEDGERS


@dataclass(frozen=True)
class CreateLedger:
    """A write that creates a missing ledger."""

    definition: Mapping[str, str]


@dataclass(frozen=True)
class SetOrders:
    """A write that replaces the instructions of one device.

    :param device: the id of the device.
    :param data: the instructions, which may hold join keys.
    :param ledger: the name of the ledger.
    """

    device: str
    data: Mapping[str, Any] = field(repr=False)
    ledger: str = DEFAULT_LEDGERS.orders


@dataclass(frozen=True)
class RemoveOrders:
    """A write that deletes the instructions of one device."""

    device: str
    ledger: str = DEFAULT_LEDGERS.orders


@dataclass(frozen=True)
class RemoveGroup:
    """A write that deletes the device group of a dissolved network. Every device in the group loses it."""

    name: str


Write: TypeAlias = "CreateLedger | SetOrders | RemoveOrders | RemoveGroup"


def plan(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    groups_of: Mapping[str, frozenset[str]],
    observed: Observed,
) -> MeshPlan:
    """Plan the changes that lead from the observed to the declared state.

    :param networks: the declared networks by name.
    :param wanted: the declared membership of each device; ``None`` for no network of this backend.
    :param groups_of: the device groups of each device.
    :param observed: the state that the backend has read.
    """
    completed = {name: with_parameters(network, wanted, observed.orders) for name, network in networks.items()}
    absent = frozenset(RESERVED_GROUPS + name for name, network in networks.items() if network.absent)
    members = {
        device: _plan_member(
            device,
            membership,
            completed[membership.network] if membership else None,
            groups_of.get(device, frozenset()),
            observed.orders.get(device),
            absent,
            observed.named.orders,
        )
        for device, membership in wanted.items()
    }
    joining = frozenset(device for device, membership in wanted.items() if membership)
    missing = tuple(
        definition
        for definition in definitions_of(observed.named)
        if joining and definition["name"] not in observed.ledgers
    )
    emptied = {
        group: frozenset(device for device in wanted if group in groups_of.get(device, frozenset()))
        for group in sorted(absent)
    }
    gone = tuple(group.removeprefix(RESERVED_GROUPS) for group, leaving in emptied.items() if leaving)
    return MeshPlan(
        members,
        setup=tuple(Shared(CreateLedger(definition), joining) for definition in missing),
        teardown=tuple(Shared(RemoveGroup(group), leaving) for group, leaving in emptied.items() if leaving),
        creates={"ledgers": tuple(definition["name"] for definition in missing)} if missing else {},
        removes={"networks": gone} if gone else {},
        refusals=tuple(_refusals(completed, wanted, members, observed)),
        warnings=tuple(_warnings(joining, observed.boards)),
        staying={
            name: sum(
                1
                for gateway in network.gateways
                if gateway not in wanted and _seen(observed.orders.get(gateway)) == Membership(name, GATEWAY)
            )
            for name, network in networks.items()
        },
    )


def _refusals(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    members: Mapping[str, MemberPlan],
    observed: Observed,
) -> Iterator[str]:
    """Yield a sentence for each reason why planned changes are impossible.

    Members that need no change are never refused.
    """
    too_large = {
        network.name: list(too_much_to_order(network.name, "its members are", _orders(network, _LONGEST_SEAT, None)))
        for network in networks.values()
        if not network.absent
    }
    unknown: dict[str, list[str]] = {}
    for device, membership in wanted.items():
        if membership is None or not members[device].changes:
            continue
        network, before = networks[membership.network], observed.orders.get(device)
        yield from unfit_for_ledger(device, membership, observed.boards.get(device, Board()))
        by_itself = membership.parameters or network.parameters is None
        if by_itself and not too_large[network.name]:
            orders = _orders(network, membership, before)
            yield from too_much_to_order(network.name, f"device {device} is", orders)
        if nobody_knows(network, before, observed.orders):
            unknown.setdefault(network.name, []).append(device)
    for sentences in too_large.values():
        yield from sentences
    for name, devices in unknown.items():
        shown = some_of(devices, _SHOWN)
        yield (
            f"{name}: its members have different parameters, and none are declared for the network: "
            f"{shown}; declare parameters for the network"
        )


def _warnings(members: Set[str], boards: Mapping[str, Board]) -> Iterator[str]:
    """Yield a warning if members run a Device OS that is too old for ledgers."""
    # This is not a refusal, because a member reads its instructions by itself after an update.
    found = {device: boards[device].device_os for device in sorted(members & boards.keys())}
    outdated = [f"{device} ({version})" for device, version in found.items() if precedes_ledgers(version)]
    if outdated:
        yield (
            f"Devices ({len(outdated)}) run a Device OS older than {LEDGERS_SINCE} and cannot read what their network "
            f"of backend ledger tells them until they are updated: {some_of(outdated, _SHOWN)}"
        )


_SHOWN = 10


_LONGEST_SEAT = Membership("", GATEWAY)
"""The membership with the longest instructions among members without parameters of their own."""


def _orders(network: Network, membership: Membership, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the instructions that a member of ``network`` needs to join it.

    :param before: the current instructions of the device; ``None`` if it has none.
    """
    return {
        "network": network.name,
        "role": membership.role,
        "gateways": list(network.gateways),
        "parameters": parameters_of(membership, network, before),
    }


def _plan_member(
    device: str,
    membership: Membership | None,
    network: Network | None,
    groups: frozenset[str],
    orders: Mapping[str, Any] | None,
    absent: frozenset[str],
    ledger: str,
) -> MemberPlan:
    has = frozenset(group for group in groups if group.startswith(RESERVED_GROUPS))
    before = _seen(orders)
    if membership is None or network is None:
        left = (RemoveOrders(device, ledger),) if orders is not None else ()
        gone: dict[str, tuple[Any, Any]] = {"mesh": (_shown(has, orders), None)} if has or left else {}
        # The group of a dissolved network is deleted as a whole, so the device need not lose it first.
        return MemberPlan(frozenset(), has - absent, left, gone, before)
    needs = frozenset({RESERVED_GROUPS + membership.network, RESERVED_GROUPS + membership.role})
    data = _orders(network, membership, orders)
    changes: dict[str, tuple[Any, Any]] = {}
    if has != needs or orders is None or any(orders.get(key) != data[key] for key in ("network", "role")):
        changes["mesh"] = (_shown(has, orders), membership.as_result())
    elif orders.get("gateways") != data["gateways"]:
        changes["mesh.gateways"] = (orders.get("gateways"), data["gateways"])
    # Parameters may hold join keys, so the change shows only the names of those that differ.
    if orders is not None and orders.get("parameters") != data["parameters"]:
        differing = differing_keys(orders.get("parameters"), data["parameters"])
        changes["mesh.parameters"] = (None, f"{', '.join(differing) or 'none'} (values are not shown)")
    foreign = sorted(set(orders or {}) - set(data))
    if foreign:
        changes["mesh.unknown"] = (", ".join(foreign), None)
    writes = (SetOrders(device, data, ledger),) if orders != data else ()
    return MemberPlan(needs - has, has - needs - absent, writes, changes, before)


def _seen(orders: Mapping[str, Any] | None) -> Membership | None:
    """Return the membership in the instructions of a device, or ``None`` if they hold none."""
    # Device groups do not count here: without instructions a device cannot serve other members.
    if orders is not None and isinstance(network := orders.get("network"), str) and orders.get("role") in ROLES:
        return Membership(network, orders["role"])
    return None


def _shown(groups: frozenset[str], orders: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the observed membership as a result shows it: that of the groups, else that of the instructions.

    The result is ``None`` when neither shows a membership.
    """
    membership = membership_of(groups)
    if membership:
        return membership.as_result()
    if orders:
        return {"network": orders.get("network"), "role": orders.get("role")}
    return None
