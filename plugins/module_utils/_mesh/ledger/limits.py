# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what networks of backend ``ledger`` cannot be, before anything is written. Private to this collection.

Each rule gives sentences that begin with the network's name. What the cloud does not tell counts for the device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Board, Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.platforms import (
    BLUZ,
    CORE,
    DUO,
    ELECTRON,
    NO_UPLINK,
    OAK,
    P1,
    PHOTON,
    RASPBERRY_PI,
    XENON,
    platform_name,
    read_version,
)

_BEFORE_LEDGERS = frozenset({CORE, PHOTON, P1, ELECTRON, XENON, RASPBERRY_PI, OAK, DUO, BLUZ})
"""Platforms whose last Device OS is older than ledgers are: the first ones, a beta that was retired, third parties'."""

FIRST_LEDGER_OS = (6, 1)
"""Ledgers came with Device OS 6.1."""
LEDGERS_SINCE = ".".join(map(str, FIRST_LEDGER_OS))

LEDGER_BYTES = 16_384
"""What an instance of a ledger holds that devices read."""


def precedes_ledgers(device_os: str | None) -> bool:
    """Whether a version of Device OS is one that knows no ledgers yet; not when it cannot be read."""
    version = read_version(device_os)
    return version is not None and version < FIRST_LEDGER_OS


def unfit_for_ledger(device: str, membership: Membership, board: Board) -> Iterable[str]:
    """Why a device cannot be what it is declared to be in such a network."""
    platform = board.platform
    if platform is None:
        return
    if platform in _BEFORE_LEDGERS:
        why = "which knows no ledgers: they came with Device OS 6.1, and there is none for it"
    elif membership.role == GATEWAY and platform in NO_UPLINK:
        why = "which has no uplink, and a gateway needs one"
    else:
        return
    yield f"{membership.network}: device {device} is of platform {platform_name(platform)}, {why}"


def too_much_to_order(name: str, whose: str, data: Mapping[str, Any]) -> Iterable[str]:
    """Why the orders of members of a network do not fit into a ledger. ``whose``: words before "told"."""
    size = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    if size > LEDGER_BYTES:
        yield (
            f"{name}: what {whose} told takes {size} bytes, and a ledger holds {LEDGER_BYTES}; shorten its parameters"
        )
