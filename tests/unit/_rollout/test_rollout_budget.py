# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that a rollout never makes more devices of a device group unavailable than its disruption budget allows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any

import pytest

from support.counts import count
from support.fleet_files import device_id
from support.in_process import InProcessSimulator
from support.rollout_truth import DAY, HOUR, MAX_RUNS, Course, Truth, choose_steps, draw_bursts
from support.rollouts import NEW, OLD, build_rollout_fleet

SIZE = 60
IDS = [device_id(number) for number in range(SIZE)]
SMALL = {"one": IDS[:1], "two": IDS[1:3], "three": IDS[3:6], "seven": IDS[6:13]}
SEEDS = range(count(quick=1, full=20))
BUDGET = {"per": "group", "most": "25%"}
WAVES = [{"count": 4, "percent": None, "groups": None}, {"count": None, "percent": 100, "groups": None}]

Begin = Callable[..., Course]

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


def list_groups(number: int) -> list[str]:
    """Return the groups of a device: a large one, a larger one that overlaps with it, and for some a small one."""
    small = [name for name, members in SMALL.items() if IDS[number] in members]
    return [f"site-{number % 5}", f"zone-{number % 2}", *small]


@pytest.fixture(scope="module")
def cloud() -> InProcessSimulator:
    others = {device: {"groups": list_groups(number)} for number, device in enumerate(IDS)}
    return InProcessSimulator(build_rollout_fleet(SIZE, others=others))


class BudgetCourse(Course):
    """The course of a rollout whose disruption budget is checked before and after each run."""

    def run(self) -> dict[str, Any]:
        self.assert_budget_kept()
        result = super().run()
        self.assert_budget_kept()
        return result

    def follow_until(self, *states: str, hours: float) -> dict[str, Any]:
        """Run in bursts for a number of hours, and then until the rollout has one of the states."""
        end = self.cloud.now() + hours * HOUR
        for step in draw_bursts(Random(f"bursts {len(self.results)}")):
            result = self.run()
            if self.cloud.now() > end and result["state"] in (*states, "done"):
                break
            assert len(self.results) < MAX_RUNS, result["next"]
            self.cloud.advance(step)
        return result

    def accept(self, devices: Collection[str]) -> None:
        """Accept the failures of devices from the next run on."""
        self.driver.options = {**self.driver.options, "accept": [*self.driver.options.get("accept", ()), *devices]}

    def assert_budget_kept(self) -> None:
        """Check that at most a quarter of each group, but at least one device, is unavailable.

        A targeted device is unavailable until it is back with the new version, even if it is not updating at present.
        """
        truth = self.read_truth()
        for group, members in find_members(truth).items():
            accepted = self.driver.options.get("accept", ())
            unavailable = [each for each in members if is_unavailable(truth[each]) and each not in accepted]
            assert len(unavailable) <= max(1, len(members) // 4), f"{group} before run {len(self.results)}"


def find_members(truth: Truth) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for device, each in truth.items():
        for group in each["groups"]:
            groups.setdefault(group, []).append(device)
    return groups


def is_unavailable(device: Mapping[str, Any]) -> bool:
    """Return whether a device is unavailable because of the rollout, or may become so at any moment."""
    is_down = device["last_update"] == "crashes_online" and not device["powered"]
    return device["desired_firmware_version"] == NEW and (device["firmware_version"] != NEW or is_down)


@pytest.fixture
def begin(cloud: InProcessSimulator) -> Begin:
    """Return a function that begins a rollout with a disruption budget."""

    def begin(seed: int, share: float = 0.0, *, asleep: int = 0, **options: Any) -> BudgetCourse:
        cloud.reset(seed=seed, bad_updates=share)
        cloud.add_firmware(OLD, NEW)
        sleeping = Random(f"asleep {seed}").sample(IDS, asleep)
        for device in sleeping:
            cloud.change_device(device, online=False)
        given = {"waves": WAVES, "unavailable": BUDGET, **options}
        return BudgetCourse(cloud, given, choose_steps(seed), sleeping, has_brake="brake" not in options)

    return begin


@pytest.mark.parametrize("seed", SEEDS)
def test_budget_is_kept_at_every_run_until_the_end(begin: Begin, seed: int) -> None:
    course = begin(seed)
    result = course.follow()
    assert result["state"] == "done"
    assert result["counts"]["updated"] == SIZE


@pytest.mark.parametrize("seed", SEEDS)
def test_budget_is_kept_although_devices_sleep_and_wake(begin: Begin, seed: int) -> None:
    course = begin(seed, asleep=10)
    random, sleeping = Random(f"waking {seed}"), list(course.asleep)
    course.asleep = IDS

    def wake(number: int) -> None:
        if sleeping and random.random() < 0.1:
            course.cloud.change_device(sleeping.pop(), online=True)
        if random.random() < 0.1:
            device = random.choice(IDS)
            if device not in sleeping and not is_unavailable(course.read_truth()[device]):
                course.cloud.change_device(device, online=False)
                sleeping.append(device)

    course.disturb = wake
    course.follow()


BRAKE_IS_OFF = {"failed": "100%", "offline": "100%", "at_least": SIZE}


@pytest.mark.parametrize("seed", SEEDS)
def test_budget_is_kept_although_updates_fail(begin: Begin, seed: int) -> None:
    course = begin(seed, 0.1, brake=BRAKE_IS_OFF)
    for device in SMALL["two"]:  # the first one holds the other
        course.cloud.change_device(device, update="refused")
    course.follow_until("held", hours=12)
    why = course.results[-1]["next"]["why"]
    assert "The disruption budget of these device groups is used up: " in why
    assert "failed there. Repair these devices, or set accept to their ids." in why


@pytest.mark.only_full
def test_accepted_failures_use_no_budget(begin: Begin) -> None:
    course = begin(0, 0.1, brake=BRAKE_IS_OFF)
    for device in SMALL["two"]:
        course.cloud.change_device(device, update="refused")
    for _unused in range(9):
        result = course.follow_until("held", "done", hours=12)
        if result["state"] == "done":
            break
        bad = [each["id"] for each in result["devices"] if each["state"] not in ("updated", "pending_offline")]
        course.accept(bad)
    else:
        pytest.fail(f"the rollout does not end: {result['next']}")


def test_devices_that_are_out_of_use_do_not_hold_their_group(begin: Begin) -> None:
    course = begin(3)  # a run per day
    for device in (*SMALL["seven"][:3], SMALL["three"][0]):
        course.cloud.change_device(device, online=False)
    course.asleep = [*SMALL["seven"][:3], SMALL["three"][0]]
    first = course.run()
    assert first["state"] == "running"
    result = course.follow()
    assert result["state"] == "done"
    assert result["counts"] == {**dict.fromkeys(result["counts"], 0), "updated": SIZE - 4, "pending_offline": 4}


@pytest.mark.parametrize("release", ["none", {"groups": ["two"]}])
def test_offline_device_is_targeted_when_it_is_online(begin: Begin, release: Any) -> None:
    course = begin(3, release=release)  # does not bring the version to the device
    late = SMALL["three"][0]
    course.cloud.change_device(late, online=False)
    for _unused in range(40):
        result = course.run()
        course.cloud.advance(DAY)
    assert result["state"] == "held"
    assert "1 device is offline or has updates switched off." in result["next"]["why"]
    state = next(each for each in result["devices"] if each["id"] == late)
    assert (state["state"], course.read_truth()[late]["desired_firmware_version"]) == ("pending_offline", None)
    course.cloud.change_device(late, online=True)
    assert course.run()["state"] == "running"
    assert course.read_truth()[late]["desired_firmware_version"] == NEW
    assert course.follow()["state"] == "done"


def test_updated_device_that_goes_offline_later_uses_the_budget(begin: Begin) -> None:
    waves = [{"groups": ["one"]}, {"percent": 100}]
    course = begin(0, waves=waves, unavailable={"per": "group", "most": "1"})
    for step in (900.0, 2 * HOUR):
        course.run()
        course.cloud.advance(step)
    updated = SMALL["one"][0]
    course.cloud.change_device(updated, online=False)
    result = course.run()
    truth = course.read_truth()
    assert next(each["state"] for each in result["devices"] if each["id"] == updated) == "updated"
    assert result["waves"][1]["began"] is not None
    targeted = {device for device, each in truth.items() if each["desired_firmware_version"] == NEW} - {updated}
    assert targeted
    assert all(set(truth[updated]["groups"]).isdisjoint(truth[device]["groups"]) for device in targeted)
