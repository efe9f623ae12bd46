# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The power and the connection of devices. When a device loses its power, the cloud notices only after a delay."""

from __future__ import annotations

from particle_simulator.device_sessions import end_session, lose_contact
from particle_simulator.errors import Refusal
from particle_simulator.firmware_updates import begin_session, lose_update
from particle_simulator.model import Device, Product
from particle_simulator.ownership import add_to_product
from particle_simulator.world import World

POWER_LOSS = "power_down"
"""The reason of a restart after a loss of power (firmware-and-events.md, section 4.3)."""

HEARING_SECONDS = 60.0
"""Seconds after which a reachable device is heard again. Inferred: devices send events more often than pings."""

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


def switch_off(world: World, device: Device) -> None:
    """Cut the power of a device. The cloud notices the loss of power later.

    A device that is restarting or asleep is already disconnected, and does not connect again.
    """
    lose_update(world, device)
    if device.powered:
        lose_contact(world, device)


def disconnect(world: World, device: Device) -> None:
    """Disconnect a device. The cloud shows the device as offline at once."""
    lose_update(world, device)
    end_session(world, device)


def switch_on(world: World, device: Device) -> None:
    """Give a device power. It begins a new session, unless its firmware crashes before that."""
    if not device.is_stuck:
        begin_session(world, device, reset_reason=None if device.powered else POWER_LOSS)


def connect(world: World, device: Device) -> None:
    """Bring a device online in a new session. The cloud then sends the target version to the device.

    A device whose firmware crashes is repaired: it runs the firmware that the cloud shows.
    """
    device.is_stuck = device.is_crashing = False
    begin_session(world, device)


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
    """Run the planned actions that are due, and hear the devices. Call this before each request to the cloud."""
    due = world.agenda.next_moment
    if due is not None and due <= world.now():
        world.agenda.run_due(world.clock)
    if world.now() - world.heard_at >= HEARING_SECONDS:
        hear_devices(world)


def get_seconds_until_change(world: World) -> float | None:
    """Return after how many seconds of the clock the next change is due, or None if no change is planned."""
    moment = world.agenda.next_moment
    return None if moment is None else moment - world.now()


def advance_clock(world: World, seconds: float) -> None:
    """Move the clock forward, run the changes that are due, and hear the devices."""
    world.clock.advance(seconds)
    run_due_changes(world)
    hear_devices(world)


def hear_devices(world: World) -> None:
    """Move `last_heard` of reachable devices forward with the clock, because a reachable device is heard regularly."""
    now = world.now()
    seconds, world.heard_at = now - world.heard_at, now
    for device in world.devices.by_id.values():
        if device.reachable and device.last_heard is not None:
            device.last_heard = max(device.last_heard, min(device.last_heard + seconds, now))


def reconnect_devices(world: World, product: Product) -> None:
    """Reconnect some random devices of a product. The setting `churn` is the number of devices.

    In the real cloud, too, devices can reconnect while a client reads the pages of a device list.
    """
    reachable = [device for device in product.devices.values() if device.reachable]
    for device in world.random.sample(reachable, min(world.settings.churn, len(reachable))):
        begin_session(world, device)
