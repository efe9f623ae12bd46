# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out in check mode whether devices can be imported. Private to this collection.

The cloud rejects a device that is in another product, or that does not exist. In check mode, nothing is imported, so
the lists of the account must tell. No list shows a device that is in no product and that no account has claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._api.devices import list_account_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import (
    list_account_products,
    list_product_devices,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.name_template import IDENTIFIERS

_MAX_PRODUCTS = 10
_MAX_PAGES = 10
"""The maximum number of other products, and of pages of each list, so that check mode sends few requests."""

_UNREADABLE = ("forbidden", "missing_scope", "not_found", "unsupported")
"""Error codes of lists that cannot be read. The devices are then uncertain."""


def predict_imports(run: Run, plan: Plan) -> Plan:
    """Return the plan, in which devices of other products are refused. Record the devices that remain uncertain.

    Requests are sent only if the plan imports or claims devices.
    """
    coming = {device.key: device for device in plan.devices if _is_new(device)}
    if not coming or run.target.product is None:
        run.uncertain = frozenset(coming)
        return plan
    holders = _find_holders(run.target)
    slug = run.target.product.slug
    refusals = {
        device.id: _build_refusal(device, holders[device.key.lower()], slug)
        for device in coming.values()
        if holders.get(device.key.lower())
    }
    run.uncertain = frozenset(key for key in coming if key.lower() not in holders)
    kept = tuple(device for device in plan.devices if device.id not in refusals)
    needed = {group for device in kept for group in device.add_groups}
    groups = tuple(group for group in plan.create_groups if group in needed)
    return replace(plan, devices=kept, create_groups=groups, refusals={**plan.refusals, **refusals})


def _is_new(device: DevicePlan) -> bool:
    """Return whether a device is imported into the product, or claimed for the account, for the first time."""
    return "approval" not in device.changes and (device.imports or (device.claims and "product" not in device.changes))


def _find_holders(target: Target) -> Mapping[str, str | None]:
    """Return the product of each device that the lists of the account show, keyed by identifier in lower case.

    :returns: the slug of the product; ``None`` for a device that is in no other product.
    """
    found: dict[str, str | None] = {}
    options = ListOptions(keep=set(IDENTIFIERS), max_pages=_MAX_PAGES)
    try:
        rows = list_account_devices(target.http).rows
        products = list_account_products(target.http)
    except ParticleError as error:
        if error.code not in _UNREADABLE:
            raise
        return found
    slugs = {product.id: product.slug for product in products}
    for row in rows:
        # For a device without a product, the cloud shows the platform id as the product id.
        number = row.get("product_id")
        is_elsewhere = number not in (None, row.get("platform_id")) and str(number) != target.required_product.id
        holder = slugs.get(str(number), str(number)) if is_elsewhere else None
        found.update({str(row[kind]).lower(): holder for kind in IDENTIFIERS if row.get(kind)})
    others = [product for product in products if product.id != target.required_product.id]
    for product in others[:_MAX_PRODUCTS]:
        try:
            rows = list_product_devices(target.http, product.id, options=options).rows
        except ParticleError as error:
            if error.code not in _UNREADABLE:
                raise
            continue
        for row in rows:
            found.update({str(row[kind]).lower(): product.slug for kind in IDENTIFIERS if row.get(kind)})
    return found


def _build_refusal(device: DevicePlan, holder: str | None, product: str) -> ParticleError:
    message = f"Could not import device {device.key} into product {product}: it is in product {holder}."
    return ParticleError("device_not_yours", message, hint="Remove the device from the other product first.")
