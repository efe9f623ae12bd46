# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""The result of a call counts all devices, and is small if the task fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._calls.model import Call, Outcome, Status
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.outcome import build_result
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.run import Calls
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.fleet_files import device_id

LED = Call("led", "on")


def build_outcome(number: int, status: Status, code: str = "cloud_error") -> Outcome:
    """Build the outcome of a device, with an error unless the status needs none."""
    device = device_id(number)
    if status in (Status.OK, Status.NOT_CALLED):
        return Outcome(device, f"unit-{number}", status, 1 if status is Status.OK else None)
    error = ParticleError(code, f"Could not call function led of device {device}: it failed.", hint="Look at it.")
    return Outcome(device, f"unit-{number}", status, error=error, seconds=0.5)


def build(*statuses: Status, call: Call = LED, stopped: ParticleError | None = None, **modes: bool) -> dict[str, Any]:
    outcomes = tuple(build_outcome(number, status) for number, status in enumerate(statuses))
    return build_result(call, Calls(outcomes, stopped), **{"check_mode": False, "is_tolerant": False, **modes})


def test_success_counts_the_devices() -> None:
    result = build(Status.OK, Status.OK, Status.OFFLINE, call=Call("led", fails_offline=False))
    assert result["msg"] == "Function led returned on 2 devices, and 1 device is offline."
    assert result["summary"] == {
        **{"total": 3, "ok": 2, "unexpected": 0, "unknown": 0, "failed": 0, "offline": 1, "not_called": 0}
    }
    assert (result["changed"], result["not_run"], "failed" in result) == (True, [device_id(2)], False)
    assert list(result["managed"]) == [device_id(0), device_id(1)]


def test_check_mode_predicts_the_calls() -> None:
    result = build(Status.NOT_CALLED, Status.NOT_CALLED, check_mode=True)
    assert (result["msg"], result["changed"]) == ("Function led would be called on 2 devices.", True)
    assert result["managed"] == {}
    assert not build(check_mode=True)["changed"]


@pytest.mark.parametrize("status", [Status.OK, Status.UNEXPECTED, Status.UNKNOWN, Status.FAILED])
def test_sent_call_is_a_change(status: Status) -> None:
    assert build(status)["changed"]


@pytest.mark.parametrize("status", [Status.OFFLINE, Status.NOT_CALLED])
def test_device_without_a_call_is_not_a_change(status: Status) -> None:
    assert not build(status)["changed"]


def test_failure_names_at_most_ten_devices_and_shows_no_good_rows() -> None:
    result = build(*[Status.OK] * 20, *[Status.UNKNOWN] * 12, Status.OFFLINE)
    assert result["msg"].startswith("13 of 33 devices failed.")
    assert result["msg"].count("unit-") == 10
    assert {row["status"] for row in result["devices"]} == {"unknown", "offline"}
    assert (result["summary"]["ok"], result["not_run"]) == (20, [device_id(32)])


def test_failed_result_stays_small_and_counts_what_it_leaves_out() -> None:
    result = build(*[Status.NOT_CALLED] * 50, *[Status.FAILED] * 500)
    assert len(json.dumps(result["devices"])) < 20_100
    statuses = [row["status"] for row in result["devices"]]
    assert statuses.count("failed") > 50
    assert statuses == sorted(statuses)  # failed devices come before devices that were not called
    assert len(result["devices"]) + result["devices_omitted"] == 550


def test_tolerated_failure_keeps_all_rows_and_the_error() -> None:
    result = build(Status.OK, Status.UNEXPECTED, is_tolerant=True)
    assert (result["failed"], result["error"]["code"], len(result["devices"])) == (False, "cloud_error", 2)


def test_run_that_ended_early_fails_although_failures_are_tolerated() -> None:
    stopped = ParticleError("unreachable", "Could not call function led: no connection.")
    result = build(Status.OK, Status.NOT_CALLED, stopped=stopped, is_tolerant=True)
    assert (result["failed"], result["error"]["code"]) == (True, "unreachable")
    words = "The run ended early, and 1 device was not called. Could not call function led: no connection."
    assert result["error"]["message"] == words
