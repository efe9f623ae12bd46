# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``product_environment`` on the controller: manage environment variables of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.product_environment import SPEC, product_environment
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``product_environment``."""

    SPEC = SPEC
    MODULE = product_environment
