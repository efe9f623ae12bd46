# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``sim`` on the controller: manage a SIM of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.sim import SPEC, sim
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``sim``."""

    SPEC = SPEC
    MODULE = sim
