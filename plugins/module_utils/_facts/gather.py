# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From sources and filters to the facts of devices, by list calls only. Private to this collection."""

from __future__ import annotations

import email.utils
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import PAGE_SIZE, Listing
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    Product,
    get_product,
    list_product_devices,
    list_products_of,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.facts import facts_of, with_presence
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Filters, Sources
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import identity_of


@dataclass(frozen=True)
class Gathered:
    """The facts of devices by id, and how they were found.

    :param sources: the products that were read.
    :param products: the same by the ids of their devices.
    :param skew: seconds by which the clock of the cloud is ahead of this machine's.
    """

    devices: Mapping[str, dict[str, Any]]
    sources: tuple[Product, ...]
    products: Mapping[str, Product]
    pages: int
    complete: bool
    skew: float


def gather(http: Http, sources: Sources, queries: Sequence[Mapping[str, str]], page_size: int = PAGE_SIZE) -> Gathered:
    """All devices of the sources. One that a product and the account both show counts once, as in the product.

    :param queries: filters of a product's list, whose answers are taken together; one without any for all of it.
    :raises ParticleError: for the first source that cannot be read, so that what is missing is never taken for absent.
    """
    products = [get_product(http, product) for product in sources.products]
    if sources.organization is not None:
        products += list_products_of(http, sources.organization)
    found: dict[str, dict[str, Any]] = {}  # what the cloud tells, which facts are made of in the end
    read_through: dict[str, Product] = {}
    listings: list[Listing] = []
    read = {product.id: product for product in products}  # one may have been named by id and by slug
    for product in read.values():
        for query in queries:
            listing = list_product_devices(http, product.id, only=query, page_size=page_size, watched=True)
            listings.append(listing)
            for device, row in _by_id(listing):
                found[device] = row
                read_through[device] = product
    if sources.account:
        listing = list_account_devices(http)
        listings.append(listing)
        for device, row in _by_id(listing):
            found[device] = _completed(found[device], row) if device in found else row
    slugs = {device: product.slug for device, product in read_through.items()}
    return Gathered(
        {device: facts_of(row, slugs.get(device)) for device, row in found.items()},
        tuple(read.values()),
        read_through,
        sum(listing.pages for listing in listings),
        all(listing.complete for listing in listings),
        skew_of(http),
    )


def with_members(gathered: Gathered, rows: Iterable[Mapping[str, Any]]) -> Gathered:
    """Add members of networks that the Particle cloud does not know. Their ``id`` is ``None``.

    :param rows: as a mesh backend lists them; what identifies a member there takes the place of its id.
    """
    members = {own[1]: facts_of({"id": None, **row}) for row in rows if (own := identity_of(row)) is not None}
    return replace(gathered, devices={**gathered.devices, **members}) if members else gathered


def _by_id(listing: Listing) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((str(row["id"]), row) for row in listing.rows if row.get("id"))


def _completed(row: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """``row``, and what only the ``other`` of the same device tells: a key that says nothing hides nothing."""
    return {**other, **{key: value for key, value in row.items() if value not in (None, "") or key not in other}}


def skew_of(http: Http) -> float:
    """Seconds by which the cloud is ahead, from the Date of its last answer; 0 when it told none."""
    if http.dated is None:
        return 0.0
    try:
        return email.utils.parsedate_to_datetime(http.dated[0]).timestamp() - http.dated[1]
    except ValueError:
        return 0.0


def chosen(gathered: Gathered, filters: Filters, now: float) -> dict[str, dict[str, Any]]:
    """The devices that count, by id, each with how sure its presence is.

    :param now: the time of this machine, in seconds since 1970.
    """
    moment = now + gathered.skew
    return {device: with_presence(facts, moment) for device, facts in gathered.devices.items() if filters.match(facts)}
