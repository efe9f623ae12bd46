# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes to device groups and ledger instances for backend ``ledger``. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    RESERVED_GROUPS,
    ROLES,
    Hardware,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
    SharedWrite,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.leaving import (
    CONTRACT,
    CONTRACT_VERSION,
    LEAVE_ORDER,
    Step,
    find_step,
    is_leave_order,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.limits import (
    LEDGERS_SINCE,
    check_instructions,
    check_platform,
    is_too_old_for_ledgers,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.parameters import (
    complete_parameters,
    find_differing_keys,
    has_unknown_parameters,
    merge_parameters,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import (
    DEFAULT_LEDGERS,
    Ledgers,
    read_group_membership,
)


def build_definitions(ledgers: Ledgers) -> tuple[Mapping[str, str], ...]:
    """Return the definitions of the two ledgers, in the form that a request to create a ledger contains."""
    scope = {"scope": "Device"}
    instructions = {"direction": "Downstream", "description": "Instructions for a device to join its network"}
    reports = {"direction": "Upstream", "description": "Reports of a device about its network"}
    return {"name": ledgers.instructions, **scope, **instructions}, {"name": ledgers.reports, **scope, **reports}


@dataclass(frozen=True)
class Observed:
    """The observed state of the ledgers and devices.

    :param ledgers: the names of the ledgers that exist.
    :param instructions: the current instructions, keyed by device. A device that has no ledger instance has no key.
    :param hardware_of: the hardware of the declared devices.
    :param names: the names of the two ledgers that the backend uses.
    :param undeclared_nodes: the instructions of undeclared devices that have a declared device as a gateway.
    :param reports: the reports of the devices that leave their networks, keyed by device.
    """

    ledgers: frozenset[str]
    instructions: Mapping[str, Mapping[str, Any]] = field(repr=False)
    hardware_of: Mapping[str, Hardware] = field(default_factory=dict, repr=False)
    names: Ledgers = DEFAULT_LEDGERS
    undeclared_nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class CreateLedger:
    """A write that creates a missing ledger."""

    definition: Mapping[str, str]


@dataclass(frozen=True)
class SetInstructions:
    """A write that replaces the instructions of one device.

    :param device: the id of the device.
    :param data: the instructions, which may hold join keys.
    :param ledger: the name of the ledger.
    """

    device: str
    data: Mapping[str, Any] = field(repr=False)
    ledger: str = DEFAULT_LEDGERS.instructions


@dataclass(frozen=True)
class DeleteInstructions:
    """A write that deletes the instructions of one device."""

    device: str
    ledger: str = DEFAULT_LEDGERS.instructions


@dataclass(frozen=True)
class DeleteGroup:
    """A write that deletes the device group of a dissolved network, and thereby removes all devices from the group."""

    name: str


Write: TypeAlias = "CreateLedger | SetInstructions | DeleteInstructions | DeleteGroup"


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
    :param groups_of: the device groups of each device.
    :param observed: the state that the backend has read.
    """
    completed = {
        name: complete_parameters(network, wanted, observed.instructions) for name, network in networks.items()
    }
    absent = frozenset(RESERVED_GROUPS + name for name, network in networks.items() if network.absent)
    members = {
        device: _plan_member(device, membership, completed, groups_of.get(device, frozenset()), observed)
        for device, membership in wanted.items()
    }
    if absent:
        # The device group of a dissolved network is deleted, which also removes the devices from the group.
        members = {
            device: replace(member, remove_groups=member.remove_groups - absent) for device, member in members.items()
        }
    joining = frozenset(device for device, membership in wanted.items() if membership)
    # A device that leaves its network needs the ledger for its report.
    needing = joining | {device for device, member in members.items() if member.pending}
    missing = tuple(
        definition
        for definition in build_definitions(observed.names)
        if needing and definition["name"] not in observed.ledgers
    )
    emptied = {
        group: frozenset(device for device in wanted if group in groups_of.get(device, frozenset()))
        for group in sorted(absent)
    }
    gone = tuple(group.removeprefix(RESERVED_GROUPS) for group, leaving in emptied.items() if leaving)
    return MeshPlan(
        members,
        setup=tuple(SharedWrite(CreateLedger(definition), needing) for definition in missing),
        teardown=tuple(SharedWrite(DeleteGroup(group), leaving) for group, leaving in emptied.items() if leaving),
        created_names={"ledgers": tuple(definition["name"] for definition in missing)} if missing else {},
        removed_names={"networks": gone} if gone else {},
        refusals=tuple(_find_refusals(completed, wanted, members, observed)),
        warnings=(
            *_find_warnings(joining, observed.hardware_of),
            *_find_abandoned_nodes(wanted, observed.undeclared_nodes),
        ),
        staying_gateways={
            name: sum(
                1
                for gateway in network.gateways
                if gateway not in wanted
                and _read_membership(observed.instructions.get(gateway)) == Membership(name, GATEWAY)
            )
            for name, network in networks.items()
        },
    )


def _find_refusals(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    members: Mapping[str, MemberPlan],
    observed: Observed,
) -> Iterator[str]:
    """Yield a sentence for each reason why planned changes are impossible. Members without changes are not checked."""
    too_large = {
        network.name: list(
            check_instructions(network.name, "its members", _build_instructions(network, _LONGEST_MEMBERSHIP, None))
        )
        for network in networks.values()
        if not network.absent
    }
    unknown: dict[str, list[str]] = {}
    for device, membership in wanted.items():
        if membership is None or not members[device].changes:
            continue
        network, before = networks[membership.network], _find_earlier_instructions(device, membership, observed)
        yield from check_platform(device, membership, observed.hardware_of.get(device, Hardware()))
        by_itself = membership.parameters or network.parameters is None
        if by_itself and not too_large[network.name]:
            instructions = _build_instructions(network, membership, before)
            yield from check_instructions(network.name, f"device {device}", instructions)
        if has_unknown_parameters(network, before, observed.instructions):
            unknown.setdefault(network.name, []).append(device)
    for sentences in too_large.values():
        yield from sentences
    for name, devices in unknown.items():
        shown = list_names(devices)
        yield (
            f"{name}: its members have different parameters, so those of new members are unknown ({shown}); "
            "declare parameters for the network"
        )


def _find_warnings(members: Set[str], hardware_of: Mapping[str, Hardware]) -> Iterator[str]:
    """Yield a warning if members run a Device OS that is too old for ledgers."""
    # An old Device OS is not a refusal, because the member reads its instructions by itself after an update.
    found = {device: hardware_of[device].device_os for device in sorted(members & hardware_of.keys())}
    outdated = [f"{device} ({version})" for device, version in found.items() if is_too_old_for_ledgers(version)]
    if outdated:
        yield (
            f"Devices ({len(outdated)}) run a Device OS older than {LEDGERS_SINCE} and cannot read the instructions of "
            f"their network of backend ledger until they are updated: {list_names(outdated)}"
        )


def _find_abandoned_nodes(
    wanted: Mapping[str, Membership | None], undeclared_nodes: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield a warning if undeclared nodes keep a gateway that leaves, or has left, their network."""
    found = [
        f"{node} (gateway {gateway})"
        for node, data in sorted(undeclared_nodes.items())
        for gateway in list_texts(data.get("gateways"))
        if gateway in wanted and wanted[gateway] != Membership(str(data.get("network")), GATEWAY)
    ]
    if found:
        one, many = "node that the manifest does not declare keeps", "nodes that the manifest does not declare keep"
        count = format_count(len(found), one, many)
        yield (
            f"{count} a gateway that leaves the network: {list_names(found)}. Declare the nodes, or run their manifest "
            "with the new list of gateways."
        )


_LONGEST_MEMBERSHIP = Membership("", GATEWAY)
"""A membership without parameters, in the role whose instructions are longest."""


def _build_instructions(network: Network, membership: Membership, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the instructions with which a device joins ``network``.

    :param before: the current instructions of the device; ``None`` if the device has no instructions.
    """
    return {
        CONTRACT: CONTRACT_VERSION,
        "network": network.name,
        "role": membership.role,
        "gateways": list(network.gateways),
        "parameters": merge_parameters(membership, network, before),
    }


def _find_earlier_instructions(device: str, membership: Membership, observed: Observed) -> Mapping[str, Any] | None:
    """Return the instructions from which a member keeps parameters: its own, or those of the device that it replaces.

    An interrupted run may have deleted the instructions of the replaced device already. The member then has them.
    """
    own, replaced = (observed.instructions.get(one or "") for one in (device, membership.replaces))
    order = (replaced, own) if membership.keeps_parameters else (own, replaced)
    in_network = (found for found in order if found is not None and found.get("network") == membership.network)
    return next(in_network, own)


def _plan_member(
    device: str,
    membership: Membership | None,
    networks: Mapping[str, Network],
    groups: frozenset[str],
    observed: Observed,
) -> MemberPlan:
    has = frozenset(group for group in groups if group.startswith(RESERVED_GROUPS))
    instructions, ledger = observed.instructions.get(device), observed.names.instructions
    before = _read_membership(instructions)
    if membership is None:
        return _plan_leaving(device, has, observed)
    needs = frozenset({RESERVED_GROUPS + membership.network, RESERVED_GROUPS + membership.role})
    earlier = _find_earlier_instructions(device, membership, observed)
    data = _build_instructions(networks[membership.network], membership, earlier)
    changes: dict[str, tuple[Any, Any]] = {}
    if has != needs or instructions is None or any(instructions.get(key) != data[key] for key in ("network", "role")):
        changes["mesh"] = (_show_membership(has, instructions), membership.as_result())
    elif instructions.get("gateways") != data["gateways"]:
        changes["mesh.gateways"] = (instructions.get("gateways"), data["gateways"])
    # Parameters may hold join keys, so the change shows only the keys that differ, without values.
    is_ordered_to_leave = instructions is not None and is_leave_order(instructions)
    if instructions is not None and not is_ordered_to_leave and instructions.get("parameters") != data["parameters"]:
        differing = find_differing_keys(instructions.get("parameters"), data["parameters"])
        changes["mesh.parameters"] = (None, f"{', '.join(differing) or 'none'} (values are not shown)")
    foreign = sorted(set(instructions or {}) - set(data))
    if foreign:
        changes["mesh.unknown"] = (", ".join(foreign), None)
    if instructions is not None and instructions.get(CONTRACT, CONTRACT_VERSION) != CONTRACT_VERSION:
        changes["mesh.contract"] = (instructions[CONTRACT], CONTRACT_VERSION)
    # Instructions that only lack the version of the contract stay as they are: the version is tolerated when absent.
    is_current = instructions is not None and {CONTRACT: CONTRACT_VERSION, **instructions} == data
    writes = () if is_current else (SetInstructions(device, data, ledger),)
    return MemberPlan(needs - has, has - needs, writes, changes, before)


def _plan_leaving(device: str, groups: frozenset[str], observed: Observed) -> MemberPlan:
    """Plan the changes to a device that must be in no network.

    :param groups: the device groups for networks and roles that the device has.
    """
    instructions, ledger = observed.instructions.get(device), observed.names.instructions
    is_removed = observed.hardware_of.get(device, Hardware()).is_removed
    step = find_step(instructions, observed.reports.get(device), is_removed=is_removed)
    writes: tuple[Write, ...] = ()
    if step is Step.DELETE:
        writes = (DeleteInstructions(device, ledger),)
    elif step is Step.ORDER:
        writes = (SetInstructions(device, LEAVE_ORDER, ledger),)
    was_ordered = instructions is not None and is_leave_order(instructions)
    changes: dict[str, tuple[Any, Any]] = {}
    if groups or (writes and not was_ordered):
        changes["mesh"] = (_show_membership(groups, instructions), None)
    if writes and was_ordered:
        changes["mesh.instructions"] = ("leave", None)
    pending = _LEAVING.format(device=device) if step in (Step.ORDER, Step.WAIT) else ""
    return MemberPlan(
        remove_groups=groups,
        writes=writes,
        changes=changes,
        before=_read_membership(instructions),
        pending=pending,
        completes_earlier_run=was_ordered and not groups,
    )


_LEAVING = "Device {device} is ordered to leave its network, but has not reported that it has left."


def _read_membership(instructions: Mapping[str, Any] | None) -> Membership | None:
    """Return the membership in the instructions of a device, or ``None`` if the network or the role is not valid."""
    # Device groups are ignored here, because a device without instructions cannot serve other members.
    if (
        instructions is not None
        and isinstance(network := instructions.get("network"), str)
        and instructions.get("role") in ROLES
    ):
        return Membership(network, instructions["role"])
    return None


def _show_membership(groups: frozenset[str], instructions: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the observed membership for the result of a module.

    The device groups take precedence over the instructions. The membership is ``None`` if the device groups show no
    membership and there are no instructions to join a network.
    """
    membership = read_group_membership(groups)
    if membership:
        return membership.as_result()
    if instructions and not is_leave_order(instructions):
        return {"network": instructions.get("network"), "role": instructions.get("role")}
    return None
