# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The table of all HTTP routes, collected from the modules of this package."""

from particle_simulator.routes import (
    agreements,
    configuration,
    customers,
    device_calls,
    device_groups,
    device_os_versions,
    devices,
    diagnostics,
    environment_variables,
    events,
    flashing,
    integrations,
    ledger_instances,
    ledgers,
    locations,
    logic,
    mesh_networks,
    oauth_clients,
    orgs,
    product_devices,
    product_firmware,
    product_import,
    products,
    provisioning,
    search,
    secrets,
    sessions_2014,
    sims,
    team,
    token_grants,
    token_listing,
    tokens,
    user,
    user_mfa,
)
from particle_simulator.routing import RouteTable
from particle_simulator.settings import Settings

TABLE = RouteTable(
    [
        *token_grants.ROUTES,
        *tokens.ROUTES,
        *user.ROUTES,
        *devices.ROUTES,
        *products.ROUTES,
        *device_calls.ROUTES,
        *provisioning.ROUTES,
        *product_devices.ROUTES,
        *product_firmware.ROUTES,
        *flashing.ROUTES,
        *device_os_versions.ROUTES,
        *diagnostics.ROUTES,
        *customers.ROUTES,
        *sims.ROUTES,
        *integrations.ROUTES,
        *environment_variables.ROUTES,
        *configuration.ROUTES,
        *locations.ROUTES,
        *secrets.ROUTES,
        *logic.ROUTES,
        *product_import.ROUTES,
        *oauth_clients.ROUTES,
        *team.ROUTES,
        *device_groups.ROUTES,
        *ledgers.ROUTES,
        *ledger_instances.ROUTES,
        *events.ROUTES,
        *user_mfa.ROUTES,
        *orgs.ROUTES,
        *search.ROUTES,
        *agreements.ROUTES,
        *mesh_networks.RETIRED,
        *token_listing.RETIRED,
    ]
)


def build_table(settings: Settings) -> RouteTable:
    """Build the route table for the settings.

    Start from `TABLE`. Replace retired routes with the routes that the settings enable. Add the routes of the login of
    2014 if the settings contain the paths of these routes.
    """
    changed = {
        route.key: route
        for route in (
            *(mesh_networks.ENABLED if settings.mesh else ()),
            *(token_listing.ENABLED if settings.token_listing else ()),
        )
    }
    added = sessions_2014.build_routes(*settings.session_paths) if settings.session_paths else []
    return RouteTable([*(changed.get(route.key, route) for route in TABLE.routes), *added])


def build_whole_table() -> RouteTable:
    """Build the route table with all optional routes, for the documentation."""
    paths = ("/(--session-login)", "/(--session-token)")
    return build_table(Settings(0, 0, (), (), mesh=True, token_listing=True, session_paths=paths))
