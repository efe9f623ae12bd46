# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""How product firmware gets to devices.

A device takes the version it should have with its next session (firmware-and-events.md, section 1). Real
devices begin one now and then; here the next is a minute of the cloud's clock after the change, or when
the device comes back, and at once when an update is asked for now.
"""

from __future__ import annotations

from particle_simulator.device_sessions import publish_device_event, start_session
from particle_simulator.model import Device, Product
from particle_simulator.world import World

SESSION_SECONDS = 60.0
"""From a change to the session with which a device that is up takes it. Inferred: no source has a time."""

FLASH_EVENT = "spark/flash/status"


def find_target_version(device: Device) -> int | None:
    """The firmware version a device should run; None when nothing says so.

    A lock goes before releases, and development devices are left alone. That of several released
    versions the newest one counts, and a group's before the default's, is inferred.
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
    """Update a device that is online and has another version than it should; return whether it was updated."""
    version = find_target_version(device)
    if version is None or version == device.firmware_version or not device.reachable or device.quarantined:
        return False
    publish_device_event(world, device, FLASH_EVENT, "started")
    device.firmware_version = version
    publish_device_event(world, device, FLASH_EVENT, "success")
    # The device starts again with the new firmware: a new session.
    start_session(world, device)
    return True


def plan_update(world: World, device: Device) -> None:
    """Plan the session in which a device takes the version that it should have by then."""
    version = find_target_version(device)
    if version is not None and version != device.firmware_version:
        world.agenda.add(world.now() + SESSION_SECONDS, lambda: take_update(world, device))


def plan_updates(world: World, product: Product) -> None:
    """Plan the session in which all devices of a product take the version that they should have by then."""

    def take_updates() -> None:
        for device in list(product.devices.values()):
            take_update(world, device)

    world.agenda.add(world.now() + SESSION_SECONDS, take_updates)
