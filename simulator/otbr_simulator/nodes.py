# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Simulated nodes: boards with an EUI-64 and a PSKd that join a network, lose their power and are reset."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from otbr_simulator.mesh import CHILD, DETACHED, DISABLED, ROUTERS_BY_THEMSELVES, Member
from otbr_simulator.settings import NodeSettings
from otbr_simulator.tlvs import Tlvs
from otbr_simulator.world import World

ATTACH_SECONDS = 1.5
FORM_SECONDS = 7.0
PROMOTION_SECONDS = (20.0, 120.0)
"""The time from joining until a child becomes a router (otbr-rest.md, section 9)."""


def derive_joining_address(eui64: str) -> str:
    """Return the extended address of a node while it tries to join (otbr-rest.md, section 5)."""
    digest = bytearray(sha256(bytes.fromhex(eui64)).digest()[:8])
    digest[0] |= 2
    return digest.hex()


class Node(Member):
    """A node. Its extended address is random after each join, and another one after the next."""

    def __init__(self, world: World, settings: NodeSettings) -> None:
        super().__init__(world.random)
        self._world = world
        self.eui64 = settings.eui64
        self.pskd = settings.pskd
        self.kind = settings.kind
        self.powered = settings.powered
        self.joining = settings.joining
        self.poll_seconds = settings.poll_seconds
        self.in_reach = settings.in_reach
        self.knock_planned = False
        self.joins = 0
        """The number of times that this node has joined a network."""
        self.last_join = ""
        """The result of the last handshake as the node sees it: `ok`, `security`, or nothing."""
        self.ext_address = derive_joining_address(self.eui64)

    @property
    def state(self) -> str:
        """The state of the node: `off`, `in` (has a network), `joining` or `out`."""
        if not self.powered:
            return "off"
        if self.dataset is not None:
            return "in"
        return "joining" if self.joining else "out"

    @property
    def can_route(self) -> bool:
        """Whether the node is a full Thread device."""
        return self.kind == "ftd"

    @property
    def response_seconds(self) -> float:
        """The time until the node hears a message: none, or the time until its next poll."""
        return self.poll_seconds if self.kind == "sleepy" else 0.0

    @property
    def is_audible(self) -> bool:
        """Whether the node has power and its radio reaches the others."""
        return self.powered and self.in_reach

    @property
    def can_knock(self) -> bool:
        """Whether the node tries to join a network at present."""
        return self.state == "joining" and self.in_reach

    def join(self, dataset: Tlvs) -> None:
        """Take over the dataset of a network after a successful handshake, with a new random address."""
        self.dataset = dict(dataset)
        self.renew_address()
        self.joins += 1
        self.attach()

    def attach(self) -> None:
        """Attach to the network of the dataset at once if its members are there, and form it alone if they are not."""
        if self.dataset is None or not self.is_audible or self.is_attached:
            return
        self.role = DETACHED
        partition = self._world.find_partition(self.dataset)
        if partition is not None and partition.add_child(self):
            self._plan_promotion()
        elif self.can_route:
            self._plan(FORM_SECONDS, self._form)

    def set_audible(self, *, powered: bool, in_reach: bool) -> None:
        """Switch the power or the radio on or off. A node that comes back attaches by itself."""
        was_audible = self.is_audible
        self.powered, self.in_reach = powered, in_reach
        if was_audible and not self.is_audible:
            self._world.take_off(self, DISABLED)
        elif self.is_audible and not was_audible:
            self._plan(ATTACH_SECONDS, self.attach)

    def reset(self) -> None:
        """Make the node forget its network, as its reset button does."""
        self._world.take_off(self, DISABLED)
        self.dataset = None
        self.ext_address = derive_joining_address(self.eui64)

    def _form(self) -> None:
        assert self.dataset is not None
        if self._world.find_partition(self.dataset) is None:
            self._world.form_partition(self)
        else:
            self.attach()

    def _plan_promotion(self) -> None:
        if self.can_route:
            self._plan(self._random.uniform(*PROMOTION_SECONDS), self._become_router)

    def _become_router(self) -> None:
        partition = self.partition
        if self.role == CHILD and partition is not None and len(partition.routers) < ROUTERS_BY_THEMSELVES:
            partition.promote(self)

    def _plan(self, seconds: float, action: Callable[[], object]) -> None:
        epoch = self.epoch
        self._world.plan(seconds, lambda: action() if self.epoch == epoch else None)
