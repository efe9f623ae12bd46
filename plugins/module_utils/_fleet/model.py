# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the fleet as types: declared, observed, planned. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    MemberPlan,
    Membership,
    Network,
)


@dataclass(frozen=True)
class DeviceRecord:
    """What is declared of one device; what is not declared is left alone.

    :param fields: of ``name`` and ``notes`` those that are declared.
    :param groups: ``None`` when not declared.
    :param mesh: where it belongs; ``None`` when it is to leave its mesh or nothing is declared.
    """

    id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    groups: frozenset[str] | None = None
    claimed: bool = False
    mesh: Membership | None = None
    leaves_mesh: bool = False

    @property
    def speaks_of_mesh(self) -> bool:
        return self.leaves_mesh or self.mesh is not None


@dataclass(frozen=True)
class Manifest:
    """The declared state of a fleet. ``product`` is an id or slug; ``None``: the account's own devices."""

    product: str | None
    exact_groups: bool
    networks: Mapping[str, Network]
    devices: tuple[DeviceRecord, ...]


@dataclass(frozen=True)
class ObservedDevice:
    """What the cloud says of one device. ``fields`` has of ``name`` and ``notes`` those that the cloud sent."""

    id: str
    fields: Mapping[str, str | None]
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Observed:
    """What is there: the declared devices among those of the product or account, and the product's groups."""

    devices: Mapping[str, ObservedDevice]
    groups: frozenset[str] = frozenset()


Change = tuple[Any, Any]
"""Before and after, as shown to the user."""


@dataclass(frozen=True)
class DevicePlan:
    """The writes that one device needs, in the order of the fields."""

    id: str
    changes: Mapping[str, Change]
    imports: bool = False
    claims: bool = False
    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)
    mesh: MemberPlan | None = field(default=None, repr=False)

    @property
    def changed(self) -> bool:
        return bool(self.changes)


@dataclass(frozen=True)
class Plan:
    """The writes that lead from observed to declared: first ``setup`` and ``create_groups``, then the devices.

    :param refused: devices that no write can bring where they are declared, with the reason in words.
    :param creates: the names of what ``setup`` makes, by kind, as shown to the user.
    """

    create_groups: tuple[str, ...]
    setup: tuple[Any, ...]
    devices: tuple[DevicePlan, ...]
    refused: Mapping[str, str]
    creates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.create_groups or self.setup) or any(device.changed for device in self.devices)
