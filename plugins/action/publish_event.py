# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``publish_event`` on the controller: publish an event."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.publish_event import SPEC, publish_event
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``publish_event``."""

    SPEC = SPEC
    MODULE = publish_event
