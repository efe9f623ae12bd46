# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The state of a simulation: the clock, planned actions, border routers, nodes and partitions."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from otbr_simulator.mesh import DETACHED, LEADER_TIMEOUT_SECONDS, Member, Partition, get_credentials
from otbr_simulator.settings import Settings
from otbr_simulator.tlvs import Tlvs
from simulator_base.agenda import Agenda
from simulator_base.clock import CLOCKS

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter
    from otbr_simulator.nodes import Node


class World:
    """Everything that is simulated. A new world has no border routers and no nodes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = CLOCKS[settings.clock](settings.speed)
        self.agenda = Agenda()
        self.random = Random(f"otbr {settings.seed}")
        self.routers: dict[str, BorderRouter] = {}
        self.nodes: dict[str, Node] = {}
        self.partitions: list[Partition] = []

    def now(self) -> float:
        """Return the simulated time in seconds since the epoch."""
        return self.clock.now()

    def plan(self, seconds: float, action: Callable[[], object]) -> None:
        """Run an action after some seconds of simulated time."""
        self.agenda.add(self.now() + seconds, action)

    def run_due(self) -> None:
        """Run all planned actions that are due."""
        self.agenda.run_due(self.clock)

    def make_uuid(self) -> str:
        """Return a random id."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    # ------------------------------------------------------------------ partitions

    def find_partition(self, dataset: Tlvs) -> Partition | None:
        """Return the partition with the same credentials that has members at present."""
        wanted = get_credentials(dataset)
        found = (each for each in self.partitions if each.members and get_credentials(each.dataset) == wanted)
        return next(found, None)

    def form_partition(self, leader: Member) -> None:
        """Form a new partition with one member, which is its leader."""
        assert leader.dataset is not None
        self.partitions = [each for each in self.partitions if each.members]
        partition = Partition(self.random, leader.dataset)
        self.partitions.append(partition)
        partition.add_leader(leader)

    def merge_partitions(self, changed: Partition) -> None:
        """Let the members of a changed partition attach to another one with the same credentials, if there is one."""
        others = (each for each in self.partitions if each is not changed and each.members)
        if any(get_credentials(each.dataset) == get_credentials(changed.dataset) for each in others):
            members = list(changed.members)
            for member in members:
                member.detach(DETACHED)
            for member in members:
                member.attach()

    def take_off(self, member: Member, role: str) -> None:
        """Take a member out of its partition. If it was the leader, plan the election of another one."""
        partition = member.partition
        was_leader = partition is not None and partition.leader is member
        member.detach(role)
        if was_leader and partition is not None:
            self.plan(LEADER_TIMEOUT_SECONDS, partition.elect)
