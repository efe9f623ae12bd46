# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""When the cloud sends an update to a device, and the updates that are under way.

(firmware-and-events.md, section 1, "When it is sent")
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from particle_simulator.device_os import get_module_version
from particle_simulator.device_sessions import (
    PENDING_EVENT,
    publish_device_event,
    report_enabled,
    report_forced,
    start_session,
)
from particle_simulator.firmware_files import FirmwareFile
from particle_simulator.model import Device, Product
from particle_simulator.resources import Firmware
from particle_simulator.update_scripts import (
    DISABLED,
    FAILED,
    FAILURE_SECONDS,
    SCRIPTS,
    STARTED,
    Image,
    Update,
)
from particle_simulator.update_targets import find_target_version
from particle_simulator.world import World

OFFER_DELAY = 5.0
"""Seconds from the beginning of a session to the update. Documented: "some seconds after connecting"."""
MAX_SESSION_SECONDS = 14 * 86_400
"""The maximum number of seconds until a connected device begins a new session by itself.

Documented: a fleet of devices that stay connected takes about one week on average to begin new sessions.
"""


class RunningUpdate:
    """An update that is under way. The agenda runs its steps."""

    def __init__(self, update: Update, steps: Iterator[float]) -> None:
        self.update = update
        self._steps = steps

    def resume(self) -> None:
        """Run the next step of the update, unless the update was cancelled."""
        world, device = self.update.world, self.update.device
        if device.update is not self:
            return
        delay = next(self._steps, None)
        if delay is not None:
            world.agenda.add(world.now() + delay, self.resume)
            return
        device.update = None
        if find_target_version(device) != self.update.image.version:
            # The target has changed meanwhile, or a client has flashed a version that is not the target.
            world.agenda.add(world.now() + OFFER_DELAY, lambda: offer_update(world, device))


# ---------------------------------------------------------------------- when the cloud sends


def offer_update(world: World, device: Device) -> None:
    """Send the target version to a device, if the device is connected and does not run this version."""
    firmware = _find_missing_firmware(device)
    if firmware is None or not device.reachable or device.quarantined or device.denied:
        return
    if device.update is not None and not device.is_crashing:
        return
    if not device.firmware_updates_enabled and not device.firmware_updates_forced:
        publish_device_event(world, device, PENDING_EVENT, "true")
        return
    _start_update(Update(world, device, build_image(firmware)))


def plan_update(world: World, device: Device) -> None:
    """Plan the next session of a device, in which it gets its target version.

    A device that stays connected begins a new session only after days. The session is needed only if a version waits
    for the device.
    """
    if _find_missing_firmware(device) is None or not device.reachable:
        return
    now = world.now()
    delay = crc32(f"{world.settings.seed} {device.id} session {now:.0f}".encode()) % MAX_SESSION_SECONDS

    def renew_session() -> None:
        is_new = device.last_handshake_at is not None and device.last_handshake_at > now
        if not is_new and device.reachable and device.update is None and _find_missing_firmware(device) is not None:
            start_session(world, device)
            plan_offer(world, device)

    world.agenda.add(now + delay, renew_session)


def plan_offer(world: World, device: Device) -> None:
    """Plan the update that follows the beginning of a session."""
    if _find_missing_firmware(device) is not None:
        world.agenda.add(world.now() + OFFER_DELAY, lambda: offer_update(world, device))


def deliver_update(world: World, device: Device) -> None:
    """Send the target version at once if its release is intelligent. Otherwise wait for the next session."""
    firmware = _find_missing_firmware(device)
    if firmware is not None and firmware.intelligent and device.desired_firmware_version is None:
        offer_update(world, device)
    else:
        plan_update(world, device)


def deliver_release(world: World, product: Product) -> None:
    """Send the released versions to the devices of a product, as the releases say."""
    for device in list(product.devices.values()):
        deliver_update(world, device)


def _find_missing_firmware(device: Device) -> Firmware | None:
    """Return the firmware that a device should run, or None if it runs it, or if the product does not have it."""
    version = find_target_version(device)
    if version is None or version == device.firmware_version or device.product is None:
        return None
    return device.product.resources.firmware.get(version)


# ---------------------------------------------------------------------- updates under way


def flash(world: World, device: Device, file: FirmwareFile | None) -> None:
    """Flash a device by hand (endpoints.yml: device_flash). With None, the device refuses the file at the end."""
    if device.update is not None and not device.is_crashing:
        # Inferred: the device refuses a second update while another one is under way (section 4.3).
        refused = Update(world, device, Image(None, ""), by_hand=True)
        refused.tell(STARTED)
        refused.tell(FAILED)
        return
    if not device.firmware_updates_enabled and not device.firmware_updates_forced:
        publish_device_event(world, device, PENDING_EVENT, "true")
        return
    if file is None:
        device.update_ending = "refused"
    image = Image(None, "") if file is None else Image(file.product_version, file.app_hash, file.needed_device_os)
    _start_update(Update(world, device, image, by_hand=True))


def build_image(firmware: Firmware) -> Image:
    """Return the image in a firmware version of a product."""
    return Image(firmware.version, firmware.file.app_hash, firmware.file.needed_device_os)


def _start_update(update: Update) -> None:
    """Start an update with the ending that is set for the device, and reset this ending."""
    device = update.device
    ending = device.update_ending or "ok"
    needed = update.image.needed_device_os
    if ending == "ok" and needed is not None and needed > get_module_version(device.system_firmware_version):
        ending = "needs_device_os"
    device.update_ending, device.last_ending, device.is_crashing = None, ending, False
    device.update = RunningUpdate(update, SCRIPTS[ending](update))
    device.update.resume()


def cancel_update(world: World, device: Device) -> None:
    """End the update of a device whose power or connection changes. The cloud reports the failure a minute later."""
    running, device.update = device.update, None
    device.is_crashing = False
    if running is not None and running.update.in_transfer:
        world.agenda.add(world.now() + FAILURE_SECONDS, lambda: running.update.tell(FAILED))


# ---------------------------------------------------------------------- the switches


def set_update_ending(world: World, device: Device, ending: str) -> None:
    """Choose how the next update of a device ends.

    With `disabled`, the device switches updates off. With any other ending, it switches them on again.
    """
    enabled = ending != DISABLED
    device.update_ending = ending if enabled else None
    if device.firmware_updates_enabled == enabled:
        return
    device.firmware_updates_enabled = enabled
    if device.reachable:
        report_enabled(world, device)
        offer_update(world, device)


def force_updates(world: World, device: Device, *, forced: bool) -> None:
    """Override the switch of a device. A connected device confirms the override with an event."""
    device.firmware_updates_forced = forced
    if device.reachable:
        report_forced(world, device)
        if forced and not device.firmware_updates_enabled:
            offer_update(world, device)
