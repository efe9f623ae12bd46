# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the result of a run below the size that an automation controller stores. Private to this collection.

A controller runs playbooks with ansible-runner, which replaces a result of more than 700,000 characters by an empty
result (``MAX_EVENT_RES`` in its callback plugin ``awx_display``). The controller then counts no device of the task.
Sizes are lengths as JSON in ASCII, which are about the lengths that ansible-runner measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._documents.sizes import (
    MAX_PRINTED_SIZE,
    measure_size,
    take_fitting,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._fleet.outcome import (
    CHANGED,
    FAILED,
    PENDING,
)

MAX_STORED_SIZE = 700_000
"""The size above which a controller drops a result."""

_MAX_SIZE = 600_000
"""The size to which a result is reduced. The rest is left to the keys that Ansible and the task add."""

_MAX_NAMES_SIZE = 400_000
"""The maximum size of ``managed`` with the names of the devices."""

_MAX_MANAGED_SIZE = 500_000
"""The maximum size of ``managed`` without the names. This is enough for 14,000 devices."""

_ORDER = (FAILED, PENDING, CHANGED)
"""The statuses in the order in which devices are kept, if not all devices can be kept."""


def describe_large_result(remedy: str) -> str:
    """Return the warning that a controller drops the result of a task.

    :param remedy: an instruction that makes the result smaller.
    """
    return (
        f"The result has more than {MAX_STORED_SIZE:,} characters, so the automation controller shows nothing of it "
        f"and counts none of its devices. Later tasks have the whole result. {remedy}"
    )


def describe_left_out_devices(contained: int, managed: int) -> str:
    """Return the warning that ``managed`` does not contain all devices that a task manages."""
    return (
        f"managed contains only {contained:,} of {managed:,} devices, because an automation controller drops a larger "
        "result. A controller does not count the other devices. Divide the fleet into several tasks or slices."
    )


def measure_room(result: Mapping[str, Any]) -> int:
    """Return the size that is left for ``devices`` and ``hosts`` when a result is reduced."""
    others = {key: value for key, value in result.items() if key not in ("devices", "hosts")}
    return _MAX_SIZE - measure_size({**others, "managed": reduce_managed(result["managed"])})


def reduce_result(result: Mapping[str, Any], wanted: str | None) -> dict[str, Any]:
    """Return the result of a run with only the devices that ``wanted`` selects.

    If ``wanted`` is ``None``, all parts of the result are reduced to what a controller stores: ``managed`` loses the
    names of its devices, ``hosts`` is left out, and ``devices`` contains only the devices that have changed, failed or
    are pending, or only the devices that have failed if these make the task fail, and no more than fit.

    :param wanted: the option ``result``. Unless it is ``None``, ``devices`` contains all selected devices.
    """
    reduced = {**result, "managed": reduce_managed(result["managed"]), "devices_omitted": 0}
    if wanted is not None:
        reduced["devices"] = [row for row in result["devices"] if wanted in ("all", row["status"])]
        return reduced
    room = measure_room(reduced)
    if "hosts" in reduced:
        size = measure_size(reduced["hosts"])
        if size > room:
            del reduced["hosts"]
        else:
            room -= size
    has_failures = any(row["status"] == FAILED for row in result["devices"])
    selected = (FAILED,) if result.get("failed") and has_failures else _ORDER
    if result.get("failed"):
        room = min(room, MAX_PRINTED_SIZE)
    rows = [row for status in selected for row in result["devices"] if row["status"] == status]
    kept = {id(row) for row in take_fitting(rows, room)}
    reduced["devices"] = [row for row in result["devices"] if id(row) in kept]
    reduced["devices_omitted"] = len(rows) - len(kept)
    return reduced


def reduce_managed(managed: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the managed devices, without their names if the names take too much room.

    Devices that do not fit without their names are left out.
    """
    if measure_size(managed) <= _MAX_NAMES_SIZE:
        return dict(managed)
    nameless = dict.fromkeys(managed)
    size_of_one = measure_size(nameless) / len(nameless)
    return dict(list(nameless.items())[: int(_MAX_MANAGED_SIZE / size_of_one)])
