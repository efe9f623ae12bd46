# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Map the keys in the definition of a product to kinds of resources. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.api_users import API_USERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.environment import ENVIRONMENT
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.firmware import FIRMWARE
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.groups import GROUPS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.integrations import INTEGRATIONS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.ledgers import LEDGERS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.secrets import SECRETS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.sims import SIMS

_ORDER = (GROUPS, LEDGERS, SECRETS, ENVIRONMENT, INTEGRATIONS, API_USERS, FIRMWARE, SIMS)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ORDER}
"""All kinds, in the order in which messages and exports list them."""


def order_kinds() -> tuple[Kind, ...]:
    """Return all kinds in an order in which their resources can be created: each kind follows those that it needs."""
    graph = {name: kind.after for name, kind in KINDS.items()}
    return tuple(KINDS[name] for name in TopologicalSorter(graph).static_order())
