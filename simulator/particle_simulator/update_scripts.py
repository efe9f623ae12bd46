# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The course of an update, one script for each ending (firmware-and-events.md, section 4).

A script is a generator: it publishes events and changes the device, and yields the seconds until its next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from particle_simulator.device_os import get_module_version, get_version
from particle_simulator.device_sessions import (
    STATUS_EVENT,
    lose_contact,
    notice_absence,
    publish_device_event,
    resume_session,
    start_session,
)
from particle_simulator.model import Device, Product
from particle_simulator.world import World

FLASH_EVENT = "spark/flash/status"
STARTED, SUCCESS, FAILED = "started ", "success ", "failed "
"""The data of `spark/flash/status`. The cloud writes a file name after the blank, which is empty here."""

ELECTRON = 10
"""The platform whose devices stay in safe mode, because the cloud saves their data volume (section 4.2)."""

OFFER_SECONDS = 0.005
TRANSFER_SECONDS = 3.3
RESTART_SECONDS = 7.9
SLOW_TRANSFER_SECONDS = 84.0
SLOW_RESTART_SECONDS = 122.0
EARLY_SUCCESS_SECONDS = 2.0
FAILURE_SECONDS = 60.0
"""Seconds until the cloud reports the failure of an update from which it receives no more messages ("a minute later").
"""
CHUNK_TIMEOUT_SECONDS = 300.0
"""Seconds without a part of the file after which a device restarts with its old firmware."""
SLEEP_SECONDS = 900.0
SYSTEM_TRANSFERS = (34.0, 64.0)
"""Seconds of the transfers of the bootloader and of the system part. The update takes 2 min 45 s in all."""
SYSTEM_RESTART_SECONDS = 28.0


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware that a device can run.

    :param version: The version of the product firmware, or None if it is no product firmware.
    :param app_hash: The SHA-256 hash of the application, in hexadecimal digits.
    :param needed_device_os: The lowest module version of Device OS with which the application runs, or None.
    """

    version: int | None
    app_hash: str
    needed_device_os: int | None = None


@dataclass(slots=True)
class Update:
    """An attempt to install an image on a device.

    :ivar by_hand: Whether a client flashes the device. Otherwise the cloud sends the target version of the device.
    :ivar in_transfer: Whether the transfer has begun and not ended.
    :ivar product: The product of the device when the update began.
    """

    world: World
    device: Device
    image: Image
    by_hand: bool = False
    in_transfer: bool = False
    product: Product | None = field(init=False)

    def __post_init__(self) -> None:
        self.product = self.device.product

    @property
    def is_withdrawn(self) -> bool:
        """Whether the cloud no longer sends the update, because it no longer manages the device in this product."""
        device = self.device
        return not self.by_hand and (device.product is not self.product or device.quarantined or device.denied)

    def begin(self) -> Iterator[float]:
        """Announce the update, and then start the transfer."""
        yield from self.announce()
        self.tell(STARTED)

    def announce(self) -> Iterator[float]:
        """Publish that the cloud sends an update. A client that flashes a device causes no such event."""
        if not self.by_hand:
            publish_device_event(self.world, self.device, STATUS_EVENT, "auto-update")
            yield OFFER_SECONDS

    def tell(self, data: str) -> None:
        """Publish the state of the transfer."""
        self.in_transfer = data == STARTED
        publish_device_event(self.world, self.device, FLASH_EVENT, data)

    def restart(
        self, seconds: float, boot: Callable[[], None] | None = None, *, reason: str | None = "update"
    ) -> Iterator[float]:
        """Restart the device, and begin a session.

        :param seconds: The seconds until the device is back.
        :param boot: A function that changes what the device runs. The cloud learns of it in the new session.
        :param reason: The reason of the restart that the device reports, or None if it reports no reason.
        """
        lose_contact(self.world, self.device)
        yield seconds
        notice_absence(self.world, self.device)
        if boot is not None:
            boot()
        start_session(self.world, self.device, reset_reason=reason, after_update=reason == "update")

    def boot_image(self) -> None:
        """Let the device run the new application."""
        device, version = self.device, self.image.version
        device.safe_mode = device.is_crashing = False
        device.needed_device_os = device.bootloader_version = None
        device.firmware_version, device.app_hash = version, self.image.app_hash
        if self.product is not None and self.product is device.product and version in self.product.resources.firmware:
            self.product.resources.firmware[version].has_run = True

    def boot_into_safe_mode(self) -> None:
        """Let the device connect without its application, because the application needs a newer Device OS.

        Inferred if the file of the firmware names no Device OS that is newer than that of the device: the application
        needs the next minor version. Device OS is never downgraded (section 4.3).
        """
        device = self.device
        device.safe_mode, device.is_crashing = True, False
        device.waiting_version, device.app_hash = self.image.version, self.image.app_hash
        if self.world.settings.safe_mode_version == "zero":
            device.firmware_version = 0
        present = get_module_version(device.system_firmware_version)
        needed = self.image.needed_device_os or present
        device.needed_device_os = needed if needed > present else present // 100 * 100 + 100

    def boot_bootloader(self) -> None:
        """Let the device run the bootloader of the needed Device OS."""
        self.device.bootloader_version = self.device.needed_device_os

    def boot_device_os(self) -> None:
        """Let the device run the needed Device OS and the new application."""
        needed = self.device.needed_device_os
        if needed is not None:
            self.device.system_firmware_version = get_version(needed)
        self.boot_image()


Script = Callable[[Update], Iterator[float]]


# ---------------------------------------------------------------------- the device runs the new version


def succeed(update: Update) -> Iterator[float]:
    """The recorded success of section 4.1."""
    yield from update.begin()
    yield TRANSFER_SECONDS
    update.tell(SUCCESS)
    yield from update.restart(RESTART_SECONDS, update.boot_image)


def succeed_slowly(update: Update) -> Iterator[float]:
    """The same events as in a fast success, as recorded for a larger transfer (section 4.1)."""
    yield from update.begin()
    yield SLOW_TRANSFER_SECONDS
    update.tell(SUCCESS)
    yield from update.restart(SLOW_RESTART_SECONDS, update.boot_image)


def acknowledge_late(update: Update) -> Iterator[float]:
    """The cloud reports a failure, although the device runs the new firmware."""
    yield from update.begin()
    yield TRANSFER_SECONDS
    update.tell(FAILED)
    yield from update.restart(RESTART_SECONDS, update.boot_image)


def upgrade_device_os(update: Update) -> Iterator[float]:
    """The device waits in safe mode for a newer Device OS, which the cloud sends in two parts (section 4.2)."""
    yield from update.begin()
    yield TRANSFER_SECONDS
    update.tell(SUCCESS)
    yield from update.restart(RESTART_SECONDS, update.boot_into_safe_mode, reason=None)
    yield from send_device_os(update)


def send_device_os(update: Update) -> Iterator[float]:
    """The cloud sends the parts of Device OS that a device in safe mode lacks. An Electron gets nothing."""
    if update.device.platform_id == ELECTRON:
        return
    bootloader, system = SYSTEM_TRANSFERS
    if update.device.bootloader_version is None:
        yield bootloader
        update.tell(SUCCESS)
        yield from update.restart(SYSTEM_RESTART_SECONDS, update.boot_bootloader, reason=None)
    yield system
    update.tell(SUCCESS)
    yield from update.restart(SYSTEM_RESTART_SECONDS, update.boot_device_os)


def crash_online(update: Update) -> Iterator[float]:
    """The new firmware connects and then crashes, repeatedly. The cloud does not restore the old firmware."""
    yield from succeed(update)
    update.device.is_crashing = True


def crash_before_connecting(update: Update) -> Iterator[float]:
    """The new firmware crashes before it connects. The cloud receives no more messages from the device."""
    yield from update.begin()
    yield TRANSFER_SECONDS
    update.tell(SUCCESS)
    update.device.is_stuck = True
    lose_contact(update.world, update.device)


# ---------------------------------------------------------------------- the device runs the old version


def refuse_image(update: Update) -> Iterator[float]:
    """The device refuses the image at the end of the transfer, and continues with its old firmware."""
    yield from update.begin()
    yield TRANSFER_SECONDS
    update.tell(FAILED)


def break_off(update: Update) -> Iterator[float]:
    """The transfer breaks off. The device restarts with its old firmware after it has waited for the rest."""
    yield from update.begin()
    yield FAILURE_SECONDS
    update.tell(FAILED)
    yield CHUNK_TIMEOUT_SECONDS - FAILURE_SECONDS
    yield from update.restart(RESTART_SECONDS, reason="update_timeout")


def come_back_old(update: Update) -> Iterator[float]:
    """The device reports a success, and comes back with its old firmware."""
    yield from update.begin()
    yield EARLY_SUCCESS_SECONDS
    update.tell(SUCCESS)
    yield from update.restart(RESTART_SECONDS)


def lose_transfer(update: Update) -> Iterator[float]:
    """The cloud receives no more messages from the device, and reports the failure a minute later."""
    yield FAILURE_SECONDS
    update.tell(FAILED)


def fall_asleep(update: Update) -> Iterator[float]:
    """The device falls asleep during the update, and wakes later in the same session. The update is lost."""
    yield from update.announce()
    # The cloud has begun the transfer. It has received no message from the device yet, so it has not published `started
    # `.
    update.in_transfer = True
    lose_contact(update.world, update.device)
    yield from lose_transfer(update)
    yield SLEEP_SECONDS - FAILURE_SECONDS
    resume_session(update.world, update.device)


SCRIPTS: dict[str, Script] = {
    "ok": succeed,
    "refused": refuse_image,
    "transfer_fails": break_off,
    "came_back_old": come_back_old,
    "crashes_online": crash_online,
    "crashes_before": crash_before_connecting,
    "sleeps": fall_asleep,
    "slow": succeed_slowly,
    "needs_device_os": upgrade_device_os,
    "late_ack": acknowledge_late,
}
"""The scripts, keyed by the word for the ending that tests give to the admin route."""

DISABLED = "disabled"
"""The ending without a script: the device has switched updates off, so the cloud sends nothing."""
ENDINGS = (*SCRIPTS, DISABLED)
BAD_ENDINGS = ("refused", "transfer_fails", "came_back_old", "crashes_online", "crashes_before")
"""The endings from which the option `--bad-updates` chooses."""
