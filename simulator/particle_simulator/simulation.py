# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A running simulator without the HTTP part: the world, the statistics, the limits and the faults."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from particle_simulator import admin
from particle_simulator.bearer import check_bearer
from particle_simulator.error_shapes import SHAPES
from particle_simulator.errors import Refusal
from particle_simulator.limits import TOKEN_ROUTE, Limits
from particle_simulator.messages import Call, Reply, refusal_reply
from particle_simulator.power import run_due_changes
from particle_simulator.routes import build_table
from particle_simulator.routing import Auth, Kind, Route
from particle_simulator.scopes import check_scope
from particle_simulator.settings import Settings
from particle_simulator.start_state import build_world
from particle_simulator.stats import Stats
from simulator_base.faults import Faults

ADMIN_PREFIX = "/_simulator/"

MAX_WRITES = 20_000
"""The maximum number of writes that are stored. Older writes are dropped."""


class Simulation:
    """The simulated cloud, to which the HTTP server passes requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.table = build_table(settings)
        self.route_keys = {route.key for route in self.table.routes}
        self._build_start_state(settings)

    def reset(self, *, seed: int | None = None, bad_updates: float | None = None) -> None:
        """Restore the start state: accounts, tokens, fleet, ledgers, counters, limits, faults and the clock.

        :param seed: The seed until the next reset, or None for the seed of the settings.
        :param bad_updates: The share of devices whose next update fails, or None for the share of the settings.
        """
        self.world.events.close()
        given = {"seed": seed, "bad_updates": bad_updates}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self._build_start_state(replace(self._settings, **changes))

    def _build_start_state(self, settings: Settings) -> None:
        self.world = build_world(settings)
        self.stats = Stats()
        self.faults = Faults(settings.seed, SHAPES)
        self.limits = Limits(documented=settings.limits)
        self.writes: deque[tuple[Route, Call, Reply]] = deque(maxlen=MAX_WRITES)
        """The latest writes that the cloud accepted, oldest first."""

    def admit(self, route: Route | None, address: str) -> Reply | None:
        """Run due changes, and check the limits of a request.

        Return the error response if a limit is exceeded, otherwise None.
        """
        run_due_changes(self.world)
        refusal = self.limits.admit(route, address, self.world.now())
        if refusal is None:
            return None
        self.stats.count_answer(route, refusal.status)
        return refusal_reply(refusal)

    def answer(self, route: Route, call: Call) -> Reply:
        """Carry out a request and return the response."""
        world = self.world
        try:
            if route.auth is Auth.BEARER:
                call.bearer = check_bearer(world, call)
                check_scope(call.bearer, route)
                self.limits.admit_account(route, call.account.username, world.now())
            reply = route.handler(world, call)
        except Refusal as refusal:
            return self.refuse(route, call, refusal)
        if route.id == TOKEN_ROUTE:
            self.limits.lockout.record_answer(call.address, world.now(), refused=False)
        self.stats.count_answer(route, reply.status)
        if route.kind is Kind.WRITE:
            world.revision += 1
            if reply.status < 400:
                self.writes.append((route, call, reply))
        return reply

    def refuse(self, route: Route, call: Call, refusal: Refusal) -> Reply:
        """Build the response to a request that the cloud refuses, and count the response."""
        asks_for_code = refusal.content.get("error") == "mfa_required"
        if route.id == TOKEN_ROUTE and not asks_for_code:
            self.limits.lockout.record_answer(call.address, self.world.now(), refused=True)
        self.stats.count_answer(route, refusal.status, asks_for_code=asks_for_code)
        return refusal_reply(refusal)

    def answer_admin(self, method: str, name: str, content: object) -> Reply | None:
        """Carry out a request to an admin route below `/_simulator/`. Return None if the route does not exist."""
        return admin.answer_request(self, method, name, content)
