# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Make valid and damaged firmware files for tests (firmware-and-events.md, section 2)."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

BORON = 13
NOT_A_PRODUCT = 65_535
USER_PART = 5
SYSTEM_PART = 4
PREFIX_EXTENSIONS_FLAG = 16
START_ADDRESS = 0xD4000
END_OF_EXTENSIONS = struct.pack("<HH", 0, 4)
ZIP_TYPE = "application/zip"


@dataclass(frozen=True, kw_only=True)
class Module:
    """A firmware module, by default a user module for a Boron that was built for Device OS 4.2.0.

    :ivar product_id: The product id in the module, or None for the platform id, as Device OS 4.0 and newer write it.
    :ivar needed_device_os: The module version of the minimum Device OS, or None for a module without a dependency.
    :ivar has_product_fields: Whether the suffix contains the product id and the product version.
    :ivar table: The bytes before the prefix, such as an interrupt table.
    """

    version: int = 1
    platform_id: int = BORON
    product_id: int | None = None
    needed_device_os: int | None = 4200
    function: int = USER_PART
    has_product_fields: bool = True
    table: bytes = b""
    code: bytes = b"code of the application"
    prefix_extensions: tuple[bytes, ...] = ()
    suffix_extensions: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes of the module."""
        suffix = self._encode_suffix()
        extensions = b"".join((*self.prefix_extensions, END_OF_EXTENSIONS)) if self.prefix_extensions else b""
        body = extensions + self.code + suffix
        # The end address is the address of the CRC, which follows the suffix and its hash and size (34 bytes).
        end = START_ADDRESS + len(self.table) + 24 + len(body) + 34
        content = self.table + self._encode_prefix(end) + body
        size = len(suffix) + 34
        return seal(content + bytes(32) + struct.pack("<H", size) + bytes(4))

    def _encode_prefix(self, end: int) -> bytes:
        flags = PREFIX_EXTENSIONS_FLAG if self.prefix_extensions else 0
        own = struct.pack("<HHBB", 6, self.platform_id, self.function, 1)
        needed = (
            bytes(4) if self.needed_device_os is None else struct.pack("<BBH", SYSTEM_PART, 1, self.needed_device_os)
        )
        return struct.pack("<IIBB", START_ADDRESS, end, 0, flags) + own + needed + bytes(4)

    def _encode_suffix(self) -> bytes:
        """Return the part of the suffix before the hash."""
        product_id = self.platform_id if self.product_id is None else self.product_id
        product = struct.pack("<HH", product_id, self.version) if self.has_product_fields else b""
        extensions = b"".join((*self.suffix_extensions, END_OF_EXTENSIONS)) if self.suffix_extensions else b""
        return extensions + product + bytes(2)


def make_binary(version: int = 1, **fields: Any) -> bytes:
    """Make a user module. `fields` are further fields of `Module`."""
    return Module(version=version, **fields).encode()


def seal(content: bytes) -> bytes:
    """Return a module with the hash and the CRC that match its other bytes."""
    hashed = content[:-38]
    summed = hashed + sha256(hashed).digest() + content[-6:-4]
    return summed + zlib.crc32(summed).to_bytes(4, "big")


def encode_asset_dependency(name: str, content: bytes) -> bytes:
    """Return the extension with which an application names an asset that it needs."""
    data = bytes([0, 32]) + sha256(content).digest() + name.encode()
    return struct.pack("<HH", 0x12, 4 + len(data)) + data


def make_application(assets: Mapping[str, bytes], version: int = 1, **fields: Any) -> bytes:
    """Make a user module that needs these assets."""
    extensions = tuple(encode_asset_dependency(name, content) for name, content in assets.items())
    return make_binary(version, suffix_extensions=extensions, **fields)


def make_archive(files: Mapping[str, bytes]) -> bytes:
    """Make a zip file."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return output.getvalue()


def make_archive_of_a_newer_format(files: Mapping[str, bytes]) -> bytes:
    """Make a zip file that needs a later version of the zip format than any program supports."""
    content = bytearray(make_archive(files))
    content[content.index(b"PK\x01\x02") + 6] = 255
    return bytes(content)


def make_bundle(assets: Mapping[str, bytes], version: int = 1, **fields: Any) -> bytes:
    """Make a bundle of a user module and its assets."""
    packed = {f"assets/{name}": content for name, content in assets.items()}
    return make_archive({"app.bin": make_application(assets, version, **fields), **packed})
