# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an integration of a product: the module of the same name, on the controller."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.integration import SPEC, integration
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The work of the module, without a process of its own."""

    SPEC = SPEC
    MODULE = integration
