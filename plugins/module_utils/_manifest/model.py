# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the types of a parsed manifest. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import Edits
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import Replacement, Value
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Membership,
    Network,
)

IGNORE, REPORT, FAIL, REMOVE = UNDECLARED_CHOICES = ("ignore", "report", "fail", "remove")
"""The ways to treat devices of the product or account that the manifest does not declare."""


@dataclass(frozen=True)
class Identifier:
    """A value that identifies a device, other than the device id.

    :param kind: ``serial_number``, ``iccid``, ``imei``, or a key by which a mesh backend identifies its members.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


@dataclass(frozen=True)
class DeviceRecord:
    """The declaration of one device. A run changes only what is declared.

    :param id: the device id. If the manifest declares the device by another identifier, ``id`` holds that identifier
        until the cloud has returned the device id.
    :param fields: the declared fields by name; see :mod:`device_fields`.
    :param groups: the declared device groups; ``None`` when they are not declared.
    :param environment: the declared environment variables, keyed by name. The value ``None`` removes a variable.
    :param claimed: true if the account must claim the device, false if the account must unclaim the device; ``None``
        when not declared.
    :param mesh: the declared membership; ``None`` when the device must leave its network or declares no ``mesh``.
    :param leaves_mesh: whether the device must leave its network.
    :param declared_by: the identifier by which the manifest declares the device; ``None`` when the identifier is the
        id.
    :param identities: the declared values of :attr:`Rules.identities`, by key. These values identify the device to mesh
        backends.
    :param labels: the other declared identifiers of the device, each with its place in the manifest for messages. The
        cloud must show the same values for the device.
    :param from_product: the id or slug of the product from which the device may be moved; ``None`` when not declared.
    :param replaces: the device whose place this device takes; ``None`` when not declared.
    :param replaced_by: the :attr:`key` of the record that replaces this device. The device is then removed after that
        record has taken its place; ``None`` for any other device.
    :param is_undeclared: whether the manifest does not declare the device. The run must then remove the device, or take
        it out of a network that is removed.
    :param is_removed: whether the run must remove the device, although it removes not all devices: the manifest
        declares ``state: absent`` for this device, or does not declare the device.
    :param is_outside_cloud: whether the Particle cloud does not know the device. In this case, ``id`` is one of the
        values in ``identities``.
    :param place: the place of the declaration in the manifest for messages; empty if the manifest does not declare the
        device.
    """

    id: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    groups: frozenset[str] | None = None
    claimed: bool | None = None
    mesh: Membership | None = None
    leaves_mesh: bool = False
    declared_by: Identifier | None = None
    identities: Mapping[str, str] = field(default_factory=dict)
    is_outside_cloud: bool = False
    labels: Mapping[Identifier, str] = field(default_factory=dict, compare=False)
    environment: Edits = field(default_factory=dict)
    from_product: str | None = None
    replaces: Replacement | None = None
    replaced_by: str | None = None
    is_undeclared: bool = False
    is_removed: bool = False
    place: str = field(default="", compare=False)

    @property
    def has_mesh_declaration(self) -> bool:
        """Return whether the manifest declares a network for the device, or removes the device from its network."""
        return self.leaves_mesh or self.mesh is not None

    @property
    def key(self) -> str:
        """Return the identifier that the manifest uses for the device.

        The result does not change when the device id becomes known.
        """
        return self.declared_by.value if self.declared_by else self.id

    @property
    def is_identified(self) -> bool:
        """Return whether ``id`` holds the device id of the Particle cloud."""
        return self.declared_by is None or self.id != self.declared_by.value


@dataclass(frozen=True)
class Manifest:
    """The declared state of a fleet.

    :param product: the id or slug of a product; ``None`` for the devices of the account.
    :param exact_groups: whether a run removes each device from all device groups that the manifest does not declare for
        the device.
    :param networks: the declared networks by name.
    :param devices: the declared devices in the order of the manifest.
    :param absent: whether the declared devices must be removed from the fleet.
    :param needs_login: whether a run with this manifest needs the Particle cloud.
    :param undeclared: one of :data:`UNDECLARED_CHOICES`.
    :param deprecations: a sentence for each deprecated name that the manifest uses.
    """

    product: str | None
    exact_groups: bool
    networks: Mapping[str, Network]
    devices: tuple[DeviceRecord, ...]
    absent: bool = False
    needs_login: bool = True
    deprecations: tuple[str, ...] = ()
    undeclared: str = REPORT

    @property
    def cloud_part(self) -> Manifest:
        """Return the manifest without the devices that the Particle cloud does not know."""
        devices = tuple(record for record in self.devices if not record.is_outside_cloud)
        return self if len(devices) == len(self.devices) else replace(self, devices=devices)
