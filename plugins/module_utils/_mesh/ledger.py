# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backend ``ledger``: networks on the Particle cloud of today. Private to this collection.

Membership is two device groups, ``mesh-<network>`` and ``mesh-gateway`` or ``mesh-node``. What a member needs to
join stands in its instance of the cloud-to-device ledger ``mesh``; what it reports in that of the device-to-cloud
ledger ``mesh-status``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import (
    create_ledger,
    delete_instance,
    get_instance,
    list_instances,
    list_ledgers,
    set_instance,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    JOINING,
    LOST,
    RESERVED_GROUPS,
    ROLES,
    MemberPlan,
    Membership,
    MeshPlan,
    Network,
)

ORDERS = "mesh"
REPORTS = "mesh-status"

LEDGERS: Mapping[str, Mapping[str, str]] = {
    ORDERS: {
        "name": ORDERS,
        "scope": "Device",
        "direction": "Downstream",
        "description": "What a device needs to join its network",
    },
    REPORTS: {
        "name": REPORTS,
        "scope": "Device",
        "direction": "Upstream",
        "description": "What a device reports of its network",
    },
}


@dataclass(frozen=True)
class Observed:
    """The ledgers that exist, and the declared devices' instances of ``mesh``."""

    ledgers: frozenset[str]
    orders: Mapping[str, Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class CreateLedger:
    """Write: a ledger that is missing."""

    name: str


@dataclass(frozen=True)
class SetOrders:
    """Write: the whole instance of one device; holds join keys."""

    device: str
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class RemoveOrders:
    """Write: no instance any more for one device."""

    device: str


Write = CreateLedger | SetOrders | RemoveOrders


def observe(http: Http, product: Product, devices: frozenset[str], warn: Callable[[str], None]) -> Observed:
    """Read the ledgers and, where they exist, the instances. Instances of other products' devices are ignored."""
    try:
        definitions = list_ledgers(http, product.org).rows
    except ParticleError as error:
        if error.status != 404:
            raise
        message = "Networks of backend ledger need ledgers, and this cloud has none."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None
    present = {str(row.get("name")): row for row in definitions}
    for name, wanted in LEDGERS.items():
        _refuse_other_kind(name, wanted, present.get(name))
    if ORDERS not in present:
        return Observed(frozenset(present), {})
    return Observed(frozenset(present), _read_instances(http, product, ORDERS, devices, warn))


def _read_instances(
    http: Http, product: Product, ledger: str, devices: Set[str], warn: Callable[[str], None]
) -> dict[str, Mapping[str, Any]]:
    """The data of the ``devices`` that have an instance."""
    rows = {_device_of(row): row for row in list_instances(http, product.org, ledger).rows}
    mine = {device: row for device, row in rows.items() if device in devices}
    bare = [device for device, row in mine.items() if not isinstance(row.get("data"), dict)]
    if bare:
        warn(f"The cloud lists ledger {ledger} without its data: {len(bare)} devices are read one by one.")
        read = in_parallel(lambda device: get_instance(http, product.org, ledger, device), bare, http.workers)
        mine.update(zip(bare, read, strict=True))
    return {device: row.get("data") or {} for device, row in mine.items()}


def _refuse_other_kind(name: str, wanted: Mapping[str, str], found: Mapping[str, Any] | None) -> None:
    """A ledger of that name with another meaning is somebody else's: never write into it."""
    if found is None:
        return
    differing = [
        f"{key} {found[key]} instead of {wanted[key]}"
        for key in ("scope", "direction")
        if str(found.get(key, wanted[key])).lower() != wanted[key].lower()
    ]
    if differing:
        message = f"The account has a ledger {name} of another kind: {', '.join(differing)}."
        raise ParticleError("conflict", message, hint="Rename or archive that ledger, then run again.")


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
    completed = {name: _with_parameters(network, observed) for name, network in networks.items()}
    members = {
        device: _plan_member(
            device,
            membership,
            completed[membership.network] if membership else None,
            groups_of.get(device, frozenset()),
            observed.orders.get(device),
        )
        for device, membership in wanted.items()
    }
    needed = any(wanted.values())
    missing = tuple(name for name in LEDGERS if needed and name not in observed.ledgers)
    return MeshPlan(tuple(map(CreateLedger, missing)), members, {"ledgers": missing})


def _with_parameters(network: Network, observed: Observed) -> Network:
    """A network whose parameters are not declared has those of its members, as far as these agree."""
    if network.parameters is not None:
        return network
    found = [orders.get("parameters") for orders in observed.orders.values() if orders.get("network") == network.name]
    agreed = found[0] if found and isinstance(found[0], dict) and all(other == found[0] for other in found) else None
    return replace(network, parameters=agreed)


def _plan_member(
    device: str,
    membership: Membership | None,
    network: Network | None,
    groups: frozenset[str],
    orders: Mapping[str, Any] | None,
) -> MemberPlan:
    has = frozenset(group for group in groups if group.startswith(RESERVED_GROUPS))
    if membership is None or network is None:
        left = RemoveOrders(device) if orders is not None else None
        gone: dict[str, tuple[Any, Any]] = {"mesh": (_shown(has, orders), None)} if has or left else {}
        return MemberPlan(frozenset(), has, left, gone, joins=False)
    needs = frozenset({RESERVED_GROUPS + membership.network, RESERVED_GROUPS + membership.role})
    data: dict[str, Any] = {
        "network": membership.network,
        "role": membership.role,
        "gateways": list(network.gateways),
        "parameters": _parameters(network, orders),
    }
    changes: dict[str, tuple[Any, Any]] = {}
    if has != needs or orders is None or any(orders.get(key) != data[key] for key in ("network", "role")):
        changes["mesh"] = (_shown(has, orders), membership.as_result())
    elif orders.get("gateways") != data["gateways"]:
        changes["mesh.gateways"] = (orders.get("gateways"), data["gateways"])
    # Parameters may hold join keys: which differ is told, what they are is not.
    if orders is not None and orders.get("parameters") != data["parameters"]:
        differing = _differing(orders.get("parameters"), data["parameters"])
        changes["mesh.parameters"] = (None, f"{', '.join(differing) or 'none'} (values are not shown)")
    foreign = sorted(set(orders or {}) - set(data))
    if foreign:
        changes["mesh.unknown"] = (", ".join(foreign), None)
    write = SetOrders(device, data) if orders != data else None
    return MemberPlan(needs - has, has - needs, write, changes)


def _parameters(network: Network, orders: Mapping[str, Any] | None) -> dict[str, Any]:
    """Those of the network; where nothing is declared and its members differ, those that the device has there."""
    if network.parameters is not None:
        return dict(network.parameters)
    stays = orders is not None and orders.get("network") == network.name
    own = orders.get("parameters") if orders and stays else None
    return dict(own) if isinstance(own, dict) else {}


def _shown(groups: frozenset[str], orders: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The membership that is observed, ``None`` when there is no trace of one."""
    membership = membership_of(groups)
    if membership:
        return membership.as_result()
    if orders:
        return {"network": orders.get("network"), "role": orders.get("role")}
    return None


def _differing(before: Any, after: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ; whatever somebody else wrote ``before`` need not even have keys."""
    if not isinstance(before, dict):
        return sorted(after)
    return sorted(
        key for key in {*before, *after} if key not in before or key not in after or before[key] != after[key]
    )


def membership_of(groups: frozenset[str]) -> Membership | None:
    """Network and role as the device groups tell them; ``None`` outside a mesh or when they are not one each."""
    names = {group.removeprefix(RESERVED_GROUPS) for group in groups if group.startswith(RESERVED_GROUPS)}
    roles = names & set(ROLES)
    networks = names - set(ROLES)
    if len(roles) != 1 or len(networks) != 1:
        return None
    return Membership(networks.pop(), roles.pop())


def apply(http: Http, product: Product, write: Write) -> None:
    """Carry out one write."""
    if isinstance(write, CreateLedger):
        _create_ledger(http, product, write.name)
    elif isinstance(write, SetOrders):
        set_instance(http, product.org, ORDERS, write.device, write.data)
    else:  # that it is gone already, the fleet learns by another look
        delete_instance(http, product.org, ORDERS, write.device)


def _create_ledger(http: Http, product: Product, name: str) -> None:
    try:
        create_ledger(http, product.org, LEDGERS[name])
    except ParticleError as error:
        # Another run beside this one may have been faster; what a cloud says of a second one is not established.
        if error.status not in (400, 409):
            raise
        if name not in {str(row.get("name")) for row in list_ledgers(http, product.org).rows}:
            raise error from None


def verify(
    http: Http, product: Product, wanted: Mapping[str, Membership], warn: Callable[[str], None]
) -> Mapping[str, str]:
    """One sweep over what the members report. A report of another network or role is one of the past: joining."""
    reports = _read_instances(http, product, REPORTS, wanted.keys(), warn)
    return {device: _state(reports.get(device), membership) for device, membership in wanted.items()}


def _state(report: Mapping[str, Any] | None, membership: Membership) -> str:
    if report is None or (report.get("network"), report.get("role")) != (membership.network, membership.role):
        return JOINING
    state = report.get("state")
    return state if state in (JOINED, LOST) else JOINING
