# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared, as types. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import Value
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Membership,
    Network,
)


@dataclass(frozen=True)
class Identifier:
    """Another way to name a device than by its id. ``kind``: ``serial_number``, ``iccid`` or ``imei``."""

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
    """

    id: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    groups: frozenset[str] | None = None
    claimed: bool | None = None
    mesh: Membership | None = None
    leaves_mesh: bool = False
    declared_by: Identifier | None = None

    @property
    def speaks_of_mesh(self) -> bool:
        return self.leaves_mesh or self.mesh is not None

    @property
    def key(self) -> str:
        """What the manifest calls the device, before and after its id is known."""
        return self.declared_by.value if self.declared_by else self.id

    @property
    def identified(self) -> bool:
        """Whether ``id`` is the device's id."""
        return self.declared_by is None or self.id != self.declared_by.value


@dataclass(frozen=True)
class Manifest:
    """The declared state of a fleet. ``product`` is an id or slug; ``None``: the account's own devices.

    :param absent: whether the devices are to be taken out again.
    """

    product: str | None
    exact_groups: bool
    networks: Mapping[str, Network]
    devices: tuple[DeviceRecord, ...]
    absent: bool = False
