# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage an integration of a product, as the module of the same name, on the controller."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.integration import SPEC, integration
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``integration``."""

    SPEC = SPEC
    MODULE = integration
