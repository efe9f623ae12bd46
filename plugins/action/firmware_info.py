# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``firmware_info`` on the controller: show the firmware of a product."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.modules.firmware_info import SPEC, firmware_info
from ansible_collections.meshfleet.particle.plugins.plugin_utils._firmware_action import FirmwareAction


class ActionModule(FirmwareAction):
    """The action plugin of module ``firmware_info``."""

    SPEC = SPEC
    MODULE = firmware_info
    SIZE_ADVICE = "Set version to list one version."
