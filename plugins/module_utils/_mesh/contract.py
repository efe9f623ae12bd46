# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the interface between the fleet and a mesh backend. Private to this collection.

A backend has two halves. :class:`Rules` sends no requests, so that the manifest reader can use it; :class:`Backend`
sends requests. A row of :mod:`backends` joins the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import ValueReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place

if TYPE_CHECKING:  # code without requests imports these types and must not import the HTTP client
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

RESERVED_GROUPS = "mesh-"
"""The prefix of device groups that a mesh backend manages; a manifest cannot declare them."""

GATEWAY = "gateway"
NODE = "node"
ROLES = (GATEWAY, NODE)

JOINED = "joined"
PENDING = "pending"
LOST = "lost"
WRONG_NETWORK = "wrong_network"
"""The states of a member: in its network, not yet in it, no longer in it, or in another network."""


@dataclass(frozen=True)
class Network:
    """A declared network.

    :param gateways: the ids of all its gateways.
    :param parameters: the declared parameters, which may hold join keys; ``None`` when they are not declared. Members
        then keep their parameters, and a new member gets those of the other members.
    :param backend: the name of its backend.
    :param absent: whether the network must be dissolved.
    :param size: the number of devices that are declared as its members, gateways included.
    :param extra: the values of the keys that only its backend knows; may hold secrets.
    """

    name: str
    gateways: tuple[str, ...]
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    backend: str = ""
    absent: bool = False
    size: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def drop_gateways(self, devices: Set[str]) -> Network:
        """Return the network without ``devices`` among its gateways."""
        return replace(self, gateways=tuple(gateway for gateway in self.gateways if gateway not in devices))


@dataclass(frozen=True)
class Membership:
    """The membership of a device in a network. Two memberships are equal if network and role are equal.

    :param network: the name of the network.
    :param role: ``gateway`` or ``node``.
    :param parameters: parameters of this member only, which override those of its network key by key; may hold join
        keys.
    :param extra: the values of the keys that only the backend knows; may hold secrets.
    """

    network: str
    role: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def as_result(self) -> dict[str, str]:
        """Return network and role as a module result shows them, without secrets."""
        return {"network": self.network, "role": self.role}


@dataclass(frozen=True)
class Hardware:
    """The facts of a device that mesh backends need, such as its hardware; ``None`` means that a fact is unknown.

    :param platform: the platform id.
    :param device_os: the version of Device OS.
    :param row: the keys of the device's row that backends read, see :attr:`Rules.row_keys`.
    :param identities: the declared values that identify the device to backends, see :attr:`Rules.identities`.
    :param is_outside_cloud: whether the Particle cloud does not know the device.
    """

    platform: int | None = None
    device_os: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)
    identities: Mapping[str, str] = field(default_factory=dict)
    is_outside_cloud: bool = False


@dataclass(frozen=True)
class MemberPlan:
    """The plan that brings one device into its declared membership, or out of any.

    :param add_groups: the device groups to add.
    :param remove_groups: the device groups to remove.
    :param writes: the writes for ``apply``, in order.
    :param changes: ``{field: (before, after)}`` as shown to the user, without secrets.
    :param before: the observed membership; ``None`` when the device is in no network.
    :param stage: the stage in which the device is changed. Lower stages come first.
    :param needs: sets of devices. At least one device of each set must have been changed before this one.
    """

    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()
    writes: tuple[Any, ...] = ()
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    before: Membership | None = None
    stage: int = 0
    needs: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True)
class SharedWrite:
    """A write that concerns several devices.

    :param write: the write, for ``apply``.
    :param members: the devices that fail when the write fails.
    """

    write: Any
    members: frozenset[str]


@dataclass(frozen=True)
class MeshPlan:
    """The plan for all networks and members.

    :param members: the plan of each device that is declared in or out of a mesh.
    :param setup: writes that come before those of the members.
    :param teardown: writes that come last. Each waits until all of its members have been changed.
    :param created_names: names of other objects that are created, by kind, as shown to the user.
    :param removed_names: names of other objects that are removed, by kind, as shown to the user.
    :param refusals: reasons why the declaration is impossible, one sentence each. If there is one, nothing may be
        written.
    :param warnings: planned changes that will not work yet, one sentence each.
    :param staying_gateways: by network, the number of existing gateways that are not in ``members``.
    :param one_gateway: networks that can have only one gateway.
    :param free_places: by network, the number of devices that can still be added; a missing network has no limit.
    """

    members: Mapping[str, MemberPlan] = field(default_factory=dict)
    setup: tuple[SharedWrite, ...] = ()
    teardown: tuple[SharedWrite, ...] = ()
    created_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    staying_gateways: Mapping[str, int] = field(default_factory=dict)
    one_gateway: frozenset[str] = frozenset()
    free_places: Mapping[str, int] = field(default_factory=dict)


class Writer(Protocol):
    """An object that carries out the writes of a plan."""

    def apply_write(self, target: Target, write: Any) -> None:
        """Carry out one write of a plan."""


class Backend(Writer, Protocol):
    """The half of a backend that sends requests. Each task that may need it opens its own.

    Plans, warnings and errors of a backend must not hold secrets.
    """

    def observe(self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]) -> Any:
        """Read the current state of ``networks`` and of the devices in ``hardware_of``.

        :returns: the observed state, which only :meth:`plan` of the same backend interprets.
        :raises ParticleError: ``unsupported`` when the cloud cannot have networks of this backend.
        """

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Any,
    ) -> MeshPlan:
        """Compute the writes that lead from the observed to the declared state, without sending a request.

        :param networks: the declared networks of this backend.
        :param wanted: the declared membership of each device; ``None`` for no network of this backend.
        :param groups_of: the device groups of each device.
        :param observed: the result of :meth:`observe`.
        """

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member in ``wanted``: ``joined``, ``pending``, ``lost`` or ``wrong_network``.

        :param networks: the declared networks; empty when a caller knows none.
        """

    def find_members(
        self, target: Target, networks: Mapping[str, Network], hardware_of: Mapping[str, Hardware]
    ) -> Mapping[str, str | None]:
        """Find the devices that must leave ``networks`` before these networks are dissolved.

        :returns: for each device the key that identifies it to its backend; ``None`` for a device that the Particle
            cloud knows.
        """

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """List the members that the Particle cloud does not know, as rows with the keys of the cloud's lists."""

    def close(self) -> None:
        """Close the resources that the backend has opened, such as its own HTTP session."""


RECONCILE, STATES, LISTING = "reconcile", "states", "listing"
"""The purposes of a backend's options: reconcile a fleet, show the states of members, list members."""


@dataclass(frozen=True)
class Option:
    """An option that a backend adds to modules.

    :param spec: its argument spec, in which ``no_log`` marks a secret.
    :param purposes: one or more of ``RECONCILE``, ``STATES`` and ``LISTING``; modules for these have the option.
    """

    spec: Mapping[str, Any]
    purposes: frozenset[str]


class Rules:
    """The half of a backend that sends no requests. A backend overrides the attributes and methods that differ.

    :cvar name: the value of ``backend`` in the declaration of a network.
    :cvar needs_product: whether its members must be devices of a product.
    :cvar needs_login: whether it needs a login to the Particle cloud.
    :cvar needs_gateway: whether a network with nodes must have a gateway.
    :cvar options: the options that it adds to modules, by name.
    :cvar identities: the keys of a device's declaration that identify a member. If a declaration has no other
        identifier, it declares a device that the Particle cloud does not know. The values reach the backend in
        ``Board.identities``, and in ``Membership.extra`` of a device that joins; a device that has one may have to
        leave a network of the backend.
    :cvar network_keys: the keys in the declaration of a network that only this backend knows.
    :cvar member_keys: the keys in the ``mesh`` of a device that only this backend knows.
    :cvar row_keys: the keys of a device in the cloud's lists that show its membership.
    :cvar hides_members: whether a device of a product can be a member although no list shows it.
    """

    name: ClassVar[str]
    needs_product: ClassVar[bool] = True
    needs_login: ClassVar[bool] = True
    needs_gateway: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {}
    identities: ClassVar[tuple[str, ...]] = ()
    network_keys: ClassVar[tuple[str, ...]] = ()
    member_keys: ClassVar[tuple[str, ...]] = ()
    row_keys: ClassVar[tuple[str, ...]] = ()
    hides_members: ClassVar[bool] = False

    # --- the manifest: each method reports mistakes to the reader and never repeats a secret ---

    def check_name(self, reader: ValueReader, name: Any, place: Place) -> None:
        """Report a mistake if the name of a network is not valid."""
        reader.read_text(name, place)

    def check_parameters(self, reader: ValueReader, parameters: Mapping[str, Any], place: Place) -> None:
        """Report mistakes in the ``parameters`` of a network."""

    def read_network(self, reader: ValueReader, network: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the declared values of ``network_keys``, also for a network that must be dissolved."""
        return {key: network[key] for key in self.network_keys if key in network}

    def read_member(self, reader: ValueReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Return the declared values of ``member_keys``."""
        return {key: mesh[key] for key in self.member_keys if key in mesh}

    def read_identity(self, reader: ValueReader, key: str, value: Any, place: Place) -> str | None:
        """Return the value that identifies a member, or report a mistake and return ``None`` if it is not valid.

        :param key: one of ``identities``.
        """
        return reader.read_text(value, place).strip() or None

    def read_gateway(self, reader: ValueReader, value: Any, place: Place) -> str | None:
        """Return one of the ``gateways`` of a network, or report a mistake and return ``None`` if it is not valid."""
        return reader.read_device_id(value, place)

    def find_secrets(self, network: Network, members: Iterable[Membership]) -> Iterable[str]:
        """Return the declared secrets of a network and its members, which errors and warnings must never show."""
        return ()

    # --- facts: `row` is a device as a list shows it, or its facts ---

    def is_shown(self, groups: frozenset[str], hardware: Hardware) -> bool:
        """Return whether the cloud's lists show that a device may be in a network of this backend."""
        return False

    def read_membership(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that a row shows, or ``None`` if it shows none of this backend."""
        return None

    def read_state(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        """Return the state of a member that a row shows, or ``None`` if only ``Backend.verify`` can read it."""
        return None

    def can_list_members(self, options: Mapping[str, Any]) -> bool:
        """Return whether ``options`` name a source that lists members that the Particle cloud does not know."""
        return False

    # --- export: the manifest that `device_info` returns ---

    def is_exported(self, row: Mapping[str, Any]) -> bool:
        """Return whether a manifest can declare the membership that a row shows."""
        return False

    def export_network(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the values of ``network_keys`` that an export declares for a network, without secrets.

        :param rows: the facts of the members of the network.
        """
        return {}
