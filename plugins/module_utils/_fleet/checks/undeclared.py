# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report or refuse devices that the manifest does not declare, and fail on drift. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.wording import format_count, list_names

_MAX_IDS = 100
"""The maximum number of ids in the result, so that the result of a large fleet stays small."""


def build_undeclared_result(undeclared: Collection[str], unread: int) -> dict[str, Any]:
    """Return the documented return value ``undeclared``: ``{count, ids}``.

    :param undeclared: the ids of the devices that the manifest does not declare.
    :param unread: the number of further such devices, whose ids were not read.
    """
    return {"count": len(undeclared) + unread, "ids": sorted(undeclared)[:_MAX_IDS]}


def describe_undeclared(undeclared: Mapping[str, Any]) -> str | None:
    """Return a sentence about the return value ``undeclared``, or ``None`` if there are no undeclared devices."""
    count = undeclared["count"]
    if not count:
        return None
    return f"The manifest does not declare {format_count(count, 'more device')}."


def refuse_undeclared_devices(target: Target, undeclared: Collection[str]) -> None:
    """Refuse devices that the manifest does not declare.

    :raises ParticleError: ``conflict`` when there are such devices.
    """
    if not undeclared:
        return
    where = f"Product {target.product.slug}" if target.product is not None else "The account"
    devices = format_count(len(undeclared), "device")
    message = f"{where} has {devices} that the manifest does not declare: {list_names(sorted(undeclared))}."
    hint = "Declare these devices, or set undeclared to report, ignore or remove."
    raise ParticleError("conflict", message, hint=hint)


def describe_kept_devices(undeclared: Collection[str], doubtful: Collection[str]) -> str:
    """Return the warning that a run keeps undeclared devices.

    :param undeclared: the ids of the devices that the manifest does not declare.
    :param doubtful: the keys of declared devices, each of which may be one of the undeclared devices.
    """
    kept = format_count(len(undeclared), "undeclared device was", "undeclared devices were")
    return (
        f"{kept} not removed ({list_names(sorted(undeclared))}), because they may be the declared devices "
        f"that the cloud does not list as declared: {list_names(sorted(doubtful))}. Check the identifiers "
        "of these devices, then run again."
    )


def find_drift(result: Mapping[str, Any]) -> ParticleError | None:
    """Return the error that reports drift: differences between the declared and the current state of the fleet.

    :param result: the documented result of module ``fleet`` in check mode.
    :returns: ``None`` if the fleet is as declared.
    """
    changed = [_format_device(device) for device in result["devices"] if device["status"] != "ok"]
    undeclared = result.get("undeclared", {"count": 0, "ids": []})
    parts = []
    if changed:
        parts.append(f"{_count(len(changed))} as declared ({list_names(changed)})")
    if undeclared["count"]:
        names = list_names(undeclared["ids"], total=undeclared["count"])
        parts.append(f"{_count(undeclared['count'])} declared ({names})")
    if result["changed"] and not changed:
        parts.append("device groups or networks are not as declared")
    if not parts:
        return None
    hints = []
    if changed or result["changed"]:
        hints.append("Run the task without check mode to restore the declared state, or change the manifest.")
    if undeclared["count"]:
        hints.append("Declare the undeclared devices, or set undeclared to ignore or remove.")
    return ParticleError("conflict", f"The fleet has drifted: {', and '.join(parts)}.", hint=" ".join(hints))


def _format_device(device: Mapping[str, Any]) -> str:
    return f"{device['name']} {device['identifier']}" if device["name"] else str(device["identifier"])


def _count(devices: int) -> str:
    return format_count(devices, "device is not", "devices are not")
