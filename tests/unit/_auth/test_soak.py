# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a month of runs does not fail, use more and more memory or leave tokens behind, on a cloud with faults.

`soak.py` is the process of the runs. Every hour it reads the inventory, every six hours it runs tasks that log in, and
every day it rotates the token and provisions a changed fleet. Two of a hundred requests fail, in one of eight ways.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from support.paths import TESTS
from support.simulator import PASSWORD, USERNAME, running_simulator
from support.token_cloud import child_environment

DEVICES = 100
DAYS = 30
RUN_SECONDS = 1200
HOUR = 3600


@pytest.mark.only_full
@pytest.mark.timeout(RUN_SECONDS)
def test_month_of_runs_neither_fails_nor_grows_nor_leaves_extra_tokens(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with running_simulator("--fleet", str(DEVICES), "--limits", "documented", "--token-listing", "enabled") as cloud:
        child = subprocess.run(
            [sys.executable, str(TESTS / "unit" / "soak.py"), cloud.url, str(tmp_path), str(DAYS)],
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        faults = sum(fault["fired"] for fault in cloud.faults())
        cloud.clear_faults()
        stats = cloud.stats()
        cloud.advance(2 * HOUR)  # until the shared tokens have expired
        listed = requests.get(f"{cloud.url}/v1/access_tokens", auth=(USERNAME, PASSWORD), timeout=60).json()
    reports = [json.loads(line) for line in child.stdout.splitlines()]

    assert [day["day"] for day in reports] == list(range(1, DAYS + 1))
    assert [failure for day in reports for failure in day["failed"]] == []
    assert all(day["done"] == {"rotate": 1, "provision": 1, "inventory": 24, "look": 12} for day in reports)
    assert 0.01 < faults / stats["requests"] < 0.03
    assert stats["refusals"] == 0

    (stored,) = json.loads((tmp_path / "tokens.json").read_text())["tokens"]
    assert [row["token"] for row in listed] == [stored["access_token"]]
    assert stored.get("previous", []) == []
    assert "next" not in stored
    sessions = json.loads((tmp_path / "runtime" / "meshfleet.particle" / "sessions.json").read_text())
    assert len(sessions["logins"]) <= 1
    assert not sessions.get("check_mode")
    suffixes = {path.suffix for path in (tmp_path / "runtime" / "meshfleet.particle").iterdir()}
    assert suffixes == {".json", ".lock", ".ring"}

    early, last = reports[4], reports[-1]
    blocks, memory = last["blocks"] / early["blocks"], last["bytes"] / early["bytes"]
    assert blocks <= 1.02
    assert memory <= 1.05
    retries = sum(day["retries"] for day in reports)
    summary = (
        f"{DAYS} days: {stats['requests']} requests, {faults} faults, {retries} retries, 0 runs failed, "
        f"1 valid token, memory on day {last['day']} / day {early['day']}: {memory:.3f} ({blocks:.3f} of blocks)"
    )
    record_property("said", summary)
