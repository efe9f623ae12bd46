# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The form of tasks: which attributes each type of task must have (otbr-rest.md, section 4).

A wrong form is refused with status 422 and an empty detail. Unknown attributes are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from otbr_simulator.datasets import CHANNELS
from otbr_simulator.diagnostics import ANSWERS
from otbr_simulator.errors import Refusal

EUI64 = re.compile(r"[0-9a-fA-F]{16}")
DISCERNER = re.compile(r"0x[0-9a-fA-F]{1,16}/([1-9]|[1-5][0-9]|6[0-4])")
EXTENDED_ADDRESS = re.compile(r"[0-9a-fA-F]{16}")
RLOC16 = re.compile(r"0x[0-9a-fA-F]{1,4}")
PSKD_LENGTHS = range(6, 33)
PSKD_FORBIDDEN = frozenset("IOQZ")
"""The border router checks only the length and these letters of a PSKd. The joiner table checks the whole rule."""
ANY_DEVICE = "*"
DEFAULT_JOIN_SECONDS = 60
COUNTERS = {"macCounters", "mleCounters"}

Form = Callable[[dict[str, Any]], dict[str, Any]]


def check_task(item: Any) -> tuple[str, dict[str, Any]]:
    """Return the type and the attributes of a task, or raise a `Refusal` with status 422."""
    if not isinstance(item, dict) or not isinstance(item.get("attributes"), dict):
        raise Refusal(422)
    form = FORMS.get(item["type"]) if isinstance(item.get("type"), str) else None
    if form is None:
        raise Refusal(422)
    return item["type"], form(item["attributes"])


def _read_number(attributes: dict[str, Any], name: str, default: int | None = None) -> int:
    value = attributes.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 2**31:
        raise Refusal(422)
    return int(value)


def _read_join(attributes: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in ("eui", "discerner", "joinerId") if attributes.get(name) is not None]
    if len(names) != 1 or not isinstance(attributes[names[0]], str):
        raise Refusal(422)
    identity = _read_identity(names[0], attributes[names[0]])
    pskd = attributes.get("pskd")
    if not isinstance(pskd, str) or len(pskd) not in PSKD_LENGTHS or PSKD_FORBIDDEN & set(pskd):
        raise Refusal(422)
    return {**identity, "pskd": pskd, "timeout": _read_number(attributes, "timeout", DEFAULT_JOIN_SECONDS)}


def _read_identity(name: str, value: str) -> dict[str, str]:
    """Return the identity of a joiner. A text that is neither an EUI-64 nor a discerner becomes "any device"."""
    if EUI64.fullmatch(value) and name != "discerner":
        return {"eui": value.lower()}
    if name == "eui":
        raise Refusal(422)
    return {"discerner": value} if DISCERNER.fullmatch(value) else {"joinerId": ANY_DEVICE}


def _read_update(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: _read_number(attributes, name) for name in ("maxAge", "maxRetries", "deviceCount", "timeout")}


def _read_diagnostic(attributes: dict[str, Any]) -> dict[str, Any]:
    destination, types = attributes.get("destination"), attributes.get("types")
    if not isinstance(destination, str) or not isinstance(types, list) or not set(map(str, types)) <= set(ANSWERS):
        raise Refusal(422)
    kind = attributes.get("destinationType")
    is_mleid = kind == "mleid"
    if not is_mleid and not EXTENDED_ADDRESS.fullmatch(destination) and not RLOC16.fullmatch(destination):
        raise Refusal(422)
    shown = {"destinationType": kind} if isinstance(kind, str) else {}
    return {"destination": destination, **shown, "types": types, "timeout": _read_number(attributes, "timeout")}


def _read_counter_reset(attributes: dict[str, Any]) -> dict[str, Any]:
    types = attributes.get("types")
    if not isinstance(types, list) or not types or not set(map(str, types)) <= COUNTERS:
        raise Refusal(422)
    destination = attributes.get("destination")
    shown = {"destination": destination} if isinstance(destination, str) else {}
    return {**shown, "types": types, "timeout": _read_number(attributes, "timeout")}


def _read_scan(attributes: dict[str, Any]) -> dict[str, Any]:
    destination, channels = attributes.get("destination"), attributes.get("channelMask")
    if not isinstance(destination, str) or not isinstance(channels, list) or not channels:
        raise Refusal(422)
    if not all(isinstance(channel, int) and channel in CHANNELS for channel in channels):
        raise Refusal(422)
    numbers = {name: _read_number(attributes, name) for name in ("count", "period", "scanDuration", "timeout")}
    return {"destination": destination, "channelMask": channels, **numbers}


JOIN = "addThreadDeviceTask"
UPDATE = "updateDeviceCollectionTask"
DIAGNOSTIC = "getNetworkDiagnosticTask"
COUNTER_RESET = "resetNetworkDiagCounterTask"
SCAN = "getEnergyScanTask"

FORMS: dict[str, Form] = {
    JOIN: _read_join,
    UPDATE: _read_update,
    DIAGNOSTIC: _read_diagnostic,
    COUNTER_RESET: _read_counter_reset,
    SCAN: _read_scan,
}
REFRESHING = frozenset({UPDATE, DIAGNOSTIC})
"""The types of tasks that change nothing in the network."""
