# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the limits of Particle Mesh networks before anything is written. Private to this collection.

Each check yields a sentence for each violated limit. The sentence begins with the name of the network. A limit is not
checked if the facts for the check are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.meshfleet.particle.plugins.module_utils._api.platforms import find_platform_ids
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import GATEWAY, Hardware, Membership
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.platforms import (
    NO_UPLINK,
    describe_platform,
    read_version,
)

PARTICLE_MESH = find_platform_ids("argon", "boron", "xenon", "asom", "bsom", "xsom", "b5som")
"""Platforms that have a radio for Particle Mesh (errors-and-limits.md, section 7)."""

LAST_MESH_OS = (1, 5)
"""The last release line of Device OS that supports Particle Mesh, as major and minor number (mesh.md, section
2)."""

LARGE_TYPE = "large_site"
TYPES = ("micro_wifi", "micro_cellular", "high_availability", LARGE_TYPE)
DEFAULT_LIMIT = 100
"""The default maximum number of devices in a network that is not a micro network. Particle has never documented the
maximum (mesh.md, section 3), so the parameter ``limit`` of a network overrides the default."""


@dataclass(frozen=True)
class Size:
    """The size or the maximum size of a network.

    :param members: the number of devices, gateways included.
    :param gateways: the number of gateways.
    """

    members: int
    gateways: int


MICRO_SIZE = Size(10, 1)
"""The maximum size of a micro network (mesh.md, section 3)."""


def is_micro(network_type: str | None) -> bool:
    """Return whether ``network_type`` is the type of a micro network (a small network)."""
    return network_type is not None and network_type.startswith("micro_")


def get_max_size(network_type: str, limit: int) -> Size:
    """Return the maximum size of a network of type ``network_type``.

    :param limit: the maximum number of devices in a network that is not a micro network.
    """
    return MICRO_SIZE if is_micro(network_type) else Size(limit, limit)


def is_too_new_for_mesh(device_os: str | None) -> bool:
    """Return whether a version of Device OS is too new for Particle Mesh. An unknown version counts as old enough."""
    version = read_version(device_os)
    return version is not None and version > LAST_MESH_OS


def check_device(device: str, membership: Membership, hardware: Hardware) -> Iterable[str]:
    """Yield a sentence for each reason why a device cannot have its declared role in a Particle Mesh network."""
    start = f"{membership.network}: device {device}"
    platform = hardware.platform
    if platform is not None and platform not in PARTICLE_MESH:
        yield f"{start} is of platform {describe_platform(platform)}, which has no Particle Mesh"
    elif platform is not None and membership.role == GATEWAY and platform in NO_UPLINK:
        yield f"{start} is of platform {describe_platform(platform)}, which has no uplink, so it cannot be a gateway"
    if is_too_new_for_mesh(hardware.device_os):
        yield f"{start} runs Device OS {hardware.device_os}, but Particle Mesh ended with 1.5.x"


def check_size(name: str, network_type: str, limit: int, size: Size, *, exists: bool) -> Iterable[str]:
    """Yield a sentence if a network would have too many devices, and another sentence for too many gateways.

    :param name: the name of the network.
    :param network_type: the type of the network.
    :param limit: the maximum number of devices in a network that is not a micro network.
    :param size: the size that the network would have.
    :param exists: whether the network exists. The type of an existing network cannot change.
    """
    most = get_max_size(network_type, limit)
    phrase = f"{name}: type {network_type}"
    for what, has, may in (("devices", size.members, most.members), ("gateways", size.gateways, most.gateways)):
        if has > may:
            way_out = "its type is fixed: dissolve it and declare it again" if exists else "declare another type"
            advice = way_out if is_micro(network_type) else "raise its parameter limit if your plan allows more"
            counted = what.removesuffix("s") if may == 1 else what
            yield f"{phrase} allows at most {may} {counted}, but the network would have {has}; {advice}"
