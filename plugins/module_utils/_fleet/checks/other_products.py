# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out in check mode whether devices can be imported. Private to this collection.

The cloud rejects a device that is in another product, or that does not exist. Check mode imports nothing, so only the
lists of the account show which product has a device. No list shows a device that is in no product and that no account
has claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    list_account_products,
    list_product_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.id_forms import (
    is_same_label,
    strip_check_digit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.codes import NOT_READABLE
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.checks.undeclared import describe_kept_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.product_list import build_device_filter
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS

_MAX_REQUESTS = 20
"""The maximum number of requests for the lists of other products."""


def predict_imports(run: Run, plan: Plan) -> Plan:
    """Return the plan with refusals for the devices of other products. Record the devices that remain uncertain.

    Requests are sent only if the plan imports or claims devices. At most :data:`_MAX_REQUESTS` pages of the lists of
    other products are read, so a device on a later page remains uncertain.
    """
    coming = {device.key: device for device in plan.devices if _is_new(device)}
    if not coming or run.target.product is None:
        _record_uncertain_devices(run, plan, set(coming))
        return plan
    slug = run.target.product.slug
    holders = _find_holders(run.target, tuple(coming.values()))
    refusals = {coming[key].id: _build_refusal(coming[key], holder, slug) for key, holder in holders.items() if holder}
    if refusals:
        _keep_undeclared_devices(run, plan, [key for key, holder in holders.items() if holder])
        refused = {key for key, holder in holders.items() if holder}
        run.state.kept |= {device.id for device in plan.devices if device.replaced_by in refused}
    _record_uncertain_devices(run, plan, coming.keys() - holders.keys())
    kept = tuple(device for device in plan.devices if device.id not in refusals)
    needed = {group for device in kept for group in device.add_groups}
    groups = tuple(group for group in plan.create_groups if group in needed)
    return replace(plan, devices=kept, create_groups=groups, refusals={**plan.refusals, **refusals})


def _keep_undeclared_devices(run: Run, plan: Plan, refused: list[str]) -> None:
    """Record that a run would remove no undeclared device, because devices could not be imported.

    :param refused: the keys of these devices.
    """
    kept = {device.id for device in plan.devices if device.is_undeclared}
    run.state.kept |= kept
    if kept:
        run.target.warn(describe_kept_devices(kept, refused))


def _record_uncertain_devices(run: Run, plan: Plan, unlisted: set[str]) -> None:
    """Record the devices that the cloud may refuse, and the devices that a run would then not remove.

    :param unlisted: the keys of the devices that no list shows.
    """
    staying = [device for device in plan.devices if device.id not in run.state.kept]
    removals = {device.key for device in staying if device.is_undeclared}
    replaced = {device.key for device in staying if device.replaced_by in unlisted}
    run.uncertain = frozenset(unlisted | removals | replaced if unlisted else ())


def _is_new(device: DevicePlan) -> bool:
    """Return whether a device is imported into the product, or claimed for the account, for the first time."""
    if device.leaves is not None:
        return False
    return "approval" not in device.changes and (device.imports or (device.claims and "product" not in device.changes))


def _find_holders(target: Target, coming: Collection[DevicePlan]) -> dict[str, str | None]:
    """Find the products that have the devices in ``coming``.

    :returns: the slug of the product, keyed by :attr:`DevicePlan.key`; ``None`` for a device that is in no other
        product. A device that no list of the account shows has no key.
    """
    wanted = {}
    for device in coming:
        kind = device.declared_by.kind if device.declared_by else "id"
        wanted[kind, strip_check_digit(kind, device.key.lower())] = device.key
    found: dict[str, str | None] = {}
    for owned in _find_owned_devices(target, coming):
        for kind in IDENTIFIERS:
            label = str(owned.row.get(kind) or "").lower()
            key = wanted.get((kind, strip_check_digit(kind, label)))
            if key is not None and is_same_label(kind, label, key.lower()):
                found[key] = owned.holder
    return found


@dataclass(frozen=True)
class _Owned:
    """A device that a list of the account shows.

    :param holder: the slug of the product that has the device; ``None`` if the device is in no other product.
    """

    holder: str | None
    row: Mapping[str, Any]


def _find_owned_devices(target: Target, coming: Collection[DevicePlan]) -> Iterator[_Owned]:
    """Find the devices in the lists of the account and of its other products.

    If only one device is looked for by its id or serial number, each list of a product is filtered, and takes one
    request.
    """
    try:
        rows = list_account_devices(target.http).rows
        products = list_account_products(target.http)
    except ParticleError as error:
        if error.code not in NOT_READABLE:
            raise
        return
    slugs = {product.id: product.slug for product in products}
    for row in rows:
        # For a device without a product, the cloud shows the platform id as the product id.
        number = row.get("product_id")
        is_elsewhere = number not in (None, row.get("platform_id")) and str(number) != target.required_product.id
        yield _Owned(slugs.get(str(number), str(number)) if is_elsewhere else None, row)
    [first, *others] = coming
    filters = {} if others else build_device_filter(first)
    left = _MAX_REQUESTS
    for product in products:
        if product.id == target.required_product.id or left <= 0:
            continue
        options = ListOptions(keep=set(IDENTIFIERS), max_pages=left)
        try:
            listing = list_product_devices(target.http, product.id, filters, options)
        except ParticleError as error:
            if error.code not in NOT_READABLE:
                raise
            left -= 1
            continue
        left -= listing.pages
        yield from (_Owned(product.slug, row) for row in listing.rows)


def _build_refusal(device: DevicePlan, holder: str | None, product: str) -> ParticleError:
    message = f"Could not import device {device.key} into product {product}: it is in product {holder}."
    return ParticleError("device_not_yours", message, hint="Remove the device from the other product first.")
