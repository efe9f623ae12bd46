# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather the facts of devices from the device lists of the selected sources. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import (
    PAGE_SIZE,
    Listing,
    ListOptions,
    Watch,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    Product,
    describe_products_instead,
    get_product,
    list_product_devices,
    list_products,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import add_presence, build_facts
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters, Sources
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import find_identity


@dataclass(frozen=True)
class GatheredFacts:
    """The facts of devices, and data about the lists from which the facts were read.

    :param devices: the facts, keyed by device id.
    :param sources: the products that were read.
    :param products: the product of each device, keyed by device id. A device without a product has no key.
    :param pages: the number of list pages that were read.
    :param complete: false if a list changed while its pages were read. Devices may then be missing.
    :param skew: how many seconds the clock of the cloud is ahead of the clock of this machine.
    """

    devices: Mapping[str, dict[str, Any]]
    sources: tuple[Product, ...]
    products: Mapping[str, Product]
    pages: int
    complete: bool
    skew: float


def gather_facts(
    http: Http, sources: Sources, queries: Sequence[Mapping[str, str]], page_size: int = PAGE_SIZE
) -> GatheredFacts:
    """Read all devices of the sources.

    A device that is in a product and in the account is returned once. The values from the product take precedence.

    :param queries: query parameters for the device lists of products. The list of each product is read once for each
        mapping, and the results are combined. With an empty mapping, the whole list is read.
    :raises ParticleError: when a source cannot be read. A result without the devices of this source would be
        incomplete.
    """
    options = ListOptions(page_size, Watch.PAGES)
    products = [get_product(http, product) for product in sources.products]
    if sources.organization is not None:
        products += list_products(http, sources.organization)
    found: dict[str, dict[str, Any]] = {}  # rows of the cloud's lists, keyed by device id
    read_through: dict[str, Product] = {}
    listings: list[Listing] = []
    read = {product.id: product for product in products}  # a product may be named twice, by id and by slug
    for product in read.values():
        for query in queries:
            listing = list_product_devices(http, product.id, query, options)
            listings.append(listing)
            for device, row in _index_by_id(listing):
                found[device] = row
                read_through[device] = product
    if sources.account:
        listing = list_account_devices(http)
        listings.append(listing)
        for device, row in _index_by_id(listing):
            found[device] = _merge_rows(found[device], row) if device in found else row
    slugs = {device: product.slug for device, product in read_through.items()}
    return GatheredFacts(
        {device: build_facts(row, slugs.get(device)) for device, row in found.items()},
        tuple(read.values()),
        read_through,
        sum(listing.pages for listing in listings),
        all(listing.complete for listing in listings),
        http.clock_skew or 0.0,
    )


def warn_of_missing_product(http: Http, sources: Sources, gathered: GatheredFacts, warn: Callable[[str], None]) -> None:
    """Warn if only the devices of the account were read, and there are none, but the account has products."""
    is_account_only = sources.account and not sources.products and sources.organization is None
    if is_account_only and not gathered.devices and (warning := describe_products_instead(http)) is not None:
        warn(warning)


def add_members(gathered: GatheredFacts, rows: Iterable[Mapping[str, Any]]) -> GatheredFacts:
    """Return ``gathered`` with additional devices: network members that the Particle cloud does not know.

    The ``id`` in the facts of an additional device is ``None``. Its key in ``devices`` is the value by which its mesh
    backend identifies the device.

    :param rows: the network members, as a mesh backend lists them.
    """
    members = {own[1]: build_facts({"id": None, **row}) for row in rows if (own := find_identity(row)) is not None}
    return replace(gathered, devices={**gathered.devices, **members}) if members else gathered


def _index_by_id(listing: Listing) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((row["id"], row) for row in listing.rows)


def _merge_rows(row: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two rows of the same device. If a value in ``row`` is missing or empty, use the value in ``other``."""
    return {**other, **{key: value for key, value in row.items() if value not in (None, "") or key not in other}}


def select_devices(gathered: GatheredFacts, filters: Filters, now: float) -> dict[str, dict[str, Any]]:
    """Return the facts of the devices that match ``filters``, keyed by device id.

    The returned facts also contain ``presence`` and ``last_heard_age``.

    :param now: the time of this machine, in seconds since 1970.
    """
    moment = now + gathered.skew
    devices = {device: add_presence(facts, moment) for device, facts in gathered.devices.items()}
    return {device: facts for device, facts in devices.items() if filters.matches(facts)}
