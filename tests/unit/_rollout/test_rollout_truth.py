# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that rollouts stop before the next wave if too many updates fail, and that each state is true.

Random updates fail in random ways. Each run is compared with what really happened in the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from support.counts import FULL
from support.fleet_files import device_id
from support.in_process import InProcessSimulator
from support.rollout_truth import (
    Course,
    choose_steps,
    count_states,
    list_targeted,
)
from support.rollouts import NEW, OLD, build_rollout_fleet
from support.simulator import PRODUCT_ID

SIZE = 200
ASLEEP = 8
IDS = [device_id(number) for number in range(SIZE)]
EXTRA = [device_id(number) for number in range(SIZE, SIZE + 20)]
WAVES = [
    {"count": 4, "percent": None, "groups": None},
    *({"count": None, "percent": percent, "groups": None} for percent in (10, 50, 100)),
]
SHARES = (0.02, 0.05, 0.30)
SEEDS = tuple(range(50)) if FULL else (0, 3)
VARIANT_SEEDS = tuple(range(20)) if FULL else (0,)

PHOTON_2, ELECTRON = 32, 10
PLATFORMS = {0: {"platform_id": PHOTON_2}, 5: {"platform_id": ELECTRON}}
"""The keys of devices whose number has this remainder by six. All others are Borons."""

EVERY_FIVE_MINUTES = 2
"""A seed with which five minutes pass between runs."""

Begin = Callable[..., Course]

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cloud() -> InProcessSimulator:
    others = {device: PLATFORMS.get(number % 6, {}) for number, device in enumerate(IDS)}
    others |= {device: {"product_id": None, "groups": []} for device in EXTRA}
    return InProcessSimulator(build_rollout_fleet(SIZE + len(EXTRA), groups=10, others=others))


@pytest.fixture
def begin(cloud: InProcessSimulator) -> Begin:
    """Return a function that begins a rollout with a share of bad updates, while eight devices are asleep."""

    def begin(seed: int, share: float = 0.0, **options: object) -> Course:
        cloud.reset(seed=seed, bad_updates=share)
        cloud.add_firmware(OLD, NEW)
        asleep = Random(f"asleep {seed}").sample(IDS, ASLEEP)
        for device in asleep:
            cloud.change_device(device, online=False)
        return Course(cloud, {"waves": WAVES, **options}, choose_steps(seed), asleep)

    return begin


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", SHARES)
def test_rollout_stops_in_time_and_reports_true_states(begin: Begin, share: float, seed: int) -> None:
    course = begin(seed, share)
    result = course.follow()
    assert {each["id"] for each in result["devices"]} >= set(list_targeted(course.read_truth()))
    if result["state"] == "done":
        assert count_states(result, "pending_offline") == ASLEEP
        assert len(result["devices"]) == SIZE


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_unusual_updates_are_assessd_by_what_really_happened(begin: Begin, seed: int) -> None:
    course = begin(seed, 0.02)
    random = Random(f"unusual {seed}")
    for device in random.sample(IDS, 60):
        ending = random.choice(("slow", "late_ack", "needs_device_os", "disabled", "sleeps", "ok"))
        course.cloud.change_device(device, update=ending)
    course.follow()


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_devices_that_wake_during_the_rollout_are_assessed(begin: Begin, seed: int) -> None:
    course = begin(seed, 0.02)
    random = Random(f"waking {seed}")
    sleeping = list(course.asleep)
    for device in random.sample(sleeping, 4):
        ending = random.choice(("refused", "transfer_fails", "came_back_old", "crashes_online", "crashes_before"))
        course.cloud.change_device(device, update=ending)

    def wake(number: int) -> None:
        if sleeping and random.random() < 0.2:
            course.cloud.change_device(sleeping.pop(), online=True)

    course.disturb = wake
    course.follow()


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_device_that_reconnects_once_is_not_a_failure(begin: Begin, seed: int) -> None:
    course = begin(seed, 0.02)
    random = Random(f"reconnecting {seed}")
    waiting = random.sample([device for device in IDS if device not in course.asleep], SIZE - ASLEEP)

    def reconnect(number: int) -> None:
        truth = course.read_truth()
        for device in [waiting.pop() for _unused in range(random.choice((0, 0, 0, 1, 2, 5))) if waiting]:
            if not str(truth[device]["last_update"]).startswith("crashes"):  # it would be repaired
                course.cloud.change_device(device, online=True)

    course.disturb = reconnect
    course.follow()


def test_wave_with_poor_reception_does_not_soak_for_ever(begin: Begin) -> None:
    """Every 25 minutes another device begins a new session, so that there are always two within the soak time."""
    waves = [{"count": 20, "percent": None, "groups": None}, {"count": None, "percent": 100, "groups": None}]
    course = begin(EVERY_FIVE_MINUTES, waves=waves)

    def reconnect(number: int) -> None:
        if number and number % 5 == 0 and course.results[-1]["waves"][-1]["began"] is None:
            members = [device for device in course.results[-1]["waves"][0]["members"] if device not in course.asleep]
            course.cloud.change_device(members[number // 5 % len(members)], online=True)

    course.disturb = reconnect
    assert course.follow()["state"] == "done"
    assert len(course.results) < 60


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_devices_that_are_added_during_the_rollout_are_updated(begin: Begin, seed: int) -> None:
    course = begin(seed)
    random, waiting, added = Random(f"added {seed}"), list(EXTRA), dict[str, int]()

    def add(number: int) -> None:
        if waiting and number and random.random() < 0.3:
            new = [waiting.pop() for _unused in range(min(len(waiting), 4))]
            course.cloud.import_devices(new)
            added.update(dict.fromkeys(new, number))

    course.disturb = add
    result = course.follow()
    assert result["state"] == "done"
    assert count_states(result, "pending_offline") == ASLEEP
    # A device that is added after the end gets the version from its release.
    ended = next(number for number, each in enumerate(course.results) if each["state"] == "done")
    late = sum(number >= ended for number in added.values())
    assert count_states(result, "updated") == SIZE - ASLEEP + len(added) - late


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_development_devices_and_foreign_locks_are_left_alone(begin: Begin, seed: int) -> None:
    course = begin(seed, 0.02)
    random = Random(f"left alone {seed}")
    course.cloud.add_firmware(7)
    for device in random.sample(IDS, 10):
        course.cloud.update_device(device, desired_firmware_version=random.choice((OLD, NEW, 7)))

    def change(number: int) -> None:
        if random.random() < 0.2:
            course.cloud.update_device(random.choice(IDS), development=random.choice((True, True, False)))
        if random.random() < 0.1:
            course.cloud.update_device(random.choice(IDS), desired_firmware_version=7)

    before = {device: each["desired_firmware_version"] for device, each in course.read_truth().items()}
    course.untouched = {device for device, lock in before.items() if lock is not None}
    course.disturb = change
    course.follow()
    truth = course.read_truth()
    assert all(truth[device]["desired_firmware_version"] in (before[device], 7) for device in course.untouched)


@pytest.mark.parametrize("seed", VARIANT_SEEDS)
def test_waves_of_device_groups_end_with_a_release_to_groups(begin: Begin, seed: int) -> None:
    waves = [
        {"count": 2, "percent": None, "groups": None},
        {"count": None, "percent": None, "groups": ["site-3", "site-7"]},
        {"count": None, "percent": 100.0, "groups": None},
    ]
    course = begin(seed, waves=waves, release={"groups": ["site-3"]})
    result = course.follow()
    assert result["state"] == "done"
    truth = course.read_truth()
    kept = {device for device in IDS if truth[device]["desired_firmware_version"] == NEW}
    assert kept == {device for device in IDS if "site-3" not in truth[device]["groups"]}
    members = {device for wave in result["waves"] if wave["groups"] for device in wave["members"]}
    assert all(set(truth[device]["groups"]) & {"site-3", "site-7"} for device in members)
    assert truth[IDS[0]]["product"] == PRODUCT_ID
