# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``access_token_info`` on the controller: show the token in use and other tokens."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.access_token_info import SPEC, access_token_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``access_token_info``."""

    SPEC = SPEC
    MODULE = access_token_info
