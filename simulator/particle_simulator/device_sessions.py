# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The sessions of devices with the cloud, and the events that devices publish (endpoints.yml: special_events)."""

from __future__ import annotations

from particle_simulator.configurations import take_pending_configuration
from particle_simulator.events import Event
from particle_simulator.model import Device
from particle_simulator.world import World

STATUS_EVENT = "spark/status"


def publish_device_event(world: World, device: Device, name: str, data: str) -> None:
    """Publish an event with a device as the sender."""
    world.events.publish(Event(name, data, world.now(), device=device, product=device.product, account=device.owner))


def report_status(world: World, device: Device, *, online: bool) -> None:
    """Publish the event that a device has come online or gone offline."""
    publish_device_event(world, device, STATUS_EVENT, "online" if online else "offline")


def start_session(world: World, device: Device) -> None:
    """Start a new session of an online device.

    Drop the cached lists that are sorted by the time of the last connection.
    """
    device.last_handshake_at = device.last_heard = world.clock.next_moment()
    world.revision += 1
    if device.product is not None:
        device.product.drop_sorted_lists("lastConnection")
    if device.owner is not None:
        device.owner.sorted_devices = None
    take_pending_configuration(device)
    report_status(world, device, online=True)
