# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run rollouts with the engine of the collection against a simulator whose clock only tests turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import SYSTEM_CLOCK, Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.info import read_rollout_state
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import Waiting, read_declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.reconcile import Run, run_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store
from support.fleet_files import device_id
from support.in_process import InProcessSimulator
from support.simulator import PRODUCT_ID, PRODUCT_SLUG, Simulator, running_simulator

OLD, NEW = 1, 2

DEFAULTS: Mapping[str, Any] = {
    "version": NEW,
    "filters": None,
    "waves": None,
    "soak": 3600,
    "approve": "none",
    "approved": 0,
    "brake": None,
    "offline_after": None,
    "unavailable": None,
    "release": None,
    "rollback": "none",
    "state": "present",
    "accept": [],
    "supersede": False,
    "wait": False,
    "wait_timeout": 86400,
    "poll": None,
}
"""The options of module `rollout`, with their defaults, except that a run does not wait."""

BAD_STATES: Mapping[str, frozenset[str]] = {
    "refused": frozenset({"failed_refused"}),
    "transfer_fails": frozenset({"failed_timeout"}),
    "came_back_old": frozenset({"came_back_old"}),
    "crashes_online": frozenset({"crashing"}),
    "crashes_before": frozenset({"gone"}),
}
"""The state that the collection must find for each bad ending of the simulator."""


def write_rollout_fleet(
    folder: Path, size: int, *, groups: int = 0, others: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Write a fleet file with the devices of :func:`build_rollout_fleet`, and return its path."""
    path = folder / "fleet.json"
    path.write_text(json.dumps(build_rollout_fleet(size, groups=groups, others=others)))
    return str(path)


def build_rollout_fleet(
    size: int, *, groups: int = 0, others: Mapping[str, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Build a fleet of Borons of the product that run firmware OLD.

    :param groups: the number of device groups `site-0`, `site-1`, … among which the devices are divided.
    :param others: more keys of devices, keyed by device id.
    """
    return [
        {
            "id": device_id(number),
            "name": f"unit-{number:06}",
            "product_id": PRODUCT_ID,
            "groups": [f"site-{number % groups}"] if groups else [],
            "firmware_version": OLD,
            **(others or {}).get(device_id(number), {}),
        }
        for number in range(size)
    ]


@contextmanager
def running_product(
    folder: Path,
    size: int,
    *flags: str,
    groups: int = 0,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Simulator]:
    """Run a simulator whose product has `size` devices, and the firmware versions OLD and NEW.

    The parameters are those of `write_rollout_fleet` and further flags of the simulator.
    """
    fleet = write_rollout_fleet(folder, size, groups=groups, others=others)
    with running_simulator("--fleet", fleet, *flags) as simulator:
        simulator.add_firmware(OLD, NEW)
        yield simulator


def connect(simulator: Simulator | InProcessSimulator) -> Http:
    """Return an HTTP client that is logged in to the simulator."""
    if isinstance(simulator, InProcessSimulator):
        return simulator.connect(SYSTEM_CLOCK)
    http = Http(Connection(simulator.url))
    http.use_token(simulator.access_token())
    return http


IMPATIENT_CLOCK = replace(SYSTEM_CLOCK, sleep=lambda seconds: None)
"""The clock of runs that never wait, so that a test can turn the clock of the simulator in their place."""


@dataclass
class Driver:
    """Runs rollouts of version NEW, each time as a new process would: without memory of the run before."""

    simulator: Simulator | InProcessSimulator
    options: Mapping[str, Any] = field(default_factory=dict)
    state_file: Path | None = None
    clock: Clock = IMPATIENT_CLOCK
    report: Callable[[str], None] = lambda line: None

    def run(
        self, *, check_mode: bool = False, waiting: Waiting | None = None, clock: Clock | None = None, **options: Any
    ) -> dict[str, Any]:
        """Run the rollout once and return the result of the module. The key `diff` contains a `Diff`."""
        declared = read_declaration({**DEFAULTS, **self.options, **options})
        with self._open() as target:
            run = Run(
                target,
                declared.rollout,
                declared.filters,
                Store(open_memory(target, self.state_file), clock or self.clock),
                check_mode,
                waiting,
                clock or self.clock,
                report=self.report,
            )
            result = run_rollout(run).as_result()
            return {**result, "cloud": target.http.usage.as_result()}

    def info(self) -> dict[str, Any]:
        """Return the result of module `rollout_info`."""
        with self._open() as target:
            return read_rollout_state(target, Store(open_memory(target, self.state_file), self.clock), self.clock)

    @contextmanager
    def _open(self) -> Iterator[Target]:
        http = connect(self.simulator)
        try:
            yield Target(http, get_product(http, PRODUCT_SLUG), lambda warning: None)
        finally:
            http.close()

    def truth(self) -> dict[str, dict[str, Any]]:
        """Return the devices as the simulator knows them, keyed by id."""
        return {device["id"]: device for device in self.simulator.state()["devices"]}
