# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Test the file that records token requests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

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
from support.token_cloud import USERNAME, mode, write_private
from support.turned_clock import TurnedClock

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


def fill(file: Path, record: Record, count: int) -> None:
    """Add `count` records like `record` to the file, without a write for each of them."""
    rows = json.loads(file.read_text())["requests"] if file.exists() else []
    row = {**asdict(record), "holder": dict(record.holder)}
    write_private(file, {"requests": rows + [{**row, "id": f"filler {number}"} for number in range(count)]})


STORED = replace(RECORD, stage=Stage.STORED, token_hash="ab")
RETURNED = replace(RECORD, stage=Stage.RETURNED, holder=ENDED, is_temporary=False, token_hash="ab")
LOST = replace(RECORD, stage=Stage.LOST, token_hash="cd", id="lost")


@pytest.mark.parametrize("harmless", [STORED, RETURNED], ids=["stored", "returned"])
def test_oldest_harmless_records_are_dropped_first(log: RequestLog, file: Path, harmless: Record) -> None:
    for record in (LOST, replace(RECORD, stage=Stage.HELD, token_hash="ef", id="held")):
        log.add(record)
    fill(file, harmless, MAX_RECORDS)
    log.add(replace(STORED, id="last"))
    kept = [record.id for record in log.list_records()]
    assert kept == ["lost", "held", *(f"filler {number}" for number in range(3, MAX_RECORDS)), "last"]
    assert file.stat().st_size < 200_000


def test_lost_record_is_never_dropped_before_its_end(log: RequestLog, file: Path) -> None:
    fill(file, LOST, MAX_RECORDS)
    log.add(LOST)
    assert len(log.list_records()) == MAX_RECORDS + 1


def test_stored_record_is_kept_while_a_token_of_its_client_is_unknown(log: RequestLog, file: Path) -> None:
    fill(file, STORED, MAX_RECORDS)
    unknown = replace(LOST, token_hash=None)
    log.add(unknown)
    assert len(log.list_records()) == MAX_RECORDS + 1
    log.update(unknown, client="another-client")
    assert len(log.list_records()) == MAX_RECORDS


def test_stored_token_is_lost_after_it_has_left_its_file(log: RequestLog, clock: TurnedClock) -> None:
    log.add(replace(STORED, usable_until=1000.0))
    clock.now = 999.0
    assert [record.reason for record in log.list_records()] == [None]
    clock.now = 1000.0
    assert [record.reason for record in log.list_records()] == [Reason.LOST]


def test_file_that_others_can_read_is_made_private_and_kept(log: RequestLog, file: Path, warnings: list[str]) -> None:
    log.add(RECORD)
    file.chmod(0o644)
    assert log.list_records() == [RECORD]
    assert mode(file) == 0o600
    (warning,) = warnings
    assert f"Other users could read {file} (mode 0644)" in warning


@pytest.mark.parametrize("danger", ["link", "writable", "another user"])
def test_file_that_others_control_is_refused(
    log: RequestLog, file: Path, monkeypatch: pytest.MonkeyPatch, danger: str
) -> None:
    log.add(RECORD)
    content = file.read_text()
    if danger == "link":
        file.symlink_to(file.rename(file.with_name("target")))
    elif danger == "writable":
        file.chmod(0o666)
    else:
        owner = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: owner)
    for use in (log.list_records, lambda: log.add(LOST)):
        with pytest.raises(ParticleError) as caught:
            use()
        assert (caught.value.code, str(file) in caught.value.message) == ("unsafe_file", True)
        assert "Move the file away" in caught.value.hint
    assert file.read_text() == content


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
        lambda row: {"requests": [{**row, "usable_until": "x"}]},
        lambda row: {"requests": [{**row, "token_file": 5}]},
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


def test_file_of_an_earlier_release_is_read(log: RequestLog, file: Path, warnings: list[str]) -> None:
    log.add(RECORD)
    (row,) = json.loads(file.read_text())["requests"]
    earlier = {name: value for name, value in row.items() if name not in ("usable_until", "token_file")}
    write_private(file, {"requests": [earlier]})
    assert (log.list_records(), warnings) == ([RECORD], [])


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
        (Stage.STORED, ENDED, False, None),
        (Stage.REQUESTED, ELSEWHERE, True, Reason.LOST),
        (Stage.HELD, ELSEWHERE, True, Reason.LOST),
        (Stage.RETURNED, ELSEWHERE, True, Reason.RETURNED),
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
