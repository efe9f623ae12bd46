# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A running simulator without the HTTP part: the world, the routes, the statistics and the faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from otbr_simulator import rules
from otbr_simulator.border_router import BorderRouter
from otbr_simulator.errors import Refusal
from otbr_simulator.messages import ON_EVERY_RESPONSE, Call, refusal_reply
from otbr_simulator.nodes import Node
from otbr_simulator.routes import METHODS, Route, build_routes
from otbr_simulator.settings import MAX_ROUTERS, Settings
from otbr_simulator.stats import Stats
from otbr_simulator.world import World
from simulator_base.errors import InvalidInput
from simulator_base.faults import Faults
from simulator_base.messages import Reply


class Simulation:
    """The simulated border routers and nodes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.routes = build_routes(settings)
        self._build_start_state(settings)

    def reset(self, *, seed: int | None = None) -> None:
        """Restore the start state. The border routers of the start keep their names, and added ones disappear."""
        self._build_start_state(self._settings if seed is None else replace(self._settings, seed=seed))

    def _build_start_state(self, settings: Settings) -> None:
        self.world = World(settings)
        self.stats = Stats()
        self.faults = Faults(settings.seed, {})
        for _unused in range(settings.routers):
            self.add_router()
        for node in settings.nodes:
            self.world.nodes[node.eui64] = Node(self.world, node)

    def add_router(self) -> BorderRouter:
        """Add a border router without a network, in radio reach of all others."""
        if len(self.world.routers) >= MAX_ROUTERS:
            raise InvalidInput(f"there can be at most {MAX_ROUTERS} border routers")
        name = f"router{len(self.world.routers) + 1}"
        self.world.routers[name] = router = BorderRouter(self.world, name)
        return router

    def find_route(self, call: Call) -> Route | None:
        """Return the route of a request, and store the parameters of its path in the call."""
        for route in self.routes:
            values = route.match(call.method, call.path)
            if values is not None:
                call.values = values
                return route
        return None

    def make_call(
        self,
        router: BorderRouter,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> tuple[Route | None, Call]:
        """Run what is due, and count a request. Return its route, or None if it has no route."""
        self.world.run_due()
        call = Call(self.world, router, method, path, query, headers, body)
        route = self.find_route(call)
        self.stats.count_request(route, call)
        return route, call

    def answer(self, route: Route | None, call: Call) -> Reply:
        """Carry out a request and return the response. Afterwards the main loop of the border router turns once."""
        try:
            reply = self._carry_out(route, call)
        except Refusal as refusal:
            headers = {"Allow": ", ".join(METHODS)} if refusal.status == 405 else {}
            reply = refusal_reply(refusal, headers)
        reply.headers.update(ON_EVERY_RESPONSE)
        if route is not None:
            self.stats.record_status(route, reply.status)
        call.router.tasks.turn()
        return reply

    def _carry_out(self, route: Route | None, call: Call) -> Reply:
        if call.method not in METHODS:
            raise Refusal(405, "method not supported")
        if route is None:
            raise Refusal(404)
        if route.is_checked:
            rules.check_characters(call.path, call.query, call.headers, call.body)
        return route.handler(call)
