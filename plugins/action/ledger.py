# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``ledger`` on the controller: manage the definition of a ledger."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.ledger import SPEC, ledger
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``ledger``."""

    SPEC = SPEC
    MODULE = ledger
