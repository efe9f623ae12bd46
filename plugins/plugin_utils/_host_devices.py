# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the devices that the hosts of a play declare. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.yaml_lines import (
    Place,
    Where,
    format_place,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names

HOST_VARIABLE = "particle_device"


def collect_devices(variables: Mapping[str, Any], warn: Callable[[str], None]) -> dict[str, Any]:
    """Return the value of the variable ``particle_device`` of each host in this batch, keyed by host name.

    Hosts without the variable, or with an empty string, are left out with a warning.

    :param variables: the variables of the task.
    :raises ParticleError: ``invalid_manifest`` when no host of the play has the variable, or when the variable of a
        host contains an invalid template.
    """
    every, batch = variables["hostvars"], variables["ansible_play_batch"]
    found = _read_devices(every, batch)
    missing = [host for host in batch if host not in found]
    if not found:
        others = set(variables.get("ansible_play_hosts_all") or ()) - set(batch)
        if not _read_devices(every, sorted(host for host in others if host in every)):
            raise _build_error(variables, missing)
    if missing:
        have, are = ("has", "is") if len(missing) == 1 else ("have", "are")
        phrase = f"{len(missing):,} of {format_count(len(batch), 'host')} {have} no variable {HOST_VARIABLE}"
        warn(f"{phrase}, and {are} left out: {list_names(missing)}.")
    return found


def _read_devices(every: Mapping[str, Any], hosts: Sequence[str]) -> dict[str, Any]:
    """Return the value of the variable ``particle_device`` of each host that has one, keyed by host name.

    :raises ParticleError: ``invalid_manifest`` when the variable of a host contains an invalid template.
    """
    found, problems = {}, {}
    for host in hosts:
        try:
            device = every[host].get(HOST_VARIABLE)
            _evaluate_templates(device)
        except AnsibleError as error:
            problems[host] = str(error)
        else:
            if device not in (None, ""):
                found[host] = device
    if problems:
        host, problem = next(iter(problems.items()))
        hosts, names = format_count(len(problems), "host"), list_names(list(problems))
        phrase = f"{HOST_VARIABLE} of {hosts} cannot be evaluated: {names}"
        hint = f"Define the variables that {HOST_VARIABLE} uses, or correct the template."
        raise ParticleError("invalid_manifest", f"{phrase}. The problem of {host} is: {problem}", hint=hint)
    return found


def _evaluate_templates(value: Any) -> None:
    """Evaluate all templates in a value. ansible-core evaluates the templates in a mapping only when they are read.

    :raises AnsibleError: when a template is not valid, or uses an undefined variable.
    """
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            _evaluate_templates(each)


def _build_error(variables: Mapping[str, Any], hosts: Sequence[str]) -> ParticleError:
    if variables.get(HOST_VARIABLE) is not None:
        message = f"{HOST_VARIABLE} is set for the play, the role or the task, but not for its hosts."
        hint = f"Set {HOST_VARIABLE} in host_vars, group_vars or the inventory, because each host has its own device."
        return ParticleError("invalid_manifest", message, hint=hint)
    message = (
        f"None of the {format_count(len(hosts), 'host')} declares a device: the variable {HOST_VARIABLE} is not set."
    )
    hint = (
        f"Set {HOST_VARIABLE} for each host. For hosts of inventory plugin meshfleet.particle.devices, set "
        f"{HOST_VARIABLE} in group_vars, for example to {{id: '{{{{ particle.id }}}}', groups: [north]}}."
    )
    return ParticleError("invalid_manifest", message, hint=hint)


def count_other_hosts(variables: Mapping[str, Any]) -> int:
    """Return how many hosts outside of the current batch declare a device.

    :param variables: the variables of the task.
    """
    every, batch = variables["hostvars"], set(variables["ansible_play_batch"])
    # The raw variables are enough to know whether a host declares a device, and need no templates.
    return sum(1 for host in every if host not in batch and HOST_VARIABLE in every.raw_get(host))


def name_by_host(hosts: Sequence[str], where: Where) -> Where:
    """Return a function that formats the position of a manifest value for error messages.

    If the value belongs to a device, the position begins with the host that declares the device.
    """

    def name_place(place: Place) -> str:
        if len(place) < 2 or place[0] != "devices" or not isinstance(place[1], int):
            return where(place)
        return f"host {hosts[place[1]]}: {format_place((HOST_VARIABLE, *place[2:]))}"

    return name_place
