# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``integration`` on the controller: manage an integration of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.integration import SPEC, integration
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``integration``."""

    SPEC = SPEC
    MODULE = integration
