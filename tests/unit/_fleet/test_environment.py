# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 meshfleet.particle contributors
"""Environment variables of devices: runs reach the declared values, and publish no edits of other people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from faulty_cloud import EFFECTS, fault
from fleet_cloud import PRODUCT, RecordingHttp, device_id, errors, log_in, run, statuses, user

from ansible_collections.meshfleet.particle.plugins.module_utils._api.environment import (
    Level,
    build_device_scope,
    edit_variables,
    read_level,
    start_rollout,
)
from ansible_collections.meshfleet.particle.plugins.module_utils._documents.variables import Edits
from ansible_collections.meshfleet.particle.plugins.module_utils._errors.error import ParticleError
from ansible_collections.meshfleet.particle.plugins.module_utils._http.request import Request
from ansible_collections.meshfleet.particle.plugins.module_utils._http.response import Response
from support.plays import read_counts
from support.simulator import PRODUCT_ID, Simulator, running_simulator

READ, EDIT, ROLL_OUT = (
    f"{method} /v1/env/:deviceId{rest}" for method, rest in (("GET", ""), ("PATCH", ""), ("POST", "/rollout"))
)
ONE, TWO, THREE, OLD, NEW = (device_id(number) for number in range(1, 6))
SERIAL = "P046NEW"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Three devices of the product, one with an old Device OS, and one that is in no product."""
    known: dict[str, dict[str, Any]] = {
        id: {"id": id, "product_id": PRODUCT_ID, "system_firmware_version": "6.4.0"} for id in (ONE, TWO, THREE, OLD)
    }
    known[OLD]["system_firmware_version"] = "6.3.4"
    known[NEW] = {"id": NEW, "serial_number": SERIAL, "system_firmware_version": "6.4.0"}
    file = tmp_path_factory.mktemp("cloud") / "fleet.json"
    file.write_text(json.dumps(list(known.values())))
    with running_simulator("--fleet", str(file)) as simulator:
        yield simulator


@pytest.fixture
def cloud(server: Simulator) -> Simulator:
    server.reset()
    return server


@pytest.fixture
def http(cloud: Simulator) -> Iterator[RecordingHttp]:
    with user(cloud) as http:
        yield http


def declare(variables: Mapping[str, Any], *ids: str, **more: Any) -> dict[str, Any]:
    """Build a manifest in which each device declares the same variables."""
    devices = [{"id": device, "environment": dict(variables), **more} for device in ids or (ONE,)]
    return {"product": PRODUCT, "devices": devices}


def read(http: RecordingHttp, device: str = ONE) -> Level:
    return read_level(http, build_device_scope(device))


def stage(http: RecordingHttp, edits: Edits, device: str = ONE, *, roll_out: bool = False) -> None:
    """Edit variables of a device as another person, and roll them out only if `roll_out` is true."""
    edit_variables(http, build_device_scope(device), edits)
    if roll_out:
        start_rollout(http, build_device_scope(device), "Connect")
    http.sent.clear()


def find_outcome(result: Mapping[str, Any], device: str = ONE) -> dict[str, Any]:
    return next(outcome for outcome in result["devices"] if outcome["identifier"] == device)


class TestRun:
    def test_declared_variables_are_set_and_rolled_out(self, http: RecordingHttp) -> None:
        stage(http, {"KEPT": "1", "GONE": "2"}, roll_out=True)
        result = run(http, declare({"POLL_S": 30, "DEBUG": True, "GONE": {"state": "absent"}}))
        assert read(http).edited == read(http).rolled_out == {"KEPT": "1", "POLL_S": "30", "DEBUG": "true"}
        assert http.writes == [EDIT, ROLL_OUT]
        assert find_outcome(result)["changes"] == {
            "environment": {
                "before": {"DEBUG": None, "GONE": "2", "POLL_S": None},
                "after": {"DEBUG": "true", "GONE": None, "POLL_S": "30"},
            }
        }

    def test_result_says_that_devices_restart(self, http: RecordingHttp) -> None:
        result = run(http, declare({"A": "1"}, ONE, TWO))
        assert [outcome["restarts"] for outcome in result["devices"]] == [True, True]
        assert "2 devices restart to apply environment variables, at once if online." in result["msg"]
        assert [item.note for item in result["diff"].items] == ["restarts", "restarts"]
        again = run(http, declare({"A": "1"}, ONE, TWO))
        assert "restart" not in again["msg"]
        assert "restarts" not in again["devices"][0]

    def test_check_mode_predicts_the_same_without_a_write(self, cloud: Simulator, http: RecordingHttp) -> None:
        manifest = declare({"A": "1"}, ONE, TWO, NEW)
        predicted = run(http, manifest, check_mode=True)
        assert http.writes == []
        assert "3 devices would restart to apply environment variables" in predicted["msg"]
        done = run(http, manifest)
        assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
        assert predicted["devices"].pop().pop("uncertain")  # no list shows the device that is not in the product yet
        assert predicted["devices"] == done["devices"][:2]

    def test_second_run_writes_nothing(self, http: RecordingHttp) -> None:
        manifest = declare({"A": "1", "B": {"state": "absent"}}, ONE, NEW)
        assert run(http, manifest)["changed"]
        http.sent.clear()
        assert not run(http, manifest)["changed"]
        assert http.writes == []

    def test_staged_edit_of_another_variable_fails_only_its_device(self, http: RecordingHttp) -> None:
        stage(http, {"THEIRS": "1"})
        result = run(http, declare({"A": "1"}, ONE, TWO))
        assert statuses(result) == {ONE: "failed", TWO: "changed"}
        assert errors(result) == {ONE: "conflict"}
        assert "not declared: THEIRS." in result["msg"]
        assert read(http).rolled_out == {}
        assert read(http, TWO).rolled_out == {"A": "1"}

    def test_staged_edit_of_a_declared_variable_is_replaced(self, http: RecordingHttp) -> None:
        stage(http, {"A": "2"})
        assert not errors(run(http, declare({"A": "1"})))
        assert read(http).edited == read(http).rolled_out == {"A": "1"}

    def test_interrupted_change_needs_only_the_rollout(self, http: RecordingHttp) -> None:
        stage(http, {"A": "1"})
        run(http, declare({"A": "1"}))
        assert http.writes == [ROLL_OUT]
        assert read(http).rolled_out == {"A": "1"}

    @pytest.mark.parametrize("key", [{"id": NEW}, {"serial_number": SERIAL}], ids=str)
    def test_imported_device_keeps_its_other_variables(
        self, cloud: Simulator, http: RecordingHttp, key: dict[str, str]
    ) -> None:
        run(http, declare({"OLD": "1", "KEPT": "2"}, NEW))
        run(http, {"product": PRODUCT, "devices": [{"id": NEW}]}, absent=True)
        declared = {"A": "1", "OLD": {"state": "absent"}}
        result = run(http, {"product": PRODUCT, "devices": [{**key, "environment": declared}]})
        assert statuses(result) == {NEW: "changed"}
        assert read(http, NEW).edited == read(http, NEW).rolled_out == {"A": "1", "KEPT": "2"}
        assert not run(http, {"product": PRODUCT, "devices": [{**key, "environment": declared}]})["changed"]

    def test_imported_device_with_staged_edits_fails(self, http: RecordingHttp) -> None:
        run(http, {"product": PRODUCT, "devices": [{"id": NEW}]})
        stage(http, {"THEIRS": "1"}, NEW)
        run(http, {"product": PRODUCT, "devices": [{"id": NEW}]}, absent=True)
        result = run(http, declare({"A": "1"}, NEW))
        assert errors(result) == {NEW: "conflict"}
        assert read(http, NEW).rolled_out == {}

    def test_old_device_os_is_reported_and_does_not_restart(self, http: RecordingHttp) -> None:
        warnings: list[str] = []
        result = run(http, declare({"A": "1"}, ONE, OLD), warnings=warnings)
        assert find_outcome(result, OLD)["status"] == "changed"
        assert "restarts" not in find_outcome(result, OLD)
        assert "1 device restarts" in result["msg"]
        assert any(
            "1 device has a Device OS that is older than 6.4" in warning and OLD in warning for warning in warnings
        )

    def test_removed_and_undeclared_devices_keep_their_variables(self, http: RecordingHttp) -> None:
        stage(http, {"A": "1"}, TWO, roll_out=True)
        run(http, declare({"A": "2"}))
        run(http, declare({"A": "2"}, TWO), absent=True)
        assert READ not in [request.route for request in http.sent if request.path_params.get("deviceId") == TWO]
        assert EDIT not in [request.route for request in http.sent if request.path_params.get("deviceId") == TWO]

    def test_failed_difference_shows_no_long_value(self, http: RecordingHttp) -> None:
        stage(http, {"A": "x" * 9_000}, roll_out=True)
        http.send = drop_writes(http.send)  # type: ignore[method-assign]
        result = run(http, declare({"A": "y" * 9_000}))
        assert errors(result) == {ONE: "conflict"}
        assert len(result["msg"]) < 2_000

    def test_cloud_without_variables_is_named_before_any_write(self, cloud: Simulator, http: RecordingHttp) -> None:
        cloud.set_faults([{"route": READ, "effect": "status", "status": 404, "probability": 1}])
        with pytest.raises(ParticleError, match="no environment variables") as caught:
            run(http, declare({"A": "1"}, ONE, NEW))
        assert caught.value.code == "unsupported"
        assert http.writes == []


def drop_writes(send: Any) -> Any:
    """Return a `send` that answers each write with an empty object instead of sending it."""

    def answer(request: Request) -> Response:
        return send(request) if request.method == "GET" else Response(200, {})

    return answer


# --- costs ---


def count_routes(http: RecordingHttp) -> Counter[str]:
    return Counter(request.route for request in http.sent if "/env" in request.route)


@pytest.mark.parametrize("check_mode", [True, False])
def test_only_devices_with_declared_variables_are_read(http: RecordingHttp, check_mode: bool) -> None:
    manifest = declare({"A": "1"}, ONE, TWO)
    run(http, manifest)
    http.sent.clear()
    manifest["devices"] += [{"id": THREE}, {"id": OLD, "environment": {}}]
    run(http, manifest, check_mode=check_mode)
    assert count_routes(http) == {READ: 2}


def test_change_takes_three_requests_and_its_verification_one(http: RecordingHttp) -> None:
    run(http, declare({"A": "1"}, ONE))
    http.sent.clear()
    run(http, declare({"A": "1"}, ONE, TWO, THREE), verify="none")
    assert count_routes(http) == {READ: 3, EDIT: 2, ROLL_OUT: 2}
    http.sent.clear()
    run(http, declare({"A": "2"}, ONE, TWO), verify="read")
    assert count_routes(http) == {READ: 4, EDIT: 2, ROLL_OUT: 2}


@pytest.mark.parametrize("key", [{"id": NEW}, {"serial_number": SERIAL}], ids=str)
def test_import_reads_each_device_once(http: RecordingHttp, key: dict[str, str]) -> None:
    manifest = declare({"A": "1"}, ONE)
    run(http, manifest)
    http.sent.clear()
    manifest["devices"].append({**key, "environment": {"A": "1"}})
    run(http, manifest, verify="none")
    assert count_routes(http) == {READ: 2, EDIT: 1, ROLL_OUT: 1}


def test_verification_in_a_network_reads_only_written_devices(http: RecordingHttp) -> None:
    manifest = declare({"A": "1"}, ONE, TWO, THREE, mesh={"network": "barn"})
    manifest["networks"] = {"barn": {}}
    manifest["devices"][0]["mesh"] = {"network": "barn", "role": "gateway"}
    run(http, manifest)
    http.sent.clear()
    manifest["devices"][1]["environment"] = {"A": "2"}
    run(http, manifest)
    assert count_routes(http) == {READ: 4, EDIT: 1, ROLL_OUT: 1}


# --- faults and kills ---


@pytest.mark.parametrize("route", [EDIT, ROLL_OUT])
@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncated", "empty", "html"])
def test_lost_answer_fails_no_device(cloud: Simulator, http: RecordingHttp, route: str, effect: str) -> None:
    cloud.set_faults([{"route": route, "effect": effect, "times": 1}])
    result = run(http, declare({"A": "1"}, ONE, NEW), max_failures=0)
    assert statuses(result) == {ONE: "changed", NEW: "changed"}
    assert all(read(http, device).rolled_out == {"A": "1"} for device in (ONE, NEW))


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("route", [READ, EDIT, ROLL_OUT])
def test_next_run_finishes_a_run_under_faults(cloud: Simulator, route: str, effect: str) -> None:
    manifest = declare({"A": "1", "B": {"state": "absent"}}, ONE, NEW)
    with user(cloud, timeout=0.3) as http:
        stage(http, {"B": "2"}, roll_out=True)
        http.renew = lambda expired: log_in(http)
        more = {"delay": 0.35} if effect == "delay" else {"status": 502} if effect in ("html", "status") else {}
        cloud.set_faults([fault(route, effect, times=3, **more)])
        try:
            run(http, manifest)
        except ParticleError:
            assert route == READ
        cloud.clear_faults()
    with user(cloud) as http:
        second = run(http, manifest)
        assert read_counts(second)["failed"] == 0
        assert all(read(http, device).rolled_out == {"A": "1"} for device in (ONE, NEW))
        http.sent.clear()
        assert not run(http, manifest)["changed"]
        assert http.writes == []


class Killed(BaseException):
    """The process was killed."""


def test_run_after_a_kill_at_any_request_makes_the_remaining_writes(cloud: Simulator) -> None:
    manifest = declare({"A": "1"}, ONE, NEW)
    moment, killed = 0, True
    while killed:
        moment += 1
        cloud.reset()
        with user(cloud, workers=1) as http:
            killed = run_until_killed(http, manifest, moment)
            written = count_writes(cloud)
        with user(cloud) as http:
            run(http, manifest)
            assert all(read(http, device).rolled_out == {"A": "1"} for device in (ONE, NEW))
            assert count_writes(cloud) == {EDIT: 2, ROLL_OUT: 2}, (moment, written)
            http.sent.clear()
            assert not run(http, manifest)["changed"]
    assert moment > 10


def run_until_killed(http: RecordingHttp, manifest: Mapping[str, Any], moment: int) -> bool:
    """Run a manifest until just before the request with the number `moment`. Return whether it was killed."""
    numbers = iter(range(1, 1_000))

    def check() -> None:
        if next(numbers) == moment:
            raise Killed

    http.before_request = check
    try:
        run(http, manifest)
    except Killed:
        return True
    return False


def count_writes(cloud: Simulator) -> dict[str, int]:
    """Count the writes of variables that the cloud has received since the start."""
    return {route: number for route, number in cloud.stats()["by_route"].items() if route in (EDIT, ROLL_OUT)}
