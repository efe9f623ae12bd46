# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``thread_network_info`` on the controller: show the state of one Thread network."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.thread_network_info import SPEC, thread_network_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``thread_network_info``."""

    SPEC = SPEC
    MODULE = thread_network_info
    CONNECTS = False
