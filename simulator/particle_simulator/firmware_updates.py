# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""When the cloud sends an update to a device, and the updates that are under way.

(firmware-and-events.md, section 1, "When it is sent")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    RESTART_SECONDS,
    SCRIPTS,
    STARTED,
    Image,
    Update,
    lose_transfer,
    send_device_os,
)
from particle_simulator.update_targets import find_target_version
from particle_simulator.world import World

OFFER_DELAY = 5.0
"""Seconds from the beginning of a session to the update. Documented: "some seconds after connecting"."""
MIN_SESSION_SECONDS, MAX_SESSION_SECONDS = 3600, 14 * 86_400
"""The minimum and the maximum number of seconds until a connected device begins a new session by itself.

Documented: a fleet of devices that stay connected takes about one week on average to begin new sessions.
"""
PANIC = "panic, hard_fault"
PANIC_SECONDS = 30.0
"""Seconds from the beginning of a session to the panic of a firmware that crashes after it has connected."""
MAX_LAG_SECONDS = 3600.0
"""After a long jump of the clock, only the crashes in the last part of the jump, of this length, are reported."""


class RunningUpdate:
    """An update that is under way, or a crash loop. The agenda runs its steps.

    :ivar is_crash_loop: Whether the steps are the restarts of a crashing device. An update can end them.
    :ivar is_lost: Whether the device has lost its power or its connection during the transfer.
    :ivar is_followed: Whether the cloud sends another version as soon as this update ends.
    """

    def __init__(
        self, update: Update, steps: Iterator[float], *, is_crash_loop: bool = False, is_lost: bool = False
    ) -> None:
        self.update = update
        self.is_crash_loop = is_crash_loop
        self.is_lost = is_lost
        self.is_followed = False
        self._steps = steps
        self._first_session = update.device.last_handshake_at

    def resume(self) -> None:
        """Run the next step of the update, unless the update was cancelled."""
        update = self.update
        world, device = update.world, update.device
        if device.update is not self:
            return
        if update.is_withdrawn and device.reachable:
            if update.in_transfer:
                update.tell(FAILED)
        else:
            delay = next(self._steps, None)
            if delay is not None:
                world.agenda.add(world.now() + delay, self.resume)
                return
        self._finish()

    def _finish(self) -> None:
        """End the update. The device continues with the firmware that it runs now."""
        update = self.update
        world, device = update.world, update.device
        device.update = None
        if device.is_crashing and device.powered:
            start_crash_loop(world, device)
        has_new_session = device.last_handshake_at != self._first_session
        if (has_new_session or self.is_followed) and find_target_version(device) != update.image.version:
            # The target has changed meanwhile, or a client has flashed a version that is not the target.
            plan_offer(world, device)


# ---------------------------------------------------------------------- when the cloud sends


def offer_update(world: World, device: Device) -> None:
    """Send the target version to a device, if the device is connected and does not run this version."""
    firmware = _find_missing_firmware(device)
    if firmware is None or not device.reachable:
        return
    if device.update is not None and not device.update.is_crash_loop:
        device.update.is_followed = True
        return
    if not device.firmware_updates_enabled and not device.firmware_updates_forced:
        publish_device_event(world, device, PENDING_EVENT, "true")
        return
    _start_update(Update(world, device, build_image(firmware)))


def plan_update(world: World, device: Device) -> None:
    """Plan the next session of a device, in which it gets its target version.

    A device that stays connected begins a new session only after hours or days. The session is needed only if a version
    waits for the device. The seed determines how long the device waits.
    """
    if device.has_planned_session or not device.reachable or _find_missing_firmware(device) is None:
        return
    span = MAX_SESSION_SECONDS - MIN_SESSION_SECONDS
    delay = MIN_SESSION_SECONDS + crc32(f"{world.settings.seed} {device.id} session".encode()) % span

    def renew_session() -> None:
        device.has_planned_session = False
        if device.reachable and device.update is None and _find_missing_firmware(device) is not None:
            begin_session(world, device)

    device.has_planned_session = True
    world.agenda.add(world.now() + delay, renew_session)


def begin_session(world: World, device: Device, *, reset_reason: str | None = None) -> None:
    """Begin a new session of a device. The cloud then sends what the device lacks.

    :param reset_reason: The reason of a restart that the device reports, or None if the device has not restarted.
    """
    end_update(device)
    start_session(world, device, reset_reason=reset_reason)
    plan_offer(world, device)
    if device.safe_mode:
        _complete_device_os(world, device)
    elif device.is_crashing:
        start_crash_loop(world, device)


def plan_offer(world: World, device: Device) -> None:
    """Plan the update that follows the beginning of a session."""
    if _find_missing_firmware(device) is None:
        return
    session = device.last_handshake_at

    def offer() -> None:
        if device.last_handshake_at == session:
            offer_update(world, device)

    world.agenda.add(world.now() + OFFER_DELAY, offer)


def deliver_change(world: World, device: Device, earlier: int | None) -> None:
    """Send the target version to a device, if the target differs from an earlier one.

    Otherwise each change of groups would send a failed update again.
    """
    if find_target_version(device) != earlier:
        _deliver_update(world, device)


def _deliver_update(world: World, device: Device) -> None:
    """Send the target version at once if its release is intelligent. Otherwise wait for the next session."""
    firmware = _find_missing_firmware(device)
    if firmware is not None and firmware.intelligent and device.desired_firmware_version is None:
        offer_update(world, device)
    else:
        plan_update(world, device)


def deliver_release(world: World, product: Product, version: int, earlier: Mapping[str, int | None]) -> None:
    """Send the target versions to the devices that a release concerns.

    :param version: The released version.
    :param earlier: The target versions of all devices before the release, keyed by device id.
    """
    for device in list(product.devices.values()):
        if find_target_version(device) == version:
            _deliver_update(world, device)
        else:
            deliver_change(world, device, earlier[device.id])


def _find_missing_firmware(device: Device) -> Firmware | None:
    """Return the firmware that the cloud should send to a device, or None if the device needs nothing.

    A device in safe mode does not run the version that the cloud shows.
    """
    version = find_target_version(device)
    if version is None or device.product is None or device.quarantined or device.denied:
        return None
    if version == device.firmware_version and not device.safe_mode:
        return None
    return device.product.resources.firmware.get(version)


# ---------------------------------------------------------------------- updates under way


def flash(world: World, device: Device, file: FirmwareFile | None) -> None:
    """Flash a device by hand (endpoints.yml: device_flash). With None, the device refuses the file at the end."""
    if device.update is not None and not device.update.is_crash_loop:
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
    if device.safe_mode and update.image.app_hash == device.app_hash:
        needed = device.needed_device_os
    if ending == "ok" and needed is not None and needed > get_module_version(device.system_firmware_version):
        ending = "needs_device_os"
    device.update_ending, device.last_ending = None, ending
    device.update = RunningUpdate(update, SCRIPTS[ending](update))
    device.update.resume()


def lose_update(world: World, device: Device) -> None:
    """End the update of a device that loses its power or its connection.

    The cloud reports the failure of a transfer a minute later, or as soon as the device begins its next session.
    """
    running = device.update
    if running is None or running.is_lost:
        return
    device.update = None
    if running.update.in_transfer:
        device.update = RunningUpdate(running.update, lose_transfer(running.update), is_lost=True)
        device.update.resume()


def end_update(device: Device) -> None:
    """End the update of a device that begins a new session. The cloud reports the failure of a transfer at once."""
    running, device.update = device.update, None
    if running is not None and running.update.in_transfer:
        running.update.tell(FAILED)


def _complete_device_os(world: World, device: Device) -> None:
    """Send Device OS to a device that is in safe mode at the beginning of a session (section 4.2)."""
    image = Image(device.waiting_version, device.app_hash or "", device.needed_device_os)
    # The cloud does this for every device, even without a product.
    update = Update(world, device, image, by_hand=True)
    device.update = RunningUpdate(update, send_device_os(update))
    device.update.resume()


def start_crash_loop(world: World, device: Device) -> None:
    """Let a device crash and restart repeatedly, until it gets another firmware."""
    update = Update(world, device, Image(device.firmware_version, device.app_hash or ""), by_hand=True)
    device.update = RunningUpdate(update, _crash_again(update), is_crash_loop=True)
    device.update.resume()


def _crash_again(update: Update) -> Iterator[float]:
    """The restarts of a crashing device. The cloud sends the target version in each new session."""
    while True:
        yield max(PANIC_SECONDS, update.world.clock.lag - MAX_LAG_SECONDS)
        yield from update.restart(RESTART_SECONDS, reason=PANIC)
        plan_offer(update.world, update.device)


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
