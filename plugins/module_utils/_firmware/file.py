# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a firmware file: a binary, or a bundle of a binary and its assets. Private to this collection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import get_platform_name
from ansible_collections.meshfleet.particle.plugins.module_utils._bounds import MAX_FIRMWARE_BYTES
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.binary import (
    DAMAGED,
    Binary,
    InvalidBinary,
    Problem,
    parse_binary,
    show_hash,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.bundle import (
    ENDING,
    InvalidBundle,
    PackedAsset,
    unpack_bundle,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.limits import (
    find_asset_limits,
    find_binary_limit,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._local.regular_file import read_regular_file

_REPACK = "Make the bundle again from the binary and its assets, for example with 'particle bundle'."
_SHRINK = "Remove code or data from the application, or build it for a newer Device OS."
MACRO = "Add the macro PRODUCT_VERSION to the source code of the application, and build it again."


@dataclass(frozen=True)
class FirmwareFile:
    """A firmware file.

    :param name: the name of the file without its folder.
    :param content: the bytes that are uploaded.
    :param assets: the assets in the bundle, keyed by name; ``None`` for a binary without a bundle.
    """

    name: str
    content: bytes = field(repr=False)
    binary: Binary
    assets: Mapping[str, PackedAsset] | None

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the whole file, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def content_type(self) -> str:
        """Return the media type of the file. The cloud recognises a bundle by it."""
        return "application/octet-stream" if self.assets is None else "application/zip"

    def as_result(self) -> dict[str, Any]:
        """Return the file as the modules show it."""
        binary, packed = self.binary, self.assets or {}
        return {
            "name": self.name,
            "size": len(self.content),
            "sha256": self.sha256,
            "version": binary.product_version,
            "platform_id": binary.platform_id,
            "platform": get_platform_name(binary.platform_id),
            "product_id": binary.product_id,
            "device_os_module_version": binary.device_os,
            "app_hash": binary.app_hash,
            "assets": [
                {"name": name, "sha256": digest, "size": packed[name].size if name in packed else None}
                for name, digest in sorted(binary.assets.items())
            ],
            "problems": [problem.text for problem in find_problems(self)],
        }


def read_firmware_file(path: str) -> FirmwareFile:
    """Read a firmware file. A name that ends with ``.zip`` marks a bundle.

    :raises ParticleError: ``wrong_binary`` when the file cannot be read, or is not a firmware file.
    """
    place = Path(path)
    try:
        content = read_regular_file(place, MAX_FIRMWARE_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"The firmware file {path} cannot be read: {reason}."
        raise ParticleError("wrong_binary", message, hint="Check the path and the permissions of the file.") from None
    try:
        return parse_file(place.name, content)
    except InvalidBundle as error:
        raise build_wrong_binary(place.name, [Problem(str(error), _REPACK)]) from None
    except InvalidBinary as error:
        raise build_wrong_binary(place.name, [Problem(str(error), DAMAGED)]) from None


def parse_file(name: str, content: bytes) -> FirmwareFile:
    """Parse the content of a firmware file.

    :raises InvalidBinary: when the content is not a binary, or not a bundle with a binary.
    """
    if not name.lower().endswith(ENDING):
        return FirmwareFile(name, content, parse_binary(content), None)
    binary, assets = unpack_bundle(content)
    return FirmwareFile(name, content, parse_binary(binary), assets)


def find_problems(file: FirmwareFile) -> list[Problem]:
    """Return all problems of a file that do not depend on the product to which it is uploaded."""
    return [*file.binary.problems, *_check_size(file.binary), *_check_assets(file)]


def _check_size(binary: Binary) -> Iterator[Problem]:
    limit = find_binary_limit(binary.platform_id, binary.device_os)
    if binary.size > limit:
        platform = get_platform_name(binary.platform_id)
        text = f"the binary has {binary.size:,} bytes, but a device of platform {platform} has room for {limit:,}"
        yield Problem(text, _SHRINK)


def _check_assets(file: FirmwareFile) -> Iterator[Problem]:
    """Yield a problem for each asset that does not match the binary, and for assets that are too large."""
    needed, packed = file.binary.assets, file.assets or {}
    if needed and file.assets is None:
        text = f"the binary needs {format_count(len(needed), 'asset')}, but the file is not a bundle"
        yield Problem(text, "Name the bundle that contains the binary and its assets.")
        return
    for name in sorted({*needed, *packed}):
        if name not in packed:
            yield Problem(f"the bundle lacks the asset {name}, which the binary needs", _REPACK)
        elif name not in needed:
            yield Problem(f"the bundle contains the asset {name}, which the binary does not need", _REPACK)
        elif packed[name].sha256 != needed[name]:
            found, named = show_hash(packed[name].sha256), show_hash(needed[name])
            yield Problem(f"the asset {name} has the hash {found}, but the binary names the hash {named}", _REPACK)
    yield from _check_asset_sizes(file.binary.platform_id, {name: each.compressed for name, each in packed.items()})


def _check_asset_sizes(platform_id: int, sizes: Mapping[str, int]) -> Iterator[Problem]:
    limits = find_asset_limits(platform_id)
    if limits is None or not sizes:
        return
    remedy = "Make the assets smaller."
    platform = get_platform_name(platform_id)
    for name, size in sizes.items():
        if size > limits.largest:
            yield Problem(
                f"the asset {name} has {size:,} bytes after compression, but an asset of a device of platform "
                f"{platform} may have {limits.largest:,}",
                remedy,
            )
    needed = limits.count_blocks(sizes)
    if needed > limits.blocks:
        yield Problem(
            f"the assets need {needed} blocks of storage, but a device of platform {platform} has {limits.blocks}",
            remedy,
        )


def build_wrong_binary(name: str, problems: list[Problem]) -> ParticleError:
    """Return the error about a file that must not be uploaded, with all its problems."""
    hint = " ".join(dict.fromkeys(problem.remedy for problem in problems))
    texts = [_mask_control_characters(problem.text) for problem in problems]
    if len(problems) == 1:
        return ParticleError("wrong_binary", f"The firmware file {name} is refused: {texts[0]}.", hint=hint)
    lines = "\n  ".join(texts)
    return ParticleError(
        "wrong_binary", f"The firmware file {name} is refused for {len(problems)} reasons:\n  {lines}", hint=hint
    )


def _mask_control_characters(text: str) -> str:
    """Return a text for the screen. The names of assets can contain any characters."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
