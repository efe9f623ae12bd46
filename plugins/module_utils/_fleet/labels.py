# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the device ids of devices that are declared by an identifier on their label. Private to this collection.

The device list of a product may show both the identifier and the device id. If the list does not show the identifier,
the device is imported by its identifier, and the list shows the device id afterwards. If the identifier is a serial
number, the device id can also be looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import (
    SERIAL_NUMBER_ROUTE,
    look_up_serial_number,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    is_same_label,
    strip_check_digit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.times import format_time
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.apply import apply_plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.failures import is_run_ending
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.plan import keep_only_import
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run, WriteState
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    DeviceRecord,
    Identifier,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    NODE,
    Network,
)


def find_ids(rows: Iterable[Mapping[str, Any]], records: Iterable[DeviceRecord]) -> dict[Identifier, str]:
    """Find the device ids of devices that are not declared by their device id.

    :param rows: rows of a device list.
    :returns: device ids, keyed by the identifier that declares the device. An identifier that is not found has no key.
    :raises ParticleError: ``conflict`` when several devices have the same identifier, for example after a SIM was moved
        to another device.
    """
    wanted = {record.declared_by for record in records if record.declared_by}
    kinds = {identifier.kind for identifier in wanted}
    shown: dict[Identifier, list[tuple[str, str]]] = {}
    for row in rows:
        for kind in kinds:
            if row.get(kind):
                label = str(row[kind]).upper()
                shown.setdefault(_strip_check_digit(Identifier(kind, label)), []).append((label, str(row["id"])))
    found: dict[Identifier, list[str]] = {}
    for identifier in wanted:
        alike = shown.get(_strip_check_digit(identifier), ())
        if ids := {id for label, id in alike if is_same_label(identifier.kind, label, identifier.value)}:
            found[identifier] = sorted(ids)
    several = [f"{identifier}: {' and '.join(ids)}" for identifier, ids in found.items() if len(ids) > 1]
    if several:
        message = "The cloud lists several devices for one declared identifier:\n  " + "\n  ".join(several)
        raise ParticleError("conflict", message, hint="Declare these devices by their ids, then run again.")
    return {identifier: ids[0] for identifier, ids in found.items()}


def _strip_check_digit(identifier: Identifier) -> Identifier:
    return replace(identifier, value=strip_check_digit(identifier.kind, identifier.value))


def resolve_ids(manifest: Manifest, ids: Mapping[Identifier, str]) -> Manifest:
    """Replace identifiers in a manifest by device ids, both in the records and in the gateways of networks.

    :param ids: the known device ids, keyed by identifier. An identifier without a known device id is not replaced.
    :returns: the changed manifest.
    :raises ParticleError: ``invalid_manifest`` when two records turn out to declare the same device, or when a node
        turns out to be a gateway of its network.
    """
    if not ids:
        return manifest
    records = tuple(
        replace(record, id=ids[record.declared_by]) if record.declared_by and record.declared_by in ids else record
        for record in manifest.devices
    )
    _refuse_same_device(records)
    names = {before.id: after.id for before, after in zip(manifest.devices, records, strict=True)}
    networks = {
        name: replace(network, gateways=tuple(sorted({names.get(gateway, gateway) for gateway in network.gateways})))
        for name, network in manifest.networks.items()
    }
    _refuse_nodes_that_are_gateways(records, networks)
    return replace(manifest, devices=records, networks=networks)


def _refuse_nodes_that_are_gateways(records: Iterable[DeviceRecord], networks: Mapping[str, Network]) -> None:
    wrong = [
        f"{record.declared_by} is {NODE} of {record.mesh.network}, which names this device ({record.id}) as a gateway"
        for record in records
        if record.declared_by and record.mesh and record.mesh.role == NODE
        if record.id in networks[record.mesh.network].gateways
    ]
    if wrong:
        message = "The manifest contains contradictions:\n  " + "\n  ".join(wrong)
        raise ParticleError("invalid_manifest", message, hint="Correct role or gateways, then run again.")


def _refuse_same_device(records: Iterable[DeviceRecord]) -> None:
    called: dict[str, list[str]] = {}
    for record in records:
        called.setdefault(record.id, []).append(str(record.declared_by or f"id {record.id}"))
    same = [f"{device}: {' and '.join(names)}" for device, names in called.items() if len(names) > 1]
    if same:
        message = "The manifest declares a device more than once:\n  " + "\n  ".join(same)
        raise ParticleError("invalid_manifest", message, hint="Keep one record for each device, then run again.")


@dataclass
class LookupResult:
    """The result of looking up the device ids for serial numbers.

    :param ids: the device ids that were found, keyed by serial number.
    :param errors: the error of each failed look-up, keyed by :attr:`DeviceRecord.id`.
    :param waiting: the error of each look-up that the rate limit has postponed, keyed by :attr:`DeviceRecord.id`.
    """

    ids: dict[Identifier, str] = field(default_factory=dict)
    errors: dict[str, ParticleError] = field(default_factory=dict)
    waiting: dict[str, ParticleError] = field(default_factory=dict)


def look_up_ids(http: Http, records: Iterable[DeviceRecord]) -> LookupResult:
    """Look up the device id for each serial number until the hourly rate limit is used up.

    :param records: records of devices that are declared by a serial number or a device id. Device ids are skipped.
    :raises ParticleError: when a look-up fails, and every further look-up would fail in the same way.
    """
    looked_up = LookupResult()
    late: ParticleError | None = None
    for record in records:
        if record.declared_by is None:
            continue
        if late is None and (seconds := http.get_delay(SERIAL_NUMBER_ROUTE)) > 0:
            late = _build_quota_error(http.now() + seconds)
        if late is not None:
            looked_up.waiting[record.id] = late
            continue
        try:
            looked_up.ids[record.declared_by] = look_up_serial_number(http, record.declared_by.value)
        except ParticleError as error:
            if error.code == "rate_limited":
                late = _build_quota_error(http.now() + 3600)
                looked_up.waiting[record.id] = late
            elif is_run_ending(error):
                raise
            else:
                looked_up.errors[record.id] = error
    return looked_up


def _build_quota_error(moment: float) -> ParticleError:
    message = "The cloud looks up at most 50 serial numbers an hour, and this quota is used up."
    return ParticleError(
        "budget_exhausted", message, hint=f"Run again after {format_time(moment)}; writes already made are kept."
    )


def learn_ids(run: Run, plan: Plan, plan_fleet: Callable[[Run], Plan]) -> Plan:
    """Learn the device ids that the writes of a plan need.

    Devices of a product are imported by their labels. Devices whose changes depend on what the cloud shows only after
    the import are imported first, too. For the account's own devices, serial numbers are looked up. A device whose id
    stays unknown fails, or waits for the rate limit.

    :param plan_fleet: observes all devices and plans their writes.
    :returns: the plan of the remaining writes, with the learned device ids. If the run has ended early, ``plan`` is
        returned unchanged.
    """
    if not any(_must_be_read_again(device) for device in plan.devices):
        return plan
    run.labels_known = True
    keys = {device.key for device in plan.devices}
    try:
        learn = _import_by_labels if run.target.product is not None else _look_up_serial_numbers
        if (found := learn(run, plan, plan_fleet)) is None:
            return plan
    except ParticleError as error:
        run.state.stopped = error
        return plan
    run.note_refusals(found)
    run.note_changes(found)
    planned = tuple(device for device in found.devices if device.key in keys)
    run.unneeded_devices |= {
        device.key for device in planned if not device.is_changed and not run.state.is_in(device.id, WriteState.DONE)
    }
    state = run.state
    for device in planned:
        needs_id = not device.is_identified and (device.imports or device.claims)
        if (
            needs_id
            and not state.is_in(device.id, WriteState.WAITING)
            and not state.is_in(device.id, WriteState.FAILED)
        ):
            state.mark_device(device.id, WriteState.FAILED, _build_unlisted_error(device))
    left = state.find_devices(WriteState.FAILED) | state.find_devices(WriteState.WAITING)
    return replace(found, devices=tuple(device for device in planned if device.id not in left))


def _must_be_read_again(device: DevicePlan) -> bool:
    """Return whether the writes of a device can be planned only after its import or after a look-up."""
    return device.is_read_after_import or (not device.is_identified and (device.imports or device.claims))


def _import_by_labels(run: Run, plan: Plan, plan_fleet: Callable[[Run], Plan]) -> Plan | None:
    """Import devices by their labels, and plan the fleet again.

    :returns: the new plan; ``None`` if the run has ended early.
    """
    imports = tuple(keep_only_import(device) for device in plan.devices if device.imports)
    only_imports = replace(plan, create_groups=(), setup=(), teardown=(), devices=imports)
    imported = apply_plan(run.target, only_imports, run.mesh, run.count_failures_left())
    imported.forget_devices(imported.find_devices(WriteState.DONE))  # they may need more writes
    run.state.add_states(imported)
    if run.state.stopped is not None:
        return None
    found = plan_fleet(run)
    keys, of_imports = {device.key for device in plan.devices}, {device.key for device in imports}
    for device in found.devices:
        # If the list shows the device now, the import has succeeded, even if the response reported an error.
        if device.key in keys & of_imports and not device.imports:
            run.state.wrote = True
            run.state.forget_device(device.key)
            if not device.is_changed:
                run.state.mark_device(device.id, WriteState.DONE)
    return found


def _look_up_serial_numbers(run: Run, plan: Plan, plan_fleet: Callable[[Run], Plan]) -> Plan:
    """Look up the device ids for the serial numbers of devices that must be claimed, and plan the fleet again."""
    unknown = {device.id for device in plan.devices if not device.is_identified and device.claims}
    found = look_up_ids(run.target.http, [record for record in run.manifest.devices if record.id in unknown])
    for device, error in found.errors.items():
        run.state.mark_device(device, WriteState.FAILED, error)
    for device, error in found.waiting.items():
        run.state.mark_device(device, WriteState.WAITING, error)
    run.manifest = resolve_ids(run.manifest, found.ids)
    # Plan again: the account may already own some of these devices, because its list may not show labels.
    return plan_fleet(run)


def _build_unlisted_error(device: DevicePlan) -> ParticleError:
    message = f"The cloud accepted {device.declared_by}, but the list of devices does not contain it."
    return ParticleError("conflict", message, hint="Declare the device by its id instead.")
