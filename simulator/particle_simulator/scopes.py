# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The scopes that an API user can have (endpoints.yml: api_user_scopes)."""

from __future__ import annotations

_BY_RESOURCE = {
    "clients": "create list remove update",
    "configuration": "get update",
    "customers": "list remove update",
    "devices": "get import list ping release remove update",
    "devices.diagnostics": "get update",
    "devices.function": "call",
    "devices.variable": "get",
    "events": "get send",
    "firmware": "create get list release remove update",
    "firmware.binary": "get",
    "groups": "create get list remove update",
    "groups.impact": "get",
    "integrations": "create get list remove test update",
    "ledger.definitions": "archive create get list update",
    "ledger.instances": "get list remove set",
    "ledger.instances.versions": "get list",
    "locations": "get",
    "logic.functions": "create execute get list remove update",
    "logic.logs": "list",
    "logic.runs": "get list",
    "logic.stats": "list",
    "metrics.events": "get",
    "metrics.functions": "get",
    "metrics.integrations": "get",
    "metrics.online": "get",
    "metrics.variables": "get",
    "organization": "get",
    "products": "get list",
    "service_agreements": "list",
    "service_agreements.notifications": "list",
    "service_agreements.usage_reports": "create",
    "sims": "get import list remove update",
    "sims.status": "get",
    "sims.usage": "get",
    "teams.users": "invite list remove update",
}

API_USER_SCOPES = frozenset(
    f"{resource}:{action}" for resource, actions in _BY_RESOURCE.items() for action in actions.split()
)
