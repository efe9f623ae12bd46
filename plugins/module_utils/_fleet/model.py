# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the data of a run: observed devices, changes and plans. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import Value
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    Identifier,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Hardware,
    MemberPlan,
    SharedWrite,
)


@dataclass(frozen=True)
class ObservedDevice:
    """One device as the cloud shows it.

    :param fields: the fields that the cloud shows; a field that it omits is missing.
    :param owner: username of the account that has claimed the device; ``None`` if it is unclaimed.
    :param hardware: the properties of the device that matter to a mesh.
    """

    id: str
    fields: Mapping[str, Value | None]
    groups: frozenset[str] = frozenset()
    owner: str | None = None
    hardware: Hardware = field(default_factory=Hardware)


@dataclass(frozen=True)
class Observed:
    """The declared devices that are in the product or account, and the groups of the product.

    :param ids: the ids that the cloud shows for devices that are declared by another identifier.
    :param account: username of the account; read only when a claim is declared.
    """

    devices: Mapping[str, ObservedDevice]
    groups: frozenset[str] = frozenset()
    ids: Mapping[Identifier, str] = field(default_factory=dict)
    account: str | None = None


Change = tuple[Any, Any]
"""The value before and after a write, as shown to the user."""


@dataclass(frozen=True)
class DevicePlan:
    """The writes that one device needs.

    :param id: the device id, or the declared identifier as long as the device id is unknown.
    :param removes: whether the device leaves the product.
    :param declared_by: the identifier of its record, if that is not the id.
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
        """The identifier by which the manifest declares the device."""
        return self.declared_by.value if self.declared_by else self.id

    @property
    def is_identified(self) -> bool:
        """Whether the id of the device is known."""
        return self.declared_by is None or self.id != self.declared_by.value

    @property
    def is_changed(self) -> bool:
        """Whether the device needs any write."""
        return bool(self.changes)


@dataclass(frozen=True)
class Plan:
    """The writes that lead from the observed to the declared state.

    They are sent in this order: ``setup``, imports, ``create_groups``, the other writes of ``devices``, ``teardown``.

    :param refusals: devices that no write can bring to their declared state, with the reason in words.
    :param created_names: names of the resources that ``setup`` creates, by kind, as shown to the user.
    :param claim_user: username of the account that claims devices of a product.
    :param removed_names: names of the resources that ``teardown`` removes, by kind, as shown to the user.
    """

    create_groups: tuple[str, ...]
    setup: tuple[SharedWrite, ...]
    devices: tuple[DevicePlan, ...]
    refusals: Mapping[str, str]
    created_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claim_user: str | None = None
    teardown: tuple[SharedWrite, ...] = ()
    removed_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write."""
        besides = self.create_groups or self.setup or self.teardown
        return bool(besides) or any(device.is_changed for device in self.devices)
