# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The lists of Logic functions. They are empty, because the simulator cannot run JavaScript and creates no function."""

from __future__ import annotations

from particle_simulator.messages import Call, Reply, json_reply
from particle_simulator.routes.owners import find_organization
from particle_simulator.routing import Route
from particle_simulator.world import World

GROUP = "logic_functions"
SCOPE = "logic.functions:list"


def list_functions(world: World, call: Call) -> Reply:
    """List the Logic functions of the account (endpoints.yml: logic_list)."""
    return json_reply({"logic_functions": []})


def list_org_functions(world: World, call: Call) -> Reply:
    """List the Logic functions of an organization (endpoints.yml: logic_list)."""
    find_organization(world, call)
    return list_functions(world, call)


ROUTES = [
    Route(GROUP, "logic_list", "GET", "/v1/logic/functions", list_functions, scope=SCOPE),
    Route(GROUP, "logic_list", "GET", "/v1/orgs/:org/logic/functions", list_org_functions, scope=SCOPE),
]
