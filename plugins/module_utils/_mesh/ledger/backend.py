# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the networks of backend ``ledger``, on the current Particle cloud. Private to this collection.

A member has two device groups: ``mesh-<network>``, and ``mesh-gateway`` or ``mesh-node``. Its instance of the
cloud-to-device ledger ``mesh`` holds the instructions to join; its instance of the device-to-cloud ledger
``mesh-status`` holds its reports. Options of a task can change the names of both ledgers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

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
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    JOINED,
    LOST,
    PENDING,
    RESERVED_GROUPS,
    WRONG_NETWORK,
    Hardware,
    Membership,
    MeshPlan,
    Network,
)
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
    """Read the existing ledgers and the instructions of the devices in ``hardware_of`` and of the gateways.

    Instances of other devices are ignored, because devices of other products can share the ledger.

    :param networks: the declared networks by name, which name the gateways.
    :param ledgers: the names of the two ledgers.
    :raises ParticleError: ``unsupported`` when the cloud has no ledgers; ``conflict`` when a ledger of that name has
        another scope or direction.
    """
    try:
        definitions = list_ledgers(target.http, target.required_product.org).rows
    except ParticleError as error:
        if error.status != 404:
            raise
        message = "Networks of backend ledger require ledgers, but this cloud has none."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None
    present = {str(row.get("name")): row for row in definitions}
    for wanted in build_definitions(ledgers):
        _refuse_other_kind(wanted, present.get(wanted["name"]))
    if ledgers.instructions not in present:
        return Observed(frozenset(present), {}, hardware_of, ledgers)
    # Gateways that another manifest declares have the parameters of their network too.
    known = hardware_of.keys() | {gateway for network in networks.values() for gateway in network.gateways}
    instructions = _read_instances(target, ledgers.instructions, known)
    return Observed(frozenset(present), instructions, hardware_of, ledgers)


def find_members(target: Target, networks: Set[str], ledger: str) -> frozenset[str]:
    """Return all devices of the product that are in one of ``networks`` by their groups or by their instructions.

    An interrupted run can leave a device with only one of the two. Sends one request per hundred devices and one per
    hundred instances.

    :param networks: the names of the networks.
    :param ledger: the name of the ledger with the instructions.
    """
    groups_of = {
        str(row.get("id")): frozenset(list_texts(row.get("groups")))
        for row in list_product_devices(target.http, target.required_product.id).rows
    }
    groups = {RESERVED_GROUPS + network for network in networks}
    found = {device for device, has in groups_of.items() if has & groups}
    try:
        instructions = _read_instances(target, ledger, groups_of.keys())
    except ParticleError as error:
        if error.status != 404:  # without the ledger no device has instructions
            raise
        instructions = {}
    ordered = {device for device, data in instructions.items() if any(data.get("network") == name for name in networks)}
    return frozenset(found | ordered)


def _read_instances(target: Target, ledger: str, devices: Set[str]) -> dict[str, Mapping[str, Any]]:
    """Return the data of each of ``devices`` that has an instance of ``ledger``.

    If the list of instances holds no data, the instances are read one by one, with a warning.
    """
    http, org = target.http, target.required_product.org
    rows = {_read_device_id(row): row for row in list_instances(http, org, ledger).rows}
    mine = {device: row for device, row in rows.items() if device in devices}
    bare = [device for device, row in mine.items() if not isinstance(row.get("data"), dict)]
    if bare:
        target.warn(f"The list of ledger {ledger} lacks its data: {len(bare)} devices are read one by one.")
        read = map_in_parallel(lambda device: get_instance(http, org, ledger, device), bare, http.workers)
        mine.update(zip(bare, read, strict=True))
    return {device: data if isinstance(data := row.get("data"), dict) else {} for device, row in mine.items()}


def _refuse_other_kind(wanted: Mapping[str, str], found: Mapping[str, Any] | None) -> None:
    """Refuse to use an existing ledger whose scope or direction differs, because it serves another purpose.

    :param wanted: the definition of the ledger.
    :param found: the existing ledger of that name; ``None`` if there is none.
    :raises ParticleError: ``conflict`` when the two differ.
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
    return str(scope.get("value", "")) if isinstance(scope, dict) else ""


def apply_write(target: Target, write: Write) -> None:
    """Carry out one write of a plan."""
    http, org = target.http, target.required_product.org
    if isinstance(write, CreateLedger):
        _create_ledger(target, write.definition)
    elif isinstance(write, SetInstructions):
        set_instance(http, org, write.ledger, write.device, write.data)
    elif isinstance(write, DeleteInstructions):  # if it does not exist, the fleet finds that out by reading again
        delete_instance(http, org, write.ledger, write.device)
    else:
        _delete_group(target, write.name)


def _create_ledger(target: Target, definition: Mapping[str, str]) -> None:
    http, org = target.http, target.required_product.org
    try:
        create_ledger(http, org, definition)
    except ParticleError as error:
        # Another run may have created the ledger meanwhile. The cloud's answer to a duplicate is not documented, so
        # the list decides.
        if error.status not in (400, 409):
            raise
        if definition["name"] not in {str(row.get("name")) for row in list_ledgers(http, org).rows}:
            raise error from None


def _delete_group(target: Target, name: str) -> None:
    try:
        delete_group(target.http, target.required_product.id, name)
    except ParticleError as error:
        # A retry after a lost response finds that the first request has already deleted the group.
        if error.code != "not_found":
            raise


def verify_members(
    target: Target,
    wanted: Mapping[str, Membership],
    reports: str = DEFAULT_LEDGERS.reports,
) -> Mapping[str, str]:
    """Return the state of each member in ``wanted`` from one read of all reports.

    :param wanted: the declared membership of each member.
    :param reports: the name of the ledger with the reports.
    """
    reported = _read_instances(target, reports, wanted.keys())
    return {device: _read_state(reported.get(device), membership) for device, membership in wanted.items()}


def _read_state(report: Mapping[str, Any] | None, membership: Membership) -> str:
    """Return the state of a member from its report; ``None`` means that it has not reported."""
    # A report is outdated, so the member is pending, if it is about another role, or about another network without
    # saying that the member is in it.
    if report is None:
        return PENDING
    state = report.get("state")
    if report.get("network") != membership.network:
        return WRONG_NETWORK if state == JOINED else PENDING
    return state if state in (JOINED, LOST) and report.get("role") == membership.role else PENDING


class LedgerBackend:
    """The :class:`Backend` ``ledger``, with the names of the ledgers from the options of a task.

    :param ledgers: the names of the ledgers for reconciling a fleet.
    :param reports: the name of the ledger with the reports.
    """

    def __init__(self, ledgers: Ledgers, reports: str) -> None:
        self._ledgers = ledgers
        self._reports = reports

    @classmethod
    def open(cls, options: Mapping[str, Any]) -> LedgerBackend:
        """Create the backend with the ledger names in the options of a task.

        :raises ParticleError: ``invalid_option`` when a ledger name is not valid or both are the same.
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
        """Plan the device groups and instructions that differ from the declaration, without sending a request."""
        return plan(networks, wanted, groups_of, observed)

    def apply_write(self, target: Target, write: Write) -> None:
        """Carry out one write of a plan."""
        apply_write(target, write)

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member in ``wanted`` from its report; ``networks`` is not used."""
        return verify_members(target, wanted, self._reports)

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        """Find all devices of the product in ``networks``, declared or not; ``hardware_of`` is not used."""
        if target.product is None:
            return {}
        return dict.fromkeys(find_members(target, networks.keys(), self._ledgers.instructions))

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """Return nothing, because the Particle cloud knows every member."""
        return ()

    def close(self) -> None:
        """Do nothing, because the backend uses the HTTP session of the task."""
