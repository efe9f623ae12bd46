# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test a few simulated days of all capabilities: apply, roll out, replace, rotate and watch, with faults and kills.

`tests/bench/bench_soak.py` runs the same for 60 days.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.soak.run import find_mistakes, run_soak

RUN_SECONDS = 1800
DAYS = 8


@pytest.mark.only_full
@pytest.mark.timeout(RUN_SECONDS)
def test_days_with_all_capabilities_end_as_declared(tmp_path: Path) -> None:
    report = list(run_soak(tmp_path, DAYS))
    *days, end = report
    assert find_mistakes(report) == []
    assert [day["day"] for day in days] == list(range(1, DAYS + 1))
    assert [day["rollout"] for day in days if day["rollout"]] == ["2 done", "3 braked, rolled_back"]
    assert all(day["runs"] > 24 and day["writes"] and day["events"] for day in days)
    assert sum(day["faults"] for day in days) > 0
    assert sum(day["kills"] for day in days) > 0
    assert sum(day["gaps"] for day in days) > 0
    assert (end["writes"], end["leaked"]) == (0, 0)
