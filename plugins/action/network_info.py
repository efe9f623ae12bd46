# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``network_info`` on the controller: show networks of the Particle Mesh registry."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.network_info import SPEC, network_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``network_info``."""

    SPEC = SPEC
    MODULE = network_info
    SIZE_ADVICE = "Set name to list one network, or members to false."
