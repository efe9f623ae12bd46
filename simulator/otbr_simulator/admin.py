# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The admin routes below `/_simulator/`, with which tests read and change the state of the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otbr_simulator.commissioner import FIRST_KNOCK_SECONDS, plan_knock
from otbr_simulator.describe import describe_node, describe_router, describe_world
from otbr_simulator.errors import Refusal
from otbr_simulator.messages import refusal_reply
from otbr_simulator.nodes import Node
from otbr_simulator.settings import NodeSettings, SettingsError, check_node_values, parse_node
from otbr_simulator.simulation import Simulation
from simulator_base.errors import InvalidInput
from simulator_base.messages import Reply, json_reply

ADMIN_PREFIX = "/_simulator/"
ALL_NODES = "*"
MAX_ADVANCE_SECONDS = 100 * 365 * 86400.0
NODE_CHANGES = {"powered", "in_reach", "joining", "pskd", "poll_seconds", "reset"}
ROUTER_CHANGES = {"running", "restart"}


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin routes of a simulation.

    :ivar addresses: returns the address of each border router, keyed by name.
    """

    simulation: Simulation
    addresses: Callable[[], dict[str, str]]

    def answer(self, method: str, name: str, content: Any) -> Reply:
        """Carry out an admin request and return the response."""
        resource, _unused, target = name.partition("/")
        handler = HANDLERS.get((method, resource, bool(target)))
        if handler is None:
            return refusal_reply(Refusal(404, f"{method} {name} is not an admin route"))
        self.simulation.world.run_due()
        try:
            return json_reply(handler(self, target, content))
        except (InvalidInput, SettingsError) as error:
            return refusal_reply(Refusal(400, str(error)))
        except Refusal as refusal:
            return refusal_reply(refusal)

    # ------------------------------------------------------------------ state and counters

    def get_state(self, target: str, content: Any) -> Any:
        """Return the true state, with the address of each border router."""
        state = describe_world(self.simulation.world)
        return state | {"routers": self.list_routers(target, content)}

    def get_stats(self, target: str, content: Any) -> Any:
        """Return the counters of requests."""
        return self.simulation.stats.describe()

    def list_writes(self, target: str, content: Any) -> Any:
        """Return the latest requests that were not reads, oldest first."""
        return self.simulation.stats.list_writes()

    def reset(self, target: str, content: Any) -> Any:
        """Restore the start state. The body can choose the seed."""
        seed = None if content is None else _check_object(content, {"seed"})["seed"]
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            raise InvalidInput("seed must be an integer")
        self.simulation.reset(seed=seed)
        return {"ok": True}

    # ------------------------------------------------------------------ faults and time

    def list_faults(self, target: str, content: Any) -> Any:
        """Return all faults of the schedule."""
        return self.simulation.faults.describe()

    def add_faults(self, target: str, content: Any) -> Any:
        """Add faults to the schedule."""
        self.simulation.faults.add(content, {route.key for route in self.simulation.routes})
        return self.simulation.faults.describe()

    def clear_faults(self, target: str, content: Any) -> Any:
        """Remove all faults from the schedule."""
        self.simulation.faults.clear()
        return []

    def get_clock(self, target: str, content: Any) -> Any:
        """Return the simulated time, and the number of seconds by which tests have moved the clock forward."""
        clock = self.simulation.world.clock
        return {"now": clock.now(), "advanced": clock.turned, "speed": clock.speed}

    def advance_clock(self, target: str, content: Any) -> Any:
        """Move the clock forward, run what is due, and return the new time."""
        seconds = _check_object(content, {"advance"})["advance"]
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
            raise InvalidInput("advance must be a number of seconds")
        if not 0 <= seconds <= MAX_ADVANCE_SECONDS:
            raise InvalidInput("advance must be a number of seconds from 0 to 3153600000 (a century)")
        self.simulation.world.clock.advance(seconds)
        self.simulation.world.run_due()
        return self.get_clock(target, content)

    # ------------------------------------------------------------------ nodes

    def list_nodes(self, target: str, content: Any) -> Any:
        """Return all nodes."""
        return [describe_node(node) for node in self.simulation.world.nodes.values()]

    def add_nodes(self, target: str, content: Any) -> Any:
        """Add nodes from a list of objects with `eui64`, `pskd` and further keys."""
        if not isinstance(content, list):
            raise InvalidInput("the body must be a JSON list of nodes")
        world = self.simulation.world
        settings = [parse_node(entry) for entry in content]
        known = [each.eui64 for each in settings if each.eui64 in world.nodes]
        if known or len({each.eui64 for each in settings}) < len(settings):
            raise InvalidInput(f"each EUI-64 must be unique; already used: {', '.join(known) or 'in this list'}")
        for each in settings:
            self._add_node(each)
        return [describe_node(world.nodes[each.eui64]) for each in settings]

    def _add_node(self, settings: NodeSettings) -> None:
        world = self.simulation.world
        world.nodes[settings.eui64] = node = Node(world, settings)
        plan_knock(world, node, FIRST_KNOCK_SECONDS)

    def change_node(self, target: str, content: Any) -> Any:
        """Change one node, or all nodes with the target `*`."""
        world = self.simulation.world
        changes = _check_object(content, NODE_CHANGES)
        check_node_values(changes)
        if not isinstance(changes.get("reset", False), bool):
            raise InvalidInput("reset must be true or false")
        if target != ALL_NODES and target.lower() not in world.nodes:
            raise Refusal(404, f"node {target} does not exist")
        nodes = list(world.nodes.values()) if target == ALL_NODES else [world.nodes[target.lower()]]
        for node in nodes:
            self._apply_changes(node, changes)
        return [describe_node(node) for node in nodes] if target == ALL_NODES else describe_node(nodes[0])

    def _apply_changes(self, node: Node, changes: dict[str, Any]) -> None:
        if changes.get("reset"):
            node.reset()
        for name in ("pskd", "joining", "poll_seconds"):
            if name in changes:
                setattr(node, name, changes[name])
        node.set_audible(powered=changes.get("powered", node.powered), in_reach=changes.get("in_reach", node.in_reach))
        plan_knock(self.simulation.world, node, FIRST_KNOCK_SECONDS)

    # ------------------------------------------------------------------ border routers

    def list_routers(self, target: str, content: Any) -> Any:
        """Return all border routers with their addresses."""
        addresses = self.addresses()
        routers = self.simulation.world.routers.values()
        return [{"url": addresses.get(router.name), **describe_router(router)} for router in routers]

    def add_router(self, target: str, content: Any) -> Any:
        """Add a border router without a network, on a port of its own."""
        name = self.simulation.add_router().name
        return next(row for row in self.list_routers(target, content) if row["name"] == name)

    def change_router(self, target: str, content: Any) -> Any:
        """Stop, start or restart the program of a border router. While it is stopped, its port refuses connections."""
        changes = _check_object(content, ROUTER_CHANGES)
        router = self.simulation.world.routers.get(target)
        if router is None:
            raise Refusal(404, f"border router {target} does not exist")
        if not all(isinstance(value, bool) for value in changes.values()):
            raise InvalidInput("running and restart must be true or false")
        if changes.get("restart") or changes.get("running") is False:
            router.stop_program()
        if changes.get("restart") or changes.get("running"):
            router.start_program()
        return describe_router(router)


def _check_object(content: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(content, dict) or not content or set(content) - keys:
        raise InvalidInput(f"the body must be a JSON object with some of the keys {', '.join(sorted(keys))}")
    return content


HANDLERS: dict[tuple[str, str, bool], Callable[[Admin, str, Any], Any]] = {
    ("GET", "state", False): Admin.get_state,
    ("GET", "stats", False): Admin.get_stats,
    ("GET", "writes", False): Admin.list_writes,
    ("POST", "reset", False): Admin.reset,
    ("GET", "faults", False): Admin.list_faults,
    ("POST", "faults", False): Admin.add_faults,
    ("DELETE", "faults", False): Admin.clear_faults,
    ("GET", "clock", False): Admin.get_clock,
    ("POST", "clock", False): Admin.advance_clock,
    ("GET", "nodes", False): Admin.list_nodes,
    ("POST", "nodes", False): Admin.add_nodes,
    ("POST", "nodes", True): Admin.change_node,
    ("GET", "routers", False): Admin.list_routers,
    ("POST", "routers", False): Admin.add_router,
    ("POST", "routers", True): Admin.change_router,
}
