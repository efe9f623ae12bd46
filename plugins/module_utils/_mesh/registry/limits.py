# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check declared networks of Particle Mesh against their limits before a write. Private to this collection.

Each check yields sentences that begin with the name of the network. An unknown fact never causes a refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Hardware, Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.platforms import (
    ARGON,
    ASOM,
    B5SOM,
    BORON,
    BSOM,
    NO_UPLINK,
    XENON,
    XSOM,
    describe_platform,
    read_version,
)

PARTICLE_MESH = frozenset({ARGON, BORON, XENON, ASOM, BSOM, XSOM, B5SOM})
"""Platforms that have the radio of Particle Mesh."""

LAST_MESH_OS = (1, 5)
"""The last release line of Device OS with Particle Mesh; the next one, 2.0, does not support it."""

LARGE_TYPE = "large_site"
TYPES = ("micro_wifi", "micro_cellular", "high_availability", LARGE_TYPE)
DEFAULT_LIMIT = 100
"""The default maximum number of devices in a network that is not small. Particle has never documented the number, so
the parameter ``limit`` of a network can change it."""


@dataclass(frozen=True)
class Size:
    """The size of a network, or its maximum size.

    :param members: the number of devices, gateways included.
    :param gateways: the number of gateways.
    """

    members: int
    gateways: int


MICRO_SIZE = Size(10, 1)


def is_micro(network_type: str | None) -> bool:
    """Return whether ``kind`` is the type of a small network."""
    return network_type is not None and network_type.startswith("micro_")


def get_max_size(network_type: str, limit: int) -> Size:
    """Return the maximum size of a network of type ``kind``.

    :param limit: the maximum number of devices in a network that is not small.
    """
    return MICRO_SIZE if is_micro(network_type) else Size(limit, limit)


def is_too_new_for_mesh(device_os: str | None) -> bool:
    """Return whether a version of Device OS is too new for Particle Mesh. An unknown version counts as old enough."""
    version = read_version(device_os)
    return version is not None and version > LAST_MESH_OS


def check_device(device: str, membership: Membership, hardware: Hardware) -> Iterable[str]:
    """Yield a sentence for each reason why a device cannot have its declared role in a network of Particle Mesh."""
    start = f"{membership.network}: device {device}"
    platform = hardware.platform
    if platform is not None and platform not in PARTICLE_MESH:
        yield f"{start} is of platform {describe_platform(platform)}, which has no Particle Mesh"
    elif platform is not None and membership.role == GATEWAY and platform in NO_UPLINK:
        yield f"{start} is of platform {describe_platform(platform)}, which has no uplink, so it cannot be a gateway"
    if is_too_new_for_mesh(hardware.device_os):
        yield f"{start} runs Device OS {hardware.device_os}, but Particle Mesh ended with 1.5.x"


def check_size(name: str, network_type: str, limit: int, size: Size, *, exists: bool) -> Iterable[str]:
    """Yield a sentence for each maximum, of devices or of gateways, that the declared size of a network exceeds.

    :param name: the name of the network.
    :param network_type: its type.
    :param limit: the maximum number of devices in a network that is not small.
    :param size: the declared size.
    :param exists: whether the network exists, so that its type cannot change.
    """
    most = get_max_size(network_type, limit)
    said = f"{name}: type {network_type}"
    for what, has, may in (("devices", size.members, most.members), ("gateways", size.gateways, most.gateways)):
        if has > may:
            way_out = "its type is fixed: dissolve it and declare it again" if exists else "declare another type"
            advice = way_out if is_micro(network_type) else "raise its parameter limit if your plan allows more"
            counted = what.removesuffix("s") if may == 1 else what
            yield f"{said} allows at most {may} {counted}, but the network would have {has}; {advice}"
