# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``rollout`` on the controller: roll out a firmware version in waves."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import build_parent_check
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.modules.rollout import SPEC, rollout
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._screen import show_latest_line


class ActionModule(ModuleAction):
    """The action plugin of module ``rollout``."""

    SPEC = SPEC
    MODULE = rollout
    SIZE_ADVICE = "Register the result, and show what you need of it in a later task, for example counts."

    def call_module(self, task: Task) -> dict[str, Any]:
        """Carry the rollout forward, show its progress, and stop if the controlling process ends."""
        check_parent = build_parent_check()
        if not self.can_show_progress(task):
            return rollout(task, before_request=check_parent)
        with show_latest_line(task) as report:
            return rollout(task, report, check_parent)
