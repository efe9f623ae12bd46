# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the current state of devices. Private to this collection.

The state comes from the lists of the cloud. A device is read with a separate request only if a list lacks fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    describe_products_instead,
    get_product_device,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.rows import list_texts
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._api.user import get_user
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.labels import find_ids
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Observed, ObservedDevice
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.product_list import read_product_list
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.replacements.find import (
    add_replaced_devices,
    find_replaced_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    APPROVED,
    list_fields,
    list_put_fields,
    observe_approval,
    observe_fields,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.identifiers import LABELS
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    DeviceRecord,
    Identifier,
    Manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import list_row_keys
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Hardware

_HARDWARE_KEYS = ("platform_id", "system_firmware_version")


def _list_row_keys() -> frozenset[str]:
    """Return the names of the fields that planning a fleet needs from each row of a device list."""
    fields = (field.cloud_name for field in list_fields() if field.cloud_name)
    return frozenset(
        {"groups", "owner", "cellular", "quarantined", *IDENTIFIERS, *fields, *_HARDWARE_KEYS, *list_row_keys()}
    )


def observe_fleet(target: Target, manifest: Manifest) -> Observed:
    """Observe the declared devices of the product. Without a product, observe the declared devices of the account."""
    if not manifest.needs_login:
        return Observed({})
    in_cloud = manifest.cloud_part
    return observe_account(target, in_cloud) if target.product is None else observe_product(target, in_cloud)


def observe_account(target: Target, manifest: Manifest) -> Observed:
    """Send one request, and observe the declared devices that the account has claimed."""
    rows = list_account_devices(target.http).rows
    is_product_missing = not rows and not any(record.claimed for record in manifest.devices)
    if is_product_missing and (warning := describe_products_instead(target.http)) is not None:
        target.warn(warning)
    ids = find_ids(rows, manifest.devices)
    undeclared = _find_undeclared(manifest, ids, {str(row["id"]): row for row in rows})
    return Observed(_select_declared(rows, manifest.devices, ids), ids=ids, undeclared=undeclared)


def _find_undeclared(
    manifest: Manifest, ids: Mapping[Identifier, str], rows: Mapping[str, Mapping[str, Any]]
) -> dict[str, str | None]:
    """Return the names of the devices in ``rows`` that the manifest does not declare, keyed by device id.

    A gateway that the manifest names for a network counts as declared, because another manifest declares it. A device
    that the run removes is left out.
    """
    known = (record.id for record in manifest.devices if record.is_removed or not record.is_undeclared)
    declared = {*known, *ids.values()}
    declared.update(gateway for network in manifest.networks.values() for gateway in network.gateways)
    return {
        device: str(row["name"]) if row.get("name") else None for device, row in rows.items() if device not in declared
    }


def observe_product(target: Target, manifest: Manifest) -> Observed:
    """Observe the declared devices that are in the product.

    :raises ParticleError: ``unsupported`` when the manifest requires device groups, but the cloud has no device groups.
    """
    listing = read_product_list(target, manifest, _list_row_keys())
    rows = listing.rows
    ids = _find_ids_in_product(target, rows, manifest.devices)
    replaced = find_replaced_devices(rows, manifest, ids)
    manifest = add_replaced_devices(manifest, replaced.values())
    declared = {
        ids.get(record.declared_by, record.id) if record.declared_by else record.id: record
        for record in manifest.devices
    }
    approved = {device: row for device, row in rows.items() if observe_approval(row) == APPROVED}
    members = {device: row for device, row in approved.items() if device in declared}
    if not manifest.absent:
        members = _complete_rows(target, members, declared, {key for row in rows.values() for key in row})
    uses_groups = not manifest.absent and any(map(_has_groups, manifest.devices))
    claims = (False,) if manifest.absent else (True, False)
    unapproved = {device: rows[device] for device in declared if device in rows and device not in approved}
    return Observed(
        _select_declared(members.values(), manifest.devices, ids),
        _list_groups(target) if uses_groups else frozenset(),
        ids,
        _get_username(target.http) if any(record.claimed in claims for record in manifest.devices) else None,
        {device: observe_approval(row) for device, row in unapproved.items()},
        _find_undeclared(manifest, ids, approved),
        {device: _read_labels(row) for device, row in unapproved.items()},
        listing.unread,
        listing.is_whole,
        replaced=replaced,
    )


def _find_ids_in_product(
    target: Target,
    rows: Mapping[str, dict[str, Any]],
    records: Sequence[DeviceRecord],
) -> dict[Identifier, str]:
    """Return the device ids of devices in the product that are not declared by their id.

    :param rows: the rows of the product's device list, keyed by device id.
    :returns: device ids, keyed by the identifier that declares the device. An identifier that is not found has no key.
    """
    ids = find_ids(rows.values(), records)
    missing = {record.declared_by.kind for record in records if record.declared_by and record.declared_by not in ids}
    bare = [device for device, row in rows.items() if _may_have_more_identifiers(row, missing)]
    _warn_of_single_reads(target, "declared fields", bare)
    return {**ids, **find_ids(_read_one_by_one(target, bare, rows).values(), records)}


def _may_have_more_identifiers(row: Mapping[str, Any], missing: Set[str]) -> bool:
    """Return whether reading a device on its own may show one of the ``missing`` identifiers that its row lacks.

    The row of an approved device always has the serial number (endpoints.yml: product_devices_list). The row of an
    unapproved device may lack it. Only cellular devices have an ICCID and an IMEI.
    """
    if observe_approval(row) == APPROVED:
        missing = missing - {"serial_number"}
    return any(kind not in row and (kind == "serial_number" or row.get("cellular") is not False) for kind in missing)


def _complete_rows(
    target: Target, rows: Mapping[str, dict[str, Any]], declared: Mapping[str, DeviceRecord], shown: Set[str]
) -> dict[str, dict[str, Any]]:
    """Add the keys to list rows that planning the declared devices needs.

    The rows of a list may lack keys, such as ``notes`` (endpoints.yml: product_devices_list). If any row of the list
    has the key, a row without this key means that the device has no value. If no row has the key, the list may lack
    the values of all devices, so the devices are read one by one.

    :param rows: the list rows of declared devices, keyed by device id.
    :param declared: the records of these devices, keyed by device id.
    :param shown: all keys that any row of the list has.
    """
    lacking = {device: _list_required_keys(declared[device]) - row.keys() for device, row in rows.items()}
    unshown = {device: keys - shown for device, keys in lacking.items() if keys - shown}
    _warn_of_single_reads(target, " and ".join(sorted(set().union(*unshown.values()))), list(unshown))
    read = _read_one_by_one(target, list(unshown), rows)
    return {device: dict.fromkeys(lacking[device]) | read.get(device, row) for device, row in rows.items()}


def _warn_of_single_reads(target: Target, fields: str, devices: Sequence[str]) -> None:
    if devices:
        read = format_count(len(devices), "device is", "devices are")
        target.warn(f"The list of devices lacks {fields}: {read} read one by one.")


def _read_one_by_one(
    target: Target,
    devices: Sequence[str],
    rows: Mapping[str, dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Read each device in ``devices`` with a separate request.

    :param rows: the rows of the device list, keyed by device id.
    :returns: the rows of ``devices``, keyed by device id and completed with the fields that the list lacks.
    """
    if not devices:
        return {}
    http, product = target.http, target.required_product
    single = map_in_parallel(lambda device: get_product_device(http, product.id, device), devices, http.workers)
    # The response for a device may be empty, so the keys of the response are added to the list row.
    # The list row and the response may both lack a field that only devices of a product have. In that case, the device
    # has no value for the field.
    unset: dict[str, Any] = dict.fromkeys(field.cloud_name for field in list_put_fields() if field.product_only)
    return {device: unset | rows[device] | read | {"id": device} for device, read in zip(devices, single, strict=True)}


def _get_username(http: Http) -> str:
    """Return the username of the account.

    :raises ParticleError: when the login is an API user, because an API user cannot claim devices.
    """
    return str(get_user(http).get("username") or "")


def _list_required_keys(record: DeviceRecord) -> set[str]:
    """Return the keys that the row of a device must have before the changes to this device can be planned."""
    fields = {field.cloud_name for field in list_put_fields() if field.name in record.fields}
    return {*fields, "groups"} if _has_groups(record) else fields


def _has_groups(record: DeviceRecord) -> bool:
    return not record.is_removed and (record.groups is not None or record.has_mesh_declaration)


def _list_groups(target: Target) -> frozenset[str]:
    try:
        return list_groups(target.http, target.required_product.id)
    except ParticleError as error:
        if error.status != 404:
            raise
        message = f"Groups or networks are declared, but this cloud has no device groups (HTTP 404{error.quoted})."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None


def _select_declared(
    rows: Iterable[Mapping[str, Any]], records: Iterable[DeviceRecord], ids: Mapping[Identifier, str]
) -> dict[str, ObservedDevice]:
    wanted = {record.id for record in records} | set(ids.values())
    return {
        str(row["id"]): ObservedDevice(
            id=str(row["id"]),
            fields=observe_fields(row),
            groups=frozenset(list_texts(row.get("groups"))),
            owner=str(row["owner"]) if row.get("owner") else None,
            hardware=read_hardware(row),
            labels=_read_labels(row),
        )
        for row in rows
        if str(row.get("id")) in wanted
    }


def _read_labels(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels in the row of a device, in upper case and keyed by kind."""
    return {kind: str(row[kind]).upper() for kind in LABELS if row.get(kind)}


def read_hardware(row: Mapping[str, Any]) -> Hardware:
    """Read the facts that mesh backends need about a device from its row."""
    platform, device_os = (row.get(key) for key in _HARDWARE_KEYS)
    return Hardware(
        platform if isinstance(platform, int) else None,
        device_os if isinstance(device_os, str) else None,
        {key: row[key] for key in list_row_keys() if key in row},
    )
