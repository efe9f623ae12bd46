# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The maximum sizes of user modules (firmware-and-events.md, section 1) and of assets.

The limits of assets are in firmware-and-events.md, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

SMALL, MEDIUM, LARGE = 131_072, 262_144, 1_572_864
MAX_MODULE_SIZE = LARGE
"""The maximum size of a user module on any platform."""

PHOTON, P1, ELECTRON = 6, 8, 10
ARGON, BORON, XENON, E_SOM_X, B_SOM, B5_SOM, TRACKER, ELECTRON_2 = 12, 13, 14, 15, 23, 25, 26, 37
TRACKER_M, P2, M_SOM, SULU = 28, 32, 35, 38

_MODULE_LIMITS = {
    **dict.fromkeys((PHOTON, P1, ELECTRON, XENON), SMALL),
    **dict.fromkeys((ARGON, BORON, E_SOM_X, B_SOM, B5_SOM, TRACKER, ELECTRON_2), MEDIUM),
    **dict.fromkeys((TRACKER_M, P2, M_SOM, SULU), LARGE),
}
DEVICE_OS_3_1 = 3100
"""The module version from which a Gen 3 device has space for large modules.

Inferred: the documented limit is for Device OS 3.1, and the module version of Device OS 4.2.0 is 4200.
"""


def find_module_limit(platform_id: int, needed_device_os: int | None) -> int:
    """Return the maximum size of a user module for a platform.

    For a platform without a documented limit, return the highest limit of any platform (inferred).

    :param needed_device_os: The module version of the Device OS for which the module was built, or None.
    """
    limit = _MODULE_LIMITS.get(platform_id, MAX_MODULE_SIZE)
    if limit == MEDIUM and needed_device_os is not None and needed_device_os < DEVICE_OS_3_1:
        return SMALL
    return limit


BLOCK_SIZE = 4096 - 8
"""The bytes of an asset that fit into a block of the storage. Each block of 4,096 bytes loses 8 bytes."""
RESERVED_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class AssetLimits:
    """The storage for assets of a platform.

    :ivar blocks: The number of blocks for all assets.
    :ivar largest: The maximum size of one asset, in bytes.
    """

    blocks: int
    largest: int

    def find_violation(self, sizes: dict[str, int]) -> str | None:
        """Return a sentence about assets that are too large, or None if all assets fit into the storage.

        :param sizes: The size of each asset after compression, keyed by the name of the asset.
        """
        for name, size in sizes.items():
            if size > self.largest:
                return f"The asset {name} is too large: at most {self.largest} bytes are possible after compression"
        if sum(-(-size // BLOCK_SIZE) for size in sizes.values()) > self.blocks:
            return f"The assets are too large: together they do not fit into {self.blocks} blocks of storage"
        return None


ASSET_LIMITS = {
    **dict.fromkeys((ARGON, BORON, B_SOM), AssetLimits(288 - RESERVED_BLOCKS, 606_208)),
    **dict.fromkeys((P2, M_SOM, TRACKER_M, SULU), AssetLimits(288 - RESERVED_BLOCKS, 1_179_648)),
    **dict.fromkeys((B5_SOM, TRACKER, E_SOM_X, ELECTRON_2), AssetLimits(512 - RESERVED_BLOCKS, 1_572_864)),
}
"""The storage for assets, keyed by platform id. Other platforms do not support assets (inferred)."""
