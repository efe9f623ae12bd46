# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the parts of the demo with a smaller fleet."""

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


def test_product_call_and_event_of_the_demo_work(rollouts: demo.Rollouts, capsys: pytest.CaptureFixture[str]) -> None:
    operations = demo.Operations(rollouts.cloud, rollouts.folder)
    assert demo.keep_product(operations)
    assert demo.receive_event(operations)
    lines = capsys.readouterr().out.splitlines()
    assert "Second run: 4 resources: 4 unchanged. 0 writes." in lines
    assert "The event source has received demo/inspection with the data 'finished'." in lines
    assert max(map(len, lines)) <= 120


@pytest.mark.only_full
def test_tour_provisions_replaces_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "FLEET", N)
    monkeypatch.setattr(demo, "REPORT", tmp_path / "report")
    with running_simulator("--fleet", str(N + 1)) as cloud:
        assert demo.provision(cloud, tmp_path) == 0
        assert demo.take_tour(cloud, tmp_path)
        old = sorted(device["id"] for device in cloud.state()["devices"][:N])[demo.OLD]
        new = cloud.state()["devices"][-1]
        assert (cloud.device(old)["product"], new["name"]) == (None, "site-00-001")
    text = capfd.readouterr().out
    titles = [line.removeprefix("== ") for line in text.splitlines() if line.startswith("== ")]
    assert titles == ["Provisioning", "Replacement", "Product as code", "Call", "Events", "Firmware", "Report"]
    assert f"Function led returned on {demo.NETWORKS} devices." in text
    assert {path.name for path in demo.REPORT.iterdir()} == {"fleet.html", "fleet.csv", "fleet.json"}
