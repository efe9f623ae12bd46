# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``network`` on the controller: manage a network of the Particle Mesh registry."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.network import SPEC, network
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``network``."""

    SPEC = SPEC
    MODULE = network
