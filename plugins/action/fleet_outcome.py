# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``fleet_outcome`` on the controller: fail each host whose outcome contains an error."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.diff import ChangedItem, Diff
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.modules.fleet_outcome import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._outcomes import read_outcome


class ActionModule(ParticleAction):
    """The action plugin of module ``fleet_outcome``."""

    SPEC = SPEC
    CONNECTS = False

    def work(self, task: Task) -> dict[str, Any]:
        """Return the outcome of this host. The task fails if the outcome contains an error of the device or the run."""
        fleet, host = task.options["fleet"], self._task_vars["inventory_hostname"]
        if "hosts" not in fleet and not fleet.get("outcomes_path"):
            error = fleet.get("error") or {}
            raise ParticleError(
                error.get("code") or "invalid_option",
                error.get("message") or "The value of the option fleet contains no results of hosts.",
                hint=error.get("hint")
                or "Run module fleet with from_inventory, register its result, and set the option fleet to it.",
            )
        outcome = fleet["hosts"].get(host) if "hosts" in fleet else read_outcome(fleet["outcomes_path"], host)
        result: dict[str, Any] = {"changed": False, "outcome": outcome}
        if outcome is None:
            return result
        changes = {name: (change["before"], change["after"]) for name, change in outcome["changes"].items()}
        result["changed"] = outcome["status"] == "changed" or outcome.get("written", False)
        device = ChangedItem(outcome["identifier"], changes, outcome["name"])
        result = task.show_diff({**result, "diff": Diff((device,) if changes else ())})
        error = outcome["error"] if outcome["status"] == "failed" else outcome.get("run_error")
        if error is not None:
            result.update(failed=True, msg=f"{error['message']} {error['hint']}", error=error)
        return result
