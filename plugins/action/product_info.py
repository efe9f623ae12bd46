# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``product_info`` on the controller: list and export what a product owns."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.product_info import SPEC, product_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``product_info``."""

    SPEC = SPEC
    MODULE = product_info
    SIZE_ADVICE = "Name fewer kinds, or export them in several tasks."
