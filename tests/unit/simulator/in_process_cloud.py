# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Call the routes of a simulator in this process, without HTTP, so that tests can make thousands of calls."""

from __future__ import annotations

from typing import Any

import orjson
from simulator_client import DEMO

from particle_simulator.admin import answer_request
from particle_simulator.messages import Call, Reply
from particle_simulator.model import Token
from particle_simulator.settings import Settings
from particle_simulator.simulation import Simulation

TOKEN = "token-of-the-owner"


class InProcessCloud:
    """A simulator in this process, in which the owner of the product sends all requests."""

    def __init__(self, fleet: list[dict[str, Any]] | None = None, **options: Any) -> None:
        account = {"username": DEMO[0], "password": DEMO[1]}
        settings = Settings(
            seed=0,
            manufactured=options.pop("manufactured", 0),
            fleet=tuple(fleet or ()),
            accounts=(account,),
            clock="still",
            **options,
        )
        self.simulation = Simulation(settings)
        self.world = self.simulation.world
        owner = self.world.accounts.by_username[DEMO[0]]
        self.world.logins.add_token(Token(TOKEN, owner, "particle", None))

    def call(self, method: str, path: str, **fields: Any) -> Reply:
        """Send a request. The field `files` contains the uploaded files, keyed by form field."""
        self.simulation.admit(None, "127.0.0.1")
        found = self.simulation.table.find(method, path)
        assert found is not None, path
        route, _unused, values = found
        files = fields.pop("files", {})
        call = Call(method, values, {}, {"Authorization": f"Bearer {TOKEN}"}, fields=fields, files=files)
        call.filenames = {name: f"{name}.bin" for name in files}
        return self.simulation.answer(route, call)

    def send(self, method: str, path: str, **fields: Any) -> Any:
        """Send a request that must succeed, and return the JSON of the answer."""
        reply = self.call(method, path, **fields)
        assert reply.status < 300, reply.body
        return orjson.loads(reply.body) if reply.body else None

    def change(self, name: str, **content: Any) -> Any:
        """Send a POST to an admin route."""
        reply = answer_request(self.simulation, "POST", name, content)
        assert reply is not None
        assert reply.status == 200, reply.body
        return orjson.loads(reply.body)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.change("clock", advance=seconds)
