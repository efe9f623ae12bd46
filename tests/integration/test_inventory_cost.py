# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""What an inventory costs: ratios of CPU time, and memory; no wall times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.counts import count
from support.fleet_files import fleet_file
from support.inventories import cost_of, inventory_file
from support.plays import cloud_environment
from support.simulator import running_simulator

GROUPED: dict[str, Any] = {"group_by": ["platform", "network", "mesh_role", "online"]}
KEYED: dict[str, Any] = {
    "keyed_groups": [
        {"key": "particle.platform", "prefix": "platform"},
        {"key": "particle.mesh.network", "prefix": "network"},
        {"key": "particle.mesh.role", "prefix": "mesh_role"},
    ]
}

ROUNDS, MOST_ROUNDS = 3, 8


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_native_groups_cost_next_to_nothing_and_templates_do_not(tmp_path: Path) -> None:
    size = count(quick=2_000, full=10_000)
    with running_simulator("--fleet", fleet_file(tmp_path, size)) as cloud:
        env = cloud_environment(cloud.url)

        def cpu(file: Path) -> float:
            cost = cost_of(file, env, home=tmp_path)
            assert cost["hosts"] == size
            return float(cost["cpu"])

        # In turns, and the least of each: others share the machine, and can only add to it.
        files = inventory_file(tmp_path, "plain"), inventory_file(tmp_path, "grouped", **GROUPED)
        plain = grouped = float("inf")
        for number in range(MOST_ROUNDS):
            plain, grouped = (min(known, cpu(file)) for known, file in zip((plain, grouped), files, strict=True))
            if number + 1 >= ROUNDS and grouped <= 1.3 * plain:
                break
        keyed = cpu(inventory_file(tmp_path, "keyed", **KEYED))
    assert grouped <= 1.3 * plain, (plain, grouped)
    assert grouped <= 0.15 * keyed, (grouped, keyed)


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_a_large_fleet_fits_into_memory(tmp_path: Path) -> None:
    size, megabytes = count(quick=3_000, full=100_000), count(quick=150, full=1_500)
    with running_simulator("--fleet", fleet_file(tmp_path, size)) as cloud:
        cost = cost_of(inventory_file(tmp_path, **GROUPED), cloud_environment(cloud.url), home=tmp_path)
    assert cost["hosts"] == size
    assert cost["megabytes"] < megabytes
