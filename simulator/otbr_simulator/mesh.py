# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The simulated radio network: its members, their roles and addresses, and the election of a leader.

A member is a border router or a node. Members whose datasets have the same key, channel, PAN id and extended PAN id
form one partition. All members are in radio reach of each other, unless `in_reach` is false.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random

from otbr_simulator import tlvs as tlv
from otbr_simulator.tlvs import Tlvs

MAX_CHILDREN = 64
"""The number of children of a router (otbr-rest.md, section 7)."""
ROUTERS_BY_THEMSELVES = 16
"""A child becomes a router by itself only while the network has fewer routers than this."""
LEADER_TIMEOUT_SECONDS = 126.0
"""The time until another router replaces a leader that has disappeared (otbr-rest.md, section 7)."""
NO_RLOC16 = 0xFFFE

DISABLED, DETACHED, CHILD, ROUTER, LEADER = "disabled", "detached", "child", "router", "leader"
ROUTING = (ROUTER, LEADER)
ATTACHED = (CHILD, *ROUTING)


def get_credentials(dataset: Tlvs) -> tuple[bytes | None, ...]:
    """Return the values by which a member recognises its network."""
    return tuple(dataset.get(kind) for kind in (tlv.NETWORK_KEY, tlv.CHANNEL, tlv.PAN_ID, tlv.EXTENDED_PAN_ID))


class Member(ABC):
    """A border router or a node: its dataset, its addresses, and its place in a partition."""

    is_border_router = False
    eui64: str
    """16 hexadecimal digits in lower case."""
    kind = "ftd"

    def __init__(self, random: Random) -> None:
        self._random = random
        self.dataset: Tlvs | None = None
        self.role = DISABLED
        self.partition: Partition | None = None
        self.parent: Member | None = None
        self.router_id: int | None = None
        self.rloc16 = NO_RLOC16
        self.link_margin = random.randint(20, 60)
        self.epoch = 0
        """A counter that changes whenever planned changes of the role become void."""
        self.renew_address()

    @property
    def can_route(self) -> bool:
        """Whether the member can become a router."""
        return True

    @property
    def response_seconds(self) -> float:
        """The time until the member hears a message."""
        return 0.0

    @property
    def is_attached(self) -> bool:
        """Whether the member is in a partition at present."""
        return self.role in ATTACHED

    @abstractmethod
    def attach(self) -> None:
        """Attach to the network of the dataset."""

    def renew_address(self) -> None:
        """Give the member a new random extended address and a new interface identifier."""
        self.ext_address = self._random.randbytes(8).hex()
        self.iid = self._random.randbytes(8).hex()

    def detach(self, role: str) -> None:
        """Take the member out of its partition, and void all planned changes of its role."""
        self.epoch += 1
        if self.partition is not None:
            self.partition.remove(self)
        self.role = role


class Partition:
    """The members that are attached to each other at present."""

    def __init__(self, random: Random, dataset: Tlvs) -> None:
        self._random = random
        self.id = random.getrandbits(32)
        self.dataset = dataset
        self.members: list[Member] = []
        self.leader: Member | None = None
        self.former_leader: Member | None = None
        self.leader_router_id = 0
        self.data_version = random.randrange(256)
        self.stable_version = random.randrange(256)
        self.busy_until = 0.0
        """The end of the joining handshake that is under way. There is only one at a time in the whole network."""

    @property
    def routers(self) -> list[Member]:
        """The members that are routers, including the leader."""
        return [member for member in self.members if member.role in ROUTING]

    def children_of(self, parent: Member) -> list[Member]:
        """Return the children of a router."""
        return [member for member in self.members if member.role == CHILD and member.parent is parent]

    def add_leader(self, member: Member) -> None:
        """Add a member that leads the partition, or make a member its leader."""
        self._add(member)
        self._make_router(member)
        member.role = LEADER
        self.leader, self.leader_router_id = member, member.router_id or 0

    def add_child(self, member: Member) -> bool:
        """Add a member as a child of a router with a free place. Return False if all routers are full."""
        parents = [router for router in self.routers if len(self.children_of(router)) < MAX_CHILDREN]
        if not parents:
            return False
        self._add(member)
        member.parent = self._random.choice(parents)
        member.role = CHILD
        self._number_child(member)
        return True

    def promote(self, member: Member) -> None:
        """Make a child a router, which gives it a new RLOC16."""
        self._make_router(member)
        member.role = ROUTER

    def remove(self, member: Member) -> None:
        """Take a member out. Its children look for other parents; a lost leader leaves its place empty."""
        self.members.remove(member)
        orphans = self.children_of(member)
        member.partition = member.parent = member.router_id = None
        member.rloc16 = NO_RLOC16
        if self.leader is member:
            self.leader, self.former_leader = None, member
        for orphan in orphans:
            self._find_parent(orphan)

    def elect(self) -> Member | None:
        """Give a partition without a leader a new one, a border router if possible. Return the new leader."""
        if self.leader is not None:
            return None
        candidates = self.routers or [member for member in self.members if member.can_route]
        if not candidates:
            return None
        leader = next((member for member in candidates if member.is_border_router), candidates[0])
        self.add_leader(leader)
        for member in self.members:
            if member.role == CHILD and (member.parent is None or member.parent.partition is not self):
                self._find_parent(member)
        return leader

    def _add(self, member: Member) -> None:
        if member.partition is not self:
            member.partition = self
            self.members.append(member)

    def _make_router(self, member: Member) -> None:
        if member.router_id is None:
            used = {router.router_id for router in self.members}
            member.router_id = self._random.choice([number for number in range(63) if number not in used])
        member.parent = None
        member.rloc16 = member.router_id << 10

    def _find_parent(self, child: Member) -> None:
        """Give a child another parent. Without a free place, the child keeps its address until there is one."""
        parents = [router for router in self.routers if len(self.children_of(router)) < MAX_CHILDREN]
        child.parent = self._random.choice(parents) if parents else None
        if child.parent is not None:
            self._number_child(child)

    def _number_child(self, child: Member) -> None:
        assert child.parent is not None
        used = {other.rloc16 & 0x1FF for other in self.children_of(child.parent) if other is not child}
        child.rloc16 = child.parent.rloc16 | next(number for number in range(1, 512) if number not in used)
