# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the file that records token requests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from token_cloud import USERNAME, mode
from turned_clock import TurnedClock

from ansible_collections.meshfleet.particle.plugins.module_utils._auth.request_log import (
    FILE_NAME,
    MAX_DELAY,
    MAX_RECORDS,
    Reason,
    Record,
    RequestLog,
    Stage,
    locate_request_file,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._local.processes import identify_process

HERE = identify_process(os.getpid())
ENDED = {**HERE, "started": "1"}
ELSEWHERE = {**HERE, "host": "another"}
RECORD = Record("https://cloud.example", USERNAME, "particle", 100.0, 3700.0, HERE)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def log(file: Path, clock: TurnedClock, warnings: list[str]) -> RequestLog:
    return RequestLog(lambda: file, warnings.append, clock)


def test_record_is_kept_in_a_private_file(log: RequestLog, file: Path) -> None:
    log.add(RECORD)
    assert log.list_records() == [RECORD]
    assert mode(file) == 0o600


def test_record_is_changed_and_removed(log: RequestLog) -> None:
    log.add(RECORD)
    changed = log.update(RECORD, stage=Stage.HELD, token_hash="ab", ends_at=None)
    assert log.list_records() == [changed]
    log.remove(lambda record: record.token_hash == "ab")
    assert log.list_records() == []


def test_removal_creates_no_file(log: RequestLog, file: Path) -> None:
    log.remove(lambda record: True)
    assert not file.exists()


def test_expired_record_is_dropped(log: RequestLog, clock: TurnedClock) -> None:
    log.add(RECORD)
    endless = replace(RECORD, ends_at=None, id="endless")
    log.add(endless)
    clock.now = 3700.0 + MAX_DELAY - 1
    assert len(log.list_records()) == 2
    clock.now += 1
    assert log.list_records() == [endless]


def test_oldest_records_are_dropped_first(log: RequestLog, file: Path) -> None:
    for number in range(MAX_RECORDS + 3):
        log.add(replace(RECORD, id=str(number)))
    assert [record.id for record in log.list_records()] == [str(number) for number in range(3, MAX_RECORDS + 3)]
    assert file.stat().st_size < 200_000


def test_concurrent_processes_lose_no_record(file: Path, clock: TurnedClock) -> None:
    def add(number: int) -> None:
        RequestLog(lambda: file, clock=clock).add(replace(RECORD, id=str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert len(RequestLog(lambda: file, clock=clock).list_records()) == 24


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: "not JSON",
        lambda row: [],
        lambda row: {"requests": 5},
        lambda row: {"requests": [5]},
        lambda row: {"requests": [{**row, "holder": {}}]},
        lambda row: {"requests": [{**row, "holder": {**row["holder"], "pid": "-1"}}]},
        lambda row: {"requests": [{**row, "ends_at": float("nan")}]},
        lambda row: {"requests": [{**row, "ends_at": 1e300}]},
        lambda row: {"requests": [{**row, "requested_at": "x"}]},
        lambda row: {"requests": [{**row, "stage": "x"}]},
        lambda row: {"requests": [{**row, "token_hash": 5}]},
        lambda row: {"requests": [{**row, "api_url": "http://cloud:99999"}]},
        lambda row: {"requests": [{name: row[name] for name in row if name != "client"}]},
    ],
)
def test_damaged_file_is_begun_anew_with_a_warning(
    log: RequestLog, file: Path, warnings: list[str], damage: Callable[[dict[str, Any]], Any]
) -> None:
    log.add(RECORD)
    damaged = damage(json.loads(file.read_text())["requests"][0])
    file.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
    assert log.list_records() == []
    log.add(RECORD)
    assert log.list_records() == [RECORD]
    assert all(f"{file} is damaged" in warning for warning in warnings)
    assert len(warnings) == 2


def test_valid_rows_of_a_damaged_file_are_kept(log: RequestLog, file: Path, warnings: list[str]) -> None:
    log.add(RECORD)
    (row,) = json.loads(file.read_text())["requests"]
    file.write_text(json.dumps({"requests": [5, {**row, "of_a_later_release": True}]}))
    assert log.list_records() == [RECORD]
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("stage", "holder", "is_temporary", "reason"),
    [
        (Stage.REQUESTED, HERE, True, None),
        (Stage.HELD, HERE, True, None),
        (Stage.RETURNED, HERE, True, None),
        (Stage.LOST, HERE, True, Reason.LOST),
        (Stage.REQUESTED, ENDED, True, Reason.LOST),
        (Stage.HELD, ENDED, False, Reason.LOST),
        (Stage.RETURNED, ENDED, True, Reason.ABANDONED),
        (Stage.RETURNED, ENDED, False, Reason.RETURNED),
        (Stage.HELD, ELSEWHERE, True, Reason.RETURNED),
    ],
)
def test_reason_depends_on_the_stage_and_the_process(
    stage: Stage, holder: dict[str, str], is_temporary: bool, reason: Reason | None
) -> None:
    assert replace(RECORD, stage=stage, holder=holder, is_temporary=is_temporary).reason is reason


def test_file_is_in_the_cache_folder_or_else_in_the_runtime_folder(tmp_path: Path) -> None:
    cache, runtime, no_folder = tmp_path / "cache", tmp_path / "runtime", tmp_path / "file"
    no_folder.touch()
    both = {"XDG_CACHE_HOME": str(cache), "XDG_RUNTIME_DIR": str(runtime)}
    assert locate_request_file(both) == cache / "meshfleet.particle" / FILE_NAME
    one = {**both, "XDG_CACHE_HOME": str(no_folder)}
    assert locate_request_file(one) == runtime / "meshfleet.particle" / FILE_NAME
    with pytest.raises(ParticleError, match="cannot be used"):
        locate_request_file({"XDG_CACHE_HOME": str(no_folder)})
