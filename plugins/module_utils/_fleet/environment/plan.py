# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the changes to the environment variables of one device. Private to this collection.

The functions of this file send no requests. A variable of a device is as declared if both its edited value and the
value of the last rollout are the declared value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import Edits, find_limit_mistakes
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import list_names
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.device_os import parse_version
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.model import Change

if TYPE_CHECKING:
    from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import Level

_OLDEST_DEVICE_OS = (6, 4)
"""The oldest version of Device OS that has environment variables (endpoints.yml: environment_variables)."""


def is_too_old(device_os: str | None) -> bool:
    """Return whether a version of Device OS has no environment variables. An unknown version counts as new enough."""
    version = parse_version(device_os) if device_os is not None else None
    return version is not None and version[:2] < _OLDEST_DEVICE_OS


def plan_edits(declared: Edits, level: Level) -> Edits | None:
    """Return the edits that a device needs before the rollout; ``None`` if it needs neither edits nor a rollout.

    The result is empty if an earlier run has made all edits, but has not rolled them out.
    """
    if not _list_different(declared, level):
        return None
    return {name: value for name, value in declared.items() if level.edited.get(name) != value}


def describe_change(declared: Edits, level: Level | None) -> Change | None:
    """Return the values of the variables that change, before and after the change; ``None`` if nothing changes.

    The values are mappings keyed by name. The value before the change is a mapping with the keys ``edited`` and
    ``rolled_out`` for a variable with an edit that is not rolled out. A missing variable has the value ``None``.

    :param level: the variables of the device; ``None`` if they are not known, because the device is not in the product.
    """
    if level is None:
        values = {name: value for name, value in sorted(declared.items()) if value is not None}
        return (None, values) if values else None
    names = _list_different(declared, level)
    if not names:
        return None
    return {name: _show_value(name, level) for name in names}, {name: declared[name] for name in names}


def find_environment_obstacle(device: str, declared: Edits, level: Level) -> ParticleError | None:
    """Return the error of a device whose variables cannot be rolled out; ``None`` if there is no obstacle.

    A rollout would also publish the edits of other people, and the cloud limits the number and size of the variables.

    :param device: the identifier of the device in messages.
    """
    if (edits := plan_edits(declared, level)) is None:
        return None
    if undeclared := [name for name in level.staged if name not in declared]:
        message = f"The rollout of the environment variables of device {device} would publish staged edits that are "
        message += f"not declared: {list_names(undeclared)}."
        hint = "Roll these edits out or undo them in the console, or declare these variables for the device."
        return ParticleError("conflict", message, hint=hint)
    if mistakes := find_limit_mistakes(level.edit(edits)):
        message = f"The environment of device {device} would be too large: {'; '.join(mistakes)}."
        hint = "Remove variables of the device with {state: absent}, or declare them for the product."
        return ParticleError("conflict", message, hint=hint)
    return None


def _list_different(declared: Edits, level: Level) -> list[str]:
    """Return the sorted names of the variables that are not as declared, or not rolled out."""
    return [
        name
        for name, value in sorted(declared.items())
        if level.edited.get(name) != value or level.rolled_out.get(name) != value
    ]


def _show_value(name: str, level: Level) -> str | Mapping[str, Any] | None:
    edited, rolled_out = level.edited.get(name), level.rolled_out.get(name)
    return {"edited": edited, "rolled_out": rolled_out} if edited != rolled_out else edited
