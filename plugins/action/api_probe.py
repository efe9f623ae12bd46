# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``api_probe`` on the controller: compare a cloud with the facts."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.api_probe import SPEC, api_probe
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``api_probe``."""

    SPEC = SPEC
    MODULE = api_probe
