# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the part of the demo that rolls out firmware, with a smaller fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import demo
import pytest

from support.fleet_files import device_id
from support.rollouts import write_rollout_fleet
from support.simulator import running_simulator

N = 60
FIRST_WAVE = 10
MAX_LINES = 45
NEW = {"firmware_version": None}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def rollouts(tmp_path: Path) -> Iterator[demo.Rollouts]:
    others = {device_id(number): NEW for number in range(N)}
    with running_simulator("--fleet", write_rollout_fleet(tmp_path, N, others=others)) as cloud:
        yield demo.Rollouts(cloud, tmp_path)


def count_locks(rollouts: demo.Rollouts, version: int) -> int:
    """Return how often a device was locked to a version."""
    writes = [write for write in rollouts.cloud.writes() if write["route"] == "PUT /v1/products/:p/devices/:id"]
    return sum(write["fields"]["desired_firmware_version"] == version for write in writes)


@pytest.mark.only_full
def test_bad_version_only_reaches_the_first_wave(rollouts: demo.Rollouts, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.roll_out_bad_version(rollouts)
    assert count_locks(rollouts, demo.BAD) == FIRST_WAVE
    text = " ".join(capsys.readouterr().out.split())
    assert "The brake has stopped the rollout of version 1" in text
    assert "): crashing: came back with version 1" in text
    assert f"The version has reached {FIRST_WAVE} devices." in text


@pytest.mark.only_full
def test_whole_demo_fits_on_a_screen(rollouts: demo.Rollouts, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.roll_out(rollouts.cloud, rollouts.folder) == 0
    assert count_locks(rollouts, demo.GOOD) == N
    assert {device["firmware_version"] for device in rollouts.cloud.state()["devices"]} == {demo.GOOD}
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= 120
    assert lines[-1].split()[1:3] == ["0", "done,"]
