# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse firmware locks that may end the memberships of devices in networks. Private to this collection.

Each firmware version requires a minimum version of Device OS. When a device gets the firmware version, its Device OS is
upgraded to this minimum. The cloud does not show the minimum, but shows the firmware version and the Device OS of each
device. If any device runs the firmware version on a Device OS that has the networks of a backend, the firmware version
does not require a Device OS without them. If no such device exists, the firmware version may require one.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Observed, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.product_list import read_rows_by_id
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.backends import get_rules, list_rules
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    DEVICE_OS,
    FIRMWARE_VERSION,
    Hardware,
)

_FIRMWARE_PRODUCT = "firmware_product_id"
"""The key of a row that names the product whose firmware the device runs (endpoints.yml: device_product_extra)."""
_MAX_SHOWN = 100


def find_locks_of_members(plan: Plan, manifest: Manifest, observed: Observed) -> dict[str, dict[str, int]]:
    """Find the firmware locks that a plan sets on current and declared members whose membership firmware may end.

    :returns: for each mesh backend, the firmware versions of the locks, keyed by :attr:`DevicePlan.key`.
    """
    declared = {
        record.id: manifest.networks[record.mesh.network].backend
        for record in manifest.devices
        if record.mesh is not None
    }
    locks: dict[str, dict[str, int]] = {}
    for device in plan.devices:
        version = device.fields.get("firmware_lock")
        if not isinstance(version, int):
            continue
        found = observed.devices.get(device.id)
        hardware = found.hardware if found else Hardware()
        groups = found.groups if found else frozenset()
        for rules in list_rules():
            is_member = declared.get(device.id) == rules.name or rules.is_shown(groups, hardware)
            if is_member and rules.can_firmware_end_membership(hardware):
                locks.setdefault(rules.name, {})[device.key] = version
    return locks


def refuse_locks_that_end_memberships(target: Target, locks: Mapping[str, Mapping[str, int]]) -> None:
    """Refuse locks of members to firmware versions that may end their membership.

    :param locks: the result of :func:`find_locks_of_members`.
    :raises ParticleError: ``conflict`` when a mesh backend gives a reason against one of the firmware versions.
    """
    product = target.required_product
    rows = read_rows_by_id(target, keep={"id", FIRMWARE_VERSION, DEVICE_OS, _FIRMWARE_PRODUCT}).values()
    own = [
        row for row in rows if str(row.get(_FIRMWARE_PRODUCT) or product.id) == product.id
    ]  # the version numbers of other products are unrelated
    reasons: list[str] = []
    leaving: set[str] = set()
    for backend, versions in locks.items():
        ending = get_rules(backend).explain_ending_firmware(frozenset(versions.values()), own)
        reasons += (ending[version] for version in sorted(ending))
        leaving |= {device for device, version in versions.items() if version in ending}
    if not leaving:
        return
    shown = list_names(sorted(leaving), _MAX_SHOWN)
    devices = format_count(len(leaving), "device")
    message = f"{devices} might leave their mesh ({shown}): {'; '.join(reasons)}."
    hint = (
        "Run the version on one device outside of any mesh first, declare another firmware_lock, or set confirm to "
        "[mesh_locks] to accept that these devices leave their mesh."
    )
    raise ParticleError("conflict", message, hint=hint)
