# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the data classes of a run: observed devices and plans. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import Edits
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import (
    APPROVED,
    Value,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import (
    Identifier,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.contract import (
    Hardware,
    MemberPlan,
    SharedWrite,
)

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import Level
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product


@dataclass(frozen=True)
class ObservedDevice:
    """One device as the cloud shows it.

    :param fields: the values, keyed by field name. A field that the cloud does not show has no key.
    :param groups: the device groups of the device.
    :param owner: username of the account that has claimed the device; ``None`` if the device is unclaimed.
    :param hardware: the facts that mesh backends need about the device, such as its platform.
    :param labels: the labels that the cloud shows, in upper case and keyed by kind, such as ``iccid``.
    :param variables: the environment variables of the device itself; ``None`` if they were not read.
    """

    id: str
    fields: Mapping[str, Value | None]
    groups: frozenset[str] = frozenset()
    owner: str | None = None
    hardware: Hardware = field(default_factory=Hardware)
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Level | None = None


@dataclass(frozen=True)
class Source:
    """Where a device is moved from.

    :param product: the product that the device leaves.
    :param device: the device in this product, without a mark in its notes.
    :param is_marked: whether an interrupted run has left a mark in its notes.
    """

    product: Product
    device: ObservedDevice
    is_marked: bool = False


@dataclass(frozen=True)
class Observed:
    """The observed state of a fleet.

    :param devices: the declared devices that are in the product or account, keyed by device id.
    :param groups: the device groups of the product.
    :param ids: the device ids of devices that are not declared by their id, keyed by the declared identifier.
    :param account: the username of the account. ``None`` unless the manifest declares ``claimed`` for devices of a
        product.
    :param unapproved: the declared devices that the product lists but does not accept: ``quarantined`` or ``denied``,
        keyed by device id. These devices are not in ``devices``.
    :param unapproved_labels: the labels of the devices in ``unapproved``, as in :class:`ObservedDevice`.
    :param unread: the number of further devices that the manifest does not declare.
    :param is_whole: whether all devices of the product or account were read.
    :param sources: the other products from which devices must be moved, keyed by device id.
    :param undeclared: the names of the devices of the product or account that the manifest does not declare, keyed by
        device id. Of a long list, only some devices were read.
    :param replaced: the ids of the devices that are replaced and still in the product, keyed by
        :attr:`DeviceRecord.key` of the record that replaces the device. These devices are in ``devices``.
    """

    devices: Mapping[str, ObservedDevice]
    groups: frozenset[str] = frozenset()
    ids: Mapping[Identifier, str] = field(default_factory=dict)
    account: str | None = None
    unapproved: Mapping[str, str] = field(default_factory=dict)
    undeclared: Mapping[str, str | None] = field(default_factory=dict)
    unapproved_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unread: int = 0
    is_whole: bool = True
    sources: Mapping[str, Source] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)

    def get_replaced(self, key: str) -> ObservedDevice | None:
        """Return the device that a record replaces; ``None`` if there is none, or if it has left the product.

        :param key: :attr:`DeviceRecord.key` of the record.
        """
        return self.devices.get(self.replaced.get(key, ""))


Change = tuple[Any, Any]
"""The values before and after a write, as shown to the user."""


@dataclass(frozen=True)
class Replaced:
    """The device whose place another device takes.

    :param id: the device id.
    :param sim: the ICCID of its SIM; ``None`` if the cloud shows no SIM.
    :param new_name: the name that it must get before the other device gets its name; ``None`` if it keeps its name.
    """

    id: str
    sim: str | None = None
    new_name: str | None = None


@dataclass(frozen=True)
class DevicePlan:
    """The writes that one device needs.

    :param id: the device id. While the device id is unknown, this is the identifier that declares the device.
    :param changes: the changes, keyed by field name, as shown to the user.
    :param removes: whether the device leaves the product.
    :param leaves: the other product that the device leaves before it is imported; ``None`` if it leaves no product.
    :param denies: whether the product must stop accepting the device.
    :param mesh: the writes for the network of the device, as the mesh backends have planned them.
    :param edits: the edits of environment variables that the device needs before they are rolled out; empty if only the
        rollout is missing, and ``None`` if the device needs no rollout.
    :param declared_by: the identifier that declares the device; ``None`` if the manifest declares the device by its id.
    :param is_undeclared: whether the device is removed because the manifest does not declare it.
    :param replaces: the device whose place this device takes; ``None`` if there is none, or if it has left the product.
    :param replaced_by: the :attr:`key` of the plan that takes the place of this device. This device is removed after
        that plan has been carried out. ``None`` for any other device.
    :param marked_notes: the notes that the device gets before it leaves its other product, to note which groups it
        keeps; ``None`` if the notes are not changed.
    :param is_read_after_import: whether other changes of the device are not known before its import, because they
        depend on its notes or its environment variables.
    :param is_too_old: whether the device declares environment variables, but its Device OS is too old for them.
    :param name: the name of the device in the cloud, or else its declared name; ``None`` if it has neither.
    :param sim: the ICCID of the SIM in a device that leaves the product; ``None`` if the cloud shows no SIM.
    """

    id: str
    changes: Mapping[str, Change]
    imports: bool = False
    claims: bool = False
    unclaims: bool = False
    removes: bool = False
    denies: bool = False
    leaves: Product | None = None
    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()
    fields: Mapping[str, Value] = field(default_factory=dict)
    mesh: MemberPlan | None = field(default=None, repr=False)
    edits: Edits | None = None
    declared_by: Identifier | None = None
    name: str | None = None
    is_undeclared: bool = False
    sim: str | None = None
    replaces: Replaced | None = None
    replaced_by: str | None = None
    marked_notes: str | None = None
    is_read_after_import: bool = False
    is_too_old: bool = False

    @property
    def key(self) -> str:
        """The identifier by which the manifest declares the device."""
        return self.declared_by.value if self.declared_by else self.id

    @property
    def is_identified(self) -> bool:
        """Whether the device id is known."""
        return self.declared_by is None or self.id != self.declared_by.value

    @property
    def is_changed(self) -> bool:
        """Whether the device, or the device that it replaces, needs any write before the replaced device is removed."""
        return bool(self.changes) or (self.replaces is not None and self.replaces.new_name is not None)

    @property
    def restarts(self) -> bool:
        """Whether the device restarts to apply its environment variables."""
        return "environment" in self.changes and not self.is_too_old

    @property
    def is_removal(self) -> bool:
        """Whether the device leaves the product, is unclaimed, or is no longer accepted by its product."""
        loses_approval = self.denies and self.changes["approval"][0] == APPROVED
        return self.removes or self.unclaims or loses_approval


@dataclass(frozen=True)
class Plan:
    """The writes that bring a fleet from the observed to the declared state.

    The writes are sent in this order: ``setup``, imports, ``create_groups``, the other writes of ``devices``,
    ``teardown``.

    :param create_groups: the device groups to create.
    :param setup: writes that create resources of networks.
    :param refusals: the errors of the devices that no write can bring to their declared state, keyed by
        :attr:`DeviceRecord.id`.
    :param created_names: names of the resources that ``setup`` creates, by kind, as shown to the user.
    :param changed_names: names of the other resources that ``setup`` changes, by kind, as shown to the user.
    :param claim_user: username of the account that claims devices of a product.
    :param teardown: writes that remove resources of networks.
    :param removed_names: names of the resources that ``teardown`` removes, by kind, as shown to the user.
    """

    create_groups: tuple[str, ...]
    setup: tuple[SharedWrite, ...]
    devices: tuple[DevicePlan, ...]
    refusals: Mapping[str, ParticleError]
    created_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claim_user: str | None = None
    teardown: tuple[SharedWrite, ...] = ()
    removed_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_changed(self) -> bool:
        """Whether the plan has any write."""
        besides = self.create_groups or self.setup or self.teardown
        return bool(besides) or any(device.is_changed for device in self.devices)
