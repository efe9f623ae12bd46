# Copyright (c) 2026 meshfleet.particle contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how a device leaves its network of backend ``ledger``. Private to this collection.

A device does not reliably see that its instructions are deleted (device-ledger-api.md, section 5). Therefore the
instructions first order the device to leave, and are deleted after the device has reported that it has left.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

CONTRACT = "contract"
"""The key in instructions and reports that holds the version of the mesh contract."""

CONTRACT_VERSION = 1

LEFT = "left"
"""The state that a device reports after it has left its network."""

LEAVE_ORDER: Mapping[str, Any] = {CONTRACT: CONTRACT_VERSION, "network": None}
"""The instructions that order a device to leave its network."""


class Step(enum.Enum):
    """The next step of a device that leaves its network."""

    NONE = "none"
    """The device has no instructions, so nothing is left to do."""
    ORDER = "order"
    """Write the order to leave."""
    WAIT = "wait"
    """Wait until the device has reported that it has left."""
    DELETE = "delete"
    """Delete the instructions."""


def find_step(instructions: Mapping[str, Any] | None, report: Mapping[str, Any] | None, *, is_removed: bool) -> Step:
    """Return the next step of a device that leaves its network.

    :param instructions: the current instructions of the device; ``None`` if the device has no instructions.
    :param report: the report of the device; ``None`` if the device has never reported.
    :param is_removed: whether the device leaves the product. It can neither read instructions nor report afterwards.
    """
    if instructions is None:
        return Step.NONE
    if is_removed or _follows_old_contract(report):
        return Step.DELETE
    if not is_leave_order(instructions):
        return Step.ORDER
    return Step.DELETE if report is not None and report.get("state") == LEFT else Step.WAIT


def is_leave_order(instructions: Mapping[str, Any]) -> bool:
    """Return whether instructions order a device to leave its network."""
    return "network" in instructions and instructions["network"] is None


def _follows_old_contract(report: Mapping[str, Any] | None) -> bool:
    """Return whether a device leaves when its instructions are deleted, as before version 1 of the contract."""
    # A device without a report may follow either contract. It gets the order, because firmware of version 1 would stay
    # in its network without it.
    return report is not None and CONTRACT not in report
