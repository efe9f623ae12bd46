# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Firmware files: user modules, and bundles of a user module and its assets (firmware-and-events.md, section 3)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from particle_simulator.firmware_limits import ASSET_LIMITS, MAX_MODULE_SIZE
from particle_simulator.firmware_modules import (
    FirmwareFile,
    InvalidFirmwareFile,
    build_firmware_file,
    read_module,
)

__all__ = ["FirmwareFile", "InvalidFirmwareFile", "build_firmware_file", "is_bundle", "read_firmware_file"]

BUNDLE_ENDING = ".zip"
BINARY_ENDING = ".bin"
ASSET_FOLDER = "assets/"

MAX_BUNDLE_SIZE = 16 * 1024 * 1024
"""The maximum size of a bundle, and of all its assets without compression. Inferred: the cloud's limit is unknown."""
MAX_FILES = 1024
"""The maximum number of files in a bundle. Inferred: the storage of a device has at most 502 blocks for assets."""
CHUNK_SIZE = 64 * 1024

_DIRECTORY_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
_UNREADABLE = (BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
"""The exceptions that `zipfile` raises for a file that is damaged, or that has features it does not support."""


def is_bundle(name: str) -> bool:
    """Return whether a file with this name is a bundle."""
    return name.lower().endswith(BUNDLE_ENDING)


def read_firmware_file(name: str, content: bytes) -> FirmwareFile:
    """Read a user module or, if the name ends with `.zip`, a bundle. Raise `InvalidFirmwareFile` for any other file."""
    if not is_bundle(name):
        return read_module(content)
    if len(content) > MAX_BUNDLE_SIZE:
        raise InvalidFirmwareFile("The bundle is too large")
    # Every file of a zip file has an entry that begins with these bytes. Count the entries before `ZipFile` reads them.
    if content.count(_DIRECTORY_ENTRY) > MAX_FILES:
        raise InvalidFirmwareFile("The bundle contains too many files")
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            return _read_archive(archive)
    except _UNREADABLE as error:
        raise InvalidFirmwareFile("The bundle is damaged, or is not a zip file") from error


def _read_archive(archive: ZipFile) -> FirmwareFile:
    """Read a bundle: exactly one file at the root, the user module, and in a folder the assets that it needs.

    Files in other folders are ignored, for example the file with the environment variables of the application.
    """
    entries = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    if len(entries) != sum(not info.is_dir() for info in archive.infolist()):
        raise InvalidFirmwareFile("The bundle contains a file twice")
    names = [name for name in entries if "/" not in name]
    if len(names) != 1:
        raise InvalidFirmwareFile("The bundle must contain exactly one file outside of folders")
    if not names[0].lower().endswith(BINARY_ENDING):
        raise InvalidFirmwareFile(f"The file outside of folders must have a name that ends with {BINARY_ENDING}")
    file = read_module(b"".join(_unpack(archive, entries[names[0]], MAX_MODULE_SIZE)))
    assets = {name.removeprefix(ASSET_FOLDER): info for name, info in entries.items() if name.startswith(ASSET_FOLDER)}
    _check_assets(archive, file, assets)
    return file


def _unpack(archive: ZipFile, info: ZipInfo, limit: int) -> Iterator[bytes]:
    """Yield the content of a file in chunks. Raise `InvalidFirmwareFile` after `limit` bytes.

    Do not trust the size in the zip file: a few bytes can be unpacked to gigabytes.
    """
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & _ENCRYPTED:
        raise InvalidFirmwareFile("The bundle is encrypted, or compressed by an unknown method")
    size = 0
    with archive.open(info) as packed:
        while chunk := packed.read(CHUNK_SIZE):
            size += len(chunk)
            if size > limit:
                raise InvalidFirmwareFile(f"The file {info.filename} is too large")
            yield chunk


class _Measures(NamedTuple):
    sha256: str
    size: int
    compressed_size: int


def _measure(archive: ZipFile, info: ZipInfo, limit: int) -> _Measures:
    """Measure an asset. A device stores the asset compressed, however the asset is compressed in the bundle."""
    digest, compressor = sha256(), zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = compressed_size = 0
    for chunk in _unpack(archive, info, limit):
        digest.update(chunk)
        size += len(chunk)
        compressed_size += len(compressor.compress(chunk))
    return _Measures(digest.hexdigest(), size, compressed_size + len(compressor.flush()))


def _check_assets(archive: ZipFile, file: FirmwareFile, assets: dict[str, ZipInfo]) -> None:
    """Check that a bundle contains exactly the assets that the user module names, and that a device can store them."""
    needed = {asset.name: asset.sha256 for asset in file.assets}
    if len(needed) != len(file.assets):
        raise InvalidFirmwareFile("The binary needs two assets with the same name")
    for name in needed:
        if name not in assets:
            raise InvalidFirmwareFile(f"The bundle does not contain the asset {name}")
    left, sizes = MAX_BUNDLE_SIZE, {}
    for name, info in assets.items():
        if name not in needed:
            raise InvalidFirmwareFile(f"The binary does not need the asset {name}")
        measures = _measure(archive, info, left)
        if measures.sha256 != needed[name]:
            raise InvalidFirmwareFile(f"The asset {name} does not match the SHA-256 in the binary")
        left -= measures.size
        sizes[name] = measures.compressed_size
    if sizes:
        _check_sizes(file.platform_id, sizes)


def _check_sizes(platform_id: int, sizes: dict[str, int]) -> None:
    limits = ASSET_LIMITS.get(platform_id)
    if limits is None:
        raise InvalidFirmwareFile(f"Devices of platform {platform_id} cannot store assets")
    violation = limits.find_violation(sizes)
    if violation is not None:
        raise InvalidFirmwareFile(violation)
