# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``auth_doctor`` on the controller: examine a login step by step."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.auth_doctor import SPEC, auth_doctor
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``auth_doctor``."""

    SPEC = SPEC
    MODULE = auth_doctor
