# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``rollout_info`` on the controller: show the firmware rollout of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.rollout_info import SPEC, rollout_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``rollout_info``."""

    SPEC = SPEC
    MODULE = rollout_info
    SIZE_ADVICE = "Register the result, and show what you need of it in a later task, for example counts."
