# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Measure programs that bring the devices of a simulator to the state that a manifest declares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.paths import COLLECTIONS, OFFICIAL_CLIENT, TESTS
from support.plays import manifest_for
from support.simulator import Simulator, running_simulator

PROGRAMS = TESTS / "bench" / "peers"
WORKERS = 16
NETWORKS = [f"site-{number:02}" for number in range(10)]
NEW_GROUPS = len(NETWORKS) + len(("mesh-gateway", "mesh-node"))
TIMEOUT_SECONDS = 3600


@dataclass(frozen=True)
class Measurement:
    """The measurements of one run of a program. Times are in seconds. `megabytes` is the largest use of memory."""

    requests: int
    seconds: float
    cpu: float
    megabytes: float
    writes: int = 0
    whole_cpu: float = 0.0
    """The CPU time of the whole program, including its start and the reading of the manifest."""
    summary: dict[str, int] | None = None

    @property
    def rate(self) -> float:
        """The number of requests per second."""
        return self.requests / self.seconds

    @property
    def cpu_of_request(self) -> float:
        """The CPU time per request, in milliseconds."""
        return 1000 * self.cpu / self.requests


@dataclass(frozen=True)
class Fleet:
    """A running simulator, and a manifest for its devices.

    Each method runs one program in a new process, and returns its measurements.

    :ivar file: the file from which the program reads the manifest.
    :ivar token: the access token that the program uses.
    """

    cloud: Simulator
    file: Path
    token: str
    manifest: dict[str, Any]

    def run_engine(self) -> Measurement:
        """Bring the fleet to the declared state with the engine of the module `fleet`."""
        return self._run(sys.executable, "engine.py")

    def run_bare_pool(self) -> Measurement:
        """Send two writes for each device with only `requests` and a pool of threads. Call `run_engine` first."""
        return self._run(sys.executable, "bare_pool.py")

    def run_promise_pool(self) -> Measurement:
        """Send two writes for each device with Particle's official client. Call `run_engine` first."""
        return self._run("node", "promise_pool.mjs")

    def _run(self, interpreter: str, program: str) -> Measurement:
        self.file.write_text(json.dumps(self.manifest))
        completed = subprocess.run(
            [interpreter, str(PROGRAMS / program), self.cloud.url, self.token, str(self.file), str(WORKERS)],
            env={"PYTHONPATH": str(COLLECTIONS), "PATH": os.environ["PATH"], "OFFICIAL_CLIENT": str(OFFICIAL_CLIENT)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
        return Measurement(**json.loads(completed.stdout.splitlines()[-1]))


@contextmanager
def running_fleet(size: int, *flags: str) -> Iterator[Fleet]:
    """Run a simulator with `size` new devices until the end of the block.

    The manifest of the yielded fleet gives each device a name, and distributes the devices over ten networks.

    :param flags: command line options of the simulator.
    """
    with running_simulator("--fleet", str(size), *flags) as cloud, tempfile.TemporaryDirectory() as folder:
        yield Fleet(cloud, Path(folder) / "manifest.json", cloud.access_token(), manifest_for(cloud, NETWORKS))


def measure_in_turns(size: int, *programs: Callable[[Fleet], Measurement]) -> list[Measurement]:
    """Run each program in three rounds. Return, for each program, the measurement with the lowest CPU time per request.

    Each round begins with a new fleet. The first program brings the fleet to the declared state. The other programs
    repeat the writes of the first program.
    """
    rounds = []
    for _unused in range(3):
        with running_fleet(size) as fleet:
            rounds.append([program(fleet) for program in programs])
    return [min(measured, key=lambda run: run.cpu_of_request) for measured in zip(*rounds, strict=True)]
