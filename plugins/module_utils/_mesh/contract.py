# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet and a mesh backend say to each other. Private to this collection.

A backend is one file with four functions: :meth:`Backend.observe`, ``plan``, :meth:`Writer.apply` and ``verify``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError

if TYPE_CHECKING:  # what is pure stands on these types and must not bring in what talks to a cloud
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target

LEDGER = "ledger"
NETWORKS = "networks"
BACKENDS = (LEDGER, NETWORKS)
"""The names by which a network says how it is realised."""

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


_LEDGER_NAME = re.compile(r"[a-z0-9-]{1,32}\Z")


def ledger_name(name: str) -> str:
    """Return ``name`` if a ledger can have it (endpoints.yml: ledgers).

    :raises ParticleError: ``invalid_option`` otherwise.
    """
    if not _LEDGER_NAME.match(name):
        message = f"{name!r} is not a valid ledger name: use 1 to 32 of a-z, 0-9 and -."
        raise ParticleError("invalid_option", message, hint="Correct mesh_ledger or mesh_status_ledger.")
    return name


@dataclass(frozen=True)
class Ledgers:
    """The names of the two ledgers of backend ``ledger``: of what members are told, and of what they report.

    :raises ParticleError: ``invalid_option`` for names that no ledgers can have.
    """

    orders: str = "mesh"
    reports: str = "mesh-status"

    def __post_init__(self) -> None:
        if ledger_name(self.orders) == ledger_name(self.reports):
            message = f"mesh_ledger and mesh_status_ledger must be different, got {self.orders} for both."
            raise ParticleError("invalid_option", message, hint="Name two ledgers.")


USUAL_LEDGERS = Ledgers()


@dataclass(frozen=True)
class Network:
    """A declared network. ``gateways`` are the ids of all its gateways, ``parameters`` may hold join keys.

    ``parameters`` that are ``None`` are not declared: its members keep theirs, and a new one gets those of the others.

    :param absent: it is to be dissolved.
    :param size: how many devices are declared to be in it, gateways included.
    """

    name: str
    gateways: tuple[str, ...]
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    backend: str = LEDGER
    absent: bool = False
    size: int = 0

    def without(self, devices: Set[str]) -> Network:
        """The network with none of ``devices`` among its gateways."""
        return replace(self, gateways=tuple(gateway for gateway in self.gateways if gateway not in devices))


@dataclass(frozen=True)
class Membership:
    """Where a device belongs: the network's name and ``gateway`` or ``node``. Two are the same when these are.

    :param parameters: those that this member alone is told, over its network's, key by key; may hold join keys.
    """

    network: str
    role: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def as_result(self) -> dict[str, str]:
        return {"network": self.network, "role": self.role}


@dataclass(frozen=True)
class Board:
    """What the cloud's lists tell of a device that matters to a mesh; ``None`` for what they do not tell.

    :param platform: ``platform_id``; ``device_os``: the version of Device OS; ``network``: the note of the registry
        of Particle Mesh that comes with a member.
    """

    platform: int | None = None
    device_os: str | None = None
    network: Mapping[str, Any] | None = None


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
    """How networks are realised on a cloud."""

    def observe(
        self,
        target: Target,
        networks: Mapping[str, Network],
        boards: Mapping[str, Board],
        ledgers: Ledgers = USUAL_LEDGERS,
    ) -> Any:
        """Read what is there for ``networks`` and for the devices of ``boards``.

        :raises ParticleError: ``unsupported``, before any write, where the cloud has no such networks.
        """

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Any,
    ) -> MeshPlan:
        """From declared and observed to what is to be written; a pure function.

        :param networks: those of this backend.
        :param wanted: for each declared device where it belongs, ``None`` for no network of this backend.
        :param groups_of: the device groups each of them has.
        """

    def verify(
        self,
        target: Target,
        wanted: Mapping[str, Membership],
        reports: str = USUAL_LEDGERS.reports,
    ) -> Mapping[str, str]:
        """What has become of each of ``wanted``, by one list: ``joined``, ``pending``, ``lost``, ``wrong_network``."""
