# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The power and connection of devices, and the delay until the cloud notices that a device has lost its power."""

from __future__ import annotations

from heapq import heappop, heappush
from zlib import crc32

from particle_simulator.device_sessions import report_status, start_session
from particle_simulator.errors import Refusal
from particle_simulator.firmware_updates import take_update
from particle_simulator.model import CELLULAR_PLATFORMS, Device, Product
from particle_simulator.ownership import add_to_product
from particle_simulator.world import World

WIFI_GRACE = 50
"""Seconds for which the cloud still shows a lost Wi-Fi device as online: two keep-alives of 25 s."""
CELLULAR_KEEP_ALIVE = 23 * 60
"""Seconds between keep-alives of a cellular device; the cloud notices a loss after one to two of them."""

OFFLINE_REFUSALS: dict[int, object] = {
    404: {"ok": False, "error": "Device is not connected"},
    408: {"error": "Timed out."},
    400: {"ok": False, "error": "Timed out."},
    500: {"ok": False, "code": 500, "errors": [{"error": "Timed out, didn't hear back from device service"}]},
}
"""The refusals of calls to an offline device, by status. The text of the 404 is inferred, the others are recorded."""


def device_offline(device: Device, default: int) -> Refusal:
    """Build the refusal of a call to an offline device, with the status that a test has set or the default."""
    status = device.offline_face or default
    return Refusal(status, OFFLINE_REFUSALS[status])


def get_grace_seconds(world: World, device: Device) -> int:
    """Return for how many seconds the cloud still shows a device without power as online."""
    if device.platform_id not in CELLULAR_PLATFORMS:
        return WIFI_GRACE
    return CELLULAR_KEEP_ALIVE + crc32(f"{world.settings.seed} {device.id} grace".encode()) % (CELLULAR_KEEP_ALIVE + 1)


def switch_off(world: World, device: Device) -> None:
    """Cut the power of a device, which the cloud notices later."""
    if device.powered:
        device.powered = False
        device.lost_at = world.now()
        world.revision += 1
        if device.online:
            heappush(world.devices.offline_due, (device.lost_at + get_grace_seconds(world, device), device.id))


def disconnect(world: World, device: Device) -> None:
    """End the session of a device properly, so that the cloud notices it at once."""
    if device.reachable:
        device.lost_at = world.now()
    if device.online:
        report_status(world, device, online=False)
    device.powered = device.online = False
    world.revision += 1


def connect(world: World, device: Device) -> None:
    """Bring a device online in a new session, in which it installs its target firmware version."""
    device.powered = device.online = True
    device.lost_at = None
    start_session(world, device)
    take_update(world, device)


def connect_with_firmware(world: World, device: Device, product: Product) -> None:
    """Bring a device online with the firmware of a product; a device that is not imported waits for approval."""
    if device.product is None and device.platform_id == product.platform_id:
        add_to_product(device, product)
        device.quarantined = product.quarantine
    connect(world, device)


def run_due_changes(world: World) -> None:
    """Run the planned actions that are due, and mark devices without power as offline. Called before every request."""
    if world.agenda.has_actions:
        world.agenda.run_due(world.now())
    offline_due = world.devices.offline_due
    if not offline_due or offline_due[0][0] > world.now():
        return
    now = world.now()
    while offline_due and offline_due[0][0] <= now:
        _unused, device_id = heappop(offline_due)
        device = world.devices.by_id[device_id]
        # The device may have come back since this entry was made, and may even have been lost again.
        if (
            not device.powered
            and device.lost_at is not None
            and device.lost_at + get_grace_seconds(world, device) <= now
        ):
            device.online = False
            world.revision += 1
            report_status(world, device, online=False)


def advance_clock(world: World, seconds: float) -> None:
    """Turn the clock forward, and update when online devices were last heard."""
    world.clock.advance(seconds)
    for device in world.devices.by_id.values():
        if device.reachable and device.last_heard is not None:
            device.last_heard += seconds
    run_due_changes(world)


def reconnect_devices(world: World, product: Product) -> None:
    """Reconnect some random devices of a product, as may happen while a client reads the pages of their list."""
    reachable = [device for device in product.devices.values() if device.reachable]
    for device in world.random.sample(reachable, min(world.settings.churn, len(reachable))):
        connect(world, device)
