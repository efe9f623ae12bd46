# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that the result of a failed rollout stays small, because Ansible prints it and a controller stores it."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import State
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.outcome import reduce_failed_result
from support.fleet_files import device_id


def build_result(states: list[State], **others: Any) -> dict[str, Any]:
    """Return a result with a device for each state, all in one wave. Bad devices come first."""
    rows = [
        {"id": device_id(number), "name": f"unit-{number}", "state": state.value, "evidence": "x" * 100, "wave": 1}
        for number, state in enumerate(sorted(states, key=lambda state: not state.is_bad))
    ]
    members = [row["id"] for row in rows]
    return {"state": "braked", "waves": [{"number": 1, "members": members}], "devices": rows, **others}


def test_successful_result_contains_all_devices_and_members() -> None:
    result = build_result([State.UPDATED] * 3000)
    assert reduce_failed_result(result) == {**result, "devices_omitted": 0}


def test_failed_result_contains_bad_devices_and_no_members() -> None:
    result = build_result([State.UPDATED, State.GONE, State.UPDATING, State.CRASHING], failed=True)
    reduced = reduce_failed_result(result)
    assert {row["state"] for row in reduced["devices"]} == {"gone", "crashing"}
    assert (reduced["devices_omitted"], reduced["waves"]) == (2, [{"number": 1}])


def test_failed_result_of_a_large_product_stays_small() -> None:
    result = build_result([State.FAILED_REFUSED] * 5000 + [State.UPDATED] * 5000, failed=True)
    reduced = reduce_failed_result(result)
    assert len(json.dumps(reduced)) < 25_000
    assert len(reduced["devices"]) > 50
    assert len(reduced["devices"]) + reduced["devices_omitted"] == 10_000


def test_result_that_is_reduced_does_not_change_the_original() -> None:
    result = build_result([State.GONE], failed=True)
    copy = json.loads(json.dumps(result))
    reduce_failed_result(result)
    assert result == copy
