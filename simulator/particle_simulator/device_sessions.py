# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The sessions of devices with the cloud, and the events that devices publish (endpoints.yml: special_events)."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from particle_simulator.configurations import take_pending_configuration
from particle_simulator.events import Event
from particle_simulator.model import CELLULAR_PLATFORMS, Device
from particle_simulator.safe_mode import describe_modules
from particle_simulator.world import World

STATUS_EVENT = "spark/status"
SAFE_MODE_EVENT = "spark/status/safe-mode"
LAST_RESET_EVENT = "spark/device/last_reset"
APP_HASH_EVENT = "spark/device/app-hash"
ENABLED_EVENT = "particle/device/updates/enabled"
FORCED_EVENT = "particle/device/updates/forced"
PENDING_EVENT = "particle/device/updates/pending"

WIFI_GRACE = 50
"""Seconds for which the cloud still shows a Wi-Fi device without power as online: two keep-alives of 25 seconds."""
CELLULAR_KEEP_ALIVE = 23 * 60
"""Seconds between two keep-alives of a cellular device.

When a cellular device loses its power, the cloud notices after 23 to 46 minutes.
"""

RETURN_GAP = 0.018
"""Seconds between the events `offline` and `online` of a device that returns before the cloud has noticed its absence.

(firmware-and-events.md, section 4.1)
"""
REPORT_DELAY = 0.6
"""Seconds from the event `online` to the first reports of the device, as in the recorded update of section 4.1."""
PENDING_DELAY = 1.6
ENABLED_DELAY = 13.9


def publish_device_event(world: World, device: Device, name: str, data: str, *, early: float = 0.0) -> None:
    """Publish an event with a device as the sender.

    With `early`, the event is dated so many seconds before now, but not before the previous event of the device.
    """
    moment = device.last_published_at = max(world.now() - early, device.last_published_at)
    if not world.events.has_streams:
        return
    version = 0 if device.safe_mode else None
    world.events.publish(
        Event(name, data, moment, device=device, product=device.product, account=device.owner, version=version)
    )


def report_status(world: World, device: Device, *, online: bool, early: float = 0.0) -> None:
    """Publish the event that a device has come online or gone offline."""
    publish_device_event(world, device, STATUS_EVENT, "online" if online else "offline", early=early)


# ---------------------------------------------------------------------- begin


def start_session(world: World, device: Device, *, reset_reason: str | None = None, after_update: bool = False) -> None:
    """Bring a device online in a new session.

    Drop the cached lists that are sorted by the time of the last connection.

    :param reset_reason: The reason to report, or None if the device has not restarted or knows no reason.
    :param after_update: Whether the device reports that no update is pending.
    """
    notice_absence(world, device)
    moment = world.clock.next_moment()
    device.powered = device.online = True
    device.lost_at = None
    device.last_handshake_at = device.last_heard = moment
    world.revision += 1
    if device.product is not None:
        device.product.drop_sorted_lists("lastConnection")
    if device.owner is not None:
        device.owner.sorted_devices = None
    take_pending_configuration(device)
    report_status(world, device, online=True)
    _Reports(world, device, moment, reset_reason, after_update).plan()


def notice_absence(world: World, device: Device) -> None:
    """Publish that a device was offline, if it returns before the cloud has noticed its absence.

    The cloud makes up this event when the new session begins (firmware-and-events.md, section 4.1).
    """
    if device.online:
        device.online = False
        report_status(world, device, online=False, early=RETURN_GAP)


def resume_session(world: World, device: Device) -> None:
    """Let a device continue its session after a pause. This is no new handshake."""
    was_noticed = not device.online
    device.powered = device.online = True
    device.lost_at = None
    device.last_heard = world.now()
    world.revision += 1
    if was_noticed:
        report_status(world, device, online=True)


@dataclass(slots=True)
class _Reports:
    """The events that a device publishes after the beginning of a session, as in the log of section 4.1.

    Each report plans the next one, so that an ended session has at most one planned action.
    """

    world: World
    device: Device
    session: float
    """The time of the handshake, which identifies the session."""
    reset_reason: str | None
    after_update: bool

    def plan(self) -> None:
        """Plan the first report."""
        self.world.agenda.add(self.session + REPORT_DELAY, self._report_state)

    def _is_over(self) -> bool:
        return self.device.last_handshake_at != self.session or not self.device.reachable

    def _report_state(self) -> None:
        if self._is_over():
            return
        world, device = self.world, self.device
        if device.safe_mode:
            publish_device_event(world, device, SAFE_MODE_EVENT, describe_modules(device))
            # The description contains the hash, so that the next session tells the cloud nothing new.
            device.known_app_hash = device.app_hash
        else:
            if self.reset_reason is not None:
                publish_device_event(world, device, LAST_RESET_EVENT, self.reset_reason)
            report_forced(world, device)
            if device.app_hash is not None and device.app_hash != device.known_app_hash:
                device.known_app_hash = device.app_hash
                publish_device_event(world, device, APP_HASH_EVENT, device.app_hash)
        if self.after_update:
            world.agenda.add(self.session + PENDING_DELAY, self._report_pending)
        else:
            world.agenda.add(self.session + ENABLED_DELAY, self._report_switch)

    def _report_pending(self) -> None:
        if not self._is_over():
            publish_device_event(self.world, self.device, PENDING_EVENT, "false")
            self.world.agenda.add(self.session + ENABLED_DELAY, self._report_switch)

    def _report_switch(self) -> None:
        if not self._is_over() and not self.device.safe_mode:
            report_enabled(self.world, self.device)


def report_enabled(world: World, device: Device) -> None:
    """Publish whether the device accepts updates, according to its own switch."""
    publish_device_event(world, device, ENABLED_EVENT, _format_flag(device.firmware_updates_enabled))


def report_forced(world: World, device: Device) -> None:
    """Publish whether the cloud overrides the switch of the device."""
    publish_device_event(world, device, FORCED_EVENT, _format_flag(device.firmware_updates_forced))


def _format_flag(value: bool) -> str:
    return "true" if value else "false"


# ---------------------------------------------------------------------- end


def get_grace_seconds(world: World, device: Device) -> int:
    """Return for how many seconds the cloud still shows a device as online after the device has lost its power."""
    if device.platform_id not in CELLULAR_PLATFORMS:
        return WIFI_GRACE
    return CELLULAR_KEEP_ALIVE + crc32(f"{world.settings.seed} {device.id} grace".encode()) % (CELLULAR_KEEP_ALIVE + 1)


def lose_contact(world: World, device: Device) -> None:
    """Let a device lose its connection without a message, because it lost its power or restarts.

    The cloud notices this only after a delay.
    """
    lost_at = world.now()
    device.powered = False
    device.lost_at = lost_at
    world.revision += 1
    if not device.online:
        return

    def notice() -> None:
        # The device may have connected since, and may even have lost its connection again.
        if device.lost_at == lost_at and device.online:
            device.online = False
            world.revision += 1
            report_status(world, device, online=False)

    world.agenda.add(lost_at + get_grace_seconds(world, device), notice)


def end_session(world: World, device: Device) -> None:
    """Let a device close its session. The cloud shows the device as offline at once."""
    if device.reachable:
        device.lost_at = world.now()
    if device.online:
        report_status(world, device, online=False)
    device.powered = device.online = False
    world.revision += 1
