# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A month of a controller: nothing fails, nothing grows, and no token is left behind, though the cloud has its days.

Each hour the inventory, each day a rotated token and a fleet that is declared anew, and in between tasks that log in;
two requests in a hundred go wrong in one of eight ways. `soak.py` is the process that does it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from token_cloud import child_environment

from support.counts import count
from support.paths import TESTS
from support.simulator import PASSWORD, USERNAME, running_simulator

DEVICES = 100
RUN_SECONDS = 1200
HOUR = 3600


@pytest.mark.full
@pytest.mark.timeout(RUN_SECONDS)
def test_a_month_of_runs_fails_nowhere_grows_nowhere_and_leaves_no_token(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    days = count(quick=10, full=30)
    with running_simulator("--fleet", str(DEVICES), "--limits", "documented", "--token-listing", "enabled") as cloud:
        child = subprocess.run(
            [sys.executable, str(TESTS / "unit" / "soak.py"), cloud.url, str(tmp_path), str(days)],
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        fired = sum(fault["fired"] for fault in cloud.faults())
        cloud.clear_faults()
        stats = cloud.stats()
        cloud.advance(2 * HOUR)  # then what tasks share has ended
        listed = requests.get(f"{cloud.url}/v1/access_tokens", auth=(USERNAME, PASSWORD), timeout=60).json()
    told = [json.loads(line) for line in child.stdout.splitlines()]

    assert [day["day"] for day in told] == list(range(1, days + 1))
    assert [failure for day in told for failure in day["failed"]] == []
    assert all(day["done"] == {"rotate": 1, "provision": 1, "inventory": 24, "look": 12} for day in told)
    assert 0.01 < fired / stats["requests"] < 0.03
    assert stats["refusals"] == 0

    (kept,) = json.loads((tmp_path / "tokens.json").read_text())["tokens"]
    assert [row["token"] for row in listed] == [kept["access_token"]]
    assert kept.get("previous", []) == []
    assert "next" not in kept
    sessions = json.loads((tmp_path / "runtime" / "meshfleet.particle" / "sessions.json").read_text())
    assert len(sessions["logins"]) <= 1
    assert not sessions.get("check_mode")
    left = {path.suffix for path in (tmp_path / "runtime" / "meshfleet.particle").iterdir()}
    assert left == {".json", ".lock", ".ring"}

    early, last = told[min(5, days - 1) - 1], told[-1]
    blocks, memory = last["blocks"] / early["blocks"], last["bytes"] / early["bytes"]
    assert blocks <= 1.02
    assert memory <= 1.05
    retries = sum(day["retries"] for day in told)
    said = (
        f"{days} days: {stats['requests']} requests, {fired} struck, {retries} sent again, 0 runs failed, "
        f"1 token alive, memory on day {last['day']} / day {early['day']}: {memory:.3f} ({blocks:.3f} of blocks)"
    )
    record_property("said", said)
