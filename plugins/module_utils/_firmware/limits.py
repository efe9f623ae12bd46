# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define how large the binary and the assets of each platform may be. Private to this collection.

The limits of binaries are in firmware-and-events.md, section 1. Those of assets are in firmware-and-events.md,
section 3. A platform that the facts do not name has no limit here, except the largest of all platforms for a binary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import get_platform_name

_SMALL, _MEDIUM, _LARGE = 131_072, 262_144, 1_572_864
_GEN_2 = ("photon", "p1", "electron")
_GEN_3 = ("argon", "boron", "bsom")
_GEN_3_LARGE = ("b5som", "tracker", "esomx", "electron2")
_GEN_4 = ("p2", "msom", "trackerm", "sulu")

MAX_BINARY_SIZE = _LARGE
"""The maximum size of a binary on any platform."""

_BINARY_LIMITS = {
    **dict.fromkeys((*_GEN_2, "xenon"), _SMALL),
    **dict.fromkeys((*_GEN_3, *_GEN_3_LARGE), _MEDIUM),
    **dict.fromkeys(_GEN_4, _LARGE),
}
_DEVICE_OS_3_1 = 3100
"""The module version of Device OS from which a Gen 3 device has room for more than :data:`_SMALL` bytes.

Inferred: the facts name the version 3.1, and the module version of 4.2.0 is 4200.
"""


def find_binary_limit(platform_id: int, device_os: int | None) -> int:
    """Return the maximum size of a binary.

    :param device_os: the module version of the Device OS for which the binary was built, if it is known.
    """
    limit = _BINARY_LIMITS.get(get_platform_name(platform_id) or "", MAX_BINARY_SIZE)
    if limit == _MEDIUM and device_os is not None and device_os < _DEVICE_OS_3_1:
        return _SMALL
    return limit


_BLOCK_BYTES = 4096 - 8
_RESERVED_BLOCKS = 10


@dataclass(frozen=True)
class AssetLimits:
    """The storage for the assets of a device.

    :param blocks: the number of blocks for all assets.
    :param largest: the maximum size of one asset in bytes.
    """

    blocks: int
    largest: int

    def count_blocks(self, sizes: Mapping[str, int]) -> int:
        """Return the number of blocks that assets need.

        :param sizes: the sizes after compression, keyed by name.
        """
        return sum(-(-size // _BLOCK_BYTES) for size in sizes.values())


_ASSET_LIMITS = {
    **dict.fromkeys(_GEN_3, AssetLimits(288 - _RESERVED_BLOCKS, 606_208)),
    **dict.fromkeys(_GEN_4, AssetLimits(288 - _RESERVED_BLOCKS, 1_179_648)),
    **dict.fromkeys(_GEN_3_LARGE, AssetLimits(512 - _RESERVED_BLOCKS, 1_572_864)),
}


def find_asset_limits(platform_id: int) -> AssetLimits | None:
    """Return the limits for assets; ``None`` for a platform without known limits."""
    return _ASSET_LIMITS.get(get_platform_name(platform_id) or "")
