# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the binary of an application (firmware-and-events.md, section 2). Private to this collection.

A binary begins with a prefix, which describes the module, and ends with a suffix, which contains the product version.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import shorten

PREFIX_SIZE = 24
SUFFIX_SIZE = 40
"""The size of a suffix without extensions. A shorter suffix has no product fields."""
_MIN_SUFFIX_SIZE = 34
"""The size of the hash and of the field with the size itself."""
_END_SIZE = 4 + SUFFIX_SIZE
_PREFIX_OFFSETS = (0, 0x200, 0x184, *range(4, 8192, 4))
"""The places where the prefix is searched. In some modules, an interrupt table comes before it."""

USER_PART, SYSTEM_PART = 5, 4
_FUNCTIONS = {2: "a bootloader", 3: "a monolithic firmware", 4: "a part of Device OS", 6: "a file of settings"}
_FUNCTIONS |= {7: "firmware of a network processor", 8: "a radio stack", 9: "an asset"}

_EXTENSIONS_AFTER_PREFIX = 16
_END_OF_EXTENSIONS, _ASSET = 0, 0x12
_SHA256 = (0, 32)
"""The type and the length of the hash in the extension that names an asset."""

NO_PRODUCT = 65_535
"""The value of the product fields in firmware that was built without a product."""

DAMAGED = "Build the binary again, or copy it again in binary mode."


def show_hash(sha256: str) -> str:
    """Return the first digits of a hash for a message. They are enough to tell two files apart."""
    return shorten(sha256, 16)


class InvalidBinary(ValueError):
    """An exception for bytes that are not the binary of an application.

    :param text: what is wrong, in words that follow the name of the file and a colon.
    """


@dataclass(frozen=True)
class Problem:
    """A reason not to upload a file.

    :param text: what is wrong, in words that follow the name of the file and a colon.
    :param remedy: one sentence that tells the user what to do.
    """

    text: str
    remedy: str


@dataclass(frozen=True)
class Binary:
    """The binary of an application.

    :param product_id: the product id in the binary; ``None`` if it has none. Since Device OS 4.0 it is the platform id.
    :param product_version: the version that the macro ``PRODUCT_VERSION`` sets; ``None`` without this macro.
    :param device_os: the module version of the oldest Device OS with which the application runs, such as 4200; ``None``
        if the application does not name it.
    :param app_hash: the hash in the binary, by which a device reports its application, in hexadecimal digits.
    :param assets: the SHA-256 of each asset that the application needs, in hexadecimal digits, keyed by name.
    :param problems: what shows that the bytes are damaged or are not an application.
    """

    size: int
    platform_id: int
    product_id: int | None
    product_version: int | None
    device_os: int | None
    app_hash: str
    assets: dict[str, str]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class _Prefix:
    offset: int
    start: int
    end: int
    flags: int
    platform_id: int
    function: int
    needed_function: int
    needed_version: int


def parse_binary(content: bytes) -> Binary:
    """Parse the binary of an application. Damage that leaves the binary readable is listed in ``problems``.

    :raises InvalidBinary: when the bytes have no prefix or no suffix.
    """
    prefix = _find_prefix(content)
    size = int.from_bytes(content[-6:-4], "little")
    if not _MIN_SUFFIX_SIZE <= size <= len(content) - prefix.offset - PREFIX_SIZE - 4:
        raise InvalidBinary(f"its suffix cannot have {size} bytes")
    product_id, version = struct.unpack("<HH", content[-_END_SIZE : -_END_SIZE + 4])
    has_product = prefix.function == USER_PART and size >= SUFFIX_SIZE and version not in (0, NO_PRODUCT)
    problems = list(_check_integrity(content))
    assets = dict[str, str]()
    try:
        assets.update(_read_assets(content, prefix, size))
    except InvalidBinary as error:
        problems.append(Problem(str(error), DAMAGED))
    if prefix.function != USER_PART:
        kind = _FUNCTIONS.get(prefix.function, f"a module with the function {prefix.function}")
        problems.append(Problem(f"it is {kind}, not an application", "Name the binary of the application."))
    return Binary(
        size=len(content),
        platform_id=prefix.platform_id,
        product_id=product_id if has_product and product_id != NO_PRODUCT else None,
        product_version=version if has_product else None,
        device_os=prefix.needed_version if prefix.needed_function == SYSTEM_PART else None,
        app_hash=content[-38:-6].hex(),
        assets=assets,
        problems=tuple(problems),
    )


def _find_prefix(content: bytes) -> _Prefix:
    """Return the prefix: the first one whose addresses match the size of the binary.

    :raises InvalidBinary: when there is no such prefix.
    """
    if len(content) < PREFIX_SIZE + _END_SIZE:
        raise InvalidBinary(f"it has only {len(content)} bytes, which is too short for a firmware binary")
    for offset in _PREFIX_OFFSETS:
        if offset + PREFIX_SIZE + _END_SIZE > len(content):
            continue
        prefix = _read_prefix(content, offset)
        if prefix.end > prefix.start and prefix.end - prefix.start + 4 == len(content):
            return prefix
    first = _read_prefix(content, 0)
    if first.function == USER_PART and 0 < (named := first.end - first.start + 4) < 2 * len(content) + 4096:
        raise InvalidBinary(f"it is incomplete or damaged: it has {len(content)} bytes, but its header names {named}")
    raise InvalidBinary("it is not a firmware binary, or its header is damaged")


def _read_prefix(content: bytes, offset: int) -> _Prefix:
    start, end, _target, flags, _version, platform, function, _index, needed, _part, version = struct.unpack_from(
        "<IIBBHHBBBBH", content, offset
    )
    return _Prefix(offset, start, end, flags, platform, function, needed, version)


def _check_integrity(content: bytes) -> Iterator[Problem]:
    """Yield a problem for each checksum that does not match. The CRC finds lost bytes, the SHA-256 changed ones."""
    found, computed = int.from_bytes(content[-4:], "big"), zlib.crc32(content[:-4])
    if found != computed:
        yield Problem(f"its CRC is {found:08x}, but its bytes have the CRC {computed:08x}", DAMAGED)
    named, real = content[-38:-6].hex(), hashlib.sha256(content[:-38]).hexdigest()
    if named != real:
        yield Problem(f"its hash is {show_hash(named)}, but its bytes have the hash {show_hash(real)}", DAMAGED)


def _read_assets(content: bytes, prefix: _Prefix, suffix_size: int) -> Iterator[tuple[str, str]]:
    """Yield the name and the SHA-256 of each asset that the extensions name.

    :raises InvalidBinary: when an extension cannot be read.
    """
    chains = []
    if prefix.flags & _EXTENSIONS_AFTER_PREFIX:
        chains.append(content[prefix.offset + PREFIX_SIZE : -_END_SIZE])
    if suffix_size > SUFFIX_SIZE:
        chains.append(content[-(4 + suffix_size) : -_END_SIZE])
    names = set[str]()
    for kind, data in (extension for chain in chains for extension in _split_extensions(chain)):
        if kind != _ASSET:
            continue
        if len(data) < 2 or tuple(data[:2]) != _SHA256 or len(data) <= 2 + _SHA256[1]:
            raise InvalidBinary("it names an asset in an unknown way")
        name = data[34:].decode("utf-8", "replace")
        if name in names:
            raise InvalidBinary(f"it names the asset {name} twice")
        names.add(name)
        yield name, data[2:34].hex()


def _split_extensions(chain: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the data of each extension in a chain.

    :raises InvalidBinary: when the length of an extension is not possible.
    """
    offset = 0
    while offset + 4 <= len(chain):
        kind, length = struct.unpack_from("<HH", chain, offset)
        if kind == _END_OF_EXTENSIONS:
            return
        if length < 4 or offset + length > len(chain):
            raise InvalidBinary(f"an extension in it cannot have {length} bytes")
        yield kind, chain[offset + 4 : offset + length]
        offset += length
