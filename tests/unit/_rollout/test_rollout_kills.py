# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test rollouts whose runs are killed: the next run continues, and no device is written twice without need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.counts import count
from support.fleets import PROGRAMS
from support.paths import COLLECTIONS
from support.processes import HANG_SECONDS
from support.rollout_costs import LOCK_ROUTE, RELEASE_ROUTE
from support.rollouts import DEFAULTS, NEW, OLD, Driver, running_product
from support.simulator import Simulator

SIZE = 60
WORKERS = 16
KILLS = count(quick=1, full=20)
SOAK, STEP = 600, 1000
"""Each step of the clock is long enough for all updates of a wave, and for the soak time."""
OPTIONS = {**DEFAULTS, "waves": [{"count": 10}, {"percent": 100}], "soak": SOAK}
MAX_RUNS = 20

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    # The latency spreads the moments of the writes, so that a kill often finds some of them.
    with running_product(tmp_path_factory.mktemp("fleet"), SIZE, "--latency", "5") as simulator:
        yield simulator


@dataclass(frozen=True)
class Rolled:
    """A rollout that has ended.

    :ivar requests: the requests of each run.
    :ivar locks: the number of writes to devices.
    :ivar releases: the number of releases.
    :ivar devices: version and lock of each device.
    """

    requests: list[int]
    locks: int
    releases: int
    devices: dict[str, tuple[int, int | None]]


def roll_out(cloud: Simulator, kill: tuple[int, int] | None = None, folder: Path | None = None) -> Rolled:
    """Run a rollout until it has ended, and turn the clock between two runs.

    :param kill: the number of the run before which another run is killed, and the number of requests after which.
    """
    cloud.reset()
    cloud.add_firmware(OLD, NEW)
    driver, requests = Driver(cloud, OPTIONS), list[int]()
    for number in range(MAX_RUNS):
        if kill is not None and folder is not None and kill[0] == number:
            run_until_killed(cloud, folder, kill[1])
        result = driver.run()
        requests.append(result["cloud"]["requests"])
        if result["state"] == "done":
            break
        cloud.advance(STEP)
    else:
        pytest.fail(f"the rollout does not end: {result['next']}")
    by_route = cloud.stats()["by_route"]
    devices = {
        device: (each["firmware_version"], each["desired_firmware_version"]) for device, each in driver.truth().items()
    }
    return Rolled(requests, by_route[LOCK_ROUTE], by_route[RELEASE_ROUTE], devices)


def run_until_killed(cloud: Simulator, folder: Path, requests: int) -> None:
    """Run the engine in a process, and kill it after a number of requests, or let it end before."""
    file = folder / "options.json"
    file.write_text(json.dumps(OPTIONS))
    before = cloud.stats()["requests"]
    arguments = [str(PROGRAMS / "rollout_engine.py"), cloud.url, cloud.access_token(), str(file), "0"]
    environment = {"PYTHONPATH": str(COLLECTIONS), "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + HANG_SECONDS
        while cloud.stats()["requests"] < before + requests and process.poll() is None:
            assert time.monotonic() < end, "the run does not send its requests"
        process.kill()
    wait_until_idle(cloud)


def wait_until_idle(cloud: Simulator) -> None:
    """Wait until the cloud has read the last requests of the killed process."""
    end = time.monotonic() + HANG_SECONDS
    before: dict[str, Any] = {}
    while (now := cloud.stats()) != before:
        assert time.monotonic() < end, "the cloud still receives requests"
        before = now


@pytest.fixture(scope="module")
def undisturbed(cloud: Simulator) -> Rolled:
    rolled = roll_out(cloud)
    assert (rolled.locks, rolled.releases) == (2 * SIZE, 1)
    assert set(rolled.devices.values()) == {(NEW, None)}
    return rolled


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_run_costs_at_most_the_writes_under_way(
    cloud: Simulator, undisturbed: Rolled, tmp_path: Path, number: int
) -> None:
    random = Random(f"kill {number}")
    # The runs that write are killed more often than the others, which only read.
    writing = sorted(range(len(undisturbed.requests)), key=undisturbed.requests.__getitem__)[-3:]
    run = random.choice([*writing, *writing, *range(len(undisturbed.requests))])
    rolled = roll_out(cloud, (run, random.randint(1, undisturbed.requests[run])), tmp_path)
    assert rolled.devices == undisturbed.devices
    assert undisturbed.locks <= rolled.locks <= undisturbed.locks + WORKERS
    assert 1 <= rolled.releases <= 2
