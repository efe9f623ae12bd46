# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Map the keys in the definition of a product to kinds of resources. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kind import Kind
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.groups import GROUPS
from ansible_collections.meshfleet.particle.plugins.module_utils._resource.kinds.webhooks import WEBHOOKS

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (GROUPS, WEBHOOKS)}
