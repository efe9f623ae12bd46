# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""How product firmware gets to devices, and what their sessions tell by events (endpoints.yml: special_events).

A device takes the version it should have with its next session (firmware-and-events.md, section 1). Real
devices begin one now and then; here the next is a minute of the cloud's clock after the change, or when
the device comes back, and at once when an update is asked for now.
"""

from __future__ import annotations

from particle_simulator.events import Event
from particle_simulator.model import Device, Product
from particle_simulator.world import World

SESSION_SECONDS = 60.0
"""From a change to the session with which a device that is up takes it. Inferred: no source has a time."""

STATUS_EVENT = "spark/status"
FLASH_EVENT = "spark/flash/status"


def device_event(world: World, device: Device, name: str, data: str) -> None:
    """Publishes what a device says of itself."""
    world.events.publish(Event(name, data, world.now(), device=device, product=device.product, account=device.owner))


def report_status(world: World, device: Device, *, online: bool) -> None:
    """A session began or ended."""
    device_event(world, device, STATUS_EVENT, "online" if online else "offline")


def target(device: Device) -> int | None:
    """The firmware version a device should run; None when nothing says so.

    A lock goes before releases, and development devices are left alone. That of several released
    versions the newest one counts, and a group's before the default's, is inferred.
    """
    if device.desired_firmware_version is not None:
        return device.desired_firmware_version
    product = device.product
    if product is None or device.development or not product.own.firmware:
        return None
    by_group = [product.groups[name].fw_version for name in device.groups]
    for_groups = [version for version in by_group if version is not None]
    if for_groups:
        return max(for_groups)
    return next((kept.version for kept in product.own.firmware.values() if kept.product_default), None)


def take_update(world: World, device: Device) -> bool:
    """Lets a device that is there and has another version than it should have take that one."""
    version = target(device)
    if version is None or version == device.firmware_version or not device.reachable or device.quarantined:
        return False
    device_event(world, device, FLASH_EVENT, "started")
    device.firmware_version = version
    device_event(world, device, FLASH_EVENT, "success")
    # The device starts again with the new firmware: a new session.
    device.last_handshake_at = device.last_heard = world.clock.next_moment()
    if device.product is not None:
        device.product.forget_order("lastConnection")
    if device.owner is not None:
        device.owner.sorted_devices = None
    world.revision += 1
    report_status(world, device, online=True)
    return True


def expect_update(world: World, device: Device) -> None:
    """Plans the session with which a device takes what it should have now."""
    version = target(device)
    if version is not None and version != device.firmware_version:
        world.agenda.add(world.now() + SESSION_SECONDS, lambda: _settle(world, device))


def expect_updates(world: World, product: Product) -> None:
    """The same for a whole product, after a release."""

    def settle() -> None:
        for device in list(product.devices.values()):
            take_update(world, device)

    world.agenda.add(world.now() + SESSION_SECONDS, settle)


def _settle(world: World, device: Device) -> None:
    take_update(world, device)
