# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A run that waits checks the rollout repeatedly until it has ended or needs a person."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._api.firmware import release_firmware
from ansible_collections.meshfleet.particle.plugins.module_utils._api.products import get_product
from ansible_collections.meshfleet.particle.plugins.module_utils._api.target import Target
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.budget import Budget
from ansible_collections.meshfleet.particle.plugins.module_utils._budget.limits import EVERY_ROUTE, Allowance, Limit
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from ansible_collections.meshfleet.particle.plugins.module_utils._http.clock import Clock
from ansible_collections.meshfleet.particle.plugins.module_utils._http.connection import Connection
from ansible_collections.meshfleet.particle.plugins.module_utils._local.run_lock import hold_run_lock
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.options import read_declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.reconcile import Run, run_rollout
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.store import Store
from support.fleet_files import device_id
from support.rollouts import DEFAULTS, NEW, OLD, Driver, connect, running_product
from support.simulator import PRODUCT_SLUG, Simulator

SIZE = 12
OPTIONS: dict[str, Any] = {"waves": [{"count": 3}, {"percent": 100}], "soak": 300, "wait": True, "wait_timeout": 86_400}
LIST_ROUTE = "GET /v1/products/:p/devices"
OUTAGE = {"route": LIST_ROUTE, "effect": "status", "status": 503, "times": 10_000}
OWNER_SECONDS = 2.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_product(tmp_path_factory.mktemp("fleet"), SIZE) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """Return the simulator in its start state."""
    running.reset()
    running.clear_faults()
    running.add_firmware(OLD, NEW)
    return running


@dataclass
class TurningClock:
    """A clock whose waits turn the clock of the simulator.

    :ivar pauses: the waits between two checks, in seconds.
    :ivar after: a function that is called after each of these waits with the number of waits so far.
    """

    simulator: Simulator
    pauses: list[float] = field(default_factory=list)
    after: Callable[[int], None] = lambda number: None

    def __post_init__(self) -> None:
        self._now = self.simulator.now()
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def turn(self, seconds: float) -> None:
        """Turn both clocks, as a request does that waits for a retry or for the budget."""
        with self._lock:
            self.simulator.advance(seconds)
            self._now += seconds

    def sleep(self, seconds: float) -> None:
        """Turn both clocks, as a run does between two checks."""
        self.turn(seconds)
        if seconds != OWNER_SECONDS:
            self.pauses.append(seconds)
            self.after(len(self.pauses))


@dataclass
class Waiter:
    """A run that waits on a turning clock.

    :ivar warnings: the warnings that the run has shown.
    """

    clock: TurningClock
    lock: Callable[[], AbstractContextManager[None]] = nullcontext
    budget: Budget | None = None
    renew: Callable[[str], str] | None = None
    warnings: list[str] = field(default_factory=list)

    def run(self, *, check_mode: bool = False, poll: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        simulator, clock = self.clock.simulator, self.clock
        declared = read_declaration({**DEFAULTS, **OPTIONS, "poll": poll, **options})
        http = Http(
            Connection(simulator.url), budget=self.budget, clock=Clock(clock.turn, clock.now, clock.now), workers=1
        )
        http.use_token(simulator.access_token())
        http.renew = self.renew
        try:
            target = Target(http, get_product(http, PRODUCT_SLUG), self.warnings.append)
            own_clock = Clock(clock.sleep, clock.now, clock.now)
            store = Store(open_memory(target, None), own_clock)
            run = Run(
                target,
                declared.rollout,
                declared.filters,
                store,
                check_mode,
                declared.waiting,
                own_clock,
                self.lock,
            )
            return {**run_rollout(run).as_result(), "cloud": http.usage.as_result()}
        finally:
            http.close()


@pytest.fixture
def waiter(simulator: Simulator) -> Waiter:
    return Waiter(TurningClock(simulator))


def test_run_waits_until_the_rollout_is_done(waiter: Waiter) -> None:
    result = waiter.run()
    assert (result["state"], result["counts"]["updated"], waiter.warnings) == ("done", SIZE, [])


def test_pauses_grow_to_the_longest_and_restart_after_writes(waiter: Waiter) -> None:
    waiter.run(poll={"first": 4, "longest": 30}, soak=100)
    pauses = waiter.clock.pauses
    assert pauses[:6] == [4, 6, 9, 13.5, 20.25, 30]
    assert max(pauses) == 30
    assert pauses.count(4) == 2, "the pauses begin again when the second wave is written"
    assert all(later in (4, min(30, earlier * 1.5)) for earlier, later in pairwise(pauses))


def test_looks_without_news_write_nothing(waiter: Waiter) -> None:
    simulator, writes = waiter.clock.simulator, list[int]()
    waiter.clock.after = lambda number: writes.append(simulator.stats()["writes"])
    result = waiter.run(soak=2_000)
    assert result["state"] == "done"
    assert len(set(writes)) <= 6, "devices and record of two waves, and the time at which each was decided"
    assert len(writes) > 60


def test_end_of_wait_timeout_warns_and_does_not_fail(waiter: Waiter) -> None:
    result = waiter.run(wait_timeout=60)
    assert result["state"] == "soaking"
    assert "failed" not in result
    assert sum(waiter.clock.pauses) <= 60
    assert waiter.warnings == [
        f"The rollout continues, but wait_timeout is over: {result['next']['why']} Run again.",
    ]


def test_wait_timeout_of_zero_looks_once(waiter: Waiter) -> None:
    assert waiter.run(wait_timeout=0)["state"] == "running"
    assert waiter.clock.pauses == []
    assert len(waiter.warnings) == 1


@pytest.mark.parametrize(
    ("options", "state"), [({"approve": "each"}, "awaiting_approval"), ({"state": "paused"}, "paused")]
)
def test_rollout_that_needs_a_person_ends_the_wait_at_once(waiter: Waiter, options: dict[str, Any], state: str) -> None:
    Driver(waiter.clock.simulator, {**OPTIONS, "approve": "each"}).run()
    assert waiter.run(**options)["state"] == state
    assert (waiter.clock.pauses, waiter.warnings) == ([], [])


def test_rollout_that_its_waves_end_early_is_not_waited_for(waiter: Waiter) -> None:
    result = waiter.run(waves=[{"count": 3}], soak=60)
    assert (result["state"], result["next"]["when"], waiter.warnings) == ("held", None, [])
    assert "Declare another wave" in result["next"]["why"]


def test_brake_ends_the_wait_with_its_error(waiter: Waiter) -> None:
    waiter.clock.simulator.change_device("*", update="refused")
    result = waiter.run()
    assert (result["state"], result["error"]["code"], result["failed"]) == ("braked", "braked", True)
    before = len(waiter.clock.pauses)
    assert waiter.run()["state"] == "braked"
    assert len(waiter.clock.pauses) == before


def test_rollback_after_a_wait_follows_the_present_releases(waiter: Waiter) -> None:
    simulator = waiter.clock.simulator
    simulator.change_device("*", update="refused")

    def release_old(number: int) -> None:
        if number == 2:
            http = connect(simulator)
            release_firmware(http, PRODUCT_SLUG, OLD, {"product_default": True, "groups": [], "intelligent": False})
            http.close()

    waiter.clock.after = release_old
    assert waiter.run(rollback="lock")["state"] == "rolled_back"
    locks = [device["desired_firmware_version"] for device in simulator.state()["devices"]]
    assert (locks.count(OLD), locks.count(None)) == (3, SIZE - 3)


def test_paused_rollout_without_a_record_is_not_waited_for(waiter: Waiter) -> None:
    assert waiter.run(state="paused")["state"] == "none"
    assert waiter.clock.pauses == []


def test_check_mode_does_not_wait(waiter: Waiter) -> None:
    assert waiter.run(check_mode=True)["state"] == "running"
    assert waiter.clock.pauses == []
    assert waiter.clock.simulator.stats()["writes"] == 0


# ---------------------------------------------------------------------- failures


def fail_looks(waiter: Waiter, first: int, last: int) -> None:
    """Let all requests for the device list fail from one pause to another."""

    def change_faults(number: int) -> None:
        if number == first:
            waiter.clock.simulator.set_faults(
                [{"route": LIST_ROUTE, "effect": "status", "status": 503, "times": 10_000}]
            )
        if number == last:
            waiter.clock.simulator.clear_faults()

    waiter.clock.after = change_faults


def test_temporary_failures_are_survived_and_shown(waiter: Waiter) -> None:
    fail_looks(waiter, 2, 6)
    result = waiter.run()
    assert (result["state"], result["counts"]["updated"]) == ("done", SIZE)
    assert len(waiter.warnings) == 4
    assert all(warning.startswith("The rollout is checked again later: ") for warning in waiter.warnings)


def test_ten_failures_in_a_row_end_the_run(waiter: Waiter) -> None:
    fail_looks(waiter, 2, 99)
    with pytest.raises(ParticleError) as caught:
        waiter.run()
    assert caught.value.code == "cloud_error"
    assert len(waiter.warnings) == 9
    waiter.clock.simulator.clear_faults()
    waiter.clock.after = lambda number: None
    assert waiter.run()["state"] == "done"


def test_failure_that_is_not_temporary_ends_the_run(waiter: Waiter) -> None:
    def forbid(number: int) -> None:
        waiter.clock.simulator.set_faults([{"route": LIST_ROUTE, "effect": "status", "status": 403}])

    waiter.clock.after = forbid
    with pytest.raises(ParticleError) as caught:
        waiter.run()
    assert (caught.value.code, len(waiter.clock.pauses)) == ("forbidden", 1)


def test_failure_of_the_first_check_ends_the_run(waiter: Waiter) -> None:
    waiter.clock.simulator.set_faults([OUTAGE])
    with pytest.raises(ParticleError):
        waiter.run()
    assert waiter.clock.pauses == []


# ---------------------------------------------------------------------- other runs


def test_lock_of_another_run_on_this_machine_is_waited_for(waiter: Waiter, tmp_path: Path) -> None:
    waiter.lock = lambda: hold_run_lock(tmp_path, "cloud", PRODUCT_SLUG)
    other = ExitStack()
    other.enter_context(waiter.lock())

    def change_lock(number: int) -> None:
        if number in (3, 9):
            other.close()
        if number == 5:
            other.enter_context(waiter.lock())

    waiter.clock.after = change_lock
    result = waiter.run()
    assert (result["state"], waiter.warnings) == ("done", [])
    assert len(waiter.clock.pauses) > 9


def test_run_that_never_gets_its_first_turn_fails(waiter: Waiter, tmp_path: Path) -> None:
    waiter.lock = lambda: hold_run_lock(tmp_path, "cloud", PRODUCT_SLUG)
    with waiter.lock(), pytest.raises(ParticleError) as caught:
        waiter.run(wait_timeout=120)
    assert caught.value.code == "run_in_progress"
    assert 60 < sum(waiter.clock.pauses) <= 120


@pytest.mark.parametrize("at", [2, 9])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "paused"}, "Another run has paused this rollout"),
        ({"state": "aborted"}, "Another run has aborted this rollout"),
        ({"version": 3, "supersede": True}, "Another run has begun the rollout of version 3"),
        ({"accept": [device_id(1)]}, "Another run has continued this rollout"),
    ],
)
def test_change_by_another_run_ends_the_wait(waiter: Waiter, at: int, options: dict[str, Any], words: str) -> None:
    simulator = waiter.clock.simulator
    simulator.add_firmware(3)
    written = dict[str, int]()

    def interfere(number: int) -> None:
        if number == at:
            Driver(simulator, {**OPTIONS, **options}).run()
            written["by other"] = simulator.stats()["writes"]

    waiter.clock.after = interfere
    with pytest.raises(ParticleError) as caught:
        waiter.run(soak=7_200)
    assert caught.value.code == "run_in_progress"
    assert words in caught.value.message
    assert simulator.stats()["writes"] == written["by other"]


# ---------------------------------------------------------------------- login and budget


def test_login_is_renewed_in_a_long_wait(waiter: Waiter) -> None:
    simulator, renewed = waiter.clock.simulator, list[str]()

    def renew(token: str) -> str:
        renewed.append(token)
        return simulator.access_token()

    waiter.renew = renew
    waiter.clock.after = lambda number: simulator.advance(100 * 86_400) if number == 3 else None
    assert waiter.run()["state"] == "done"
    assert len(renewed) == 1


def test_budget_is_kept_in_a_long_wait(waiter: Waiter) -> None:
    limit = Limit(40, 300)
    waiter.budget = Budget(Allowance({EVERY_ROUTE: limit}, 1.0), clock=waiter.clock.now)
    result = waiter.run(poll={"first": 1, "longest": 2}, soak=600)
    assert result["state"] == "done"
    assert result["cloud"]["budget_wait_seconds"] > 300
    assert result["cloud"]["throttled_seconds"] == 0


def test_device_that_cannot_be_written_is_written_by_a_later_check(waiter: Waiter) -> None:
    fault = {"route": "PUT /v1/products/:p/devices/:id", "effect": "status", "status": 403, "times": 2}
    waiter.clock.simulator.set_faults([fault])
    result = waiter.run()
    assert (result["state"], result["counts"]["updated"], "failed" in result) == ("done", SIZE, False)
