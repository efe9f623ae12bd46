# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure the requests, CPU time and memory of a rollout, from its first wave to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._firmware.plan import Release
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.begin import begin_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.decision import Decision
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import (
    DeclaredWave,
    Device,
    Progress,
    Releases,
    Rollout,
    Share,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.plan import decide
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.view import Situation
from support.fleet_files import device_id
from support.fleets import PROGRAMS, TIMEOUT_SECONDS
from support.paths import COLLECTIONS
from support.rollouts import DEFAULTS, NEW, OLD, running_product
from support.simulator import Simulator

SOAK = 600
SHARE = 10
"""The share of the devices in the first wave, in percent. The second wave contains all other devices."""
OPTIONS: Mapping[str, Any] = {**DEFAULTS, "waves": [{"percent": SHARE}, {"percent": 100}], "soak": SOAK}
UPDATE_SECONDS = 60
"""Seconds of the simulated clock after which all devices of a wave run the new version."""
POLLS = 4

LOCK_ROUTE = "PUT /v1/products/:p/devices/:id"
RELEASE_ROUTE = "PUT /v1/products/:p/firmware/release"


@dataclass(frozen=True)
class RolloutCost:
    """The measurements of one run, as the cloud counted them.

    :ivar state: the state of the rollout after the run.
    :ivar locks: the number of writes to devices.
    :ivar releases: the number of releases.
    :ivar poll: the number of requests of each further check of a run that waits; 0 for a run that does not wait.
    :ivar cpu: the CPU time of the engine in seconds.
    :ivar megabytes: the largest use of memory of the process of the engine.
    """

    state: str
    requests: int
    writes: int
    locks: int
    releases: int
    poll: float
    cpu: float
    megabytes: float

    @property
    def reads(self) -> int:
        """The number of requests that change nothing."""
        return self.requests - self.writes

    @property
    def record_writes(self) -> int:
        """The number of writes of the record, including the creation of its ledger."""
        return self.writes - self.locks - self.releases


@dataclass(frozen=True)
class RolloutCosts:
    """The costs of the successive runs of a rollout to all devices.

    :ivar planning: the first run, which begins the first wave.
    :ivar noticing: the first run after the devices have updated; it writes when the soak time began.
    :ivar soaking: a run during the soak time, which can do nothing.
    :ivar waiting: a run that waits during the soak time.
    :ivar widening: the run that begins the second wave.
    :ivar ending: the run that releases the version and takes back all locks.
    :ivar repeated: a run after the end.
    """

    planning: RolloutCost
    noticing: RolloutCost
    soaking: RolloutCost
    waiting: RolloutCost
    widening: RolloutCost
    ending: RolloutCost
    repeated: RolloutCost

    @property
    def all(self) -> tuple[RolloutCost, ...]:
        """The costs of all runs."""
        begun = (self.planning, self.noticing, self.soaking, self.waiting)
        return (*begun, self.widening, self.ending, self.repeated)


def measure_rollout(size: int) -> RolloutCosts:
    """Roll out a version to `size` devices, and return the cost of each run."""
    with tempfile.TemporaryDirectory() as name, running_product(Path(name), size) as cloud:
        folder = Path(name)
        planning = _measure_run(cloud, folder)
        cloud.advance(UPDATE_SECONDS)
        noticing, soaking = _measure_run(cloud, folder), _measure_run(cloud, folder)
        waiting = _measure_run(cloud, folder, polls=POLLS)
        cloud.advance(SOAK)
        widening = _measure_run(cloud, folder)
        cloud.advance(UPDATE_SECONDS)
        _measure_run(cloud, folder)
        cloud.advance(SOAK)
        ending, repeated = _measure_run(cloud, folder), _measure_run(cloud, folder)
    return RolloutCosts(planning, noticing, soaking, waiting, widening, ending, repeated)


def _measure_run(cloud: Simulator, folder: Path, *, polls: int = 0) -> RolloutCost:
    """Run the engine in a new process, with a new token because a jump of the clock can end tokens."""
    file = folder / "options.json"
    file.write_text(json.dumps(OPTIONS))
    token = cloud.access_token()
    before = cloud.stats()
    completed = subprocess.run(
        [sys.executable, str(PROGRAMS / "rollout_engine.py"), cloud.url, token, str(file), str(polls)],
        env={"PYTHONPATH": str(COLLECTIONS), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    after = cloud.stats()
    measured = json.loads(completed.stdout.splitlines()[-1])
    counts = {name: after[name] - before[name] for name in ("requests", "writes")}
    assert counts == {name: measured[name] for name in counts}, "the engine and the cloud count differently"
    further = measured["looks"] - 1

    def count_route(route: str) -> int:
        return int(after["by_route"].get(route, 0) - before["by_route"].get(route, 0))

    return RolloutCost(
        state=measured["state"],
        **counts,
        locks=count_route(LOCK_ROUTE),
        releases=count_route(RELEASE_ROUTE),
        poll=(measured["requests"] - measured["first_look"]) / further if further else 0,
        cpu=measured["cpu"],
        megabytes=measured["megabytes"],
    )


def measure_decision(size: int) -> float:
    """Return the CPU seconds of a decision about `size` devices that all run the new version and must stay healthy.

    No other state takes more time. The best of three rounds counts.
    """
    situation = _build_soaking_situation(size)
    rounds = []
    for _unused in range(3):
        start = time.process_time()
        decision = decide(situation)
        rounds.append(time.process_time() - start)
        assert decision.progress is Progress.SOAKING
        assert len(decision.assessments) == size
    return min(rounds)


def _build_soaking_situation(size: int) -> Situation:
    now = 1_800_000_000.0
    devices = {
        device: Device(device, version=OLD, online=True, heard=now - 60, handshake=now - 86_400, is_cellular=True)
        for device in map(device_id, range(size))
    }
    rollout = Rollout(NEW, waves=(DeclaredWave(Share(100)),))
    record = begin_rollout(rollout, None, devices, {}, now)
    begun = Situation(rollout, record, devices, Releases(OLD), Release(False, (), False), now)
    later = replace(begun, record=decide(begun).record, devices=_update_devices(decide(begun), devices), now=now + 60)
    return replace(later, record=decide(later).record)


def _update_devices(decision: Decision, devices: Mapping[str, Device]) -> dict[str, Device]:
    """Return the devices after the writes of a decision, half a minute later. They run the version of their lock."""
    now = decision.record.began + 30
    return {
        write.device: replace(devices[write.device], lock=write.lock, version=write.lock, heard=now, handshake=now)
        for write in decision.locks
    }
