# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test runs that are killed: the next run makes exactly the remaining writes."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.counts import count
from support.declared import expect_state, normalize_state
from support.killing import running_play
from support.playbooks import run_playbook
from support.plays import TASK, cloud_environment, manifest_for
from support.processes import HANG_SECONDS
from support.simulator import Simulator, running_simulator

N = count(quick=150, full=1000)
KILLS = count(quick=1, full=20)
WORKERS = 16
NETWORKS = ["barn", "shed", "yard"]

IMPORT = "POST /v1/products/:p/devices"
CREATE_GROUP = "POST /v1/products/:p/groups"
CREATE_LEDGER = "POST /v1/ledgers"
CHANGE_GROUP = "PUT /v1/products/:p/devices"
UPDATE = "PUT /v1/products/:p/devices/:id"
SET_INSTRUCTIONS = "PUT /v1/ledgers/:name/instances/:scopeValue"

Writes = Counter[str]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(N)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def manifest(cloud: Simulator) -> dict[str, Any]:
    manifest = manifest_for(cloud, NETWORKS, groups=["north"])
    for network in manifest["networks"].values():
        network["parameters"] = {"channel": 15}
    return manifest


def compute_remaining_writes(cloud: Simulator, manifest: dict[str, Any]) -> Writes:
    """Compute the writes that lead from the present state of the cloud to the declared state.

    One batch contains all devices; a device takes one write for its fields and one for its mesh instructions.
    """
    present = normalize_state(cloud.state())
    declared = expect_state(present, manifest)
    product = manifest["product"]
    pairs = [(present["devices"][device], declared["devices"][device]) for device in declared["devices"]]
    instructions = [ledgers["ledgers"].get("mesh", {"data": {}})["data"] for ledgers in (present, declared)]
    missing_groups = {group for before, after in pairs for group in set(after["groups"]) - set(before["groups"])}
    return +Counter(
        {
            IMPORT: int(any(before["product"] != after["product"] for before, after in pairs)),
            CREATE_GROUP: len(declared["groups"][product] - present["groups"][product]),
            CREATE_LEDGER: len(declared["ledgers"].keys() - present["ledgers"].keys()),
            CHANGE_GROUP: len(missing_groups),
            UPDATE: sum(before["name"] != after["name"] for before, after in pairs),
            SET_INSTRUCTIONS: sum(instructions[0].get(device) != instructions[1][device] for device in instructions[1]),
        }
    )


def count_writes(cloud: Simulator) -> Writes:
    """Count the writes that the cloud has received so far."""
    by_route = cloud.stats()["by_route"]
    return Counter(
        {route: times for route, times in by_route.items() if route[:3] != "GET" and route != "POST /oauth/token"}
    )


def write_plays(folder: Path, manifest: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    file = folder / "fleet.json"
    file.write_text(json.dumps(manifest))
    task = {"name": TASK, "meshfleet.particle.fleet": {"manifest": str(file), "workers": WORKERS, **options}}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def environment(cloud: Simulator, home: Path) -> dict[str, str]:
    """Return the environment of both runs, which share the sessions and locks of one user."""
    return {**cloud_environment(cloud.url), "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}


def wait_until_idle(cloud: Simulator) -> None:
    """Wait until the cloud has read the last requests of the killed processes."""
    end = time.monotonic() + HANG_SECONDS
    before, now = None, cloud.stats()
    while now != before:
        assert time.monotonic() < end, "the cloud still receives requests"
        before, now = now, cloud.stats()


@pytest.fixture(scope="module")
def undisturbed_stats(
    cloud: Simulator, manifest: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The counts of the cloud after a run that is not killed."""
    home = tmp_path_factory.mktemp("home")
    remaining = compute_remaining_writes(cloud, manifest)
    run_playbook(write_plays(home, manifest), env=environment(cloud, home)).succeeded()
    assert count_writes(cloud) == remaining
    return cloud.stats()


@pytest.mark.parametrize("kill", range(KILLS))
def test_next_run_makes_exactly_the_writes_that_a_killed_run_left(
    cloud: Simulator, manifest: dict[str, Any], undisturbed_stats: dict[str, Any], tmp_path: Path, kill: int
) -> None:
    cloud.reset()
    all_writes = compute_remaining_writes(cloud, manifest)
    # Kill in turn during the observation with the batches, during the writes to devices, and during the verification.
    requests, verification = undisturbed_stats["requests"], N // 50
    phases = [
        (1, requests - 2 * N - verification),
        (requests - 2 * N - verification, requests - verification),
        (requests - verification, requests),
    ]
    moment = Random(f"kill {kill}").randint(*phases[kill % len(phases)])

    with running_play(write_plays(tmp_path, manifest), tmp_path, environment(cloud, tmp_path)) as play:
        play.wait_until(lambda: cloud.stats()["requests"] >= moment)
        assert not play.ended or moment > requests - verification, play.output
        play.kill()
    wait_until_idle(cloud)

    # A write remains if the cloud does not show its effect. The next run must find out whether the cloud has carried
    # out the requests that were in flight at the kill.
    remaining = compute_remaining_writes(cloud, manifest)
    sent = count_writes(cloud)
    run_playbook(write_plays(tmp_path, manifest), env=environment(cloud, tmp_path)).succeeded()
    assert count_writes(cloud) - sent == remaining
    assert compute_remaining_writes(cloud, manifest) == Counter()

    # Only requests that the kill interrupted can have been counted twice, at most one of each worker.
    repeated = count_writes(cloud) - all_writes
    assert all_writes - count_writes(cloud) == Counter()
    assert repeated.total() <= WORKERS


def test_engine_stops_after_its_controlling_process_is_killed(tmp_path: Path) -> None:
    with running_simulator("--fleet", "300", "--latency", "20") as cloud:
        home, declared = tmp_path, manifest_for(cloud)
        with running_play(write_plays(home, declared, workers=4), home, environment(cloud, home)) as play:
            play.wait_until(lambda: cloud.stats()["writes"] >= 20)
            with play.orphaned():
                requests = cloud.stats()["requests"]
            # Each of the four workers may have checked for its controlling process just before the kill.
            assert cloud.stats()["requests"] <= requests + 4
            assert cloud.stats()["writes"] < 300
