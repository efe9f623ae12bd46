# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Find the firmware version that a device of a product should run (firmware-and-events.md, section 1)."""

from __future__ import annotations

from collections.abc import Collection

from particle_simulator.model import Device, Product


def find_release_version(device: Device) -> int | None:
    """Return the firmware version that is released for a device, or None.

    The highest version that is released to a group of the device has priority over the product default. Development
    devices get no releases.
    """
    product = device.product
    if product is None or device.development or not product.resources.firmware:
        return None
    versions = [product.groups[name].fw_version for name in device.groups]
    released = [version for version in versions if version is not None]
    return max(released) if released else product.default_version


def find_target_version(device: Device) -> int | None:
    """Return the firmware version that a device should run, or None if the cloud leaves the device alone.

    A development device is left alone, even if it is locked to a version. A lock has priority over releases.
    """
    if device.product is None or device.development:
        return None
    return device.desired_firmware_version or find_release_version(device)


def find_version_after_release(
    device: Device, product: Product, version: int, groups: Collection[str], *, default: bool
) -> int | None:
    """Return the version that a device should run after a release of `version`.

    The version is then released to exactly these groups, and is the default of the product only if `default` is set.
    """
    if device.development:
        return None
    if device.desired_firmware_version:
        return device.desired_firmware_version
    # The release replaces the versions that were released to its groups before.
    known = {name: version if name in groups else product.groups[name].fw_version for name in device.groups}
    released = [
        number for name, number in known.items() if number is not None and (number != version or name in groups)
    ]
    if released:
        return max(released)
    if default:
        return version
    return None if product.default_version == version else product.default_version
