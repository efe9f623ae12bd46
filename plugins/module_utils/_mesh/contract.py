# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet and a mesh backend say to each other. Private to this collection.

A backend is one file with four functions: :meth:`Backend.observe`, ``plan``, ``apply`` and ``verify``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # what is pure stands on these types and must not bring in what talks to a cloud
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import Product
    from ansible_collections.meshfleet.particle.plugins.module_utils._http import Http

RESERVED_GROUPS = "mesh-"
"""Device groups that start so belong to the mesh; nobody declares them."""

GATEWAY = "gateway"
NODE = "node"
ROLES = (GATEWAY, NODE)

JOINED = "joined"
JOINING = "joining"
LOST = "lost"


@dataclass(frozen=True)
class Network:
    """A declared network. ``gateways`` are the ids of all its gateways, ``parameters`` may hold join keys.

    ``parameters`` that are ``None`` are not declared: its members keep theirs, and a new one gets those of the others.
    """

    name: str
    gateways: tuple[str, ...]
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Membership:
    """Where a device belongs: the network's name and ``gateway`` or ``node``."""

    network: str
    role: str

    def as_result(self) -> dict[str, str]:
        return {"network": self.network, "role": self.role}


@dataclass(frozen=True)
class MemberPlan:
    """What one device needs to get where it belongs.

    :param write: for ``apply``, ``None`` when nothing is to be written.
    :param changes: ``{field: (before, after)}`` as shown to the user, free of secrets.
    :param joins: whether it belongs into a network, and so needs what the plan's ``setup`` makes.
    """

    add_groups: frozenset[str]
    remove_groups: frozenset[str]
    write: Any
    changes: Mapping[str, tuple[Any, Any]]
    joins: bool = True


@dataclass(frozen=True)
class MeshPlan:
    """Writes that come first, once, and the plan of each device that is declared in or out of a mesh.

    :param creates: the names of what ``setup`` makes, by kind, as shown to the user.
    """

    setup: tuple[Any, ...]
    members: Mapping[str, MemberPlan]
    creates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Backend(Protocol):
    """How networks are realised on a cloud."""

    def observe(self, http: Http, product: Product, devices: frozenset[str], warn: Callable[[str], None]) -> Any:
        """Read what is there for ``devices``. :raises ParticleError: ``unsupported``, before any write."""

    def plan(
        self,
        networks: Mapping[str, Network],
        wanted: Mapping[str, Membership | None],
        groups_of: Mapping[str, frozenset[str]],
        observed: Any,
    ) -> MeshPlan:
        """From declared and observed to what is to be written; a pure function.

        :param wanted: for each declared device where it belongs, ``None`` for nowhere.
        :param groups_of: the device groups each of them has.
        """

    def apply(self, http: Http, product: Product, write: Any) -> None:
        """Carry out one write of a plan."""

    def verify(
        self, http: Http, product: Product, wanted: Mapping[str, Membership], warn: Callable[[str], None]
    ) -> Mapping[str, str]:
        """What the members report of themselves: ``joined``, ``joining`` or ``lost`` for each of ``wanted``."""
