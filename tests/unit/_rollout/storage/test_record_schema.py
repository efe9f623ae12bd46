# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test that docs/rollout_record.schema.json describes exactly the records that runs write."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.model import Phase, State
from ansible_collections.meshfleet.particle.plugins.module_utils._rollout.storage.record import (
    Record,
    Restart,
    WaveRecord,
    read_record,
)
from support.fleet_files import device_id
from support.paths import ROOT
from support.rollouts import NEW, OLD, Driver, running_product
from support.simulator import Simulator

SCHEMA = json.loads((ROOT / "docs" / "rollout_record.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SET_RECORD = "PUT /v1/ledgers/:name/instances/:scopeValue"
DEVICES = 6
NOW = 1_772_438_401.0


def finish(driver: Driver) -> None:
    """Run a rollout with approvals, groups, a budget and a pause to its end."""
    driver.options = {
        "waves": [{"count": 1}, {"groups": ["site-0"]}, {"percent": 100}],
        **{"soak": 60, "offline_after": 7200, "approve": "each", "approved": 5, "accept": [device_id(2)]},
        **{"unavailable": {"per": "group", "most": "50%"}, "release": {"default": True, "groups": ["site-1"]}},
    }
    driver.run()
    driver.run(state="paused")
    for _unused in range(30):
        driver.simulator.advance(600)
        if driver.run()["state"] == "done":
            return
    raise AssertionError(driver.info())


def abort(driver: Driver) -> None:
    """Abort a rollout while devices are updating, of which one is offline."""
    driver.simulator.change_device(device_id(0), powered=False)
    driver.simulator.advance(7200)
    driver.options = {"waves": [{"percent": 100}], "filters": {"groups": ["site-0", "site-1"]}, "release": "none"}
    driver.run()
    assert driver.run(state="aborted")["state"] == "aborted"


def roll_back(driver: Driver) -> None:
    """Roll back a rollout whose devices fail."""
    driver.simulator.change_device("*", update="came_back_old")
    driver.options = {"waves": [{"percent": 100}], "rollback": "lock"}
    driver.run()
    driver.simulator.advance(3600)
    assert driver.run()["error"]["code"] == "braked"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All records that some rollouts have written."""
    records = list[dict[str, Any]]()
    with running_product(tmp_path_factory.mktemp("fleet"), DEVICES, groups=2) as simulator:
        for story in (finish, abort, roll_back):
            simulator.reset()
            simulator.add_firmware(OLD, NEW)
            story(Driver(simulator))
            records += list_records(simulator)
    return records


def list_records(simulator: Simulator) -> Iterator[dict[str, Any]]:
    """List the records that the cloud has received since the last reset."""
    for write in simulator.writes():
        if write["route"] == SET_RECORD:
            yield write["fields"]["instance"]["data"]


def test_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_record_in_every_phase_matches_the_schema(written: list[dict[str, Any]]) -> None:
    assert {record["phase"] for record in written} == {phase.value for phase in Phase}
    for record in written:
        assert [error.message for error in VALIDATOR.iter_errors(record)] == []


def test_records_of_these_rollouts_use_every_part_of_the_schema(written: list[dict[str, Any]]) -> None:
    for name in ("waves", "approvals", "accepted", "locks", "failed"):
        assert any(record[name] for record in written), name
    waves = [wave for record in written for wave in record["waves"]]
    assert any("groups" in wave for wave in waves)
    assert any("through" in wave for wave in waves)
    assert any(wave["offline"] for wave in waves)


def test_record_in_a_file_matches_the_schema(tmp_path: Path) -> None:
    file = tmp_path / "rollouts.json"
    with running_product(tmp_path, 2) as simulator:
        Driver(simulator, state_file=file).run()
    (record,) = json.loads(file.read_text()).values()
    assert [error.message for error in VALIDATOR.iter_errors(record)] == []


def build_full_record() -> dict[str, Any]:
    """Return a record with a value in each part."""
    through = WaveRecord("0123456789abcdef", (), NOW, NOW, NOW + 90, NOW + 400, frozenset({"012345", "6789ab"}))
    groups = WaveRecord(None, ("beta",), NOW, NOW, NOW, None, None)
    record = Record(
        *(NEW, Phase.RUNNING, NOW, (through, groups)),
        accepted=frozenset({device_id(0)}),
        locks={OLD: frozenset(), NEW: frozenset({device_id(1)})},
        failed={device_id(2): State.GONE},
        restarts={device_id(3): Restart(NOW, 2)},
    )
    return record.as_data()


def test_restarts_match_the_schema() -> None:
    found = [error for error in VALIDATOR.iter_errors(build_full_record()) if error.absolute_path]
    assert [(list(error.absolute_path), error.validator) for error in found] == [(["settings"], "required")] * 9


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("phase"),
        lambda record: record.update(format=2),
        lambda record: record.update(version="2"),
        lambda record: record.update(phase="braked"),
        lambda record: record.update(began="yesterday"),
        lambda record: record["waves"][0].update(offline="0123"),
        lambda record: record["waves"][0].pop("targeted"),
        lambda record: record.update(accepted="none"),
        lambda record: record["locks"].update(latest=[]),
        lambda record: record["failed"].update({device_id(0): "broken"}),
        lambda record: record["restarts"].update({device_id(0): {"at": "2026-03-02T08:00:01Z"}}),
    ],
)
def test_damaged_record_is_refused_by_schema_and_run(
    written: list[dict[str, Any]], damage: Callable[[dict[str, Any]], Any]
) -> None:
    record = copy.deepcopy(next(each for each in written if each["waves"]))
    read_record(record, "the ledger")
    damage(record)
    assert not VALIDATOR.is_valid(record)
    with pytest.raises(ParticleError) as refused:
        read_record(record, "the ledger")
    assert refused.value.code == "conflict"
