# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the device list of a product, or only the declared devices in it. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import Listing, ListOptions, Watch
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import DEVICE_ID
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan
from ansible_collections.meshfleet.particle.plugins.module_utils._http.parallel import map_in_parallel
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    QUARANTINED,
    observe_approval,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.identifiers import has_identifier_form
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    FAIL,
    IGNORE,
    REMOVE,
    DeviceRecord,
    Manifest,
)

_MORE_REQUESTS = 4
"""The number of requests that are needed besides those for single devices, if the list is not read whole."""


@dataclass(frozen=True)
class ProductList:
    """The part of the device list of a product that was read.

    :param rows: the rows that were read, keyed by device id.
    :param unread: the number of devices that were not read, without devices in quarantine.
    :param is_whole: whether all rows were read. Otherwise, the rows of the declared devices were read, and some others.
    """

    rows: Mapping[str, dict[str, Any]]
    unread: int = 0
    is_whole: bool = True


def read_product_list(target: Target, manifest: Manifest, keep: Set[str]) -> ProductList:
    """Read the rows of the declared devices, and of the other devices that the run needs.

    Reading the whole list takes about one request for each hundred devices of the product. If the manifest declares
    only a few devices of a large product, each by its device id or serial number, one request is sent for each of these
    devices. Other devices are then only counted, which takes four requests.

    :param keep: the keys to keep in each row. The key ``id`` must be included.
    """
    filters = _build_filters(manifest)
    if filters is None or manifest.undeclared in (FAIL, REMOVE):
        return ProductList(read_rows_by_id(target, keep=keep))
    is_counted = manifest.undeclared != IGNORE
    rows: dict[str, dict[str, Any]] = {}
    if is_counted or len(filters) != 1:
        whole_up_to = 2 * len(filters) + _MORE_REQUESTS
        listing = _read_listing(target, {}, keep, whole_up_to)
        rows = _key_by_id(listing.rows)
        if not listing.unread:
            return ProductList(rows)
    read = map_in_parallel(lambda query: _read_listing(target, query, keep, 0), filters, target.http.workers)
    if any(listing.unread for listing in read):  # the cloud ignores filters
        return ProductList(read_rows_by_id(target, keep=keep))
    rows |= _key_by_id(row for listing in read for row in listing.rows)
    if not is_counted:
        return ProductList(rows, is_whole=False)
    accepted = _read_listing(target, {"quarantined": "false"}, keep, 0)
    rows = _key_by_id(accepted.rows) | rows
    total = len(accepted.rows) + accepted.unread
    known = sum(observe_approval(row) != QUARANTINED for row in rows.values())
    return ProductList(rows, max(0, total - known), is_whole=False)


def read_rows_by_id(target: Target, *, keep: Set[str]) -> dict[str, dict[str, Any]]:
    """Read the whole device list of a product.

    :param keep: the keys to keep in each row. The key ``id`` must be included.
    :returns: the rows of the list, keyed by device id.
    """
    return _key_by_id(_read_listing(target, {}, keep).rows)


def _read_listing(
    target: Target, filters: Mapping[str, str], keep: Set[str], whole_up_to: int | None = None
) -> Listing:
    """Read the device list of a product.

    If the list changes while its pages are read, a device may be missing from every page. In that case, the list is
    read a second time.

    :param filters: the filters for the list, keyed by query parameter.
    :param whole_up_to: see :class:`ListOptions`.
    """
    http, product = target.http, target.required_product
    # EVERYTHING, because the writes depend on this list.
    options = ListOptions(watch=Watch.EVERYTHING, keep=keep, whole_up_to=whole_up_to)
    listing = list_product_devices(http, product.id, filters, options)
    if listing.complete:
        return listing
    again = list_product_devices(http, product.id, filters, options)
    if again.complete:
        return again
    target.warn("The list of devices changed while it was read, twice: the results of both readings are combined.")
    return replace(again, rows=(*listing.rows, *again.rows))


def _key_by_id(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(row.get("id")): row for row in rows}


def _build_filters(manifest: Manifest) -> list[dict[str, str]] | None:
    """Return a filter for the device list of a product for each device that the manifest names.

    With the filter, one request is enough to find the device.

    :returns: the filters, keyed by query parameter; ``None`` if the manifest names a device by an identifier for which
        the cloud has no filter.
    """
    keys = {key for record in manifest.devices for key in (record.id, record.key)}
    gateways = {gateway for network in manifest.networks.values() for gateway in network.gateways} - keys
    if not all(map(DEVICE_ID.match, gateways)):
        return None
    found = [{"deviceId": gateway} for gateway in sorted(gateways)]
    found += [build_device_filter(record) for record in manifest.devices]
    if not manifest.absent:
        named = [record for record in manifest.devices if record.replaces and record.replaces.device not in keys]
        found += [query for record in named for query in _build_filters_by_any(record)]
    return found if all(found) else None


def _build_filters_by_any(record: DeviceRecord) -> list[dict[str, str]]:
    """Return the filters that together find the device that a record replaces, which may be named in several ways.

    :returns: a list with an empty filter if the cloud may have no filter for the identifier.
    """
    named = record.replaces.device if record.replaces is not None else ""
    if DEVICE_ID.match(named.lower()):
        return [{"deviceId": named.lower()}]
    if has_identifier_form(named):
        return [{}]
    return [{"deviceName": named}, {"serialNumber": named.upper()}]


def build_device_filter(device: DeviceRecord | DevicePlan) -> dict[str, str]:
    """Return the filter with which the device list of a product contains a device, keyed by query parameter.

    :returns: an empty mapping if the cloud has no filter for the identifier of the device.
    """
    if device.is_identified:
        return {"deviceId": device.id}
    if device.declared_by is not None and device.declared_by.kind == "serial_number":
        return {"serialNumber": device.key}
    return {}
