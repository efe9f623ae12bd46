# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``device_info`` on the controller: gather the devices of an account or of products."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.device_info import SPEC, device_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``device_info``."""

    SPEC = SPEC
    MODULE = device_info
    SIZE_ADVICE = "Select fewer devices with filters, or list the devices in several tasks."
