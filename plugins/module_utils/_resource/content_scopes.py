# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the scopes that an API user needs for each content of this collection. Private to this collection.

The scopes of a content are enough for all its options with which API users can use it, and none of them can be left
out.
"""

from __future__ import annotations

from collections.abc import Mapping

_LOOK = frozenset({"products:get", "devices:list"})
_DETAILS = frozenset({"devices.diagnostics:get", "devices.variable:get", "ledger.instances:list"})
_ROLLOUT_INFO = frozenset({*_LOOK, "firmware:list", "ledger.instances:get"})
_FLEET = frozenset(
    {
        *_LOOK,
        *("devices:get", "devices:import", "devices:ping", "devices:remove", "devices:update", "firmware:list"),
        *("groups:create", "groups:list", "groups:remove", "ledger.definitions:create", "ledger.definitions:list"),
        *("ledger.instances:get", "ledger.instances:list", "ledger.instances:remove", "ledger.instances:set"),
    }
)

_GROUPS = frozenset({"products:get", *(f"groups:{action}" for action in ("create", "get", "list", "remove", "update"))})
_INTEGRATIONS = frozenset(
    {"products:get", *(f"integrations:{action}" for action in ("create", "get", "list", "remove", "update"))}
)
_LEDGERS = frozenset(
    {"products:get", *(f"ledger.definitions:{action}" for action in ("archive", "create", "list", "update"))}
)
_SIMS = frozenset({"products:get", *(f"sims:{action}" for action in ("import", "list", "remove", "update"))})

CONTENT_SCOPES: Mapping[str, frozenset[str]] = {
    "device": _FLEET,
    "device_call": frozenset({*_LOOK, "devices.function:call"}),
    "device_facts": _LOOK,
    "device_group": _GROUPS,
    "device_info": frozenset({*_LOOK, *_DETAILS, "ledger.instances:get"}),
    "devices": _LOOK,
    "firmware": frozenset(
        {
            *(*_LOOK, "groups:list", "groups.impact:get", "firmware.binary:get", "ledger.instances:get"),
            *(f"firmware:{action}" for action in ("create", "list", "release", "remove", "update")),
        }
    ),
    "firmware_info": frozenset({"products:get", "firmware:list"}),
    "fleet": _FLEET,
    "integration": _INTEGRATIONS,
    "ledger": _LEDGERS,
    "product": frozenset(
        {
            *(*_GROUPS, *_INTEGRATIONS, *_LEDGERS, *_SIMS, "firmware.binary:get"),
            *(f"firmware:{action}" for action in ("create", "list", "release", "update")),
        }
    ),
    "product_info": frozenset(
        {
            *("products:get", "groups:list", "ledger.definitions:list", "integrations:get", "integrations:list"),
            *("firmware:list", "sims:list"),
        }
    ),
    "provision": _FLEET,
    "publish_event": frozenset({"events:send"}),
    "report": frozenset({*_ROLLOUT_INFO, *_DETAILS}),
    "rollout": frozenset(
        {
            *(*_ROLLOUT_INFO, "devices:get", "devices:update", "firmware.binary:get", "firmware:create"),
            *("firmware:release", "firmware:update"),
            *("ledger.definitions:create", "ledger.instances:set"),
        }
    ),
    "rollout_info": _ROLLOUT_INFO,
    "sim": _SIMS,
}
"""The scopes for each module, role and inventory plugin that API users can use."""
