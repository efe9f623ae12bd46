# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the fleet as types: declared, observed, planned. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.fields import Value
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Board,
    MemberPlan,
    Membership,
    Network,
    Shared,
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


@dataclass(frozen=True)
class ObservedDevice:
    """What the cloud says of one device: of its fields those that it told, and who has claimed it, if anybody."""

    id: str
    fields: Mapping[str, Value | None]
    groups: frozenset[str] = frozenset()
    owner: str | None = None
    board: Board = field(default_factory=Board)


@dataclass(frozen=True)
class Observed:
    """What is there: the declared devices among those of the product or account, and the product's groups.

    :param ids: of devices that are declared by something else, as far as the cloud told them.
    :param account: the user name of who asks, when a claim is declared.
    """

    devices: Mapping[str, ObservedDevice]
    groups: frozenset[str] = frozenset()
    ids: Mapping[Identifier, str] = field(default_factory=dict)
    account: str | None = None


Change = tuple[Any, Any]
"""Before and after, as shown to the user."""


@dataclass(frozen=True)
class DevicePlan:
    """The writes that one device needs.

    :param id: as in the record it is made from, like ``declared_by``.
    :param removes: whether it leaves the product.
    """

    id: str
    changes: Mapping[str, Change]
    imports: bool = False
    claims: bool = False
    unclaims: bool = False
    removes: bool = False
    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()
    fields: Mapping[str, Value] = field(default_factory=dict)
    mesh: MemberPlan | None = field(default=None, repr=False)
    declared_by: Identifier | None = None

    @property
    def key(self) -> str:
        """What the manifest calls the device."""
        return self.declared_by.value if self.declared_by else self.id

    @property
    def identified(self) -> bool:
        """Whether ``id`` is the device's id."""
        return self.declared_by is None or self.id != self.declared_by.value

    @property
    def changed(self) -> bool:
        return bool(self.changes)


@dataclass(frozen=True)
class Plan:
    """The writes that lead from observed to declared: ``setup``, imports, ``create_groups``, then the rest.

    :param refused: devices that no write can bring where they are declared, with the reason in words.
    :param creates: the names of what is made besides, by kind, as shown to the user; ``removes`` likewise.
    :param claim_user: who claims the devices of a product that are to be claimed.
    :param teardown: what comes last.
    """

    create_groups: tuple[str, ...]
    setup: tuple[Shared, ...]
    devices: tuple[DevicePlan, ...]
    refused: Mapping[str, str]
    creates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claim_user: str | None = None
    teardown: tuple[Shared, ...] = ()
    removes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        besides = self.create_groups or self.setup or self.teardown
        return bool(besides) or any(device.changed for device in self.devices)
