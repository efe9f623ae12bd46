# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``rollout`` on the controller: roll out a firmware version in waves."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.rollout import SPEC, rollout
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``rollout``."""

    SPEC = SPEC
    MODULE = rollout
