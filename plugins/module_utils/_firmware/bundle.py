# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack a bundle: the binary of an application and its assets (firmware-and-events.md, section 3).

Private to this collection. A bundle is a zip file. Its assets are unpacked in pieces and are never kept, because a
small zip file can contain very large files.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import (
    MAX_PACKED_FILES,
    MAX_UNPACKED_BYTES,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.binary import InvalidBinary
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.limits import MAX_BINARY_SIZE

ENDING = ".zip"
_ASSET_FOLDER = "assets/"
_PIECE_BYTES = 64 * 1024
_DIRECTORY_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
_UNREADABLE = (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
"""The exceptions that the library raises for a zip file that is damaged, or that has features it does not support."""


class InvalidBundle(InvalidBinary):
    """An exception for a bundle that is damaged, too large, or without exactly one binary."""


@dataclass(frozen=True)
class PackedAsset:
    """An asset in a bundle.

    :param compressed: the size of the asset on a device, which stores it compressed.
    """

    sha256: str
    size: int
    compressed: int


def unpack_bundle(content: bytes) -> tuple[bytes, dict[str, PackedAsset]]:
    """Return the binary in a bundle, and the assets keyed by name. Files in other folders are ignored.

    :raises InvalidBundle: when the bundle is damaged or too large, or does not contain exactly one binary.
    """
    # Each file has an entry that begins with these bytes. They are counted before the library reads the entries.
    if content.count(_DIRECTORY_ENTRY) > MAX_PACKED_FILES:
        raise InvalidBundle(f"it contains more than {MAX_PACKED_FILES:,} files")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read_archive(archive)
    except InvalidBundle:
        raise
    except _UNREADABLE as error:
        raise InvalidBundle("it is damaged, or is not a zip file") from error


def _read_archive(archive: zipfile.ZipFile) -> tuple[bytes, dict[str, PackedAsset]]:
    files = [each for each in archive.infolist() if not each.is_dir()]
    if len({each.filename for each in files}) < len(files):
        raise InvalidBundle("it contains two files with the same name")
    binaries = [each for each in files if "/" not in each.filename]
    if len(binaries) != 1:
        names = f": {list_names([each.filename for each in binaries])}" if binaries else ""
        found = f"{len(binaries)}{names}"
        raise InvalidBundle(f"it must contain exactly one file outside of folders, the binary, but has {found}")
    budget = _Budget()
    binary = b"".join(budget.unpack(archive, binaries[0], MAX_BINARY_SIZE))
    assets = {
        each.filename.removeprefix(_ASSET_FOLDER): budget.measure(archive, each)
        for each in files
        if each.filename.startswith(_ASSET_FOLDER)
    }
    return binary, assets


class _Budget:
    """Count the unpacked bytes of a bundle, so that all files together have a limit."""

    def __init__(self) -> None:
        self._left = MAX_UNPACKED_BYTES

    def unpack(self, archive: zipfile.ZipFile, file: zipfile.ZipInfo, limit: int) -> Iterator[bytes]:
        """Yield the content of a file in pieces. The size that the zip file names is not trusted.

        :raises InvalidBundle: after ``limit`` bytes, or after :data:`MAX_UNPACKED_BYTES` of all files together.
        """
        if file.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or file.flag_bits & _ENCRYPTED:
            raise InvalidBundle("it is encrypted, or compressed in a way that the cloud does not know")
        with archive.open(file) as packed:
            while piece := packed.read(_PIECE_BYTES):
                limit -= len(piece)
                self._left -= len(piece)
                if limit < 0 or self._left < 0:
                    raise InvalidBundle(f"{file.filename} in it is too large")
                yield piece

    def measure(self, archive: zipfile.ZipFile, file: zipfile.ZipInfo) -> PackedAsset:
        """Unpack an asset and return its hash and its sizes."""
        digest, compressor = hashlib.sha256(), zlib.compressobj(wbits=-zlib.MAX_WBITS)
        size = compressed = 0
        for piece in self.unpack(archive, file, MAX_UNPACKED_BYTES):
            digest.update(piece)
            size += len(piece)
            compressed += len(compressor.compress(piece))
        return PackedAsset(digest.hexdigest(), size, compressed + len(compressor.flush()))
