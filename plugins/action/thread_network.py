# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out module ``thread_network`` on the controller: bring one Thread network to its declared state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import Place, format_place
from ansible_collections.meshfleet.particle.plugins.module_utils._manifest.reader import read_manifest
from ansible_collections.meshfleet.particle.plugins.module_utils._mesh.thread.rules import THREAD, list_given_routers
from ansible_collections.meshfleet.particle.plugins.module_utils._module import Task
from ansible_collections.meshfleet.particle.plugins.modules.thread_network import SPEC
from ansible_collections.meshfleet.particle.plugins.plugin_utils._action import ParticleAction
from ansible_collections.meshfleet.particle.plugins.plugin_utils._engine import reconcile_task

_NETWORK_OPTIONS = ("parameters", "joiner_timeout", "commissioning_timeout", "change_delay", "state")


class ActionModule(ParticleAction):
    """The action plugin of module ``thread_network``, which runs the fleet engine for one Thread network."""

    SPEC = SPEC
    CONNECTS = False

    def work(self, task: Task) -> dict[str, Any]:
        """Build a manifest of one network from the options, and bring the network to the declared state."""
        # An invalid value is reported before the engine knows the secrets of the manifest.
        task.redact.add_secrets(list_option_secrets(task.options))
        result = reconcile_task(task, read_manifest(build_manifest(task.options), _name_option, items="members"))
        name = task.options["name"]
        summary = result["summary"]
        done = {
            "changed": result["changed"],
            "msg": result["msg"],
            "summary": {key: count for key, count in summary.items() if key != "networks"},
            "network": result["networks"][name],
            "members": [_build_member(outcome) for outcome in result["devices"]],
            "diff": result["diff"],
        }
        if result.get("failed"):
            done.update(failed=True, error=result["error"])
        return task.show_diff(done)


def build_manifest(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a manifest with the network and the members that the options declare."""
    name = options["name"]
    network = {key: options[key] for key in _NETWORK_OPTIONS if options[key] is not None}
    routers = list_given_routers(options["border_routers"])
    return {
        "networks": {name: {"backend": THREAD.name, "border_routers": routers, **network}},
        "devices": [_build_record(name, member) for member in options["members"]],
    }


def list_option_secrets(options: Mapping[str, Any]) -> list[str]:
    """Return the network key, the passwords of proxies and the joiner keys, whether they are valid or not."""
    key = str((options["parameters"] or {}).get("network_key") or "")
    passwords = [router["password"] for router in options["border_routers"]]
    joiners = [member["joiner"] for member in options["members"]]
    return [text for value in (key, key.lower(), key.upper(), *passwords, *joiners) if (text := str(value or ""))]


def _build_record(network: str, member: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a member in a manifest."""
    mesh = {"network": network, **({} if member["joiner"] is None else {"joiner": member["joiner"]})}
    name = {} if member["name"] is None else {"name": member["name"]}
    return {"eui64": member["eui64"], **name, "mesh": mesh}


def _build_member(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return one item of the documented return value ``members``."""
    kept = {key: outcome[key] for key in ("name", "status", "changes", "mesh", "error")}
    return {"eui64": outcome["identifier"], **kept}


def _name_option(place: Place) -> str:
    """Return the name of the module option that contains a value of the manifest. Error messages use this name."""
    if place[:1] == ("networks",):
        return format_place(place[2:]) if len(place) > 2 else f"network {place[-1]}"
    if place[:1] != ("devices",):
        return format_place(place)
    option = tuple(key for key in place[2:] if key not in ("mesh", "network"))  # a member has no such options
    return format_place(("members", *place[1:2], *option))
