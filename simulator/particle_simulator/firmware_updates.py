# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Updates of devices with product firmware.

A device installs its target version in its next session (firmware-and-events.md, section 1). In the simulator, the next
session begins one minute after the change of the target version, or earlier if the device reconnects. A request can
also ask for an update at once.
"""

from __future__ import annotations

from particle_simulator.device_sessions import publish_device_event, start_session
from particle_simulator.firmware_files import FirmwareFile
from particle_simulator.model import Device, Product
from particle_simulator.world import World

SESSION_SECONDS = 60.0
"""Seconds from a change of the target version to the session in which an online device installs the version.

The number is inferred, not documented.
"""

FLASH_EVENT = "spark/flash/status"


def find_target_version(device: Device) -> int | None:
    """Return the firmware version that a device should run, or None if no version is set.

    A version that is set for the device itself has priority over releases. Development devices get no releases.
    Inferred: a release to a group has priority over the product default, and the highest of several releases wins.
    """
    if device.desired_firmware_version is not None:
        return device.desired_firmware_version
    product = device.product
    if product is None or device.development or not product.resources.firmware:
        return None
    versions = [product.groups[name].fw_version for name in device.groups]
    group_versions = [version for version in versions if version is not None]
    if group_versions:
        return max(group_versions)
    return next(
        (firmware.version for firmware in product.resources.firmware.values() if firmware.product_default), None
    )


def take_update(world: World, device: Device) -> bool:
    """Install the target version on a device. Return whether the version of the device has changed.

    Do nothing if the device is offline, or waits in quarantine: approval may start an update (endpoints.yml:
    device_approve_quarantined).
    """
    version = find_target_version(device)
    if version is None or version == device.firmware_version or not device.reachable:
        return False
    if device.quarantined:
        return False
    publish_device_event(world, device, FLASH_EVENT, "started")
    device.firmware_version = version
    publish_device_event(world, device, FLASH_EVENT, "success")
    # The device restarts with the new firmware, so a new session begins.
    start_session(world, device)
    return True


def flash(world: World, device: Device, file: FirmwareFile | None) -> None:
    """Send a firmware file to a device. None stands for a file that the device refuses.

    A refusal ends the update without a restart (firmware-and-events.md, section 4.3).
    """
    device.last_heard = world.now()
    publish_device_event(world, device, FLASH_EVENT, "started ")
    publish_device_event(world, device, FLASH_EVENT, "failed " if file is None else "success ")


def plan_update(world: World, device: Device) -> None:
    """Plan the update of a device, `SESSION_SECONDS` from now. The target version is read at the time of the update."""
    version = find_target_version(device)
    if version is not None and version != device.firmware_version:
        world.agenda.add(world.now() + SESSION_SECONDS, lambda: take_update(world, device))


def plan_updates(world: World, product: Product) -> None:
    """Plan the update of all devices of a product, `SESSION_SECONDS` from now.

    The target versions are read at the time of the update.
    """

    def take_updates() -> None:
        for device in list(product.devices.values()):
            take_update(world, device)

    world.agenda.add(world.now() + SESSION_SECONDS, take_updates)
