# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: lists, and single devices only where a list is silent. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import in_parallel, texts_of
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    Product,
    get_product_device,
    list_product_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    DeviceRecord,
    Manifest,
    Observed,
    ObservedDevice,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http


def observe_account(http: Http, manifest: Manifest) -> Observed:
    """The declared devices among those that the account has claimed; one request."""
    return Observed(_declared(list_account_devices(http).rows, manifest.devices))


def observe_product(http: Http, product: Product, manifest: Manifest, warn: Callable[[str], None]) -> Observed:
    """The declared devices that are in the product; one request for each hundred of the product.

    :raises ParticleError: ``unsupported`` when groups are declared and the cloud has none.
    """
    declared = {record.id: record for record in manifest.devices}
    rows = _all_rows(http, product, warn)
    # A quarantined device is not in the product yet; to import it is to approve it.
    members = {device: row for device, row in rows.items() if device in declared and not row.get("quarantined")}
    silent = [device for device, row in members.items() if _wanted_of(declared[device]) - set(row)]
    if silent:
        warn(f"The cloud lists devices without what is declared: {len(silent)} are read one by one.")
        single = in_parallel(lambda device: get_product_device(http, product.id, device), silent, http.workers)
        # What the list says stands, also when the single answer holds nothing.
        members.update((device, members[device] | read) for device, read in zip(silent, single, strict=True))
    uses_groups = any(map(_uses_groups, manifest.devices))
    groups = _groups(http, product) if uses_groups else frozenset[str]()
    return Observed(_declared(members.values(), manifest.devices), groups)


def _all_rows(http: Http, product: Product, warn: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """What the list says of each device, by id.

    While its length changes, pages shift, and a device may fall between two of them: then it is read once more.
    """
    listing = list_product_devices(http, product.id)
    rows = listing.rows
    if not listing.complete:
        again = list_product_devices(http, product.id)
        rows = again.rows
        if not again.complete:
            warn("The list of devices changed while it was read, twice: what both readings show is taken together.")
            rows = (*listing.rows, *again.rows)
    return {str(row.get("id")): row for row in rows}


def _wanted_of(record: DeviceRecord) -> set[str]:
    """What must be known of a device before anything is written to it."""
    return {*record.fields, "groups"} if _uses_groups(record) else set(record.fields)


def _uses_groups(record: DeviceRecord) -> bool:
    return record.groups is not None or record.speaks_of_mesh


def _groups(http: Http, product: Product) -> frozenset[str]:
    try:
        return list_groups(http, product.id)
    except ParticleError as error:
        if error.status != 404:
            raise
        message = "Groups and networks are declared, and this cloud has no device groups."
        raise ParticleError("unsupported", message, status=404, route=error.route) from None


def _declared(rows: Iterable[Mapping[str, Any]], records: Iterable[DeviceRecord]) -> dict[str, ObservedDevice]:
    wanted = {record.id for record in records}
    return {
        str(row["id"]): ObservedDevice(
            id=str(row["id"]),
            fields={name: row[name] for name in ("name", "notes") if name in row},
            groups=frozenset(texts_of(row.get("groups"))),
        )
        for row in rows
        if str(row.get("id")) in wanted
    }
