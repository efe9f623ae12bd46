# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse firmware locks that may end the membership of devices in Particle Mesh. Private to this collection.

Particle Mesh ended with Device OS 1.5.x. Each firmware version requires a minimum version of Device OS. When a device
gets the firmware version, its Device OS is upgraded to this minimum. The cloud does not show the minimum, but shows the
firmware version and the Device OS of each device. If any device runs the firmware version on Device OS 1.5.x, the
firmware version does not require a newer Device OS. If no such device exists, the firmware version may require a Device
OS without Particle Mesh.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Observed, Plan
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.product_list import read_rows_by_id
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import Manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import Hardware
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.firmware import (
    DEVICE_OS,
    FIRMWARE_PRODUCT,
    FIRMWARE_VERSION,
    find_versions_without_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.limits import (
    is_too_new_for_mesh,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.registry.rules import REGISTRY, read_registration

_MAX_SHOWN = 100


def find_locks_of_mesh_members(plan: Plan, manifest: Manifest, observed: Observed) -> dict[str, int]:
    """Find the firmware locks that a plan sets on current and declared members of Particle Mesh.

    :returns: the firmware versions of the locks, keyed by :attr:`DevicePlan.key`.
    """
    registered = {
        record.id
        for record in manifest.devices
        if record.mesh is not None and manifest.networks[record.mesh.network].backend == REGISTRY.name
    }
    locks = {}
    for device in plan.devices:
        version = device.fields.get("firmware_lock")
        found = observed.devices.get(device.id)
        hardware = found.hardware if found else Hardware()
        in_a_mesh = device.id in registered or read_registration(hardware.row.get("network")) is not None
        if isinstance(version, int) and in_a_mesh and not is_too_new_for_mesh(hardware.device_os):
            locks[device.key] = version
    return locks


def refuse_locks_that_end_mesh(target: Target, locks: Mapping[str, int]) -> None:
    """Refuse locks of mesh members to firmware versions that may require a Device OS without Particle Mesh.

    :param locks: the result of :func:`find_locks_of_mesh_members`.
    :raises ParticleError: ``conflict`` for a firmware version that runs only on devices whose Device OS has no Particle
        Mesh, and for a firmware version that no device of the product runs yet.
    """
    product = target.required_product
    rows = read_rows_by_id(target, keep={"id", FIRMWARE_VERSION, DEVICE_OS, FIRMWARE_PRODUCT}).values()
    own = [
        row for row in rows if str(row.get(FIRMWARE_PRODUCT) or product.id) == product.id
    ]  # the version numbers of other products are unrelated
    ending, unknown = find_versions_without_mesh(set(locks.values()), own)
    reasons = [f"firmware {version} runs only on {ending[version]}" for version in sorted(ending)]
    reasons += [
        f"no device runs firmware {version} yet, so the Device OS that it requires is unknown"
        for version in sorted(unknown)
    ]
    leaving = sorted(device for device, version in locks.items() if version in ending or version in unknown)
    if not leaving:
        return
    shown = list_names(leaving, _MAX_SHOWN)
    devices = format_count(len(leaving), "device")
    why = "; ".join(reasons)
    message = f"{devices} might leave their mesh ({shown}). Particle Mesh needs Device OS 1.5.x or older, and {why}."
    hint = (
        "Run the version on one device outside of any mesh first, declare another firmware_lock, or set confirm to "
        "[mesh_locks] to accept that these devices leave their mesh."
    )
    raise ParticleError("conflict", message, hint=hint)
