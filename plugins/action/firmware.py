# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``firmware`` on the controller: manage a firmware version of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.firmware import SPEC, firmware
from ansible_collections.meshfleet.particle.plugins.plugin_utils._firmware_action import FirmwareAction


class ActionModule(FirmwareAction):
    """The action plugin of module ``firmware``."""

    SPEC = SPEC
    MODULE = firmware
