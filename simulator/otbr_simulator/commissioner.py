# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The commissioner of a border router: its small joiner table, and the handshakes with nodes that try to join.

See otbr-rest.md, section 4.2, and otbr-rest.md, section 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otbr_simulator.border_router import BorderRouter
    from otbr_simulator.nodes import Node
    from otbr_simulator.world import World

VALID_PSKD = re.compile(r"[0-9A-HJ-NPR-Y]{6,32}")
HANDSHAKE_SECONDS = 2.0
PETITION_SECONDS = 0.05
RESTART_SECONDS = 1.5
"""The time until running tasks restart a commissioner that a client has switched off."""
FIRST_KNOCK_SECONDS = (5.0, 8.5)
KNOCK_SECONDS = (5.5, 8.5)
"""The time between two attempts of a node: the scan, and the wait of 2 to 5 seconds."""
BUSY_SECONDS = (10.0, 30.0)
"""The time until a node that found the commissioner busy tries again, in the slowest case."""

OFF, PETITIONING, ACTIVE = "disabled", "petitioning", "active"
TASKS, LEGACY = "tasks", "legacy"


@dataclass(eq=False, slots=True)
class Joiner:
    """A place in the joiner table.

    :ivar eui64: the node that may join, or None for a discerner.
    :ivar ends_at: the time at which the place becomes free.
    :ivar on_attempt: called when a handshake begins.
    :ivar on_end: called when a handshake ends, successful or not.
    """

    eui64: str | None
    discerner: str | None
    pskd: str
    ends_at: float
    on_attempt: Callable[[], object] = lambda: None
    on_end: Callable[[], object] = lambda: None
    in_handshake: bool = False

    def show(self, now: float) -> dict[str, Any]:
        """Return the entry of the list of joiners. `timeout` is in milliseconds."""
        identity = {"discerner": self.discerner} if self.eui64 is None else {"eui": self.eui64}
        return {"pskd": self.pskd, **identity, "timeout": max(0, int((self.ends_at - now) * 1000))}


class Commissioner:
    """The commissioner of one border router."""

    def __init__(self, world: World, router: BorderRouter, places: int) -> None:
        self._world = world
        self._router = router
        self.places = places
        self.state = OFF
        self.owner: str | None = None
        self.joiners: list[Joiner] = []

    def start(self, owner: str) -> bool:
        """Start the commissioner for tasks or for the legacy list. Return False if it cannot serve this owner."""
        if not self._router.is_attached or self.owner not in (None, owner):
            return False
        self.owner = owner
        if self.state == OFF:
            self.state = PETITIONING
            self._world.plan(PETITION_SECONDS, self._become_active)
        return True

    def _become_active(self) -> None:
        if self.state == PETITIONING:
            self.state = ACTIVE
            for joiner in self.joiners:
                self._wake_node(joiner)

    def stop(self) -> None:
        """Stop the commissioner, and empty the joiner table."""
        self.state, self.owner = OFF, None
        self.joiners.clear()

    def interrupt(self, has_tasks: Callable[[], bool]) -> None:
        """Switch the commissioner off on request of a client. Running tasks start it again after a moment."""
        if self.owner == TASKS and has_tasks():
            self.state = OFF
            self._world.plan(RESTART_SECONDS, lambda: self.start(TASKS) if has_tasks() else None)
        else:
            self.stop()

    # ------------------------------------------------------------------ the joiner table

    @property
    def is_full(self) -> bool:
        """Whether all places are in use."""
        return len(self.joiners) >= self.places

    def add(self, joiner: Joiner) -> bool:
        """Put a joiner into the table. Return False if the table is full or the PSKd is invalid."""
        if self.is_full or not VALID_PSKD.fullmatch(joiner.pskd):
            return False
        self.joiners.append(joiner)
        self._wake_node(joiner)
        return True

    def remove(self, joiner: Joiner) -> None:
        """Free the place of a joiner."""
        if joiner in self.joiners:
            self.joiners.remove(joiner)

    def find(self, eui64: str) -> Joiner | None:
        """Return the joiner with this EUI-64, or None."""
        return next((joiner for joiner in self.joiners if joiner.eui64 == eui64), None)

    def show(self) -> list[dict[str, Any]]:
        """Return the list of joiners."""
        return [joiner.show(self._world.now()) for joiner in self.joiners] if self.state != OFF else []

    def _wake_node(self, joiner: Joiner) -> None:
        node = self._world.nodes.get(joiner.eui64 or "")
        if node is not None:
            plan_knock(self._world, node, FIRST_KNOCK_SECONDS)

    def admits(self, node: Node) -> Joiner | None:
        """Return the joiner for a node that tries to join, or None if the commissioner does not expect the node."""
        if self.state != ACTIVE or not self._router.is_attached:
            return None
        joiner = self.find(node.eui64)
        return joiner if joiner is not None and not joiner.in_handshake else None

    def begin_handshake(self, joiner: Joiner, node: Node) -> None:
        """Begin the handshake with a node. It keeps the commissioners of the whole network busy."""
        partition = self._router.partition
        assert partition is not None
        partition.busy_until = self._world.now() + HANDSHAKE_SECONDS
        joiner.in_handshake = True
        joiner.on_attempt()
        self._world.plan(HANDSHAKE_SECONDS, lambda: self._end_handshake(joiner, node))

    def _end_handshake(self, joiner: Joiner, node: Node) -> None:
        if joiner in self.joiners and self._router.dataset is not None and node.can_knock:
            node.last_join = "ok" if node.pskd == joiner.pskd else "security"
            if node.last_join == "ok":
                node.join(self._router.dataset)
            # The place is used up in both cases, and a task says `completed` in both cases.
            self.remove(joiner)
            joiner.on_end()
        elif joiner in self.joiners:
            joiner.in_handshake = False
        plan_knock(self._world, node, KNOCK_SECONDS)


def plan_knock(world: World, node: Node, seconds: tuple[float, float]) -> None:
    """Plan the next attempt of a node to join, unless one is planned."""
    if node.can_knock and not node.knock_planned:
        node.knock_planned = True
        world.plan(world.random.uniform(*seconds), lambda: _knock(world, node))


def _knock(world: World, node: Node) -> None:
    """Let a node try to join.

    If no commissioner expects the node, no further attempt is planned: adding a joiner plans one.
    """
    node.knock_planned = False
    if not node.can_knock:
        return
    for router in world.routers.values():
        joiner = router.commissioner.admits(node)
        if joiner is None or router.partition is None:
            continue
        if router.partition.busy_until > world.now():
            plan_knock(world, node, BUSY_SECONDS)
        else:
            router.commissioner.begin_handshake(joiner, node)
        return
