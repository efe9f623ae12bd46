# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the fleet as types: declared, observed, planned. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import Value
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    Identifier,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Board,
    MemberPlan,
    Shared,
)


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
