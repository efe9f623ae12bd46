# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what networks of Particle Mesh cannot be, before anything is written. Private to this collection.

Each rule gives sentences that begin with the network's name. What the cloud does not tell counts for the device.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Board, Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.platforms import (
    ARGON,
    ASOM,
    B5SOM,
    BORON,
    BSOM,
    NO_UPLINK,
    XENON,
    XSOM,
    platform_name,
    read_version,
)

PARTICLE_MESH = frozenset({ARGON, BORON, XENON, ASOM, BSOM, XSOM, B5SOM})
"""Platforms with the radio of Particle Mesh."""

LAST_MESH_OS = (1, 5)
"""Particle Mesh ended with Device OS 1.5.x: the next one, 2.0, has none of it."""

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


def outlives_mesh(device_os: str | None) -> bool:
    """Whether a version of Device OS is one that has no Particle Mesh any more; not when it cannot be read."""
    version = read_version(device_os)
    return version is not None and version > LAST_MESH_OS


def unfit_for_particle_mesh(device: str, membership: Membership, board: Board) -> Iterable[str]:
    """Why a device cannot be what it is declared to be in a network of Particle Mesh."""
    start = f"{membership.network}: device {device}"
    platform = board.platform
    if platform is not None and platform not in PARTICLE_MESH:
        yield f"{start} is of platform {platform_name(platform)}, which has no Particle Mesh"
    elif platform is not None and membership.role == GATEWAY and platform in NO_UPLINK:
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
