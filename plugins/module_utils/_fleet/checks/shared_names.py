# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warn if undeclared devices have declared names. Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.paging import ListOptions
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import list_product_devices
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.names import normalize_text
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import DevicePlan, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import Run


def warn_of_shared_names(run: Run, plan: Plan) -> None:
    """Warn if a device that the manifest does not declare has a declared name, such as a device that was replaced.

    An inventory names two devices with the same name by their ids. If not all devices of the product were read, one
    more request is sent for each new name. It reads one page of the devices whose name contains the new name.
    """
    if run.manifest.absent:
        return
    wanted = {
        normalize_text(str(record.fields["name"])): record.key
        for record in run.manifest.devices
        if "name" in record.fields and not record.is_removed
    }
    others = dict(run.observed.undeclared)
    if not run.observed.is_whole:
        declared = {record.id for record in run.manifest.devices}
        holders = (_read_holders(run, device) for device in plan.devices)
        others |= {id: name for found in holders for id, name in found.items() if id not in declared}
    shared = [
        f"{name} ({wanted[normalize_text(name)]} and {device})"
        for device, name in sorted(others.items())
        if name and normalize_text(name) in wanted
    ]
    if shared:
        names = format_count(len(shared), "declared name is", "declared names are")
        where = "rename or remove the device that is not declared"
        run.target.warn(
            f"{names} also the name of a device that the manifest does not declare: {list_names(shared)}. "
            f"The inventory calls both devices by their ids; {where}."
        )


def _read_holders(run: Run, device: DevicePlan) -> dict[str, str | None]:
    """Return the names of the devices of the product that may have the new name of ``device``, keyed by id.

    :returns: an empty mapping if the plan does not change the name.
    """
    name = device.fields.get("name")
    if name is None:
        return {}
    # The filter also matches a part of a name. Sorted by name, the exact name comes before names that continue it.
    query = {"deviceName": str(name), "sortAttr": "deviceName"}
    options = ListOptions(keep={"id", "name"}, max_pages=1)
    rows = list_product_devices(run.target.http, run.target.required_product.id, query, options).rows
    return {str(row["id"]): row.get("name") for row in rows}
