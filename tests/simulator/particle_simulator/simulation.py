# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""One running simulator apart from HTTP: the world, what is counted, and what is to go wrong."""

from __future__ import annotations

from particle_simulator.bearer import check_bearer
from particle_simulator.errors import Refusal
from particle_simulator.faults import Faults
from particle_simulator.messages import Call, Reply, json_reply, refusal_reply
from particle_simulator.routes import TABLE
from particle_simulator.routes.ledger_instances import describe_ledgers
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.settings import Settings
from particle_simulator.stats import Stats
from particle_simulator.world import World

ADMIN_PREFIX = "/_simulator/"


class Simulation:
    """The cloud behind the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.table = TABLE
        self._route_keys = {route.key for route in TABLE.routes}
        self.reset()

    def reset(self) -> None:
        """Back to the start state: accounts, tokens, fleet, ledgers, counters and faults."""
        self.world = World(self._settings)
        self.stats = Stats()
        self.faults = Faults()

    def answer(self, route: Route, call: Call) -> Reply:
        """Carries out a request."""
        world = self.world
        try:
            if route.auth is Auth.BEARER:
                call.bearer = check_bearer(world, call)
            reply = route.handler(world, call)
        except Refusal as refusal:
            return self.refuse(route, refusal)
        self.stats.answered(route, reply.status)
        if route.kind is Kind.WRITE:
            world.revision += 1
        return reply

    def refuse(self, route: Route, refusal: Refusal) -> Reply:
        """The answer to a request that is not carried out."""
        asks_for_code = refusal.content.get("error") == "mfa_required"
        self.stats.answered(route, refusal.status, asks_for_code=asks_for_code)
        return refusal_reply(refusal)

    def answer_admin(self, method: str, name: str, content: object) -> Reply | None:
        """The routes under `/_simulator/`, for the tests of a client; None for one that is not there."""
        if (method, name) == ("GET", "state"):
            return json_reply(self.world.describe(describe_ledgers(self.world)))
        if (method, name) == ("GET", "stats"):
            return json_reply(self.stats.describe())
        if (method, name) == ("POST", "reset"):
            self.reset()
            return json_reply({"ok": True})
        if (method, name) == ("GET", "faults"):
            return json_reply(self.faults.describe())
        if (method, name) == ("POST", "faults"):
            try:
                self.faults.add(content, self._route_keys)
            except Refusal as refusal:
                return refusal_reply(refusal)
            return json_reply(self.faults.describe())
        return None
