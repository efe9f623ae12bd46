# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the interface that every mesh backend implements. Private to this collection.

A mesh backend manages one kind of network. Each mesh backend has two parts. :class:`Rules` sends no requests, so the
manifest reader can use the rules without a connection. :class:`Backend` sends requests. :mod:`backends` lists both
parts of every mesh backend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

if TYPE_CHECKING:  # the manifest reader imports this file, and must not import the HTTP client
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

RESERVED_GROUPS = "mesh-"
"""The prefix of the device groups that a mesh backend manages. A manifest cannot declare groups with this prefix."""

GATEWAY = "gateway"
NODE = "node"
ROLES = (GATEWAY, NODE)

NETWORK_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z")
"""Form of the name of a network, unless its backend allows other names."""

JOINED = "joined"
PENDING = "pending"
LOST = "lost"
WRONG_NETWORK = "wrong_network"
"""The states of a member: ``joined`` (in its network), ``pending`` (not yet in its network), ``lost`` (no longer in its
network) and ``wrong_network`` (in another network)."""


def drop_reserved_groups(groups: Iterable[str]) -> frozenset[str]:
    """Return the device groups that no mesh backend manages."""
    return frozenset(group for group in groups if not group.startswith(RESERVED_GROUPS))


FIRMWARE_VERSION, DEVICE_OS = "firmware_version", "system_firmware_version"
"""Keys in the row of a device in the device list of a product (endpoints.yml: device_owned, device_product_extra)."""


@dataclass(frozen=True)
class Network:
    """A network that a manifest declares.

    :param gateways: the ids of all gateways of the network.
    :param parameters: the declared parameters, which may hold join keys. ``None`` when the manifest declares no
        parameters. In this case, existing members keep their parameters, and a new member gets the parameters of the
        existing members.
    :param backend: the name of the mesh backend.
    :param absent: whether the network must be dissolved.
    :param size: the number of declared members, gateways included.
    :param extra: the declared values of :attr:`Rules.network_keys`, which may hold secrets.
    """

    name: str
    gateways: tuple[str, ...]
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    backend: str = ""
    absent: bool = False
    size: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def drop_gateways(self, devices: Set[str]) -> Network:
        """Return a copy of the network whose ``gateways`` contain none of ``devices``."""
        return replace(self, gateways=tuple(gateway for gateway in self.gateways if gateway not in devices))


@dataclass(frozen=True)
class Membership:
    """The membership of a device in a network. Two memberships are equal if network and role are equal.

    :param network: the name of the network.
    :param role: ``gateway`` or ``node``.
    :param parameters: the parameters of this member only, which may hold join keys. Each key overrides the same key in
        the parameters of the network.
    :param extra: the declared values of :attr:`Rules.member_keys` and :attr:`Rules.identities`, which may hold secrets.
    :param replaces: the id of the device whose place in the network the member takes; ``None`` if there is none. The
        member gets the parameters of that device where the manifest declares none.
    :param keeps_parameters: whether the manifest does not declare the membership, so that the member keeps all
        parameters of the device that it replaces.
    """

    network: str
    role: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    replaces: str | None = field(default=None, compare=False)
    keeps_parameters: bool = field(default=False, compare=False)

    def as_result(self) -> dict[str, str]:
        """Return network and role for the result of a module, without secrets."""
        return {"network": self.network, "role": self.role}


@dataclass(frozen=True)
class Hardware:
    """The facts that mesh backends need about a device. ``None`` means that a fact is unknown.

    :param platform: the platform id.
    :param device_os: the version of Device OS.
    :param row: the row of the device in a device list of the cloud, with only the keys in :attr:`Rules.row_keys`.
    :param identities: the declared values of :attr:`Rules.identities`, by key.
    :param is_outside_cloud: whether the device is unknown to the Particle cloud.
    :param leaves_network: whether the manifest declares that the device is in no network of the backend.
    :param is_removed: whether the run removes the device from its product.
    """

    platform: int | None = None
    device_os: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)
    identities: Mapping[str, str] = field(default_factory=dict)
    is_outside_cloud: bool = False
    leaves_network: bool = False
    is_removed: bool = False


@dataclass(frozen=True)
class MemberPlan:
    """The changes to one device that give the device its declared membership, or remove the device from its network.

    :param add_groups: the device groups to add.
    :param remove_groups: the device groups to remove.
    :param writes: the writes for :meth:`Writer.apply_write`, in order.
    :param changes: ``{field: (before, after)}`` as shown to the user, without secrets.
    :param before: the observed membership; ``None`` when the device is in no network.
    :param stage: the stage in which the device is changed. Lower stages come first.
    :param needs: sets of other devices. At least one device of each set must be changed before this device.
    :param frees_place: whether the device leaves a network with a limited number of members, so that the device that
        replaces it can only join afterwards.
    :param pending: the reason why the device is not in its declared state after the writes; empty if it is. The device
        counts as pending until a later run finds that the device has reached it.
    :param completes_earlier_run: whether the only writes complete what an earlier run has begun.
    """

    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()
    writes: tuple[Any, ...] = ()
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    before: Membership | None = None
    stage: int = 0
    needs: tuple[frozenset[str], ...] = ()
    frees_place: bool = False
    pending: str = ""
    completes_earlier_run: bool = False


@dataclass(frozen=True)
class SharedWrite:
    """A write that concerns several devices.

    :param write: the write for :meth:`Writer.apply_write`.
    :param members: the devices that fail when the write fails.
    :param is_attempt: whether the write itself changes nothing, but only lets members join. A member that has joined
        counts as a change.
    """

    write: Any
    members: frozenset[str]
    is_attempt: bool = False


@dataclass(frozen=True)
class MeshPlan:
    """The plan for all networks and members.

    :param members: the plan of each device whose membership is declared, including devices that must be in no network.
    :param setup: the writes that come before the writes of the members.
    :param teardown: the writes that come last. Each write waits until all devices in its ``members`` have been changed.
    :param created_names: ``{kind: names}`` of the objects of the cloud that the plan creates, as shown to the user.
    :param changed_names: ``{kind: names}`` of the other objects that ``setup`` changes, as shown to the user.
    :param removed_names: ``{kind: names}`` of the networks that the plan removes, as shown to the user.
    :param refusals: the reasons why the declaration is impossible, one sentence each. If there is a reason, nothing may
        be written.
    :param warnings: one sentence for each reason why a planned change will not take effect yet.
    :param staying_gateways: for each network, the number of existing gateways that are not in ``members``.
    :param one_gateway: the networks that can have only one gateway.
    :param free_places: for each network, the number of devices that can still be added. A network that has no key has
        no limit.
    """

    members: Mapping[str, MemberPlan] = field(default_factory=dict)
    setup: tuple[SharedWrite, ...] = ()
    teardown: tuple[SharedWrite, ...] = ()
    created_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    staying_gateways: Mapping[str, int] = field(default_factory=dict)
    one_gateway: frozenset[str] = frozenset()
    free_places: Mapping[str, int] = field(default_factory=dict)


class MemberPending(ParticleError):
    """The reason why a device has not joined or left its network yet. The device is pending, and has not failed."""


class Writer(Protocol):
    """An object that carries out the writes of a plan."""

    def apply_write(self, target: Target, write: Any) -> None:
        """Carry out one write of a plan.

        :raises MemberPending: when the write concerns one device, and the device has not joined its network yet.
        """


class Backend(Writer, Protocol):
    """The part of a mesh backend that sends requests. Each task opens its own backend object.

    The plans, warnings and errors of a backend must not hold secrets.
    """

    def observe(self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]) -> Any:
        """Read the current state of ``networks`` and of the devices in ``hardware_of``.

        :returns: the observed state, in a form that only :meth:`plan` of the same backend can read.
        :raises ParticleError: ``unsupported`` when the cloud does not support networks of this backend.
        """

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Any,
    ) -> MeshPlan:
        """Plan the changes from the observed state to the declared state, without sending a request.

        :param networks: the declared networks of this backend.
        :param wanted: for each device, the declared membership, or ``None`` if the device must be in no network of this
            backend.
        :param groups_of: the device groups of each device.
        :param observed: the result of :meth:`observe`.
        """

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member in ``wanted``: ``joined``, ``pending``, ``lost`` or ``wrong_network``.

        :param networks: the declared networks; empty when the caller has no manifest.
        """

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        """Find the devices that must leave ``networks`` before these networks are dissolved.

        :returns: for each device, the key in :attr:`Rules.identities` that identifies the device, or ``None`` if the
            Particle cloud knows the device.
        """

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """List the members that are unknown to the Particle cloud.

        :returns: one row for each member, with the same keys as in the device lists of the cloud.
        """

    def close(self) -> None:
        """Close the resources that the backend has opened, such as a separate HTTP session."""


RECONCILE, STATES, LISTING = "reconcile", "states", "listing"
"""The purposes of backend options: to reconcile a fleet, to show the states of members, or to list members."""


@dataclass(frozen=True)
class Option:
    """An option that a mesh backend adds to modules.

    :param spec: the argument spec of the option, in which ``no_log`` marks a secret.
    :param purposes: one or more of ``RECONCILE``, ``STATES`` and ``LISTING``. A module has the option if the module
        serves one of these purposes.
    """

    spec: Mapping[str, Any]
    purposes: frozenset[str]


class Rules:
    """The part of a mesh backend that sends no requests.

    Each backend has a subclass, which overrides only the attributes and methods that differ from the defaults.

    :cvar name: the name of the backend, which a network declares as ``backend``.
    :cvar needs_product: whether members must be devices of a product.
    :cvar needs_login: whether the backend needs a login to the Particle cloud.
    :cvar needs_gateway: whether a network with nodes must have a gateway.
    :cvar forms_networks: whether a network is formed even if no declared device is a member.
    :cvar options: the options that the backend adds to modules, by name.
    :cvar identities: the keys with which a manifest identifies a member of this backend. A declared device that has no
        other identifier is unknown to the Particle cloud. The declared values are passed to the backend in
        ``Hardware.identities``, and also in ``Membership.extra`` when the device joins a network. If a manifest
        declares a value for a device but no network of this backend, the device may have to leave such a network.
    :cvar network_keys: the keys that only this backend adds to the declaration of a network.
    :cvar member_keys: the keys that only this backend adds to ``mesh`` in the declaration of a device.
    :cvar row_keys: the keys to read in each row of the cloud's device lists. The values of these keys show the
        membership of the device.
    :cvar shows_members_until_removal: whether the lists of the cloud show the membership of a device until the device
        leaves the product, even if it has already left its network.
    :cvar hides_members: whether a device of a product can be a member although no list of the cloud shows the
        membership.
    """

    name: ClassVar[str]
    needs_product: ClassVar[bool] = True
    needs_login: ClassVar[bool] = True
    needs_gateway: ClassVar[bool] = True
    forms_networks: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {}
    identities: ClassVar[tuple[str, ...]] = ()
    network_keys: ClassVar[tuple[str, ...]] = ()
    member_keys: ClassVar[tuple[str, ...]] = ()
    row_keys: ClassVar[tuple[str, ...]] = ()
    shows_members_until_removal: ClassVar[bool] = False
    hides_members: ClassVar[bool] = False

    # --- the manifest: each method reports mistakes to `reader`, and never puts a secret into a message ---

    def check_name(self, reader: ValueReader, name: Any, place: Place) -> None:
        """Report a mistake if the name of a network is not valid."""
        reader.read_text(name, place)

    def check_parameters(self, reader: ValueReader, parameters: Mapping[str, Any], place: Place) -> None:
        """Report mistakes in the ``parameters`` of a network."""

    def read_network(self, reader: ValueReader, network: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the declared values of ``network_keys``. Also called for a network that must be dissolved."""
        return {key: network[key] for key in self.network_keys if key in network}

    def read_member(self, reader: ValueReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the declared values of ``member_keys``."""
        return {key: mesh[key] for key in self.member_keys if key in mesh}

    def read_identity(self, reader: ValueReader, key: str, value: Any, place: Place) -> str | None:
        """Return the value that identifies a member. If the value is not valid, report a mistake and return ``None``.

        :param key: the key of the value, one of ``identities``.
        """
        return reader.read_text(value, place).strip() or None

    def is_identity(self, text: str) -> bool:
        """Return whether a text has the form that :meth:`read_identity` returns.

        Such a text becomes the name of a host if the member has no other name. A backend without ``identities`` returns
        ``False``.
        """
        return False

    def read_gateway(self, reader: ValueReader, value: Any, place: Place) -> str | None:
        """Return the id in one item of ``gateways``. If the id is not valid, report a mistake and return ``None``."""
        return reader.read_device_id(value, place)

    def find_secrets(self, network: Network, members: Iterable[Membership]) -> Iterable[str]:
        """Return the declared secrets of a network and its members. Errors and warnings must never show the secrets."""
        return ()

    # --- facts: `row` is the row of a device in a list of the cloud, or the facts of a device ---

    def is_shown(self, groups: frozenset[str], hardware: Hardware) -> bool:
        """Return whether ``groups`` or ``hardware`` shows that a device may be in a network of this backend."""
        return False

    def read_membership(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that a row shows, or ``None`` if the row shows no network of this backend."""
        return None

    def read_state(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        """Return the state of a member according to its row, or ``None`` if only ``Backend.verify`` can read states."""
        return None

    def can_list_members(self, options: Mapping[str, Any]) -> bool:
        """Return whether ``options`` name a source of members that are unknown to the Particle cloud."""
        return False

    # --- firmware: a firmware version can upgrade Device OS to a version without networks of this backend ---

    def can_firmware_end_membership(self, hardware: Hardware) -> bool:
        """Return whether a member with this hardware might leave its network when it gets another firmware version."""
        return False

    def explain_ending_firmware(self, versions: Set[int], rows: Sequence[Mapping[str, Any]]) -> Mapping[int, str]:
        """Return the firmware versions that might end memberships, each with the reason as a clause of a sentence.

        :param versions: the firmware versions that members are to get.
        :param rows: the rows of all devices that run firmware of the product, with the keys :data:`FIRMWARE_VERSION`
            and :data:`DEVICE_OS`.
        """
        return {}

    # --- export: the manifest that `device_info` returns ---

    def is_exported(self, row: Mapping[str, Any]) -> bool:
        """Return whether an exported manifest can declare the membership that a row shows."""
        return False

    def export_network(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what an export writes for a network: a value for each key in ``network_keys``, except secrets.

        :param rows: the facts of the members of the network.
        """
        return {}
