# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warn of devices whose Device OS is too old for environment variables. Private to this collection."""

from __future__ import annotations

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Plan


def warn_of_old_device_os(target: Target, plan: Plan) -> None:
    """Warn of devices that never get their declared variables, because the cloud reports no error about them."""
    if old := [device.key for device in plan.devices if device.is_too_old]:
        count = format_count(len(old), "device has", "devices have")
        target.warn(
            f"{count} a Device OS that is older than 6.4 and has no environment variables: {list_names(old)}. "
            "The cloud stores the variables, but they take effect only after an update of Device OS."
        )
