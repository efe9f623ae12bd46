# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the lines in which a run reports its progress."""

from __future__ import annotations

from pathlib import Path

from support.fleet_files import device_id
from support.rollouts import Driver, running_product


def test_lines_count_devices_before_and_after_the_writes(tmp_path: Path) -> None:
    lines = list[str]()
    with running_product(tmp_path, 6) as simulator:
        simulator.change_device(device_id(0), powered=False)
        simulator.advance(7200)
        driver = Driver(simulator, {"waves": [{"percent": 100}], "soak": 60}, report=lines.append)
        driver.run()
        assert lines == [
            "wave 0/1 | 0 of 0 updated | 6 to write | running",
            "wave 1/1 | 0 of 6 updated | 5 updating | 1 pending | running",
        ]
        lines.clear()
        simulator.advance(600)
        driver.run()
        assert lines == ["wave 1/1 | 5 of 6 updated | 1 pending | soaking"]
        lines.clear()
        simulator.advance(61)
        assert driver.run()["state"] == "done"
    assert lines[-2:] == [
        "wave 1/1 | 5 of 6 updated | 1 pending | 6 to write | running",
        "wave 1/1 | 5 of 6 updated | 1 pending | done",
    ]


def test_lines_count_failed_and_lost_devices_apart(tmp_path: Path) -> None:
    lines = list[str]()
    with running_product(tmp_path, 6) as simulator:
        simulator.change_device(device_id(0), update="crashes_before")
        for number in (1, 2):
            simulator.change_device(device_id(number), update="came_back_old")
        driver = Driver(simulator, {"waves": [{"percent": 100}]}, report=lines.append)
        driver.run()
        simulator.advance(7200)
        driver.run()
    assert lines[-1] == "wave 1/1 | 3 of 6 updated | 2 failed | 1 gone | braked"
