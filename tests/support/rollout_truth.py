# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Run a rollout repeatedly while the clock advances, and compare each result with the true state of the devices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from random import Random
from typing import Any

from support.in_process import InProcessSimulator
from support.rollouts import BAD_STATES, NEW, Driver

HOUR, DAY = 3600.0, 86_400.0
MAX_RUNS = 1500
SETTLING = (60.0, 900.0, HOUR + 100, 60.0, 60.0, HOUR + 100, 60.0)
"""Seconds between the runs after a rollout has ended or stopped.

All updates that were under way have a result by then.
"""

FAILED_STATES = frozenset({"failed_refused", "failed_timeout", "came_back_old", "crashing", "safe_mode"})
GOOD_ENDINGS = frozenset({"ok", "slow", "late_ack", "needs_device_os"})

ELECTRON = 10
"""The platform whose devices stay in safe mode (firmware-and-events.md, section 4.2)."""

Truth = Mapping[str, Mapping[str, Any]]
"""The devices as the simulator knows them, keyed by device id."""


# ---------------------------------------------------------------------- the clock


def draw_steps(random: Random) -> Iterator[float]:
    """Yield random seconds between two runs, from ten seconds to a day."""
    while True:
        yield random.choice((10.0, 60.0, 300.0, 900.0, 1800.0, HOUR, 6 * HOUR, DAY))


def draw_bursts(random: Random) -> Iterator[float]:
    """Yield many short steps, and then a long one, in turn."""
    while True:
        yield from repeat(10.0, random.randint(5, 40))
        yield random.choice((900.0, HOUR, 2 * HOUR))


def choose_steps(seed: int) -> Iterator[float]:
    """Return the seconds between runs.

    The seed chooses one of four patterns: random, bursts, every five minutes, or once per day.
    """
    random = Random(f"steps {seed}")
    return (draw_steps(random), draw_bursts(random), repeat(300.0), repeat(DAY))[seed % 4]


# ---------------------------------------------------------------------- the truth


def list_targeted(truth: Truth) -> list[str]:
    """Return the ids of the devices that the rollout has targeted."""
    return [device for device, each in truth.items() if each["desired_firmware_version"] == NEW]


def is_brake_reached(
    truth: Truth, targeted: Collection[str], unknown: Collection[str] = (), share: float = 5.0, at_least: int = 2
) -> bool:
    """Return whether the failures among the updates that were sent to targeted devices reach the brake.

    The share of lost devices may be twice as large.

    :param unknown: ids of devices whose failure may not be known yet.
    """
    sent = [truth[device] for device in targeted if truth[device]["last_update"] is not None]
    bad = [device for device in sent if is_bad(device) and device["id"] not in unknown]
    gone = sum(device["last_update"] == "crashes_before" for device in bad)
    numbers = ((len(bad) - gone, share), (gone, 2 * share))
    return any(number >= at_least and number * 100 >= limit * len(sent) for number, limit in numbers)


def is_bad(device: Mapping[str, Any]) -> bool:
    """Return whether the update of a device has failed, or will fail."""
    return device["last_update"] in {*BAD_STATES, "sleeps"} or _stays_in_safe_mode(device)


def _stays_in_safe_mode(device: Mapping[str, Any]) -> bool:
    return bool(device["platform_id"] == ELECTRON and device["last_update"] == "needs_device_os")


def expect_states(device: Mapping[str, Any], *, was_asleep: bool) -> frozenset[str]:
    """Return the states that a targeted device can have after everything under way is decided."""
    ending = device["last_update"]
    if device["development"]:
        return frozenset({"skipped_development"})
    if device["desired_firmware_version"] not in (None, NEW):
        return frozenset({"skipped_locked"})
    if ending is None:
        return frozenset({"pending_offline", "pending_disabled"} if was_asleep else {"pending_disabled"})
    if _stays_in_safe_mode(device):
        return frozenset({"safe_mode"})
    if ending in GOOD_ENDINGS:
        return frozenset({"updated", "gone"} if was_asleep else {"updated"})  # it may be asleep again
    if ending == "sleeps":
        return frozenset({"failed_refused"})
    # No list shows how the update of a device failed that was asleep when it was targeted. The rollout does not wait
    # for such a device, so that a crash loop may be seen only after the end.
    return FAILED_STATES | {"gone", "updated"} if was_asleep else BAD_STATES[ending]


# ---------------------------------------------------------------------- the runs


@dataclass
class Course:
    """The course of a rollout.

    :param options: the options of the module.
    :param steps: the seconds between the runs.
    :param asleep: ids of the devices that were asleep when they were targeted.
    :param disturb: called before each run with the number of the run, until the rollout has ended; may change devices.
    :param untouched: ids of devices whose locks do not belong to the rollout.
    :param has_brake: whether the rollout has the default brake. Otherwise, no wave is checked against it.
    :ivar results: the results of all runs.
    """

    cloud: InProcessSimulator
    options: Mapping[str, Any]
    steps: Iterator[float]
    asleep: Collection[str] = ()
    disturb: Callable[[int], None] = lambda number: None
    untouched: Collection[str] = ()
    results: list[dict[str, Any]] = field(default_factory=list)
    driver: Driver = field(init=False)
    has_brake: bool = True
    is_settling: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.driver = Driver(self.cloud, self.options)

    def read_truth(self) -> Truth:
        """Return the devices as the simulator knows them, keyed by id."""
        return self.driver.truth()

    def follow(self, *, settling: Sequence[float] = SETTLING) -> dict[str, Any]:
        """Run until the rollout has ended or the brake has stopped it, and let it settle. Return the last result."""
        result = self.run()
        for step in self.steps:
            if result["state"] in ("done", "braked"):
                result = self._settle(settling)
                if result["state"] in ("done", "braked"):
                    break
            assert len(self.results) < MAX_RUNS, f"the rollout does not end: {result['state']} {result['next']}"
            self.cloud.advance(step)
            result = self.run()
        self.assert_states_true(result)
        return result

    def _settle(self, steps: Sequence[float]) -> dict[str, Any]:
        self.is_settling = True
        for step in steps:
            self.cloud.advance(step)
            self.run()
        self.is_settling = False
        return self.results[-1]

    def run(self) -> dict[str, Any]:
        """Run once, and check the conditions that hold after each run."""
        if not self.is_settling:
            self.disturb(len(self.results))
        before = self.read_truth()
        begun = count_begun(self.results[-1]) if self.results else 0
        result = self.driver.run()
        self.results.append(result)
        # The rollout does not wait for a device that was asleep.
        if self.has_brake and is_brake_reached(
            before, set(list_targeted(before)).difference(self.untouched), self.asleep
        ):
            assert count_begun(result) == begun, f"run {len(self.results)} begins a wave although the brake is reached"
        self._assert_updated_devices_run_version(result)
        return result

    def _assert_updated_devices_run_version(self, result: Mapping[str, Any]) -> None:
        truth = self.read_truth()
        wrong = [
            each["id"]
            for each in result["devices"]
            if each["state"] == "updated" and truth[each["id"]]["firmware_version"] != NEW
        ]
        assert not wrong, f"run {len(self.results)} reports devices as updated that are not: {wrong}"

    def assert_states_true(self, result: Mapping[str, Any]) -> None:
        """Check that each device has a state that fits the true state of the simulated device."""
        truth = self.read_truth()
        wrong = [
            (each["id"], each["state"], truth[each["id"]]["last_update"], each["evidence"])
            for each in result["devices"]
            if each["state"] not in expect_states(truth[each["id"]], was_asleep=each["id"] in self.asleep)
            and not (each["id"] in self.untouched and each["state"] == "skipped_locked")
        ]
        assert not wrong, f"{result['state']} after {len(self.results)} runs: {wrong}"


def count_begun(result: Mapping[str, Any]) -> int:
    """Return how many waves of a result have begun."""
    return sum(wave["began"] is not None for wave in result["waves"])


def count_states(result: Mapping[str, Any], state: str) -> int:
    """Return how many devices of a result are in a state."""
    return sum(each["state"] == state for each in result["devices"])
