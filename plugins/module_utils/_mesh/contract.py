# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define what the fleet and a mesh backend exchange. Private to this collection.

A backend has two halves: :class:`Rules` only compute, so that the manifest reader can use them, and :class:`Backend`
sends requests. A row of :mod:`backends` joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.checks import PartReader
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place

if TYPE_CHECKING:  # what is pure stands on these types and must not bring in what talks to a cloud
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

RESERVED_GROUPS = "mesh-"
"""Device groups that start so belong to the mesh; nobody declares them."""

GATEWAY = "gateway"
NODE = "node"
ROLES = (GATEWAY, NODE)

JOINED = "joined"
PENDING = "pending"
LOST = "lost"
WRONG_NETWORK = "wrong_network"
"""What has become of a member: the cloud says that it is in, that it is not yet, no more, or in another network."""


@dataclass(frozen=True)
class Network:
    """A declared network. ``gateways`` are the ids of all its gateways, ``parameters`` may hold join keys.

    ``parameters`` that are ``None`` are not declared: its members keep theirs, and a new one gets those of the others.

    :param backend: the name of its backend.
    :param absent: it is to be dissolved.
    :param size: how many devices are declared to be in it, gateways included.
    :param extra: what the backend's own keys declare; may hold secrets.
    """

    name: str
    gateways: tuple[str, ...]
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    backend: str = ""
    absent: bool = False
    size: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def without(self, devices: Set[str]) -> Network:
        """The network with none of ``devices`` among its gateways."""
        return replace(self, gateways=tuple(gateway for gateway in self.gateways if gateway not in devices))


@dataclass(frozen=True)
class Membership:
    """Where a device belongs: the network's name and ``gateway`` or ``node``. Two are the same when these are.

    :param parameters: those that this member alone is told, over its network's, key by key; may hold join keys.
    :param extra: what the backend's own keys declare of this member; may hold secrets.
    """

    network: str
    role: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def as_result(self) -> dict[str, str]:
        return {"network": self.network, "role": self.role}


@dataclass(frozen=True)
class Board:
    """What the cloud's lists tell of a device that matters to a mesh; ``None`` for what they do not tell.

    :param platform: ``platform_id``; ``device_os``: the version of Device OS.
    :param row: what the list shows under the keys that backends ask for, see :attr:`Rules.row_keys`.
    :param identities: what is declared to identify the device to backends, see :attr:`Rules.identities`.
    :param cloudless: whether the Particle cloud does not know the device.
    """

    platform: int | None = None
    device_os: str | None = None
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)
    identities: Mapping[str, str] = field(default_factory=dict)
    cloudless: bool = False


@dataclass(frozen=True)
class MemberPlan:
    """What one device needs to get where it belongs.

    :param writes: for ``apply``, in their order.
    :param changes: ``{field: (before, after)}`` as shown to the user, free of secrets.
    :param before: where it was seen, ``None`` for nowhere.
    :param stage: comes after all devices of a lower one.
    :param needs: sets of devices; of each at least one must have got where it belongs before this one goes.
    """

    add_groups: frozenset[str] = frozenset()
    remove_groups: frozenset[str] = frozenset()
    writes: tuple[Any, ...] = ()
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    before: Membership | None = None
    stage: int = 0
    needs: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True)
class Shared:
    """A write that is not about one device, and the ``members`` that fail when it does."""

    write: Any
    members: frozenset[str]


@dataclass(frozen=True)
class MeshPlan:
    """Writes that come first, the plan of each device that is declared in or out of a mesh, and what comes last.

    :param teardown: is done when each of its members is where it belongs.
    :param creates: the names of what is made besides, by kind, as shown to the user; ``removes`` likewise.
    :param refusals: why this cannot be, one sentence each; then nothing of it must be written.
    :param warnings: what is written although it will not work yet, one sentence each.
    :param staying: by network the number of gateways that are there and not among the members.
    :param one_gateway: networks that can have one gateway only.
    :param room: by network the number of devices more that it can have now; one that is not named has no limit.
    """

    members: Mapping[str, MemberPlan] = field(default_factory=dict)
    setup: tuple[Shared, ...] = ()
    teardown: tuple[Shared, ...] = ()
    creates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    staying: Mapping[str, int] = field(default_factory=dict)
    one_gateway: frozenset[str] = frozenset()
    room: Mapping[str, int] = field(default_factory=dict)


class Writer(Protocol):
    """What carries out the writes of a plan."""

    def apply(self, target: Target, write: Any) -> None:
        """Carry out one write of a plan."""


class Backend(Writer, Protocol):
    """The half of a backend that sends requests. One is opened for each task that may need it.

    What it shows in a plan, a warning or an error must be free of secrets.
    """

    def observe(self, target: Target, networks: Mapping[str, Network], boards: Mapping[str, Board]) -> Any:
        """Read what exists of ``networks`` and of the devices in ``boards``.

        :raises ParticleError: ``unsupported``, before any write, where such networks cannot exist.
        """

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Any,
    ) -> MeshPlan:
        """Compute the writes that lead from ``observed`` to what is declared; send nothing.

        :param networks: those of this backend.
        :param wanted: for each declared device where it belongs, ``None`` for no network of this backend.
        :param groups_of: the device groups each of them has.
        """

    def verify(
        self, target: Target, networks: Mapping[str, Network], wanted: Mapping[str, Membership]
    ) -> Mapping[str, str]:
        """Return the state of each member in ``wanted``: ``joined``, ``pending``, ``lost`` or ``wrong_network``.

        :param networks: the declared networks; empty when a caller knows none.
        """

    def find_members(
        self, target: Target, networks: Mapping[str, Network], boards: Mapping[str, Board]
    ) -> Mapping[str, str | None]:
        """Find the devices that must leave ``networks``, which are to be dissolved, before these are.

        :returns: for each the key of its own identity, ``None`` for a device of the Particle cloud.
        """

    def list_members(self) -> Iterable[Mapping[str, Any]]:
        """List the members that the Particle cloud does not know, as rows like those of its lists."""

    def close(self) -> None:
        """Close what the backend has opened, such as an HTTP session of its own."""


RECONCILE, STATES, LISTING = "reconcile", "states", "listing"
"""What an option of a backend is for: bringing a fleet to its state, showing states of members, listing members."""


@dataclass(frozen=True)
class Option:
    """An option that a backend brings.

    :param spec: as in an argument spec; ``no_log`` marks a secret.
    :param purposes: those of ``RECONCILE``, ``STATES`` and ``LISTING`` that it is for.
    """

    spec: Mapping[str, Any]
    purposes: frozenset[str]


class Rules:
    """The half of a backend that only computes. A backend overrides what differs from here.

    :cvar needs_product: whether its members are devices of a product.
    :cvar needs_login: whether it needs a login to the Particle cloud.
    :cvar needs_gateway: whether a network with nodes must have a gateway.
    :cvar options: what a task can set, by name.
    :cvar identities: keys of a record that identify a member. Alone, they stand for a device that the Particle cloud
        does not know. They reach the backend in ``Board.identities``, and in ``Membership.extra`` of a device that
        joins; a device that has one may have to leave a network of the backend.
    :cvar network_keys: keys of a network that only this backend knows; ``member_keys`` likewise of ``mesh``.
    :cvar row_keys: keys of a device in the cloud's lists that show its membership.
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

    # --- the manifest: each method notes mistakes at the reader and never repeats a secret ---

    def check_name(self, reader: PartReader, name: Any, place: Place) -> None:
        """Check the name of a network."""
        reader.text(name, place)

    def check_parameters(self, reader: PartReader, parameters: Mapping[str, Any], place: Place) -> None:
        """Check the ``parameters`` of a network."""

    def read_network(self, reader: PartReader, network: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Read what ``network_keys`` declare, also of a network that is to be dissolved."""
        return {key: network[key] for key in self.network_keys if key in network}

    def read_member(self, reader: PartReader, mesh: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
        """Read what ``member_keys`` declare."""
        return {key: mesh[key] for key in self.member_keys if key in mesh}

    def read_identity(self, reader: PartReader, key: str, value: Any, place: Place) -> str | None:
        """Read what identifies a member; ``None`` when it is not valid."""
        return reader.text(value, place).strip() or None

    def read_gateway(self, reader: PartReader, value: Any, place: Place) -> str | None:
        """Read one of the ``gateways`` of a network; ``None`` when it is not valid."""
        return reader.device_id(value, place)

    def secrets_of(self, network: Network, members: Iterable[Membership]) -> Iterable[str]:
        """Return what is declared and must never be shown, whatever an error or a warning quotes."""
        return ()

    # --- facts: `row` is a device as a list shows it, or its facts ---

    def shows(self, groups: frozenset[str], board: Board) -> bool:
        """Return whether the lists show that a device may be in a network of this backend."""
        return False

    def membership_in(self, row: Mapping[str, Any]) -> Membership | None:
        """Return the membership that a row shows."""
        return None

    def state_in(self, row: Mapping[str, Any], membership: Membership) -> str | None:
        """Return the state of a member that a row shows; ``None`` where ``Backend.verify`` must be asked."""
        return None

    def can_list(self, options: Mapping[str, Any]) -> bool:
        """Return whether ``options`` say where to list members that the Particle cloud does not know."""
        return False

    # --- export: what `device_info` writes into a manifest ---

    def is_exported(self, row: Mapping[str, Any]) -> bool:
        """Return whether a manifest can declare the membership that a row shows."""
        return False

    def export_network(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what a manifest declares of a network under ``network_keys``, without secrets."""
        return {}
