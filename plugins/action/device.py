# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``device`` on the controller: bring one device to its declared state."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.states import (
    CONFIRMATIONS,
    CONFIRMED_BY_TRUE,
    Bounds,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.device_fields import read_options
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.model import IGNORE
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import (
    list_device_keys,
    read_manifest,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.module_utils._options.confirm import read_confirm
from ansible_collections.meshfleet.particle.plugins.modules.device import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import list_uncertain_devices, reconcile_task

_FLEET_OPTIONS = ("product", "groups_mode", "networks")


class ActionModule(ParticleAction):
    """The action plugin of module ``device``, which runs the fleet engine for one device."""

    SPEC = SPEC

    def work(self, task: Task) -> dict[str, Any]:
        """Build a manifest of one device from the options, and bring the device to the declared state."""
        confirmed = read_confirm(task.options["confirm"], CONFIRMATIONS, CONFIRMED_BY_TRUE)
        given = {name: value for name, value in task.options.items() if value is not None}
        keys = [name for name in list_device_keys() if name != "state"]  # the state of the task
        record = {name: given[name] for name in keys if name in given} | read_options(given)
        data = {**{name: given[name] for name in _FLEET_OPTIONS if name in given}, "devices": [record]}
        data["undeclared"] = IGNORE
        manifest = read_manifest(data, _name_option, absent=given["state"] == "absent")
        result = reconcile_task(task, manifest, Bounds(confirmed=confirmed))
        outcome, *_unused = result.pop("devices")  # the others are members of networks that are removed
        done = {"changed": result["changed"], "device": outcome, "managed": result["managed"], "diff": result["diff"]}
        done = task.show_diff(done, uncertain=list_uncertain_devices([outcome]))
        if result.get("failed"):
            error = outcome["error"] or result["error"]
            done.update(failed=True, msg=f"{error['message']} {error['hint']}".strip(), error=error)
        return done


def _name_option(place: Place) -> str:
    """Return the name of the module option that contains a value of the manifest. Error messages use this name."""
    if place[:2] != ("devices", 0):
        return format_place(place)
    return format_place(place[2:]) if len(place) > 2 else "the device"
