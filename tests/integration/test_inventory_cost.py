# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the requests, the CPU time and the memory that an inventory takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.counts import count
from support.fleet_files import device_id, write_fleet_file
from support.inventories import measure_inventory, read_cloud_inventory, write_inventory
from support.plays import cloud_environment
from support.simulator import running_simulator

LIST = "GET /v1/products/:p/devices"
GROUPED: dict[str, Any] = {"group_by": ["platform", "network", "mesh_role", "online"]}
KEYED: dict[str, Any] = {
    "keyed_groups": [
        {"key": "particle.platform", "prefix": "platform"},
        {"key": "particle.mesh.network", "prefix": "network"},
        {"key": "particle.mesh.role", "prefix": "mesh_role"},
    ]
}

ROUNDS, MAX_ROUNDS = 3, 8


@pytest.mark.only_full
@pytest.mark.timeout(1500)
def test_group_by_takes_little_cpu_time_and_far_less_than_keyed_groups(tmp_path: Path) -> None:
    size = 10_000
    with running_simulator("--fleet", write_fleet_file(tmp_path, size)) as cloud:
        env = cloud_environment(cloud.url)

        def measure_cpu(file: Path) -> float:
            cost = measure_inventory(file, env, home=tmp_path)
            assert cost["hosts"] == size
            return float(cost["cpu"])

        # Measure in turns and take the minimum, because other processes on the machine can only add CPU time.
        files = write_inventory(tmp_path, "plain"), write_inventory(tmp_path, "grouped", **GROUPED)
        plain = grouped = float("inf")
        for number in range(MAX_ROUNDS):
            plain, grouped = (
                min(least, measure_cpu(file)) for least, file in zip((plain, grouped), files, strict=True)
            )
            if number + 1 >= ROUNDS and grouped <= 1.3 * plain:
                break
        keyed = measure_cpu(write_inventory(tmp_path, "keyed", **KEYED))
    assert grouped <= 1.3 * plain, (plain, grouped)
    assert grouped <= 0.15 * keyed, (grouped, keyed)


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_memory_for_a_large_fleet_stays_below_its_limit(tmp_path: Path) -> None:
    size, megabytes = count(quick=3_000, full=100_000), count(quick=150, full=1_500)
    with running_simulator("--fleet", write_fleet_file(tmp_path, size)) as cloud:
        cost = measure_inventory(write_inventory(tmp_path, **GROUPED), cloud_environment(cloud.url), home=tmp_path)
    assert cost["hosts"] == size
    assert cost["megabytes"] < megabytes


@pytest.mark.full
def test_inventory_makes_one_request_per_hundred_devices_and_one_more(tmp_path: Path) -> None:
    size = count(quick=1_000, full=10_000)
    with running_simulator("--fleet", write_fleet_file(tmp_path, size)) as cloud:
        inventory = read_cloud_inventory(cloud, tmp_path, **GROUPED)
        by_route = {route: number for route, number in cloud.stats()["by_route"].items() if number}
    assert len(inventory.hosts) == size
    assert by_route == {"POST /oauth/token": 1, "GET /v1/products/:p": 1, LIST: size // 100 + 1}


@pytest.mark.full
def test_device_that_reconnects_during_the_listing_is_not_lost(tmp_path: Path) -> None:
    size = count(quick=301, full=1_001)
    with running_simulator("--fleet", write_fleet_file(tmp_path, size), "--churn", "20") as cloud:
        inventory = read_cloud_inventory(cloud, tmp_path)
    assert {variables["particle"]["id"] for variables in inventory.hosts.values()} == {
        device_id(number) for number in range(size)
    }


def test_smaller_pages_cause_more_requests(tmp_path: Path) -> None:
    with running_simulator("--fleet", write_fleet_file(tmp_path, 120)) as cloud:
        assert len(read_cloud_inventory(cloud, tmp_path, page_size=50).hosts) == 120
        assert cloud.stats()["by_route"][LIST] == 4
