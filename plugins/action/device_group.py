# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``device_group`` on the controller: manage a device group of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.device_group import SPEC, device_group
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``device_group``."""

    SPEC = SPEC
    MODULE = device_group
