# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""THE route table: one row per endpoint, gathered from one file per resource group."""

from particle_simulator.routes import (
    device_groups,
    devices,
    ledger_instances,
    ledgers,
    product_devices,
    product_import,
    products,
    retired,
    token_grants,
    tokens,
    user,
)
from particle_simulator.routing import RouteTable

TABLE = RouteTable(
    [
        *token_grants.ROUTES,
        *tokens.ROUTES,
        *user.ROUTES,
        *devices.ROUTES,
        *products.ROUTES,
        *product_devices.ROUTES,
        *product_import.ROUTES,
        *device_groups.ROUTES,
        *ledgers.ROUTES,
        *ledger_instances.ROUTES,
        *retired.ROUTES,
    ]
)
