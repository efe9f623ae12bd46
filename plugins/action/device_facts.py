# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather the facts of a host's own device: the module of the same name, on the controller."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.modules.device_facts import SPEC, device_facts
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction


class ActionModule(ParticleAction):
    """The same work, without a process for each host."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        return device_facts(task)
