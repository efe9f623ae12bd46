# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the options with which a user steers a rollout, each in check mode too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from support.fleet_files import device_id
from support.in_process import InProcessSimulator
from support.rollouts import NEW, OLD, Driver, build_rollout_fleet

SIZE = 40
IDS = [device_id(number) for number in range(SIZE)]
NEWER = 3
SOAK = 600
LONG = 1000
"""Seconds that are long enough for all updates of a wave, and for the soak time."""
WAVES = [{"count": 4}, {"percent": 50}, {"percent": 100}]


@dataclass
class Steered:
    """A rollout that is run with changing options. Each run is predicted in check mode."""

    cloud: InProcessSimulator
    options: Mapping[str, Any] = field(default_factory=lambda: {"waves": WAVES, "soak": SOAK})

    def run(self, **options: Any) -> dict[str, Any]:
        """Predict and run, and check that both have the same result and that the prediction writes nothing."""
        driver = Driver(self.cloud, self.options)
        writes = self.cloud.stats()["writes"]
        predicted = driver.run(check_mode=True, **options)
        assert self.cloud.stats()["writes"] == writes
        result = driver.run(**options)
        assert summarize(predicted) == summarize(result)
        assert result["changed"] == (self.cloud.stats()["writes"] > writes)
        return result

    def step(self, **options: Any) -> dict[str, Any]:
        """Turn the clock until everything under way is decided, and run."""
        self.cloud.advance(LONG)
        return self.run(**options)

    def run_until(self, *states: str, **options: Any) -> dict[str, Any]:
        """Run until the rollout has one of the states."""
        result = self.run(**options)
        for _unused in range(20):
            if result["state"] in states:
                return result
            result = self.step(**options)
        raise AssertionError(f"the rollout is {result['state']}: {result['next']}")

    def find_locked(self, version: int | None = NEW) -> set[str]:
        """Return the devices that are locked to a version."""
        devices = self.cloud.state()["devices"]
        return {device["id"] for device in devices if device["desired_firmware_version"] == version}

    def find_running(self, version: int = NEW) -> set[str]:
        """Return the devices that run a version."""
        return {device["id"] for device in self.cloud.state()["devices"] if device["firmware_version"] == version}


def summarize(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a prediction must have in common with the run: everything but times and costs."""
    waves = [
        (wave["number"], wave["state"], wave["members"], wave["total"], wave["began"] is None)
        for wave in result["waves"]
    ]
    devices = {each["id"]: each["state"] for each in result["devices"]}
    why = result["next"] and result["next"]["why"]
    names = ("changed", "state", "version", "counts", "diff", "error")
    return {"waves": waves, "devices": devices, "why": why, **{name: result.get(name) for name in names}}


def find_members(result: Mapping[str, Any], number: int) -> set[str]:
    return set(result["waves"][number - 1]["members"])


@pytest.fixture(scope="module")
def cloud() -> InProcessSimulator:
    return InProcessSimulator(build_rollout_fleet(SIZE, groups=4))


@pytest.fixture
def steered(cloud: InProcessSimulator) -> Steered:
    cloud.reset()
    cloud.add_firmware(OLD, NEW, NEWER)
    return Steered(cloud)


# ---------------------------------------------------------------------- the course


def test_check_mode_predicts_each_run_until_the_end(steered: Steered) -> None:
    states = [steered.run()["state"]]
    while states[-1] != "done":
        states.append(steered.step()["state"])
    assert states == ["running", "soaking", "running", "soaking", "running", "soaking", "done"]
    assert steered.find_running() == set(IDS)
    assert not steered.find_locked()
    assert steered.run()["changed"] is False


def test_paused_rollout_continues_where_it_stopped(steered: Steered) -> None:
    first = steered.run()
    assert steered.step(state="paused")["state"] == "paused"
    assert steered.step(state="paused")["changed"] is False
    assert steered.find_locked() == find_members(first, 1)
    assert steered.run()["state"] == "soaking"
    assert steered.step()["state"] == "running"
    assert steered.run_until("done")["counts"]["updated"] == SIZE


def test_pause_before_the_first_run_writes_nothing(steered: Steered) -> None:
    result = steered.run(state="paused")
    assert (result["state"], result["changed"]) == ("none", False)


def test_aborted_rollout_takes_back_the_locks_of_pending_devices(steered: Steered) -> None:
    first = steered.run()
    member, *others = sorted(find_members(first, 1))
    steered.cloud.reset()
    steered.cloud.add_firmware(OLD, NEW, NEWER)
    steered.cloud.change_device(member, online=False)
    steered.run()
    assert steered.find_locked() == {member, *others}
    result = steered.step(state="aborted")
    assert result["state"] == "aborted"
    assert steered.find_locked() == set(others)
    assert steered.step(state="aborted")["changed"] is False
    with pytest.raises(ParticleError) as caught:
        steered.run()
    assert caught.value.code == "conflict"
    again = steered.run(supersede=True)
    assert find_members(again, 1) == find_members(first, 1)
    assert member in steered.find_locked()
    assert steered.run_until("done")["counts"]["updated"] == SIZE - 1


# ---------------------------------------------------------------------- approval and acceptance


def test_each_wave_waits_for_its_approval(steered: Steered) -> None:
    result = steered.run(approve="each")
    assert (result["state"], result["next"]["when"]) == ("awaiting_approval", None)
    assert not steered.find_locked()
    assert steered.run(approve="each", approved=1)["state"] == "running"
    assert steered.step(approve="each")["state"] == "soaking"
    assert steered.step(approve="each")["state"] == "awaiting_approval"
    assert steered.run(approve="each", approved=3)["state"] == "running"
    result = steered.run_until("done", approve="each")  # both approvals are remembered
    assert [wave["approved_by"] for wave in result["waves"]] == ["demo@example.com"] * 3


def fail_in_first_wave(steered: Steered) -> list[str]:
    """Begin a rollout whose first wave reaches the brake, and return the failed devices."""
    bad = sorted(find_members(steered.run(), 1))[:2]
    steered.cloud.reset()
    steered.cloud.add_firmware(OLD, NEW, NEWER)
    for device in bad:
        steered.cloud.change_device(device, update="refused")
    steered.run()
    result = steered.step()
    assert (result["state"], result["error"]["code"]) == ("braked", "braked")
    assert all(device in result["msg"] for device in bad)
    return bad


def test_acceptance_of_failures_is_stored(steered: Steered) -> None:
    bad = fail_in_first_wave(steered)
    assert steered.step(accept=bad[:1])["state"] == "soaking"
    assert steered.run_until("done")["counts"]["failed_refused"] == 2


def test_rollout_does_not_continue_after_a_single_failed_device(steered: Steered) -> None:
    steered.options = {**steered.options, "waves": [{"count": 1}, {"percent": 100}]}
    (first,) = find_members(Driver(steered.cloud, steered.options).run(check_mode=True), 1)
    steered.cloud.change_device(first, update="refused")
    steered.run()
    result = steered.run_until("held")
    assert result["next"]["why"] == (
        f"No device runs version {NEW} yet, and 1 of 1 targeted device failed. Repair them, or set accept to their ids."
    )
    assert steered.find_locked() == {first}
    assert steered.run_until("done", accept=[first])["counts"]["failed_refused"] == 1


def test_repaired_devices_let_a_braked_rollout_continue(steered: Steered) -> None:
    for device in fail_in_first_wave(steered):
        steered.cloud.change_device(device, online=True)  # a new session, in which the update succeeds
    assert steered.step()["state"] == "soaking"
    assert steered.run_until("done")["counts"]["updated"] == SIZE


# ---------------------------------------------------------------------- other versions


def test_other_version_is_refused_without_supersede(steered: Steered) -> None:
    steered.run()
    with pytest.raises(ParticleError) as caught:
        steered.run(version=NEWER)
    assert caught.value.code == "conflict"
    assert "supersede" in str(caught.value.hint)


def test_newer_version_takes_over_the_locks_of_a_braked_rollout(steered: Steered) -> None:
    fail_in_first_wave(steered)
    targeted = steered.find_locked()
    waves = [{"count": 2}, {"percent": 100}]
    first = steered.run(version=NEWER, supersede=True, waves=waves)
    members = find_members(first, 1)
    assert steered.find_locked(NEWER) == members
    assert members < targeted
    assert steered.find_locked() == steered.find_running(NEW) - members
    result = steered.run_until("done", version=NEWER, waves=waves)
    assert result["counts"]["updated"] == SIZE
    assert steered.find_running(NEWER) == set(IDS)
    assert steered.find_locked(None) == set(IDS)


def test_offline_device_does_not_get_a_superseded_version(steered: Steered) -> None:
    for device in IDS:
        steered.cloud.change_device(device, online=False)
    steered.run()
    assert steered.find_locked()
    result = steered.run(version=NEWER, supersede=True, approve="each")
    assert (result["state"], steered.find_locked()) == ("awaiting_approval", set())
    for device in IDS:
        steered.cloud.change_device(device, online=True)
    steered.cloud.advance(LONG)
    assert steered.find_running(NEW) == set()


@pytest.mark.parametrize("default", [True, False])
def test_rollback_restores_the_version_of_the_releases(steered: Steered, default: bool) -> None:
    steered.options = {**steered.options, "rollback": "lock"}
    bad = sorted(find_members(steered.run(), 1))[:2]
    steered.cloud.reset()
    steered.cloud.add_firmware(OLD, NEW, NEWER)
    if default:
        steered.cloud.release(OLD, default=True)
    for device in bad:
        steered.cloud.change_device(device, update="refused")
    members = find_members(steered.run(), 1)
    result = steered.step()
    assert (result["state"], result["error"]["code"]) == ("rolled_back", "braked")
    assert steered.find_locked(OLD if default else None) >= members
    assert not steered.find_locked(NEW)
    steered.cloud.advance(LONG)
    assert steered.find_running(NEW) == (set() if default else members - set(bad))
    with pytest.raises(ParticleError):
        steered.run()


def test_rollback_that_a_user_requests_is_not_a_failure(steered: Steered) -> None:
    steered.cloud.release(OLD, default=True)
    steered.run()
    result = steered.step(state="aborted", rollback="lock")
    assert (result["state"], result.get("error")) == ("rolled_back", None)


def test_locks_of_a_rollback_belong_to_the_rollout(steered: Steered) -> None:
    steered.cloud.release(OLD, default=True)
    steered.run()
    result = steered.step(state="aborted", rollback="lock")
    assert result["state"] == "rolled_back"
    members = find_members(result, 1)
    assert steered.find_locked(OLD) == members
    result = steered.run_until("done", version=NEWER, supersede=True)
    assert result["counts"]["updated"] == SIZE


def test_version_can_be_released_after_the_end_of_the_rollout(steered: Steered) -> None:
    steered.run_until("done", release="none")
    assert steered.find_locked() == set(IDS)
    assert not steered.run(release="none")["changed"]
    assert steered.run()["state"] == "done"
    assert steered.find_locked(None) == set(IDS)
    assert not steered.run()["changed"]


# ---------------------------------------------------------------------- waves and selection


@pytest.mark.parametrize("waves", [[{"count": 2}, {"percent": 100}], [{"percent": 50}, {"percent": 100}]])
def test_begun_wave_keeps_its_members_if_waves_change(steered: Steered, waves: list[dict[str, Any]]) -> None:
    members = find_members(steered.run(), 1)
    result = steered.step(waves=waves)
    assert find_members(result, 1) == members
    assert steered.find_locked() == members
    result = steered.run_until("done", waves=waves)
    assert result["counts"]["updated"] == SIZE
    assert [wave["total"] for wave in result["waves"]] == ([4, 40] if "count" in waves[0] else [4, 20, 40])


def test_waves_that_do_not_reach_all_devices_hold_the_rollout(steered: Steered) -> None:
    result = steered.run_until("held", waves=[{"count": 4}])
    assert result["next"]["when"] is None
    assert "4 of 40 devices" in result["next"]["why"]
    assert steered.run_until("done")["counts"]["updated"] == SIZE


def test_devices_outside_the_selection_are_not_touched(steered: Steered) -> None:
    selected = {device for number, device in enumerate(IDS) if number % 4 == 1}
    options = {"filters": {"groups": ["site-1"]}, "release": "none"}
    result = steered.run_until("done", **options)
    assert {each["id"] for each in result["devices"]} == selected
    assert steered.find_locked() == steered.find_running() == selected


def test_wider_selection_adds_devices_and_keeps_the_targeted_ones(steered: Steered) -> None:
    narrow = {"filters": {"groups": ["site-1"]}, "release": "none"}
    members = find_members(steered.run(**narrow), 1)
    wide = {"filters": {"groups": ["site-1", "site-2"]}, "release": "none"}
    result = steered.run_until("done", **wide)
    assert steered.find_locked() == steered.find_running() >= members
    assert len(steered.find_locked()) == result["counts"]["updated"] == SIZE // 2


def test_targeted_devices_outside_a_new_selection_stay_assessed(steered: Steered) -> None:
    first = steered.run(filters={"groups": ["site-1"]}, release="none")
    result = steered.run_until("done", filters={"groups": ["site-2"]}, release="none")
    assert find_members(first, 1) <= {each["id"] for each in result["devices"]}


# ---------------------------------------------------------------------- releases


def test_release_to_groups_keeps_the_locks_of_other_devices(steered: Steered) -> None:
    steered.run_until("done", release={"groups": ["site-1"]})
    members = {device for number, device in enumerate(IDS) if number % 4 == 1}
    assert steered.find_locked() == set(IDS) - members
    assert steered.run(release={"groups": ["site-1"]})["changed"] is False


def test_device_with_another_release_keeps_its_lock(steered: Steered) -> None:
    steered.cloud.release(OLD, groups=["site-2"])
    steered.run_until("done")
    assert steered.find_locked() == {device for number, device in enumerate(IDS) if number % 4 == 2}
    assert steered.find_running() == set(IDS)


def test_new_beginning_does_not_touch_devices_outside_its_selection(steered: Steered) -> None:
    steered.run(waves=[{"percent": 100}])
    steered.step(waves=[{"percent": 100}], state="aborted")
    assert steered.find_locked() == set(IDS)
    before = len(steered.cloud.writes())
    options = {"filters": {"groups": ["site-1"]}, "release": "none", "waves": [{"percent": 100}]}
    steered.run(supersede=True, **options)
    written = [write["path"]["id"] for write in steered.cloud.writes()[before:] if "id" in write["path"]]
    assert set(written) == {device for number, device in enumerate(IDS) if number % 4 == 1}
