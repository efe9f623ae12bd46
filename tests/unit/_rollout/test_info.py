# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Module `rollout_info` shows the same as a run of module `rollout` at the same time, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.memory import open_memory
from support.fleet_files import device_id
from support.rollouts import NEW, OLD, Driver, running_product
from support.simulator import Simulator

SIZE = 24
OPTIONS: dict[str, Any] = {"waves": [{"count": 4}, {"percent": 100}], "soak": 600}
DAMAGES: tuple[dict[str, Any], ...] = (
    {"format": 99},
    {"phase": "asleep"},
    {"waves": 7},
    {"waves": [{"through": "ff"}]},
    {"locks": {"two": []}},
    {"began": "yesterday"},
    {"restarts": []},
    {"settings": None},
)
SHOWN = ("state", "version", "began", "waves", "devices", "counts", "brake", "next")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_product(tmp_path_factory.mktemp("fleet"), SIZE, groups=3) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """Return the simulator in its start state."""
    running.reset()
    running.add_firmware(OLD, NEW)
    return running


def show_both(driver: Driver, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the results of a run and of `rollout_info` directly after it, reduced to their common values."""
    run = driver.run(**options)
    before = driver.simulator.stats()["writes"]
    info = driver.info()
    assert driver.simulator.stats()["writes"] == before, "rollout_info has written"
    return {key: run[key] for key in SHOWN}, {key: info[key] for key in SHOWN}


def run_until(driver: Driver, expected: str, **options: Any) -> dict[str, Any]:
    """Run until the rollout has a state, and compare the result of `rollout_info` after each run."""
    for _unused in range(12):
        run, info = show_both(driver, **options)
        assert info == run
        if run["state"] == expected:
            return run
        driver.simulator.advance(400)
    raise AssertionError(f"the rollout is never {expected}")


def test_product_without_a_rollout_has_state_none(simulator: Simulator) -> None:
    info = Driver(simulator).info()
    assert (info["state"], info["version"], info["waves"], info["next"]) == ("none", None, [], None)
    assert set(info) >= set(SHOWN)


def test_info_equals_the_run_in_each_phase_of_a_good_rollout(simulator: Simulator) -> None:
    driver = Driver(simulator, OPTIONS)
    run_until(driver, "soaking")
    run_until(driver, "paused", state="paused")
    assert run_until(driver, "done")["counts"]["updated"] == SIZE


def test_info_equals_the_run_that_waits_for_approval(simulator: Simulator) -> None:
    driver = Driver(simulator, {**OPTIONS, "approve": "each"})
    assert "Wave 1" in run_until(driver, "awaiting_approval")["next"]["why"]
    driver.run(approved=1)
    assert "Wave 2" in run_until(driver, "awaiting_approval", approved=1)["next"]["why"]


@pytest.mark.parametrize(("rollback", "state"), [("none", "aborted"), ("lock", "rolled_back")])
def test_info_equals_the_run_that_ends_a_rollout(simulator: Simulator, rollback: str, state: str) -> None:
    driver = Driver(simulator, {**OPTIONS, "rollback": rollback})
    run_until(driver, "soaking")
    run, info = show_both(driver, state="aborted")
    assert run["state"] == state
    assert info == run


def test_info_equals_the_run_that_the_brake_has_stopped(simulator: Simulator) -> None:
    simulator.change_device("*", update="refused")
    driver = Driver(simulator, {**OPTIONS, "brake": {"failed": "50%", "offline": "90%", "at_least": 3}})
    braked = run_until(driver, "braked")
    assert braked["brake"]["failed_limit"] == "50%"
    assert braked["counts"]["failed_refused"] == 4


def test_info_equals_the_run_that_a_disruption_budget_holds(simulator: Simulator) -> None:
    waves = [{"groups": ["site-0"]}, {"percent": 100}]
    driver = Driver(simulator, {**OPTIONS, "waves": waves, "unavailable": {"per": "group", "most": "25%"}})
    for device in range(0, SIZE // 2, 3):
        simulator.change_device(device_id(device), powered=False)
    simulator.advance(3600)
    run, info = show_both(driver)
    assert run["state"] == "held"
    assert info == run


@pytest.mark.parametrize(
    "filters",
    [
        {"groups": ["site-1"]},
        {"ids": [device_id(number) for number in range(9)]},
        {"name": "unit-00000[0-8]"},
        {"platforms": ["boron"], "groups": ["site-1", "site-2"]},
        {"firmware_versions": [1], "online": True},
    ],
)
def test_info_shows_the_waves_of_the_selection(simulator: Simulator, filters: dict[str, Any]) -> None:
    run, info = show_both(Driver(simulator, {**OPTIONS, "filters": filters, "release": "none"}))
    assert info == run
    assert 4 < info["waves"][-1]["total"] <= SIZE


def test_info_shows_the_next_step_of_a_run(simulator: Simulator) -> None:
    driver = Driver(simulator, OPTIONS)
    run_until(driver, "soaking")
    simulator.advance(700)
    info = driver.info()
    assert info["state"] == "running"
    assert info["next"]["why"] == "The next run continues the rollout: 20 devices get version 2."
    assert [wave["state"] for wave in info["waves"]] == ["complete", "waiting"]


@pytest.mark.parametrize("release", ["none", {"default": True}, {"groups": ["site-1"]}])
def test_devices_that_no_longer_match_remain_in_the_result(simulator: Simulator, release: Any) -> None:
    filters = {"firmware_versions": [1], "groups": ["site-1"]}
    driver = Driver(simulator, {**OPTIONS, "filters": filters, "release": release})
    assert run_until(driver, "done")["counts"]["updated"] == SIZE // 3
    again, info = show_both(driver)
    assert info == again
    assert [wave["total"] for wave in again["waves"]] == [4, 8]


def test_damaged_record_is_named_and_nothing_is_written(simulator: Simulator) -> None:
    driver = Driver(simulator, OPTIONS)
    driver.run()
    with driver._open() as target:
        memory = open_memory(target, None)
        record = dict(memory.read() or {})
        for damage in DAMAGES:
            memory.write({**record, **damage})
            before = simulator.stats()["writes"]
            for action in (driver.info, driver.run):
                with pytest.raises(ParticleError, match="is damaged, or a newer version") as caught:
                    action()
                assert caught.value.code == "conflict"
                assert "ledger rollouts of product field-logger" in caught.value.message
            assert simulator.stats()["writes"] == before


def test_ledger_data_of_another_program_is_refused(simulator: Simulator) -> None:
    driver = Driver(simulator, OPTIONS)
    driver.run()
    with driver._open() as target:
        open_memory(target, None).write({"temperature": 21})
    with pytest.raises(ParticleError, match="is damaged, or a newer version"):
        driver.info()
