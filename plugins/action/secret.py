# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``secret`` on the controller: manage a secret of the cloud."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.secret import SPEC, secret
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``secret``."""

    SPEC = SPEC
    MODULE = secret
