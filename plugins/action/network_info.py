# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at networks of the registry of Particle Mesh: the module of the same name, on the controller."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.network_info import SPEC, network_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The work of the module, without a process of its own."""

    SPEC = SPEC
    MODULE = network_info
