# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``device_facts`` on the controller: gather the facts of the device of a host."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.device_facts import SPEC, device_facts
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``device_facts``."""

    SPEC = SPEC
    MODULE = device_facts
