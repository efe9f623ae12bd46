# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the networks of backend ``ledger``, on the current Particle cloud. Private to this collection.

Each member is in two device groups: ``mesh-<network>``, and ``mesh-gateway`` or ``mesh-node``. Each member also has two
ledger instances. The instance of the cloud-to-device ledger ``mesh`` holds instructions, which tell the device how to
join the network. The instance of the device-to-cloud ledger ``mesh-status`` holds the report of the device. Options of
a task can change the names of both ledgers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.creates import may_exist_already
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import delete_group
from ansible_collections.meshfleet.particle.plugins.module_utils._api.ledgers import (
    create_ledger,
    delete_instance,
    get_instance,
    list_instances,
    list_ledgers,
    set_instance,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    LOST,
    NODE,
    PENDING,
    RESERVED_GROUPS,
    WRONG_NETWORK,
    Hardware,
    Membership,
    MeshPlan,
    Network,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.leaving import is_leave_order
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.plan import (
    CreateLedger,
    DeleteInstructions,
    Observed,
    SetInstructions,
    Write,
    build_definitions,
    plan,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.ledger.rules import (
    DEFAULT_LEDGERS,
    Ledgers,
    check_ledger_name,
)


def observe_networks(
    target: Target,
    networks: Mapping[str, Network],
    hardware_of: Mapping[str, Hardware],
    ledgers: Ledgers = DEFAULT_LEDGERS,
) -> Observed:
    """Read the names of the existing ledgers, and the instructions of the declared devices and of all gateways.

    The reports are read too if devices that have instructions leave their networks. Ledger instances of other devices
    are ignored, because devices of other products can share the ledger.

    :param networks: the declared networks by name.
    :param hardware_of: the hardware of the declared devices.
    :param ledgers: the names of the two ledgers.
    :raises ParticleError: ``unsupported`` when the cloud has no ledgers; ``conflict`` when one of the two ledgers has
        another scope or direction.
    """
    try:
        definitions = list_ledgers(target.http, target.required_product.org).rows
    except ParticleError as error:
        if error.status != 404:
            raise
        message = f"Networks of backend ledger require ledgers, but this cloud has none (HTTP 404{error.quoted})."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None
    present = {str(row.get("name")): row for row in definitions}
    for wanted in build_definitions(ledgers):
        _refuse_other_kind(wanted, present.get(wanted["name"]))
    if ledgers.instructions not in present:
        return Observed(frozenset(present), {}, hardware_of, ledgers)
    # A gateway can be declared in another manifest. The instructions of that gateway are read too, because they contain
    # the parameters of the network.
    known = hardware_of.keys() | {gateway for network in networks.values() for gateway in network.gateways}
    rows = _list_rows(target, ledgers.instructions)
    instructions = _read_data(target, ledgers.instructions, rows, known)
    leaving = {
        device
        for device, hardware in hardware_of.items()
        if hardware.leaves_network and not hardware.is_removed and device in instructions
    }
    reports: Mapping[str, Mapping[str, Any]] = {}
    if leaving and ledgers.reports in present:
        reports = _read_data(target, ledgers.reports, _list_rows(target, ledgers.reports), leaving)
    nodes = _find_undeclared_nodes(rows, known)
    return Observed(frozenset(present), instructions, hardware_of, ledgers, nodes, reports)


def _find_undeclared_nodes(rows: Mapping[str, Mapping[str, Any]], known: Set[str]) -> dict[str, Mapping[str, Any]]:
    """Return the instructions of the nodes outside ``known`` that have one of ``known`` as a gateway.

    Devices of other products are not among them, because they cannot have these gateways.
    """
    data_of = {device: row["data"] for device, row in rows.items() if isinstance(row.get("data"), dict)}
    return {
        device: data
        for device, data in data_of.items()
        if device not in known and data.get("role") == NODE and not known.isdisjoint(list_texts(data.get("gateways")))
    }


def find_members(target: Target, networks: Set[str], ledger: str) -> frozenset[str]:
    """Return all devices of the product whose device groups or instructions name one of ``networks``.

    The devices that are ordered to leave a network are returned too, because the order does not name the network.
    After an interrupted run, a device can have only the device group or only the instructions. Sends one request per
    hundred devices and one request per hundred ledger instances.

    :param networks: the names of the networks.
    :param ledger: the name of the ledger that holds the instructions.
    """
    groups_of = {
        str(row.get("id")): frozenset(list_texts(row.get("groups")))
        for row in list_product_devices(target.http, target.required_product.id).rows
    }
    groups = {RESERVED_GROUPS + network for network in networks}
    found = {device for device, has in groups_of.items() if has & groups}
    try:
        instructions = _read_data(target, ledger, _list_rows(target, ledger), groups_of.keys())
    except ParticleError as error:
        if error.status != 404:  # 404: the ledger does not exist, so no device has instructions
            raise
        instructions = {}
    ordered = {
        device
        for device, data in instructions.items()
        if is_leave_order(data) or any(data.get("network") == name for name in networks)
    }
    return frozenset(found | ordered)


def _list_rows(target: Target, ledger: str) -> dict[str, Mapping[str, Any]]:
    """Return the rows of the list of ledger instances, keyed by device."""
    rows = list_instances(target.http, target.required_product.org, ledger).rows
    return {_read_device_id(row): row for row in rows}


def _read_data(
    target: Target, ledger: str, rows: Mapping[str, Mapping[str, Any]], devices: Set[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the data of the ledger instances of ``devices``, keyed by device.

    A device that has no ledger instance has no key. If the list of ledger instances omits data, the data is read with
    one request per device, and the user gets a warning.

    :param rows: the rows of the list of ledger instances, keyed by device.
    """
    http, org = target.http, target.required_product.org
    mine = {device: row for device, row in rows.items() if device in devices}
    bare = [device for device, row in mine.items() if not isinstance(row.get("data"), dict)]
    if bare:
        affected = format_count(len(bare), "device is", "devices are")
        target.warn(f"The list of ledger {ledger} lacks its data: {affected} read one by one.")
        read = map_in_parallel(lambda device: get_instance(http, org, ledger, device), bare, http.workers)
        mine.update(zip(bare, read, strict=True))
    return {device: data if isinstance(data := row.get("data"), dict) else {} for device, row in mine.items()}


def _refuse_other_kind(wanted: Mapping[str, str], found: Mapping[str, Any] | None) -> None:
    """Raise an error if an existing ledger has another scope or direction than the backend needs.

    :param wanted: the definition of the ledger that the backend needs.
    :param found: the existing ledger with the same name; ``None`` if no ledger has this name.
    :raises ParticleError: ``conflict`` when scope or direction differ.
    """
    if found is None:
        return
    differing = [
        f"{key} {found[key]} instead of {wanted[key]}"
        for key in ("scope", "direction")
        if str(found.get(key, wanted[key])).lower() != wanted[key].lower()
    ]
    if differing:
        message = f"Ledger {wanted['name']} already exists, but with {' and '.join(differing)}."
        hint = "Set mesh_ledger and mesh_status_ledger to other names, and use the same names in your firmware."
        raise ParticleError("conflict", message, hint=hint)


def _read_device_id(row: Mapping[str, Any]) -> str:
    scope = row.get("scope")
    return str(scope.get("value", "")).strip().lower() if isinstance(scope, dict) else ""


def apply_write(target: Target, write: Write) -> None:
    """Carry out one write of a plan."""
    http, org = target.http, target.required_product.org
    if isinstance(write, CreateLedger):
        _create_ledger(target, write.definition)
    elif isinstance(write, SetInstructions):
        set_instance(http, org, write.ledger, write.device, write.data)
    elif isinstance(write, DeleteInstructions):  # after a 404, the caller reads the state again
        delete_instance(http, org, write.ledger, write.device)
    else:
        _delete_group(target, write.name)


def _create_ledger(target: Target, definition: Mapping[str, str]) -> None:
    http, org = target.http, target.required_product.org
    try:
        create_ledger(http, org, definition)
    except ParticleError as error:
        if not may_exist_already(error):
            raise
        if definition["name"] not in {str(row.get("name")) for row in list_ledgers(http, org).rows}:
            raise error from None
    if definition["direction"] == "Downstream":
        target.warn(
            f"Ledger {definition['name']} is new. A device that has asked for it before asks again only after its next "
            "connection to the cloud. Restart such devices if they do not join."
        )


def _delete_group(target: Target, name: str) -> None:
    try:
        delete_group(target.http, target.required_product.id, name)
    except ParticleError as error:
        # If the response to the first request was lost, the retry finds the group already deleted.
        if error.code != "not_found":
            raise


def verify_members(
    target: Target,
    wanted: Mapping[str, Membership],
    reports: str = DEFAULT_LEDGERS.reports,
) -> Mapping[str, str]:
    """Read all reports once, and return the state of each member in ``wanted``.

    A member that reports ``joined`` is ``pending`` while it is offline, because its report may be out of date: a device
    without power keeps its last report. The age of a report proves nothing: a member need not report again if only the
    gateways in its instructions have changed.

    :param wanted: the declared membership of each member.
    :param reports: the name of the ledger that holds the reports.
    """
    reported = _read_data(target, reports, _list_rows(target, reports), wanted.keys())
    states = {device: _read_state(reported.get(device), membership) for device, membership in wanted.items()}
    if JOINED not in states.values():
        return states
    options = ListOptions(keep={"id", "online"})
    rows = list_product_devices(target.http, target.required_product.id, options=options).rows
    offline = {str(row.get("id")) for row in rows if row.get("online") is False}
    return {device: PENDING if state == JOINED and device in offline else state for device, state in states.items()}


def _read_state(report: Mapping[str, Any] | None, membership: Membership) -> str:
    """Return the state of a member according to its report. Without a report (``None``), the state is ``pending``."""
    # The state is also pending if the report is outdated. A report about another role is outdated. A report about
    # another network is outdated unless the report says that the member has joined the other network.
    if report is None:
        return PENDING
    state = report.get("state")
    if report.get("network") != membership.network:
        return WRONG_NETWORK if state == JOINED else PENDING
    return state if state in (JOINED, LOST) and report.get("role") == membership.role else PENDING


class LedgerBackend:
    """The :class:`Backend` ``ledger``. Each object uses the ledger names in the options of one task.

    :param ledgers: the names of both ledgers, for a task that reconciles a fleet.
    :param reports: the name of the ledger that holds the reports, for :meth:`verify`.
    """

    def __init__(self, ledgers: Ledgers, reports: str) -> None:
        self._ledgers = ledgers
        self._reports = reports

    @classmethod
    def open(cls, options: Mapping[str, Any]) -> LedgerBackend:
        """Create the backend with the ledger names in the options of a task.

        :raises ParticleError: ``invalid_option`` when a ledger name is not valid, or when both names are equal.
        """
        reports = options.get("mesh_status_ledger", DEFAULT_LEDGERS.reports)
        if "mesh_ledger" not in options:  # a task that only reads reports does not have this option
            return cls(DEFAULT_LEDGERS, check_ledger_name(reports))
        return cls(Ledgers(options["mesh_ledger"], reports), reports)

    def observe(self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]) -> Observed:
        """Read the existing ledgers and the instructions of devices; see :func:`observe_networks`."""
        return observe_networks(target, networks, hardware_of, self._ledgers)

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Observed,
    ) -> MeshPlan:
        """Plan the changes to device groups and instructions, without sending a request."""
        return plan(networks, wanted, groups_of, observed)

    def apply_write(self, target: Target, write: Write) -> None:
        """Carry out one write of a plan."""
        apply_write(target, write)

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member in ``wanted`` according to its report. ``networks`` is not used."""
        return verify_members(target, wanted, self._reports)

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        """Find all devices of the product that are in ``networks``, even if no manifest declares the devices.

        ``hardware_of`` is not used.
        """
        if target.product is None:
            return {}
        return dict.fromkeys(find_members(target, networks.keys(), self._ledgers.instructions))

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """Return an empty tuple, because the Particle cloud knows all members of this backend."""
        return ()

    def close(self) -> None:
        """Do nothing, because the backend uses the HTTP session of the task."""
