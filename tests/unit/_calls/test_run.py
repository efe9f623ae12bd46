# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""A function is called on many devices, on each at most once, even after failures. Each device has an outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from fleet_cloud import EXPIRED, RecordingHttp, user

from ansible_collections.meshfleet.particle.plugins.module_utils._calls.model import Call, Outcome
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.options import Declaration
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.outcome import build_result
from ansible_collections.meshfleet.particle.plugins.module_utils._calls.run import Callbacks, Calls, run_calls
from ansible_collections.meshfleet.particle.plugins.module_utils._facts.selection import Sources, read_filters
from ansible_collections.meshfleet.particle.plugins.module_utils._http.client import Http
from support.fleet_files import device_id
from support.rollouts import write_rollout_fleet
from support.simulator import PRODUCT_SLUG, USERNAME, Simulator, running_simulator

SIZE = 500
OFFLINE = SIZE // 20
CALL = "POST /v1/products/:p/devices/:id/:functionName"
LED = Call("led", "on")


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    others = {device_id(SIZE - 1): {"owner": USERNAME}}
    fleet = write_rollout_fleet(tmp_path_factory.mktemp("fleet"), SIZE, others=others)
    with running_simulator("--fleet", fleet) as simulator:
        yield simulator


@pytest.fixture
def cloud(_cloud: Simulator) -> Simulator:
    """A product of 500 devices, all of them online."""
    _cloud.reset()
    return _cloud


@contextmanager
def open_client(cloud: Simulator, *, workers: int = 16, timeout: float = 60) -> Iterator[RecordingHttp]:
    with user(cloud, workers=workers, timeout=timeout) as http:
        yield http


def run(
    http: Http, call: Call = LED, ids: Sequence[str] | None = None, *, check_mode: bool = False, **more: Any
) -> Calls:
    """Call a function on devices of the product, on all by default."""
    filters = read_filters({"filters": None if ids is None else {"ids": list(ids)}})
    declared = Declaration(call, Sources((PRODUCT_SLUG,), None, False), filters)
    return run_calls(http, declared, Callbacks(**{"warn": lambda text: None, **more}), check_mode=check_mode)


def count_runs(cloud: Simulator) -> Counter[str]:
    """Count how often a function has run, by device id."""
    return Counter(write["path"]["id"] for write in cloud.writes() if write["route"] == CALL)


def index_statuses(calls: Calls) -> dict[str, str]:
    return {outcome.id: outcome.status.value for outcome in calls.outcomes}


def find_only(calls: Calls) -> Outcome:
    (outcome,) = calls.outcomes
    return outcome


def test_no_function_runs_twice_although_answers_are_lost(cloud: Simulator) -> None:
    offline = [device_id(number) for number in range(OFFLINE)]
    for device in offline:
        cloud.change_device(device, online=False)
    lost = [
        {"route": CALL, "effect": "reset_after", "probability": 0.01, "times": 10},
        {"route": CALL, "effect": "truncated", "probability": 0.01, "times": 10},
        {"route": CALL, "effect": "delay", "delay": 8, "probability": 0.01, "times": 3},
        {"route": CALL, "effect": "reset_before", "probability": 0.01, "times": 5},
        {"route": CALL, "effect": "status", "status": 429, "probability": 0.02, "times": 10},
    ]
    with open_client(cloud, timeout=4) as http:
        cloud.set_faults(lost)
        calls = run(http, Call("led", "on", frozenset({1})))
    statuses, runs = index_statuses(calls), count_runs(cloud)
    fired = {fault["effect"]: fault["fired"] for fault in cloud.faults()}
    unknown = [device for device, status in statuses.items() if status == "unknown"]
    assert set(statuses) == {device_id(number) for number in range(SIZE)}
    assert {device for device, status in statuses.items() if status == "offline"} == set(offline)
    assert set(runs.values()) == {1}
    assert not set(offline) & set(runs)
    assert {device for device, status in statuses.items() if status == "ok"} <= set(runs)
    assert sum(fired.values()) > fired["status"]
    # A busy machine can make more answers late.
    assert len(unknown) >= sum(fired.values()) - fired["status"]
    assert Counter(statuses.values()).keys() == {"ok", "unknown", "offline"}
    # Only calls over the rate limit were sent again.
    assert cloud.stats()["by_route"][CALL] == SIZE - OFFLINE + fired["status"]


def test_check_mode_sends_no_call(cloud: Simulator) -> None:
    cloud.change_device(device_id(0), online=False)
    with open_client(cloud) as http:
        calls = run(http, ids=[device_id(0), device_id(1)], check_mode=True)
        assert http.writes == []
    assert index_statuses(calls) == {device_id(0): "offline", device_id(1): "not_called"}


def test_selection_without_devices_warns_and_sends_no_call(cloud: Simulator) -> None:
    warnings: list[str] = []
    with open_client(cloud) as http:
        calls = run(http, ids=[device_id(SIZE)], warn=warnings.append)
        assert http.writes == []
    assert calls == Calls((), None)
    assert warnings == [f"No device is selected in product {PRODUCT_SLUG}, so the function is not called."]


@pytest.mark.parametrize(("face", "status"), [(None, "unknown"), (408, "unknown"), (500, "unknown"), (404, "offline")])
def test_lost_device_that_the_list_shows_as_online(cloud: Simulator, face: int | None, status: str) -> None:
    cloud.change_device(device_id(0), powered=False)
    cloud.change_device(device_id(0), offline_face=face)
    with open_client(cloud) as http:
        outcome = find_only(run(http, ids=[device_id(0)]))
        assert len(http.writes) == 1
    assert outcome.status.value == status
    assert outcome.error is not None
    assert "Run again" not in outcome.error.hint


def test_other_value_than_expected_is_a_failure(cloud: Simulator) -> None:
    with open_client(cloud) as http:
        outcome = find_only(run(http, Call("number", "7", frozenset({0, 1})), [device_id(0)]))
    assert (outcome.status.value, outcome.return_value) == ("unexpected", 7)
    assert outcome.error is not None
    assert outcome.error.message == f"Function number of device {device_id(0)} returned 7, expected 0, 1."


def test_missing_function_has_not_run_and_names_the_remedy(cloud: Simulator) -> None:
    with open_client(cloud) as http:
        outcome = find_only(run(http, Call("lamp"), [device_id(0)]))
    assert outcome.status.value == "failed"
    assert outcome.error is not None
    assert outcome.error.message.endswith("(HTTP 404: Function lamp not found).")
    assert outcome.error.hint.startswith("Check the name of the function")


@pytest.mark.parametrize(("most", "sent"), [(0, 1), (2, 3)])
def test_run_ends_after_too_many_failures(cloud: Simulator, most: int, sent: int) -> None:
    with open_client(cloud, workers=1) as http:
        calls = run(http, Call("lamp", max_failures=most), list(map(device_id, range(20))))
        assert len(http.writes) == sent
    assert Counter(index_statuses(calls).values()) == {"failed": sent, "not_called": 20 - sent}
    result = build_result(LED, calls, check_mode=False, is_tolerant=True)
    assert (result["failed"], result["ended_early"], len(result["not_run"])) == (True, True, 20)
    assert result["msg"].count("Function lamp not found") == 1


def test_offline_devices_do_not_end_the_run(cloud: Simulator) -> None:
    cloud.change_device(device_id(0), powered=False)
    cloud.change_device(device_id(0), offline_face=404)
    with open_client(cloud, workers=1) as http:
        calls = run(http, Call("led", "on", max_failures=0), [device_id(0), device_id(1)])
    assert index_statuses(calls) == {device_id(0): "offline", device_id(1): "ok"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401, "body": EXPIRED}, "token_expired"),
        ({"status": 400, "body": {"error": "unauthorized", "error_description": "No scope"}}, "missing_scope"),
    ],
)
def test_refusal_for_every_device_ends_the_run(cloud: Simulator, fault: dict[str, Any], code: str) -> None:
    with open_client(cloud, workers=1) as http:
        cloud.set_faults([{"route": CALL, "effect": "status", **fault}])
        calls = run(http, ids=list(map(device_id, range(5))))
        assert len(http.writes) == 1
    assert calls.stopped is not None
    assert calls.stopped.code == code
    assert set(index_statuses(calls).values()) == {"not_called"}


def test_progress_counts_the_calls(cloud: Simulator) -> None:
    lines: list[tuple[int, int, int]] = []
    cloud.change_device(device_id(0), online=False)
    with open_client(cloud, workers=1) as http:
        run(http, ids=list(map(device_id, range(4))), report=lambda *counts: lines.append(counts))
    assert lines == [(1, 0, 3), (2, 0, 3), (3, 0, 3)]


def test_device_of_the_account_is_called_on_its_route(cloud: Simulator) -> None:
    with open_client(cloud) as http:
        declared = Declaration(LED, Sources((), None, True), read_filters({}))
        calls = run_calls(http, declared, Callbacks(lambda text: None), check_mode=False)
        assert http.writes == ["POST /v1/devices/:id/:functionName"]
    assert index_statuses(calls) == {device_id(SIZE - 1): "ok"}
