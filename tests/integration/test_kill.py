# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A run that is killed at any moment costs nothing: the next one does what is left, and not one write more."""

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
from support.simulator import Simulator, running_simulator

N = count(quick=300, full=1000)
KILLS = count(quick=3, full=20)
WORKERS = 16
NETWORKS = ["barn", "shed", "yard"]
REST_SECONDS = 30.0

IMPORT = "POST /v1/products/:p/devices"
CREATE_GROUP = "POST /v1/products/:p/groups"
CREATE_LEDGER = "POST /v1/ledgers"
CHANGE_GROUP = "PUT /v1/products/:p/devices"
UPDATE = "PUT /v1/products/:p/devices/:id"
SET_ORDERS = "PUT /v1/ledgers/:name/instances/:scopeValue"

Writes = Counter[str]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    with running_simulator("--fleet", str(N)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def manifest(cloud: Simulator) -> dict[str, Any]:
    declared = manifest_for(cloud, NETWORKS, groups=["north"])
    for network in declared["networks"].values():
        network["parameters"] = {"channel": 15}
    return declared


def writes_left(cloud: Simulator, manifest: dict[str, Any]) -> Writes:
    """The writes by which the cloud comes to what is declared, and no fewer, worked out from what it holds.

    One batch holds all devices; a device takes one write for its fields and one for its orders.
    """
    now = normalize_state(cloud.state())
    then = expect_state(now, manifest)
    product = manifest["product"]
    pairs = [(now["devices"][device], then["devices"][device]) for device in then["devices"]]
    orders = [ledgers["ledgers"].get("mesh", {"data": {}})["data"] for ledgers in (now, then)]
    lacking = {group for before, after in pairs for group in set(after["groups"]) - set(before["groups"])}
    return +Counter(
        {
            IMPORT: int(any(before["product"] != after["product"] for before, after in pairs)),
            CREATE_GROUP: len(then["groups"][product] - now["groups"][product]),
            CREATE_LEDGER: len(then["ledgers"].keys() - now["ledgers"].keys()),
            CHANGE_GROUP: len(lacking),
            UPDATE: sum(before["name"] != after["name"] for before, after in pairs),
            SET_ORDERS: sum(orders[0].get(device) != orders[1][device] for device in orders[1]),
        }
    )


def writes_seen(cloud: Simulator) -> Writes:
    """The writes that have reached the cloud so far."""
    by_route = cloud.stats()["by_route"]
    return Counter(
        {route: times for route, times in by_route.items() if route[:3] != "GET" and route != "POST /oauth/token"}
    )


def plays(folder: Path, manifest: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    file = folder / "fleet.json"
    file.write_text(json.dumps(manifest))
    task = {"name": TASK, "meshfleet.particle.fleet": {"manifest": str(file), "workers": WORKERS, **options}}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def environment(cloud: Simulator, home: Path) -> dict[str, str]:
    """Both runs find the logins and the locks of one user."""
    return {**cloud_environment(cloud.url), "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}


def wait_for_rest(cloud: Simulator) -> None:
    """Until the cloud has read what the killed processes had sent."""
    end = time.monotonic() + REST_SECONDS
    before, now = None, cloud.stats()
    while now != before:
        assert time.monotonic() < end, "the cloud did not come to rest"
        before, now = now, cloud.stats()


@pytest.fixture(scope="module")
def whole(cloud: Simulator, manifest: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the cloud counts of a run that nobody disturbs."""
    home = tmp_path_factory.mktemp("home")
    left = writes_left(cloud, manifest)
    run_playbook(plays(home, manifest), env=environment(cloud, home)).succeeded()
    assert writes_seen(cloud) == left
    return cloud.stats()


@pytest.mark.parametrize("kill", range(KILLS))
def test_the_next_run_makes_exactly_the_writes_that_the_killed_one_had_left(
    cloud: Simulator, manifest: dict[str, Any], whole: dict[str, Any], tmp_path: Path, kill: int
) -> None:
    cloud.reset()
    at_first = writes_left(cloud, manifest)
    # The first look and the batches, the devices, and the proof each get their share, however few requests they are.
    requests, proof = whole["requests"], N // 50
    phases = [(1, requests - 2 * N - proof), (requests - 2 * N - proof, requests - proof), (requests - proof, requests)]
    moment = Random(f"kill {kill}").randint(*phases[kill % len(phases)])

    with running_play(plays(tmp_path, manifest), tmp_path, environment(cloud, tmp_path)) as play:
        play.wait_until(lambda: cloud.stats()["requests"] >= moment)
        assert not play.ended or moment > requests - proof, play.output
        play.kill()
    wait_for_rest(cloud)

    # The criterion: a write is left when the cloud does not show its effect. What was in flight at the kill is left
    # or not by what the cloud made of it, and the next run must see which.
    left = writes_left(cloud, manifest)
    sent = writes_seen(cloud)
    run_playbook(plays(tmp_path, manifest), env=environment(cloud, tmp_path)).succeeded()
    assert writes_seen(cloud) - sent == left
    assert writes_left(cloud, manifest) == Counter()

    # Over both runs only a request that was torn apart in the middle may have been counted twice: one of each worker.
    twice = writes_seen(cloud) - at_first
    assert at_first - writes_seen(cloud) == Counter()
    assert twice.total() <= WORKERS


def test_the_engine_stops_within_one_request_when_its_controlling_process_is_killed(tmp_path: Path) -> None:
    with running_simulator("--fleet", "300", "--latency", "20") as cloud:
        home, declared = tmp_path, manifest_for(cloud)
        with running_play(plays(home, declared, workers=4), home, environment(cloud, home)) as play:
            play.wait_until(lambda: cloud.stats()["writes"] >= 20)
            with play.orphaned():
                counted = cloud.stats()["requests"]
            # Each of the four may have looked for its controlling process just before that was killed.
            assert cloud.stats()["requests"] <= counted + 4
            assert cloud.stats()["writes"] < 300
