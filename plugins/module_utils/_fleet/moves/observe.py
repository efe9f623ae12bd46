# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the devices that are moved in the other products of the account. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.meshfleet.particle.plugins.module_utils._api.groups import list_groups
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product, get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import (
    Observed,
    ObservedDevice,
    Source,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.marks import read_mark
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.moves.plan import KEPT_FIELDS
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.observe import observe_product
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    IGNORE,
    DeviceRecord,
    Identifier,
    Manifest,
)


def observe_sources(target: Target, manifest: Manifest, observed: Observed) -> Observed:
    """Find the devices to move in the products that they declare as ``from_product``.

    Each such product is read once, and only if a device that declares the product is not yet in the product of the run.
    Nothing is read if the manifest removes devices.

    :returns: ``observed`` with the sources, and with the device ids that the other products show for labels.
    :raises ParticleError: ``not_found`` when the account cannot see such a product; ``invalid_manifest`` when it is the
        product of the run.
    """
    if manifest.absent:
        return observed
    wanted: dict[str, list[DeviceRecord]] = {}
    for record in manifest.devices:
        device = observed.ids.get(record.declared_by, record.id) if record.declared_by else record.id
        if record.from_product is not None and device not in observed.devices and device not in observed.unapproved:
            wanted.setdefault(record.from_product, []).append(record)
    ids: dict[Identifier, str] = {}
    sources: dict[str, Source] = {}
    for name, records in wanted.items():
        product = get_product(target.http, name)
        if product.id == target.required_product.id:
            message = f"from_product is {name}, which is the product of the task."
            raise ParticleError("invalid_manifest", message, hint="Name another product, or remove from_product.")
        found = _observe_other_product(target, product, records)
        ids |= found.ids
        sources |= {device: _build_source(target, product, shown) for device, shown in found.devices.items()}
    groups = observed.groups
    keeps_groups = any(source.device.groups for source in sources.values())
    if not groups and (keeps_groups or _has_marked_devices(target, manifest, observed)):
        groups = list_groups(target.http, target.required_product.id)
    return replace(observed, groups=groups, ids={**observed.ids, **ids}, sources=sources)


def _has_marked_devices(target: Target, manifest: Manifest, observed: Observed) -> bool:
    """Return whether an interrupted run has brought a device into the product, but not yet into its groups."""
    ids = (
        observed.ids.get(record.declared_by, record.id) if record.declared_by else record.id
        for record in manifest.devices
        if record.from_product is not None
    )
    devices = (observed.devices[device] for device in ids if device in observed.devices)
    return any(read_mark(device.fields.get("notes"), target.required_product.id).groups for device in devices)


def _build_source(target: Target, product: Product, device: ObservedDevice) -> Source:
    notes = device.fields.get("notes")
    text = read_mark(notes, target.required_product.id).text
    if text == (notes or ""):
        return Source(product, device)
    return Source(product, replace(device, fields={**device.fields, "notes": text}), is_marked=True)


def _observe_other_product(target: Target, product: Product, records: Sequence[DeviceRecord]) -> Observed:
    """Observe the devices of ``records`` that are in another product, with their names, notes and groups."""
    # Declaring the kept values makes sure that they are read, even if the list of the product lacks them.
    kept = dict.fromkeys(KEPT_FIELDS, "")
    looked_for = tuple(
        DeviceRecord(record.id, fields=kept, declared_by=record.declared_by, identities={}) for record in records
    )
    manifest = Manifest(product.id, False, {}, looked_for, undeclared=IGNORE)
    return observe_product(replace(target, product=product), manifest)
