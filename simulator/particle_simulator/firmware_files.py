# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The contents of firmware files: user modules and bundles (firmware-and-events.md, sections 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Asset(NamedTuple):
    """An asset that an application needs: its name, and its SHA-256 in lower-case hexadecimal digits."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FirmwareFile:
    """The contents of a firmware file: a user module, or a bundle of a user module and its assets.

    :ivar product_id: The product id, or None if the module is not product firmware. Newer modules contain the platform
        id in this field.
    :ivar product_version: The product firmware version, or None if the module is not product firmware.
    :ivar app_hash: The SHA-256 of the module, in lower-case hexadecimal digits. The device reports this hash.
    :ivar needed_device_os: The module version of the minimum Device OS, or None if the module does not depend on one.
    """

    platform_id: int
    product_id: int | None
    product_version: int | None
    app_hash: str
    needed_device_os: int | None
    assets: tuple[Asset, ...]
