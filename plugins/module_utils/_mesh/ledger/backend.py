# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backend ``ledger``: networks on the Particle cloud of today. Private to this collection.

Membership is two device groups, ``mesh-<network>`` and ``mesh-gateway`` or ``mesh-node``. What a member needs to
join stands in its instance of the cloud-to-device ledger ``mesh``; what it reports in that of the device-to-cloud
ledger ``mesh-status``. Both may be called otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import delete_group
from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import (
    create_ledger,
    delete_instance,
    get_instance,
    list_instances,
    list_ledgers,
    set_instance,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import texts_of
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import some_of
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    GATEWAY,
    JOINED,
    LOST,
    PENDING,
    RESERVED_GROUPS,
    ROLES,
    WRONG_NETWORK,
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
    ledger_name,
    membership_of,
)


def definitions_of(ledgers: Ledgers) -> tuple[Mapping[str, str], ...]:
    """What the two ledgers are, as the cloud creates them."""
    scope = {"scope": "Device"}
    orders = {"direction": "Downstream", "description": "What a device needs to join its network"}
    reports = {"direction": "Upstream", "description": "What a device reports of its network"}
    return {"name": ledgers.orders, **scope, **orders}, {"name": ledgers.reports, **scope, **reports}


@dataclass(frozen=True)
class Observed:
    """The ledgers that exist, what the declared devices are told in one of them, and what the devices are.

    :param named: what the two are called.
    """

    ledgers: frozenset[str]
    orders: Mapping[str, Mapping[str, Any]] = field(repr=False)
    boards: Mapping[str, Board] = field(default_factory=dict, repr=False)
    named: Ledgers = DEFAULT_LEDGERS


@dataclass(frozen=True)
class CreateLedger:
    """Write: a ledger that is missing."""

    definition: Mapping[str, str]


@dataclass(frozen=True)
class SetOrders:
    """Write: the whole instance of one device; holds join keys."""

    device: str
    data: Mapping[str, Any] = field(repr=False)
    ledger: str = DEFAULT_LEDGERS.orders


@dataclass(frozen=True)
class RemoveOrders:
    """Write: no instance any more for one device."""

    device: str
    ledger: str = DEFAULT_LEDGERS.orders


@dataclass(frozen=True)
class RemoveGroup:
    """Write: the device group of a network that is dissolved, which takes every device out of it."""

    name: str


Write: TypeAlias = "CreateLedger | SetOrders | RemoveOrders | RemoveGroup"


def observe(
    target: Target,
    networks: Mapping[str, Network],
    boards: Mapping[str, Board],
    ledgers: Ledgers = DEFAULT_LEDGERS,
) -> Observed:
    """Read the ledgers and, where they exist, the instances. Instances of other products' devices are ignored."""
    try:
        definitions = list_ledgers(target.http, target.in_product.org).rows
    except ParticleError as error:
        if error.status != 404:
            raise
        message = "Networks of backend ledger need ledgers, and this cloud has none."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None
    present = {str(row.get("name")): row for row in definitions}
    for wanted in definitions_of(ledgers):
        _refuse_other_kind(wanted, present.get(wanted["name"]))
    if ledgers.orders not in present:
        return Observed(frozenset(present), {}, boards, ledgers)
    # Gateways that are declared elsewhere know the parameters of their network.
    known = boards.keys() | {gateway for network in networks.values() for gateway in network.gateways}
    orders = _read_instances(target, ledgers.orders, known)
    return Observed(frozenset(present), orders, boards, ledgers)


def members_of(target: Target, networks: Set[str], ledger: str) -> frozenset[str]:
    """All devices of the product that are in one of ``networks``, by their groups or by what ``ledger`` orders them.

    A run that was killed may have left one without the other. One request for each hundred devices and instances.
    """
    groups_of = {
        str(row.get("id")): frozenset(texts_of(row.get("groups")))
        for row in list_product_devices(target.http, target.in_product.id).rows
    }
    groups = {RESERVED_GROUPS + network for network in networks}
    found = {device for device, has in groups_of.items() if has & groups}
    try:
        orders = _read_instances(target, ledger, groups_of.keys())
    except ParticleError as error:
        if error.status != 404:  # without the ledger nobody was ordered anything
            raise
        orders = {}
    ordered = {device for device, data in orders.items() if any(data.get("network") == name for name in networks)}
    return frozenset(found | ordered)


def _read_instances(target: Target, ledger: str, devices: Set[str]) -> dict[str, Mapping[str, Any]]:
    """The data of the ``devices`` that have an instance."""
    http, org = target.http, target.in_product.org
    rows = {_device_of(row): row for row in list_instances(http, org, ledger).rows}
    mine = {device: row for device, row in rows.items() if device in devices}
    bare = [device for device, row in mine.items() if not isinstance(row.get("data"), dict)]
    if bare:
        target.warn(f"The cloud lists ledger {ledger} without its data: {len(bare)} devices are read one by one.")
        read = in_parallel(lambda device: get_instance(http, org, ledger, device), bare, http.workers)
        mine.update(zip(bare, read, strict=True))
    return {device: data if isinstance(data := row.get("data"), dict) else {} for device, row in mine.items()}


def _refuse_other_kind(wanted: Mapping[str, str], found: Mapping[str, Any] | None) -> None:
    """A ledger of that name with another meaning is somebody else's: never write into it."""
    if found is None:
        return
    differing = [
        f"{key} {found[key]} instead of {wanted[key]}"
        for key in ("scope", "direction")
        if str(found.get(key, wanted[key])).lower() != wanted[key].lower()
    ]
    if differing:
        message = f"The account has a ledger {wanted['name']} of another kind: {', '.join(differing)}."
        hint = "Name another one by mesh_ledger and mesh_status_ledger, as your firmware does, then run again."
        raise ParticleError("conflict", message, hint=hint)


def _device_of(row: Mapping[str, Any]) -> str:
    scope = row.get("scope")
    return str(scope.get("value", "")) if isinstance(scope, dict) else ""


def plan(
    networks: Mapping[str, Network],
    wanted: Mapping[str, Membership | None],
    groups_of: Mapping[str, frozenset[str]],
    observed: Observed,
) -> MeshPlan:
    """Groups and instances that differ from what is declared."""
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
    """Why what changes cannot be; what is so already is let be."""
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
            f"{name}: its members are told different parameters, and none are declared, so nobody knows which are "
            f"meant for who is new in it: {shown}; declare the network's parameters"
        )


def _warnings(members: Set[str], boards: Mapping[str, Board]) -> Iterator[str]:
    """What members cannot do yet; who is updated does it by itself, so nothing is refused."""
    found = {device: boards[device].device_os for device in sorted(members & boards.keys())}
    outdated = [f"{device} ({version})" for device, version in found.items() if precedes_ledgers(version)]
    if outdated:
        yield (
            f"Devices ({len(outdated)}) run a Device OS older than {LEDGERS_SINCE} and cannot read what their network "
            f"of backend ledger tells them until they are updated: {some_of(outdated, _SHOWN)}"
        )


_SHOWN = 10
_LONGEST_SEAT = Membership("", GATEWAY)
"""Whose orders are the longest, of all that are told nothing but what their network says."""


def _orders(network: Network, membership: Membership, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a member of ``network`` needs to join it; ``before`` is what it had until now."""
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
        # The group of a network that is dissolved goes as a whole.
        return MemberPlan(frozenset(), has - absent, left, gone, before)
    needs = frozenset({RESERVED_GROUPS + membership.network, RESERVED_GROUPS + membership.role})
    data = _orders(network, membership, orders)
    changes: dict[str, tuple[Any, Any]] = {}
    if has != needs or orders is None or any(orders.get(key) != data[key] for key in ("network", "role")):
        changes["mesh"] = (_shown(has, orders), membership.as_result())
    elif orders.get("gateways") != data["gateways"]:
        changes["mesh.gateways"] = (orders.get("gateways"), data["gateways"])
    # Parameters may hold join keys: which differ is told, what they are is not.
    if orders is not None and orders.get("parameters") != data["parameters"]:
        differing = differing_keys(orders.get("parameters"), data["parameters"])
        changes["mesh.parameters"] = (None, f"{', '.join(differing) or 'none'} (values are not shown)")
    foreign = sorted(set(orders or {}) - set(data))
    if foreign:
        changes["mesh.unknown"] = (", ".join(foreign), None)
    writes = (SetOrders(device, data, ledger),) if orders != data else ()
    return MemberPlan(needs - has, has - needs - absent, writes, changes, before)


def _seen(orders: Mapping[str, Any] | None) -> Membership | None:
    """Where a member is: where it was ordered to be. Groups alone make nobody a member that others can rely on."""
    if orders is not None and isinstance(network := orders.get("network"), str) and orders.get("role") in ROLES:
        return Membership(network, orders["role"])
    return None


def _shown(groups: frozenset[str], orders: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The membership that is observed, ``None`` when there is no trace of one."""
    membership = membership_of(groups)
    if membership:
        return membership.as_result()
    if orders:
        return {"network": orders.get("network"), "role": orders.get("role")}
    return None


def apply(target: Target, write: Write) -> None:
    """Carry out one write."""
    http, org = target.http, target.in_product.org
    if isinstance(write, CreateLedger):
        _create_ledger(target, write.definition)
    elif isinstance(write, SetOrders):
        set_instance(http, org, write.ledger, write.device, write.data)
    elif isinstance(write, RemoveOrders):  # that it is gone already, the fleet learns by another look
        delete_instance(http, org, write.ledger, write.device)
    else:
        _delete_group(target, write.name)


def _create_ledger(target: Target, definition: Mapping[str, str]) -> None:
    http, org = target.http, target.in_product.org
    try:
        create_ledger(http, org, definition)
    except ParticleError as error:
        # Another run beside this one may have been faster; what a cloud says of a second one is not established.
        if error.status not in (400, 409):
            raise
        if definition["name"] not in {str(row.get("name")) for row in list_ledgers(http, org).rows}:
            raise error from None


def _delete_group(target: Target, name: str) -> None:
    try:
        delete_group(target.http, target.in_product.id, name)
    except ParticleError as error:
        # Sent twice, because the first answer was lost, it meets what it did itself.
        if error.code != "not_found":
            raise


def verify(
    target: Target,
    wanted: Mapping[str, Membership],
    reports: str = DEFAULT_LEDGERS.reports,
) -> Mapping[str, str]:
    """One sweep over what the members report in the ledger of that name."""
    reported = _read_instances(target, reports, wanted.keys())
    return {device: _state(reported.get(device), membership) for device, membership in wanted.items()}


def _state(report: Mapping[str, Any] | None, membership: Membership) -> str:
    """A report of another role, or of another network that it is not in either, is one of the past: pending."""
    if report is None:
        return PENDING
    state = report.get("state")
    if report.get("network") != membership.network:
        return WRONG_NETWORK if state == JOINED else PENDING
    return state if state in (JOINED, LOST) and report.get("role") == membership.role else PENDING


class LedgerBackend:
    """The functions of this file as a :class:`Backend`, with the names of the ledgers that a task has chosen."""

    def __init__(self, ledgers: Ledgers, reports: str) -> None:
        self._ledgers = ledgers
        self._reports = reports

    @classmethod
    def open(cls, options: Mapping[str, Any]) -> LedgerBackend:
        """Read the names of the ledgers. :raises ParticleError: ``invalid_option`` for names that they cannot have."""
        reports = options.get("mesh_status_ledger", DEFAULT_LEDGERS.reports)
        if "mesh_ledger" not in options:  # a task that only reads what members report
            return cls(DEFAULT_LEDGERS, ledger_name(reports))
        return cls(Ledgers(options["mesh_ledger"], reports), reports)

    def observe(self, target: Target, networks: Mapping[str, Network], boards: Mapping[str, Board]) -> Observed:
        """Read the ledgers and their instances."""
        return observe(target, networks, boards, self._ledgers)

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Observed,
    ) -> MeshPlan:
        """Plan groups and instances that differ."""
        return plan(networks, wanted, groups_of, observed)

    def apply(self, target: Target, write: Write) -> None:
        """Carry out one write."""
        apply(target, write)

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Read what the members report."""
        return verify(target, wanted, self._reports)

    def find_members(
        self, target: Target, networks: Mapping[str, Network], boards: Mapping[str, Board]
    ) -> Mapping[str, str | None]:
        """Find all devices of the product in ``networks``, whether they are declared or not."""
        if target.product is None:
            return {}
        return dict.fromkeys(members_of(target, networks.keys(), self._ledgers.orders))

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """Return nothing: every member is a device of the Particle cloud."""
        return ()

    def close(self) -> None:
        """Do nothing: the connection is the task's."""
