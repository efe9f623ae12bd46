# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""User modules: the binary files of an application (firmware-and-events.md, section 2).

All numbers are little-endian, except the CRC. The prefix is near the beginning of the file. The places of the suffix
are counted from the end of the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from particle_simulator.firmware_limits import MAX_MODULE_SIZE, find_module_limit

PREFIX = struct.Struct("<II BB HHBB BBH BBH")
PREFERRED_OFFSETS = (0, 0x200, 0x184)
"""The usual offsets of the prefix: at the beginning, or after the interrupt table of a Gen 3 or a Gen 2 MCU."""
MAX_OFFSET = 8 * 1024
PREFIX_EXTENSIONS = 16
"""The flag that extensions follow the prefix."""

SYSTEM_PART, USER_PART = 4, 5
"""Function codes of modules."""
NOT_A_PRODUCT = 65_535
"""The product id and the product version of a module that is not product firmware."""

CRC_SIZE = 4
HASH_END, HASH_START = -6, -38
PRODUCT_FIELDS = -44
MIN_SUFFIX_SIZE = 36
"""The size of a suffix without product fields: 2 reserved bytes, the hash and the size."""
PRODUCT_SUFFIX_SIZE = 40
"""The size of a suffix with product fields and without extensions."""

EXTENSION_HEADER = struct.Struct("<HH")
END_OF_EXTENSIONS, ASSET_DEPENDENCY = 0, 0x12
ASSET_HEADER = b"\0\x20"
"""The first bytes of an asset dependency: the hash type 0, and the length 32 of a SHA-256."""

START_ADDRESS = 0x10000
"""The start address of the modules that the simulator builds. Devices of the simulator do not read it."""


class InvalidFirmwareFile(Exception):
    """An exception for a file that is not valid firmware. `reason` is a sentence for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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


class _Prefix(NamedTuple):
    start: int
    end: int
    mcu: int
    flags: int
    module_version: int
    platform_id: int
    function: int
    module_index: int
    first_function: int
    first_index: int
    first_version: int
    second_function: int
    second_index: int
    second_version: int

    def get_needed_device_os(self) -> int | None:
        """Return the module version of the system part on which the module depends, or None."""
        if self.first_function == SYSTEM_PART:
            return self.first_version
        return self.second_version if self.second_function == SYSTEM_PART else None


# ---------------------------------------------------------------------- reading


def read_module(content: bytes) -> FirmwareFile:
    """Read a user module. Raise `InvalidFirmwareFile` if the module is damaged, or is not a user module."""
    if len(content) > MAX_MODULE_SIZE:
        raise InvalidFirmwareFile("The binary is too large for every platform")
    offset, prefix = _find_prefix(content)
    _check_sums(content)
    if prefix.function != USER_PART:
        raise InvalidFirmwareFile("The binary is not a user module")
    needed = prefix.get_needed_device_os()
    if len(content) > find_module_limit(prefix.platform_id, needed):
        raise InvalidFirmwareFile(f"The binary is too large for platform {prefix.platform_id}")
    suffix_start = _find_suffix(content, offset + PREFIX.size)
    product_id, product_version = _read_product_fields(content)
    return FirmwareFile(
        platform_id=prefix.platform_id,
        product_id=product_id,
        product_version=product_version,
        app_hash=content[HASH_START:HASH_END].hex(),
        needed_device_os=needed,
        assets=tuple(_read_assets(content, prefix, offset + PREFIX.size, suffix_start)),
    )


def _find_prefix(content: bytes) -> tuple[int, _Prefix]:
    """Find the prefix: the addresses in the prefix must give the size of the file."""
    last = min(MAX_OFFSET, len(content) - CRC_SIZE - MIN_SUFFIX_SIZE - PREFIX.size)
    for offset in (*PREFERRED_OFFSETS, *range(4, last + 1, 4)):
        if offset > last:
            continue
        start, end = struct.unpack_from("<II", content, offset)
        if end > start and end - start + CRC_SIZE == len(content):
            return offset, _Prefix(*PREFIX.unpack_from(content, offset))
    raise InvalidFirmwareFile("The file is not a firmware file, or is truncated")


def _check_sums(content: bytes) -> None:
    """Check the CRC, which a damaged file does not match, and the SHA-256, which a patched file does not match."""
    if zlib.crc32(content[:-CRC_SIZE]) != int.from_bytes(content[-CRC_SIZE:], "big"):
        raise InvalidFirmwareFile("The binary is damaged: its CRC does not match")
    if sha256(content[:HASH_START]).digest() != content[HASH_START:HASH_END]:
        raise InvalidFirmwareFile("The binary is damaged: its SHA-256 does not match")


def _read_suffix_size(content: bytes) -> int:
    return int.from_bytes(content[HASH_END:-CRC_SIZE], "little")


def _find_suffix(content: bytes, prefix_end: int) -> int:
    """Return the place at which the suffix begins, with its extensions."""
    size = _read_suffix_size(content)
    start = len(content) - CRC_SIZE - size
    if size < MIN_SUFFIX_SIZE or start < prefix_end:
        raise InvalidFirmwareFile("The binary is damaged: the size of its suffix is not possible")
    return start


def _read_product_fields(content: bytes) -> tuple[int | None, int | None]:
    """Return the product id and the product version. A suffix of less than 40 bytes does not contain these fields."""
    if _read_suffix_size(content) < PRODUCT_SUFFIX_SIZE:
        return None, None
    product_id, version = struct.unpack_from("<HH", content, len(content) + PRODUCT_FIELDS)
    return (
        None if product_id == NOT_A_PRODUCT else product_id,
        None if version == NOT_A_PRODUCT else version,
    )


def _read_assets(content: bytes, prefix: _Prefix, prefix_end: int, suffix_start: int) -> Iterator[Asset]:
    """Yield the assets that the extensions after the prefix and in the suffix name."""
    ranges = []
    if prefix.flags & PREFIX_EXTENSIONS:
        ranges.append((prefix_end, suffix_start))
    if _read_suffix_size(content) > PRODUCT_SUFFIX_SIZE:
        ranges.append((suffix_start, len(content) - CRC_SIZE - MIN_SUFFIX_SIZE))
    for start, end in ranges:
        for kind, data in _read_extensions(content, start, end):
            if kind == ASSET_DEPENDENCY:
                yield _read_asset(data)


def _read_extensions(content: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (type, data) for each extension in a part of the file. The extension of type 0 is the last one."""
    while start < end:
        kind, length = EXTENSION_HEADER.unpack_from(content, start)
        # The length includes the header.
        if length < EXTENSION_HEADER.size or start + length > end:
            raise InvalidFirmwareFile("The binary is damaged: the length of an extension is not possible")
        if kind == END_OF_EXTENSIONS:
            return
        yield kind, content[start + EXTENSION_HEADER.size : start + length]
        start += length


def _read_asset(data: bytes) -> Asset:
    digest, name = data[2:34], data[34:]
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise InvalidFirmwareFile("The binary has an asset extension with a name that is not UTF-8") from error
    if not data.startswith(ASSET_HEADER) or not text:
        raise InvalidFirmwareFile("The binary has an asset extension without a SHA-256 and a name")
    return Asset(text, digest.hex())


# ---------------------------------------------------------------------- building


def build_firmware_file(
    platform_id: int, version: int | None, *, needed_device_os: int | None = None, code: bytes = b""
) -> bytes:
    """Build a small user module.

    :param version: The product firmware version, or None for a module that is not product firmware.
    :param needed_device_os: The module version of the minimum Device OS, or None for a module without a dependency.
    :param code: The bytes between prefix and suffix. Different bytes result in a different app hash.
    """
    # As since Device OS 4.0, the platform id is in the place of the product id.
    product = (NOT_A_PRODUCT, NOT_A_PRODUCT) if version is None else (platform_id, version)
    dependency = (0, 0, 0) if needed_device_os is None else (SYSTEM_PART, 1, needed_device_os)
    end = START_ADDRESS + PREFIX.size + len(code) + PRODUCT_SUFFIX_SIZE
    prefix = PREFIX.pack(START_ADDRESS, end, 0, 0, 1, platform_id, USER_PART, 1, *dependency, 0, 0, 0)
    hashed = prefix + code + struct.pack("<HHH", *product, 0)
    checked = hashed + sha256(hashed).digest() + PRODUCT_SUFFIX_SIZE.to_bytes(2, "little")
    return checked + zlib.crc32(checked).to_bytes(CRC_SIZE, "big")
