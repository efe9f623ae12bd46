# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``api_request`` on the controller: send a request to any route of the cloud."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.any_route import has_secret
from ansible_collections.meshfleet.particle.plugins.modules.api_request import SPEC, api_request
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """The action plugin of module ``api_request``."""

    SPEC = SPEC
    MODULE = api_request
    SIZE_ADVICE = "Read fewer values at once, for example with the parameters of the route for pages, in query."

    def _run_task(self, result: dict[str, Any]) -> dict[str, Any]:
        """Send the request. Hide a result with a secret from all output; the registered variable stays complete."""
        done = super()._run_task(result)
        return {**done, "_ansible_no_log": True} if has_secret(done.get("json")) else done
