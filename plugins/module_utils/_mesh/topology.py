# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no cloud can make a mesh of, told before anything is written. Private to this collection.

Each rule gives sentences that begin with the network's name; what the cloud does not tell is not held against anybody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Board, Membership

# errors-and-limits.md, section 7: the table of platform ids.
CORE, PHOTON, P1, ELECTRON = 0, 6, 8, 10
ARGON, BORON, XENON, ASOM, BSOM, XSOM, B5SOM = 12, 13, 14, 22, 23, 24, 25
RASPBERRY_PI, OAK, DUO, BLUZ = 31, 82, 88, 103
_NAMES = {
    CORE: "Core",
    PHOTON: "Photon",
    P1: "P1",
    ELECTRON: "Electron",
    ARGON: "Argon",
    BORON: "Boron",
    XENON: "Xenon",
    ASOM: "A-SoM",
    BSOM: "B-SoM",
    XSOM: "X-SoM",
    B5SOM: "B5-SoM",
    RASPBERRY_PI: "Raspberry Pi",
    OAK: "Oak",
    DUO: "Duo",
    BLUZ: "Bluz",
}
PARTICLE_MESH = frozenset({ARGON, BORON, XENON, ASOM, BSOM, XSOM, B5SOM})
"""Platforms with the radio of Particle Mesh."""
_NO_UPLINK = frozenset({XSOM})
"""Platforms that reach the cloud through others only. A Xenon too, unless it carries an Ethernet FeatherWing."""
_BEFORE_LEDGERS = frozenset({CORE, PHOTON, P1, ELECTRON, XENON, RASPBERRY_PI, OAK, DUO, BLUZ})
"""Platforms whose last Device OS is older than ledgers are: the first ones, a beta that was retired, third parties'."""

LAST_MESH_OS = (1, 5)
"""Particle Mesh ended with Device OS 1.5.x: the next one, 2.0, has none of it."""

FIRST_LEDGER_OS = (6, 1)
"""Ledgers came with Device OS 6.1."""
LEDGERS_SINCE = ".".join(map(str, FIRST_LEDGER_OS))

LEDGER_BYTES = 16_384
"""What an instance of a ledger holds that devices read."""

LARGE = "large_site"
TYPES = ("micro_wifi", "micro_cellular", "high_availability", LARGE)
DEFAULT_LIMIT = 100
"""Devices in a network that is not small: a number that was spoken of, and an option because nobody wrote it down."""


@dataclass(frozen=True)
class Size:
    """How many devices a network has or may have, and how many of them are gateways."""

    members: int
    gateways: int


MICRO = Size(10, 1)


def is_micro(kind: str | None) -> bool:
    """Whether a network of this type is one of the small ones."""
    return kind is not None and kind.startswith("micro_")


def most_of(kind: str, limit: int) -> Size:
    """What a network of a type can have at most. ``limit``: of one that is not small."""
    return MICRO if is_micro(kind) else Size(limit, limit)


def platform_name(platform: int) -> str:
    """How people call a platform; its number where it is none that was ever in question."""
    return _NAMES.get(platform, str(platform))


def outlives_mesh(device_os: str | None) -> bool:
    """Whether a version of Device OS is one that has no Particle Mesh any more; not when it cannot be read."""
    version = _version(device_os)
    return version is not None and version > LAST_MESH_OS


def precedes_ledgers(device_os: str | None) -> bool:
    """Whether a version of Device OS is one that knows no ledgers yet; not when it cannot be read."""
    version = _version(device_os)
    return version is not None and version < FIRST_LEDGER_OS


def _version(device_os: str | None) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", device_os or "")
    return (int(found[1]), int(found[2])) if found else None


def unfit_for_ledger(device: str, membership: Membership, board: Board) -> Iterable[str]:
    """Why a device cannot be what it is declared to be in a network of backend ledger."""
    platform = board.platform
    if platform is None:
        return
    if platform in _BEFORE_LEDGERS:
        why = "which knows no ledgers: they came with Device OS 6.1, and there is none for it"
    elif membership.role == GATEWAY and platform in _NO_UPLINK:
        why = "which has no uplink, and a gateway needs one"
    else:
        return
    yield f"{membership.network}: device {device} is of platform {platform_name(platform)}, {why}"


def unfit_for_particle_mesh(device: str, membership: Membership, board: Board) -> Iterable[str]:
    """Why a device cannot be what it is declared to be in a network of Particle Mesh."""
    start = f"{membership.network}: device {device}"
    platform = board.platform
    if platform is not None and platform not in PARTICLE_MESH:
        yield f"{start} is of platform {platform_name(platform)}, which has no Particle Mesh"
    elif platform is not None and membership.role == GATEWAY and platform in _NO_UPLINK:
        yield f"{start} is of platform {platform_name(platform)}, which has no uplink, and a gateway needs one"
    if outlives_mesh(board.device_os):
        yield f"{start} runs Device OS {board.device_os}, and Particle Mesh ended with 1.5.x"


def too_large(name: str, kind: str, limit: int, size: Size, *, there: bool) -> Iterable[str]:
    """Why a network of Particle Mesh cannot have as many devices as are declared. ``there``: it exists already."""
    most = most_of(kind, limit)
    said = f"{name}: has type {kind}"
    for what, has, may in (("devices", size.members, most.members), ("gateways", size.gateways, most.gateways)):
        if has > may:
            way_out = "its type stays, so dissolve it and declare it anew" if there else "declare another type"
            advice = way_out if is_micro(kind) else "raise its parameter limit if your plan allows more"
            counted = what.removesuffix("s") if may == 1 else what
            yield f"{said}, of at most {may} {counted}, and would have {has}; {advice}"


def too_much_to_order(name: str, whose: str, data: Mapping[str, Any]) -> Iterable[str]:
    """Why the orders of members of a network do not fit into a ledger. ``whose``: words before "told"."""
    size = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
    if size > LEDGER_BYTES:
        yield (
            f"{name}: what {whose} told takes {size} bytes, and a ledger holds {LEDGER_BYTES}; shorten its parameters"
        )
