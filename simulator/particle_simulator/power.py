# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The power and the connection of devices. When a device loses its power, the cloud notices only after a delay."""

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
"""Seconds for which the cloud still shows a Wi-Fi device without power as online: two keep-alives of 25 seconds."""
CELLULAR_KEEP_ALIVE = 23 * 60
"""Seconds between two keep-alives of a cellular device.

When a cellular device loses its power, the cloud notices after 23 to 46 minutes.
"""

OFFLINE_REFUSALS: dict[int, object] = {
    404: {"ok": False, "error": "Device is not connected"},
    408: {"error": "Timed out."},
    400: {"ok": False, "error": "Timed out."},
    500: {"ok": False, "code": 500, "errors": [{"error": "Timed out, didn't hear back from device service"}]},
}
"""The error bodies for requests to an offline device, keyed by status.

The error message for 404 is inferred. The other error bodies are recorded responses of the cloud.
"""


def device_offline(device: Device, default: int) -> Refusal:
    """Build the `Refusal` for a variable read, a function call or a signal while the device is offline.

    The status is the `offline_face` of the device. If `offline_face` is None, the status is `default`.
    """
    status = device.offline_face or default
    return Refusal(status, OFFLINE_REFUSALS[status])


def get_grace_seconds(world: World, device: Device) -> int:
    """Return for how many seconds the cloud still shows a device as online after the device has lost its power."""
    if device.platform_id not in CELLULAR_PLATFORMS:
        return WIFI_GRACE
    return CELLULAR_KEEP_ALIVE + crc32(f"{world.settings.seed} {device.id} grace".encode()) % (CELLULAR_KEEP_ALIVE + 1)


def switch_off(world: World, device: Device) -> None:
    """Cut the power of a device. The cloud notices the loss of power later."""
    if device.powered:
        device.powered = False
        device.lost_at = world.now()
        world.revision += 1
        if device.online:
            heappush(world.devices.offline_due, (device.lost_at + get_grace_seconds(world, device), device.id))


def disconnect(world: World, device: Device) -> None:
    """Disconnect a device. The cloud shows the device as offline at once."""
    if device.reachable:
        device.lost_at = world.now()
    if device.online:
        report_status(world, device, online=False)
    device.powered = device.online = False
    world.revision += 1


def connect(world: World, device: Device) -> None:
    """Bring a device online in a new session. The device installs its target firmware version in this session."""
    device.powered = device.online = True
    device.lost_at = None
    start_session(world, device)
    take_update(world, device)


def connect_with_firmware(world: World, device: Device, product: Product) -> None:
    """Bring a device online with firmware of a product.

    If the device is in no product, has the platform of this product and reports its product, add the device to this
    product. If the product has `quarantine` set, the added device must wait for approval. If the device was removed
    from the product earlier, the added device is denied (endpoints.yml: device_deny_quarantined).
    """
    if device.product is None and device.platform_id == product.platform_id and device.reports_product:
        device.denied = device.id in product.removed
        add_to_product(device, product)
        device.quarantined = product.quarantine and not device.denied
    connect(world, device)


def run_due_changes(world: World) -> None:
    """Run the planned actions that are due, and update the online state of devices without power.

    The cloud shows a device as offline only `get_grace_seconds` after the loss of power. Call this function before each
    request to the cloud.
    """
    if world.agenda.has_actions:
        world.agenda.run_due(world.now())
    offline_due = world.devices.offline_due
    if not offline_due or offline_due[0][0] > world.now():
        return
    now = world.now()
    while offline_due and offline_due[0][0] <= now:
        _unused, device_id = heappop(offline_due)
        device = world.devices.by_id[device_id]
        # Since this entry was added, the device may have come back online, and may even have lost its power again.
        if (
            not device.powered
            and device.lost_at is not None
            and device.lost_at + get_grace_seconds(world, device) <= now
        ):
            device.online = False
            world.revision += 1
            report_status(world, device, online=False)


def get_seconds_until_change(world: World) -> float | None:
    """Return after how many seconds of the clock the next change is due, or None if no change is planned."""
    moments = [moment for moment, _unused in world.devices.offline_due[:1]]
    if world.agenda.next_moment is not None:
        moments.append(world.agenda.next_moment)
    return min(moments) - world.now() if moments else None


def advance_clock(world: World, seconds: float) -> None:
    """Move the clock forward, and run the changes that are due.

    Also move `last_heard` of reachable devices forward, because a reachable device is heard regularly.
    """
    world.clock.advance(seconds)
    for device in world.devices.by_id.values():
        if device.reachable and device.last_heard is not None:
            device.last_heard += seconds
    run_due_changes(world)


def reconnect_devices(world: World, product: Product) -> None:
    """Reconnect some random devices of a product. The setting `churn` is the number of devices.

    In the real cloud, too, devices can reconnect while a client reads the pages of a device list.
    """
    reachable = [device for device in product.devices.values() if device.reachable]
    for device in world.random.sample(reachable, min(world.settings.churn, len(reachable))):
        connect(world, device)
