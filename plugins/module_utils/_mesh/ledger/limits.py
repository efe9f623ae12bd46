# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the limits of networks of backend ``ledger`` before anything is written. Private to this collection.

Each check yields a sentence for each violated limit. The sentence begins with the name of the network. A limit is not
checked if the facts for the check are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import find_platform_ids
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import MAX_SYNCED_BYTES, measure_json
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Hardware, Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.platforms import (
    NO_UPLINK,
    describe_platform,
    read_version,
)

_PLATFORMS_WITHOUT_LEDGERS = find_platform_ids(
    "core", "photon", "p1", "electron", "xenon", "raspi", "oak", "duo", "bluz"
)
"""Platforms for which no version of Device OS supports ledgers: the first generations, the Xenon, the retired beta for
the Raspberry Pi, and boards of other manufacturers (device-ledger-api.md, section 1).
"""

FIRST_LEDGER_OS = (6, 1)
"""The first version of Device OS that supports ledgers (device-ledger-api.md, section 1)."""
LEDGERS_SINCE = ".".join(map(str, FIRST_LEDGER_OS))


def is_too_old_for_ledgers(device_os: str | None) -> bool:
    """Return whether a version of Device OS is too old for ledgers. An unknown version counts as new enough."""
    version = read_version(device_os)
    return version is not None and version < FIRST_LEDGER_OS


def check_platform(device: str, membership: Membership, hardware: Hardware) -> Iterable[str]:
    """Yield a sentence if the platform of a device does not allow the declared membership."""
    platform = hardware.platform
    if platform is None:
        return
    if platform in _PLATFORMS_WITHOUT_LEDGERS:
        why = "which does not support ledgers: they require Device OS 6.1, which is not available for it"
    elif membership.role == GATEWAY and platform in NO_UPLINK:
        why = "which has no uplink, so it cannot be a gateway"
    else:
        return
    yield f"{membership.network}: device {device} is of platform {describe_platform(platform)}, {why}"


def check_instructions(name: str, whose: str, data: Mapping[str, Any]) -> Iterable[str]:
    """Yield a sentence if the instructions for members do not fit into a ledger instance.

    :param name: the name of the network.
    :param whose: the members, in words that follow "the instructions for" in the sentence, such as "its members".
    :param data: the instructions.
    """
    size = measure_json(data)
    if size > MAX_SYNCED_BYTES:
        yield (
            f"{name}: the instructions for {whose} take {size} bytes, but a ledger holds only {MAX_SYNCED_BYTES}; "
            "shorten the parameters"
        )
