# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared, as types. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import Value
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Membership,
    Network,
)


@dataclass(frozen=True)
class Identifier:
    """Another way to name a device than by its id.

    :param kind: ``serial_number``, ``iccid``, ``imei``, or the key of an identity that a mesh backend brings.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


@dataclass(frozen=True)
class DeviceRecord:
    """What is declared of one device; what is not declared is left alone.

    :param id: the device id; of a device that is declared by something else, that, until the cloud has told its id.
    :param fields: see :mod:`fields`, those that are declared.
    :param groups: ``None`` when not declared.
    :param claimed: whether it is to be the account's own; ``None`` when not declared.
    :param mesh: where it belongs; ``None`` when it is to leave its mesh or nothing is declared.
    :param declared_by: what it is declared by, when that is not its id.
    :param identities: what identifies it to mesh backends, by the keys that these bring.
    :param cloudless: whether the Particle cloud does not know it: one of ``identities`` is its ``id``.
    """

    id: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    groups: frozenset[str] | None = None
    claimed: bool | None = None
    mesh: Membership | None = None
    leaves_mesh: bool = False
    declared_by: Identifier | None = None
    identities: Mapping[str, str] = field(default_factory=dict)
    cloudless: bool = False

    @property
    def speaks_of_mesh(self) -> bool:
        return self.leaves_mesh or self.mesh is not None

    @property
    def key(self) -> str:
        """What the manifest calls the device, before and after its id is known."""
        return self.declared_by.value if self.declared_by else self.id

    @property
    def identified(self) -> bool:
        """Whether ``id`` is the device's id in the Particle cloud."""
        return self.declared_by is None or self.id != self.declared_by.value


@dataclass(frozen=True)
class Manifest:
    """The declared state of a fleet. ``product`` is an id or slug; ``None``: the account's own devices.

    :param absent: whether the devices are to be taken out again.
    :param needs_login: whether anything in it needs the Particle cloud.
    """

    product: str | None
    exact_groups: bool
    networks: Mapping[str, Network]
    devices: tuple[DeviceRecord, ...]
    absent: bool = False
    needs_login: bool = True

    @property
    def in_cloud(self) -> Manifest:
        """The manifest without the devices that the Particle cloud does not know."""
        devices = tuple(record for record in self.devices if not record.cloudless)
        return self if len(devices) == len(self.devices) else replace(self, devices=devices)
